"""LM Studio: its own API tells which models are loaded, and with which window (report B169)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentlaunch.probes.servers.base import (
    Answers,
    ServedModel,
    ServerFacts,
    ServerKind,
    content,
    count,
    text,
)

V1, V0 = "/api/v1/models", "/api/v0/models"


def read(answers: Answers) -> ServerFacts | None:
    """API v1 (0.4.0 and later), else v0 (0.3.6 and later), as lmstudio.ai/docs/developer/rest has them.

    One that wants a key cannot be told from any other program that wants one: it must be asked for by name.
    """
    match content(answers, V1):
        case {"models": list(entries)}:
            known = [entry for entry in entries if isinstance(entry, dict)]
            if all("loaded_instances" in entry for entry in known):
                return ServerFacts(tuple(model for entry in known for model in _of_v1(entry)))
    match content(answers, V0):
        case {"data": list(entries)}:
            known = [entry for entry in entries if isinstance(entry, dict)]
            if all("state" in entry and "max_context_length" in entry for entry in known):
                return ServerFacts(tuple(model for entry in known for model in _of_v0(entry)))
    return None


def _of_v1(entry: Mapping[str, object]) -> Iterator[ServedModel]:
    """A loaded instance by its own id, a model that is not loaded by its key."""
    if entry.get("type") == "embedding":
        return
    capabilities = entry.get("capabilities")
    vision = capabilities.get("vision") if isinstance(capabilities, dict) else None
    images = vision if isinstance(vision, bool) else None
    trained = count(entry.get("max_context_length"))
    instances = entry.get("loaded_instances")
    loaded = False
    for instance in instances if isinstance(instances, list) else []:
        match instance:
            case {"id": str(name), "config": {"context_length": int(window)}}:
                loaded = True
                yield ServedModel(name, count(window), True, trained, images)
    if not loaded and text(entry.get("key")):
        yield ServedModel(text(entry.get("key")), None, False, trained, images)


def _of_v0(entry: Mapping[str, object]) -> Iterator[ServedModel]:
    name = text(entry.get("id"))
    if not name or entry.get("type") == "embeddings":
        return
    loaded = entry.get("state") == "loaded"
    window = count(entry.get("loaded_context_length")) if loaded else None
    yield ServedModel(name, window, loaded, count(entry.get("max_context_length")), entry.get("type") == "vlm")


KIND = ServerKind(
    name="lmstudio",
    title="LM Studio",
    port=1234,
    paths=(V1, V0),
    read=read,
    enlarge="lms unload {model} && lms load {model} --context-length {tokens}",
    load="lms load {model} --context-length {tokens}",
    key_variable="LM_API_TOKEN",
)
