"""Reads `/v1/models` as OpenAI documents it, with the additions of vLLM, llama.cpp and Anthropic."""

from __future__ import annotations

import msgspec

from agentlaunch.upstreams.listing import ModelFacts, positive


class _Entry(msgspec.Struct):
    """One of `/v1/models`: vLLM's `max_model_len`; Anthropic's `max_input_tokens`; llama.cpp's `meta`."""

    id: str
    max_model_len: int | None = None
    max_input_tokens: int | None = None
    meta: dict[str, object] | None = None


class _Models(msgspec.Struct):
    data: list[_Entry]


_models = msgspec.json.Decoder(_Models)


def read_models(body: bytes) -> tuple[ModelFacts, ...]:
    """The models; their windows where the server tells them."""
    return tuple(ModelFacts(entry.id, _window(entry)) for entry in _models.decode(body).data)


def _window(entry: _Entry) -> int | None:
    """llama.cpp tells `n_ctx`, what it was started with, since 2025; `n_ctx_train` alone would promise too much."""
    loaded = (entry.meta or {}).get("n_ctx")
    return positive(entry.max_model_len, entry.max_input_tokens, loaded if isinstance(loaded, int) else None)
