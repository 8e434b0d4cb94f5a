"""What llama.cpp is started with for a plan: layers, experts, flash attention, checkpoints."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentlaunch.core.catalog import Architecture, CacheGroup, Experts, Recurrent
from agentlaunch.core.engine import EngineParameters
from agentlaunch.core.fit.memory import RunSettings, cache_bytes
from agentlaunch.core.fit.parameters import CHECKPOINTS_BYTES, checkpoint_count, engine_parameters, slot_count
from agentlaunch.core.fit.placement import Placement, PlacementKind

FULL = CacheGroup(layers=40, heads=32, heads_kv=8, key_length=128, value_length=128)
DENSE = Architecture("qwen3", 40, 4096, 150_000, 12_288, (FULL,))
MIXTURE = Architecture("qwen3moe", 40, 2048, 150_000, 0, (FULL,), experts=Experts(128, 8, 768))
LATER_MIXTURE = replace(MIXTURE, experts=Experts(128, 8, 768, leading_dense_layers=4))
WINDOWED = Architecture(
    "gemma3", 48, 4096, 260_000, 15_360, (CacheGroup(8, 16, 8, 256, 256), CacheGroup(40, 16, 8, 256, 256, window=1024))
)
RECURRENT = Architecture(
    "qwen3next", 48, 2048, 150_000, 0, (FULL,), recurrent=Recurrent("short-conv", 36, conv_width=2, inner=2**19)
)


def placed(kind: PlacementKind, dense: float = 0.0, experts: float = 0.0) -> Placement:
    return Placement(kind, 0, 0, 0, 0, 0, 0, 0, dense, experts)


@pytest.mark.parametrize(
    ("placement", "architecture", "layers", "experts"),
    [
        (placed("gpu", 1.0, 1.0), DENSE, None, 0),
        (placed("none"), DENSE, None, 0),
        (placed("cpu"), DENSE, 0, 0),
        (placed("split", 0.75, 0.75), DENSE, 30, 0),
        (placed("split", 1.0, 0.25), MIXTURE, 41, 30),
        (placed("split", 1.0, 0.0), MIXTURE, 41, 40),
        (placed("split", 1.0, 0.5), LATER_MIXTURE, 41, 22),
    ],
    ids=[
        "gpu",
        "forced",
        "cpu",
        "layers on the host",
        "experts on the host",
        "all experts on the host",
        "dense layers first",
    ],
)
def test_layers_and_experts_lie_as_planned(
    placement: Placement, architecture: Architecture, layers: int | None, experts: int
) -> None:
    found = engine_parameters(placement, architecture, 32_768, "f16")
    assert found == EngineParameters(layers, experts, "auto", 3, 0, 32)


def test_a_quantised_cache_asks_for_flash_attention() -> None:
    assert engine_parameters(placed("gpu"), DENSE, 32_768, "q8_0").flash_attention == "on"


@pytest.mark.parametrize(
    ("architecture", "count"),
    [(DENSE, 3), (MIXTURE, 3), (WINDOWED, 2), (RECURRENT, 2)],
    ids=lambda value: str(value)[:12],
)
def test_a_third_slot_is_there_where_it_takes_no_memory(architecture: Architecture, count: int) -> None:
    one, three = (cache_bytes(architecture, RunSettings(65_536, parallel=slots)) for slots in (1, 3))
    assert (slot_count(architecture), one == three) == (count, count == 3)


@pytest.mark.parametrize(("architecture", "count"), [(DENSE, 32), (WINDOWED, 3), (RECURRENT, 7)])
def test_checkpoints_are_bounded_by_what_one_takes(architecture: Architecture, count: int) -> None:
    assert checkpoint_count(architecture, 65_536, "f16") == count


def test_recurrent_checkpoints_stay_within_their_bytes() -> None:
    state = RECURRENT.recurrent
    assert state is not None
    one = state.layers * state.elements_per_layer * 4
    assert checkpoint_count(RECURRENT, 65_536, "f16") * EngineParameters().slots * one <= CHECKPOINTS_BYTES
