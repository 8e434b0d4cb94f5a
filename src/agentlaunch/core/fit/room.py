"""What a planned model takes of the machine, and what models may take of it in all."""

from __future__ import annotations

from dataclasses import replace

from agentlaunch.core.engine import MemoryPlan
from agentlaunch.core.fit.calibration import Calibration
from agentlaunch.core.fit.machine import machine_of
from agentlaunch.core.fit.placement import Placement
from agentlaunch.core.hardware import HardwareReport


def memory_plan(placement: Placement, report: HardwareReport, calibration: Calibration) -> MemoryPlan | None:
    """The plan of an engine with this placement; None for one that does not fit, which somebody has forced.

    The capacity is the machine's with nothing loaded, less the system's own part: what is free now already lacks what
    other engines hold on a GPU, and does not lack what they have mapped into host memory. On unified memory there is
    one place.
    """
    if placement.kind == "none":
        return None
    empty = machine_of(_with_nothing_loaded(report), calibration)
    if empty.gpu is None or empty.gpu.unified:
        return MemoryPlan(0, placement.total_bytes, 0, empty.budget_bytes)
    return MemoryPlan(placement.gpu_bytes, placement.host_bytes, empty.gpu.budget_bytes, empty.host_budget_bytes)


def _with_nothing_loaded(report: HardwareReport) -> HardwareReport:
    memory = replace(report.memory, available_bytes=report.memory.total_bytes)
    return replace(report, memory=memory, gpus=tuple(replace(gpu, memory_free_bytes=None) for gpu in report.gpus))
