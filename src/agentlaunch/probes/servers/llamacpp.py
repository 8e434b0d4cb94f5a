"""llama.cpp's own server: `/props` tells the window of one slot, which `-np` divides (report B163)."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.served_model import ServedModel, count, text
from agentlaunch.probes.servers.base import Answers, ServerFacts, ServerKind, content, is_refused, listed

MODELS, PROPS = "/v1/models", "/props"


def read(answers: Answers) -> ServerFacts | None:
    """As tools/server/README.md of llama.cpp has it; a router (no `-m`) lists what it could load, with a status.

    With a key both paths are closed (older builds: `/props` alone), and the `Server` header tells who it is.
    """
    if is_refused(answers, MODELS) and answers[MODELS].server == "llama.cpp":
        return ServerFacts(wants_key=True)
    entries = listed(answers, MODELS)
    if not entries or any(entry.get("owned_by") != "llamacpp" for entry in entries):
        return None
    slot, version = _props(content(answers, PROPS))
    models = tuple(_model(entry, slot if len(entries) == 1 else None) for entry in entries)
    return ServerFacts(models, version, wants_key=is_refused(answers, PROPS))


def _props(content: object) -> tuple[int | None, str]:
    match content:
        case {"default_generation_settings": {"n_ctx": int(window)}, **rest}:
            return count(window), text(rest.get("build_info"))
        case _:
            return None, ""


def _model(entry: Mapping[str, object], slot: int | None) -> ServedModel:
    meta = entry.get("meta")
    facts: Mapping[str, object] = meta if isinstance(meta, dict) else {}
    status = entry.get("status")
    loaded = not isinstance(status, dict) or status.get("value") in ("loaded", "sleeping")
    window = slot or count(facts.get("n_ctx"))
    return ServedModel(text(entry.get("id")), window if loaded else None, loaded, count(facts.get("n_ctx_train")))


KIND = ServerKind(
    name="llamacpp-server",
    title="llama.cpp server",
    port=8080,
    paths=(MODELS, PROPS),
    read=read,
    enlarge="llama-server ... -c {tokens} -np 1",
    load="llama-server -m {model} -c {tokens} -np 1",
    key_variable="LLAMA_API_KEY",
    counting="llama_cpp",
)
