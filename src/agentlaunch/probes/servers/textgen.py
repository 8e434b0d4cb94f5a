"""text-generation-webui: `/v1/internal/model/info` names the one model that is loaded."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content

INFO = "/v1/internal/model/info"


def read(answers: Answers) -> ServerFacts | None:
    """As extensions/openai/models.py has it: both fields; `None` is no model. The window is told nowhere."""
    match content(answers, INFO):
        case {"model_name": str() | None as name, "lora_names": list()}:
            return ServerFacts((ServedModel(name),) if name not in (None, "", "None") else ())
        case _:
            return None


KIND = ServerKind(
    name="textgen",
    title="text-generation-webui",
    port=5000,
    paths=(INFO,),
    read=read,
    enlarge="start it with --ctx-size {tokens}",
    load="python server.py --api --model {model} --ctx-size {tokens}",
    key_variable="OPENEDAI_API_KEY",
)
