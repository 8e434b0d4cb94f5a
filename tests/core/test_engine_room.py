"""core/engine_room.py and core/fit/room.py: whether one more model has room beside those that run."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.app.knowledge import load_calibration
from agentlaunch.core.engine import MemoryPlan
from agentlaunch.core.engine_room import Shortage, find_shortage
from agentlaunch.core.fit.placement import Placement
from agentlaunch.core.fit.room import memory_plan
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory

GIB = 2**30
HALF_FREE = HardwareReport(
    "linux",
    "x86_64",
    Cpu("Test CPU", 16),
    Memory(64 * GIB, 20 * GIB, 80.0),
    (Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB, 4 * GIB),),
)

_sizes = st.integers(0, 100)
_plans = st.builds(MemoryPlan, _sizes, _sizes, st.just(60), st.just(60))


def placed(kind: str, gpu_bytes: int, host_bytes: int) -> Placement:
    total = gpu_bytes if kind == "gpu" else gpu_bytes + host_bytes
    return Placement(kind, 0, 0, 0, total, 0, gpu_bytes, host_bytes)  # type: ignore[arg-type]


def test_each_place_counts_for_itself() -> None:
    held = MemoryPlan(16, 2, 24, 32)
    assert find_shortage(MemoryPlan(99, 99, 24, 32), []) is None
    assert find_shortage(MemoryPlan(8, 30, 24, 32), [held]) is None
    assert find_shortage(MemoryPlan(9, 0, 24, 32), [held]) == Shortage("GPU memory", 9, 16, 24)
    assert find_shortage(MemoryPlan(0, 31, 24, 32), [held, held]) == Shortage("memory", 31, 4, 32)


@given(_plans)
def test_the_first_one_always_has_room(wanted: MemoryPlan) -> None:
    assert find_shortage(wanted, []) is None


@given(_plans, st.lists(_plans, min_size=1))
def test_what_is_let_in_fits_in_every_place_that_it_shares(wanted: MemoryPlan, held: list[MemoryPlan]) -> None:
    if find_shortage(wanted, held) is None:
        on_gpu, in_host = sum(plan.gpu_bytes for plan in held), sum(plan.host_bytes for plan in held)
        assert not (wanted.gpu_bytes and on_gpu) or wanted.gpu_bytes + on_gpu <= 60
        assert not (wanted.host_bytes and in_host) or wanted.host_bytes + in_host <= 60


def test_the_capacity_is_the_machines_and_not_what_is_free_beside_a_loaded_model() -> None:
    plan = memory_plan(placed("gpu", 3 * GIB, GIB), HALF_FREE, load_calibration())
    assert plan is not None
    assert (plan.gpu_bytes, plan.host_bytes) == (3 * GIB, GIB)
    assert 22 * GIB < plan.gpu_capacity_bytes < 24 * GIB
    assert 58 * GIB < plan.host_capacity_bytes < 64 * GIB


def test_unified_memory_is_one_place() -> None:
    mac = HardwareReport(
        "darwin", "arm64", Cpu("Apple M3", 8), Memory(36 * GIB, 20 * GIB), (Gpu("Apple M3", "apple", 0, unified=True),)
    )
    plan = memory_plan(placed("gpu", 10 * GIB, 0), mac, load_calibration())
    assert plan is not None
    assert (plan.gpu_bytes, plan.host_bytes, plan.gpu_capacity_bytes) == (0, 10 * GIB, 0)
    assert plan.host_capacity_bytes < 24 * GIB


def test_what_does_not_fit_was_forced_and_has_no_plan() -> None:
    assert memory_plan(placed("none", GIB, GIB), HALF_FREE, load_calibration()) is None
