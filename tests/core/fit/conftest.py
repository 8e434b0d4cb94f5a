"""The shipped data, and machines built from the few facts that a probe would report."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import pytest

from agentlaunch.core.catalog import parse_catalog
from agentlaunch.core.fit import Knowledge, parse_calibration
from agentlaunch.core.gpus import GpuTable, parse_gpus, with_paper_figures
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory, OperatingSystem

GIB = 2**30


def data(name: str) -> str:
    return (files("agentlaunch") / "data" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    return Knowledge(parse_catalog(data("catalog.json")), parse_calibration(data("calibration.json")))


@pytest.fixture(scope="session")
def gpu_table() -> GpuTable:
    return parse_gpus(data("gpus.json"))


Machines = Callable[..., HardwareReport]


@pytest.fixture(scope="session")
def machine(gpu_table: GpuTable) -> Machines:
    """`machine(total, available, gpu, ..., cores=8)`: a report, memory in GiB, paper figures filled in."""

    def build(
        total: float, available: float, *gpus: Gpu, cores: int = 8, os: OperatingSystem = "linux", arch: str = "x86_64"
    ) -> HardwareReport:
        memory = Memory(int(total * GIB), int(available * GIB))
        return with_paper_figures(HardwareReport(os, arch, Cpu("test", cores), memory, gpus), gpu_table)

    return build


def nvidia(name: str, gib: float, free: float | None = None) -> Gpu:
    return Gpu(name, "nvidia", int(gib * GIB), None if free is None else int(free * GIB))


def apple(name: str, limit: float) -> Gpu:
    return Gpu(name, "apple", int(limit * GIB), unified=True)
