"""Reads LM Studio's own lists: which window a model is loaded with."""

from __future__ import annotations

import msgspec

from agentlaunch.core.lm_studio_models import read_v0, read_v1
from agentlaunch.core.served_model import ServedModel
from agentlaunch.upstreams.listing import ModelFacts


def read_newer(body: bytes) -> tuple[ModelFacts, ...]:
    """`/api/v1/models`."""
    return _facts(read_v1(msgspec.json.decode(body)))


def read_older(body: bytes) -> tuple[ModelFacts, ...]:
    """`/api/v0/models`."""
    return _facts(read_v0(msgspec.json.decode(body)))


def _facts(models: tuple[ServedModel, ...] | None) -> tuple[ModelFacts, ...]:
    if models is None:
        raise msgspec.ValidationError("not LM Studio's list of models")
    return tuple(ModelFacts(model.name, model.context_window, takes_images=model.takes_images) for model in models)
