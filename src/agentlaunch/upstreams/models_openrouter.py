"""Reads OpenRouter's list of models: windows, prices, what they take."""

from __future__ import annotations

import math

import msgspec

from agentlaunch.upstreams.listing import ModelFacts, positive, prices


class _Pricing(msgspec.Struct):
    """US dollars per token, as text."""

    prompt: str = ""
    completion: str = ""
    input_cache_read: str = ""


class _Architecture(msgspec.Struct):
    input_modalities: list[str] | None = None


class _TopProvider(msgspec.Struct):
    context_length: int | None = None


class _Model(msgspec.Struct):
    """OpenRouter API reference, "List available models"."""

    id: str
    context_length: int | None = None
    pricing: _Pricing | None = None
    architecture: _Architecture | None = None
    top_provider: _TopProvider | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


_models = msgspec.json.Decoder(_Models)


def read_list(body: bytes) -> tuple[ModelFacts, ...]:
    """`/v1/models` of OpenRouter. The window is the top provider's, which is where requests go, when it is told."""
    return tuple(_facts(model) for model in _models.decode(body).data)


def _facts(model: _Model) -> ModelFacts:
    pricing = model.pricing or _Pricing()
    top = model.top_provider or _TopProvider()
    modalities = None if model.architecture is None else model.architecture.input_modalities
    return ModelFacts(
        model.id,
        positive(top.context_length, model.context_length),
        prices(_number(text) for text in (pricing.prompt, pricing.completion, pricing.input_cache_read)),
        None if modalities is None else "image" in modalities,
    )


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None
