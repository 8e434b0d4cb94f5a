"""Reads LM Studio's own list: which window a model is loaded with."""

from __future__ import annotations

import msgspec

from agentlaunch.upstreams.listing import ModelFacts, positive


class _Model(msgspec.Struct):
    """LM Studio's REST API, `GET /api/v0/models`; `type` is llm, vlm or embeddings."""

    id: str
    type: str = ""
    loaded_context_length: int | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


_models = msgspec.json.Decoder(_Models)


def read_own(body: bytes) -> tuple[ModelFacts, ...]:
    """The models that answer chats. One that is not loaded yet gets LM Studio's own default window, which it hides."""
    models = (model for model in _models.decode(body).data if model.type != "embeddings")
    return tuple(
        ModelFacts(model.id, positive(model.loaded_context_length), takes_images=model.type == "vlm")
        for model in models
    )
