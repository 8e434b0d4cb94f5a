"""Docker Model Runner: an OpenAI API below `/engines`, whose models belong to `docker`."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.served_model import ServedModel, count, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, listed

MODELS = "/engines/v1/models"


def read(answers: Answers) -> ServerFacts | None:
    """As docs.docker.com/ai/model-runner/api-reference has it; newer ones tell a window in `dmr`."""
    entries = listed(answers, MODELS)
    if not entries or any(entry.get("owned_by") != "docker" for entry in entries):
        return None
    return ServerFacts(tuple(_model(entry) for entry in entries))


def _model(entry: Mapping[str, object]) -> ServedModel:
    own = entry.get("dmr")
    window = count(own.get("context_window")) if isinstance(own, dict) else None
    return ServedModel(text(entry.get("id")), window, is_loaded=None)


KIND = ServerKind(
    name="docker",
    title="Docker Model Runner",
    port=12434,
    paths=(MODELS,),
    read=read,
    enlarge="docker model configure --context-size {tokens} {model}",
    load="docker model run {model}",
    key_variable="",
    base_path="/engines",
)
