"""Reads the LiteLLM proxy's `/model/info`: windows and prices of what a key may use."""

from __future__ import annotations

import msgspec

from agentlaunch.upstreams.listing import ModelFacts, positive, prices


class _Info(msgspec.Struct):
    """US dollars per token; null for models that are not in LiteLLM's cost map."""

    max_input_tokens: int | None = None
    input_cost_per_token: float | None = None
    output_cost_per_token: float | None = None
    cache_read_input_token_cost: float | None = None
    supports_vision: bool | None = None


class _Model(msgspec.Struct):
    """LiteLLM's proxy API, `GET /model/info`."""

    model_name: str
    model_info: _Info | None = None


class _Models(msgspec.Struct):
    data: list[_Model]


_models = msgspec.json.Decoder(_Models, strict=False)


def read_info(body: bytes) -> tuple[ModelFacts, ...]:
    """One entry a deployment; those behind one name count as one, with the first one's facts."""
    found: dict[str, ModelFacts] = {}
    for model in _models.decode(body).data:
        info = model.model_info or _Info()
        cost = (info.input_cost_per_token, info.output_cost_per_token, info.cache_read_input_token_cost)
        facts = ModelFacts(model.model_name, positive(info.max_input_tokens), prices(cost), info.supports_vision)
        found.setdefault(model.model_name, facts)
    return tuple(found.values())
