"""KoboldCpp: `/api/extra` has its version and the window that it was started with."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel, count, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, listed

VERSION, WINDOW, MODELS = "/api/extra/version", "/api/extra/true_max_context_length", "/v1/models"


def read(answers: Answers) -> ServerFacts | None:
    """As koboldcpp.py has it; `llm` is false where it serves images or speech alone."""
    match content(answers, VERSION):
        case {"result": "KoboldCpp", **rest} if rest.get("llm") is not False:
            version = text(rest.get("version"))
        case _:
            return None
    match content(answers, WINDOW):
        case {"value": int(value)}:
            window = count(value)
        case _:
            window = None
    names = (text(entry.get("id")) for entry in listed(answers, MODELS))
    return ServerFacts(tuple(ServedModel(name, window) for name in names if name != "koboldcpp/inactive"), version)


KIND = ServerKind(
    name="koboldcpp",
    title="KoboldCpp",
    port=5001,
    paths=(VERSION, WINDOW, MODELS),
    read=read,
    enlarge="koboldcpp ... --contextsize {tokens}",
    load="koboldcpp --model {model} --contextsize {tokens}",
    key_variable="",
)
