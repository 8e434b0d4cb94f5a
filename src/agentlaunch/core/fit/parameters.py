"""From the fit's plan to the parameters of llama.cpp: layers, experts, flash attention, and what is kept of prompts."""

from __future__ import annotations

import math
from typing import assert_never

from agentlaunch.core.catalog import Architecture
from agentlaunch.core.engine import EngineParameters
from agentlaunch.core.fit.memory import CacheType, RunSettings, cache_bytes, cache_bytes_per_token
from agentlaunch.core.fit.placement import Placement

CHECKPOINTS_BYTES = 2**30
"""What all checkpoints of all slots together may take of host memory, which no fit has counted."""
SLOTS_OF_PLAIN_ATTENTION = 3
_FEWEST, _MOST = 3, 32
"""Fewer than three would lose the prompt's state with every edit of a turn; 32 is llama.cpp's own default."""


def engine_parameters(
    placement: Placement, architecture: Architecture, context: int, cache_type: CacheType
) -> EngineParameters:
    """What to start llama.cpp with so that the model lies as planned; `context` in tokens.

    A model that fits the GPU whole is left to llama.cpp (`gpu_layers` None): it puts every layer there, and fewer where
    it measures less free memory than we have. A quantised cache needs flash attention (llama.cpp refuses it without).
    """
    layers = architecture.layers
    gpu_layers: int | None = None
    cpu_expert_layers = 0
    match placement.kind:
        case "cpu":
            gpu_layers = 0
        case "split" if architecture.experts is not None:
            leading = architecture.experts.leading_dense_layers
            # To 6 places: the plan's fraction is of whole layers, and a product a hair above one is not one more.
            on_host = math.ceil(round((1 - placement.experts_on_gpu) * (layers - leading), 6))
            cpu_expert_layers = leading + on_host if on_host else 0
            gpu_layers = layers + 1  # the output layer counts as one (llama.cpp: n_gpu_layers > n_layer)
        case "split":
            gpu_layers = round(placement.dense_on_gpu * layers)
        case "gpu" | "none":
            pass
        case _:
            assert_never(placement.kind)
    return EngineParameters(
        gpu_layers=gpu_layers,
        cpu_expert_layers=cpu_expert_layers,
        flash_attention="auto" if cache_type == "f16" else "on",
        slots=slot_count(architecture),
        checkpoints=checkpoint_count(architecture, context, cache_type),
    )


def slot_count(architecture: Architecture) -> int:
    """Three where a slot keeps nothing of its own (`memory.cache_bytes`): two subagents beside their conversation.

    A window's cells and a recurrent state are each slot's own: such a model has the usual two.
    """
    has_own = architecture.recurrent is not None or any(group.window is not None for group in architecture.cache)
    return EngineParameters().slots if has_own else SLOTS_OF_PLAIN_ATTENTION


def checkpoint_count(architecture: Architecture, context: int, cache_type: CacheType) -> int:
    """How many checkpoints a slot may keep within `CHECKPOINTS_BYTES`.

    One holds what a longer prompt overwrites: the windows' cells and the recurrent state (llama.cpp's pull request
    15293).
    """
    settings = RunSettings(context, cache_type)
    whole_bytes = cache_bytes(architecture, settings)
    kept_bytes = cache_bytes_per_token(architecture, cache_type) * context
    one_bytes = max(int(whole_bytes - kept_bytes), 1)
    return max(_FEWEST, min(_MOST, CHECKPOINTS_BYTES // (EngineParameters().slots * one_bytes)))
