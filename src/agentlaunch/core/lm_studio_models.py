"""LM Studio's own lists of models, which tell what is loaded and with which window (report B169)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from agentlaunch.core.served_model import ServedModel, count, text

V1, V0 = "/api/v1/models", "/api/v0/models"
"""Paths of the API of 0.4.0 and later, and of 0.3.6 and later, as lmstudio.ai/docs/developer/rest has them."""


def read_v1(content: object) -> tuple[ServedModel, ...] | None:
    """The models that answer chats in the JSON of V1; None for what is no such list."""
    match content:
        case {"models": list(entries)}:
            known = [entry for entry in entries if isinstance(entry, dict)]
            if all("loaded_instances" in entry for entry in known):
                return tuple(model for entry in known for model in _of_v1(entry))
    return None


def read_v0(content: object) -> tuple[ServedModel, ...] | None:
    """The models that answer chats in the JSON of V0; None for what is no such list."""
    match content:
        case {"data": list(entries)}:
            known = [entry for entry in entries if isinstance(entry, dict)]
            if all("state" in entry and "max_context_length" in entry for entry in known):
                return tuple(model for entry in known for model in _of_v0(entry))
    return None


def _of_v1(entry: Mapping[str, object]) -> Iterator[ServedModel]:
    """A loaded instance by its own id, a model that is not loaded by its key."""
    if entry.get("type") == "embedding":
        return
    capabilities = entry.get("capabilities")
    vision = capabilities.get("vision") if isinstance(capabilities, dict) else None
    images = vision if isinstance(vision, bool) else None
    trained = count(entry.get("max_context_length"))
    told = entry.get("quantization")
    quant = text(told.get("name")) if isinstance(told, dict) else ""
    instances = entry.get("loaded_instances")
    loaded = False
    for instance in instances if isinstance(instances, list) else []:
        match instance:
            case {"id": str(name), "config": {"context_length": int(window)}}:
                loaded = True
                yield ServedModel(name, count(window), True, trained, images, quant)
    if not loaded and text(entry.get("key")):
        yield ServedModel(text(entry.get("key")), None, False, trained, images, quant)


def _of_v0(entry: Mapping[str, object]) -> Iterator[ServedModel]:
    """One that is not loaded gets LM Studio's own default window, which it hides."""
    name = text(entry.get("id"))
    if not name or entry.get("type") == "embeddings":
        return
    loaded = entry.get("state") == "loaded"
    window = count(entry.get("loaded_context_length")) if loaded else None
    trained, quant = count(entry.get("max_context_length")), text(entry.get("quantization"))
    yield ServedModel(name, window, loaded, trained, entry.get("type") == "vlm", quant)
