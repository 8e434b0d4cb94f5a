"""Reads Ollama's list of tags."""

from __future__ import annotations

import msgspec

from agentlaunch.upstreams.listing import ModelFacts


class _Model(msgspec.Struct):
    name: str


class _Models(msgspec.Struct):
    models: list[_Model]


_models = msgspec.json.Decoder(_Models)


def read_tags(body: bytes) -> tuple[ModelFacts, ...]:
    """`/api/tags` (facts/ollama-api.md): names only; the window is the request's."""
    return tuple(ModelFacts(model.name) for model in _models.decode(body).models)
