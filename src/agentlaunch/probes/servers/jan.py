"""Jan's local API server: it describes itself in `/openapi.json`, and lists the models that are loaded."""

from __future__ import annotations

from agentlaunch.core.served_model import ServedModel, count, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, listed

MODELS, DESCRIPTION = "/v1/models", "/openapi.json"


def read(answers: Answers) -> ServerFacts | None:
    """As src-tauri/static/openapi.json of janhq/jan has it. `ctx_len` is the trained length, so no window is known."""
    match content(answers, DESCRIPTION):
        case {"info": {"title": str(title)}} if title.startswith("Jan API"):
            pass
        case _:
            return None
    if content(answers, MODELS) is None:
        return ServerFacts(wants_key=True)
    models = (
        ServedModel(text(entry.get("id")), context_trained=count(entry.get("ctx_len")))
        for entry in listed(answers, MODELS)
    )
    return ServerFacts(tuple(models))


KIND = ServerKind(
    name="jan",
    title="Jan",
    port=1337,
    paths=(DESCRIPTION, MODELS),
    read=read,
    enlarge="in Jan: the model's settings, Context Size {tokens} (its default is 4096), then load it again",
    load="in Jan: Settings, Model Providers, start `{model}`",
    key_variable="JAN_API_KEY",
)
