"""LocalAI: it describes itself in `/.well-known/localai.json`, and `/system` tells what is loaded."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, is_refused, listed

DESCRIPTION, SYSTEM, MODELS = "/.well-known/localai.json", "/system", "/v1/models"


def read(answers: Answers) -> ServerFacts | None:
    """As localai.io/docs/reference and /features/api-discovery have them; older versions have `/system` alone.

    The window stands in each model's YAML and is told nowhere.
    """
    loaded = _loaded(content(answers, SYSTEM))
    match content(answers, DESCRIPTION):
        case {"version": str(version), "endpoints": dict()}:
            pass
        case _:
            version = ""
            if loaded is None:
                return None
    if is_refused(answers, MODELS):
        return ServerFacts(version=version, wants_key=True)
    names = (text(entry.get("id")) for entry in listed(answers, MODELS))
    models = (ServedModel(name, is_loaded=None if loaded is None else name in loaded) for name in names)
    return ServerFacts(tuple(models), version)


def _loaded(system: object) -> set[str] | None:
    match system:
        case {"backends": list(), "loaded_models": list(entries)}:
            return {text(entry.get("id")) for entry in entries if isinstance(entry, dict)}
        case _:
            return None


KIND = ServerKind(
    name="localai",
    title="LocalAI",
    port=8080,
    paths=(DESCRIPTION, SYSTEM, MODELS),
    read=read,
    enlarge="in the model's YAML file: context_size: {tokens}",
    load="local-ai run {model}",
    key_variable="LOCALAI_API_KEY",
)
