"""Public reports of laptops whose NVIDIA GPU sleeps: it is counted, and it is left alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, pci

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import Findings, ProbeFailed
from agentlaunch.probes.nvidia import FORMAT, QUERY, SMI_LIMIT_S, WAKING_LIMIT_S, NvidiaProbe
from agentlaunch.system.machine import CommandResult, CommandTimedOut
from agentlaunch.system.nvml import NvidiaDevice, NvmlDevices, NvmlReading

LAPTOP = "NVIDIA GeForce RTX 4060 Laptop GPU"
NOTE = "An NVIDIA GPU sleeps and was not woken: paper figures."


@dataclass(frozen=True)
class WatchedMachine(RecordedMachine):
    """A machine that keeps every question to the driver, with the patience that it was asked with."""

    questions: list[tuple[str, float]] = field(default_factory=list)

    def run(self, argv: Sequence[str], timeout_s: float) -> CommandResult:
        self.questions.append((argv[0], timeout_s))
        return super().run(argv, timeout_s)

    def nvml(self) -> NvmlReading:
        self.questions.append(("nvml", 0.0))
        return super().nvml()


def card(address: str, status: str, model: str | None, driver: str = "nvidia") -> dict[str, str]:
    """A card in sysfs, and what NVIDIA's driver says of it in /proc without waking it."""
    files = pci(address, "10de:28e0:a1", uevent=f"DRIVER={driver}", power__runtime_status=status)
    if model is not None:
        text = f"Model: \t\t {model}\nIRQ:   \t\t 196\nGPU UUID: \t GPU-????????-????\nBus Type: \t PCIe\n"
        files[f"/proc/driver/nvidia/gpus/{address}/information"] = text
    return files


@pytest.mark.report("B228")
@pytest.mark.parametrize("status", ["suspended", "suspending"])
def test_a_sleeping_laptop_gpu_is_counted_by_its_name_and_nobody_asks_the_driver(status: str) -> None:
    machine = WatchedMachine(files=card("0000:01:00.0", status, LAPTOP))
    found = NvidiaProbe().probe(machine)
    assert (found, machine.questions) == (Findings(gpus=(Gpu(LAPTOP, "nvidia", 8 * GIB),), notes=(NOTE,)), [])


@pytest.mark.report("B228")
def test_a_sleeping_gpu_that_cuda_may_not_use_is_not_counted() -> None:
    files = card("0000:01:00.0", "suspended", LAPTOP)
    found = NvidiaProbe().probe(RecordedMachine(files=files, environment={"CUDA_VISIBLE_DEVICES": ""}))
    assert found == Findings(notes=("CUDA_VISIBLE_DEVICES=`` leaves 0 of 1 NVIDIA GPUs.",))


AWAKE = NvidiaDevice("GPU-1", LAPTOP, 8188 * MIB, 8000 * MIB)


@pytest.mark.report("B228")
@pytest.mark.parametrize(
    "files",
    [
        card("0000:01:00.0", "active", LAPTOP),
        card("0000:01:00.0", "suspended", None),
        card("0000:01:00.0", "suspended", "Unknown"),
        card("0000:01:00.0", "suspended", "NVIDIA RTX PRO 5000 Blackwell Generation Laptop GPU"),
        {**card("0000:01:00.0", "suspended", LAPTOP), **card("0000:02:00.0", "active", "NVIDIA GeForce RTX 4090")},
    ],
    ids=["awake", "not named", "nameless", "a desktop's name", "one of two awake"],
)
def test_what_is_awake_or_of_no_known_name_is_asked_once(files: dict[str, str]) -> None:
    machine = WatchedMachine(files=files, nvml_reading=NvmlDevices((AWAKE,)))
    assert NvidiaProbe().probe(machine) == Findings(gpus=(Gpu(LAPTOP, "nvidia", 8188 * MIB, 8000 * MIB),))
    assert machine.questions == [("nvml", 0.0)]


@pytest.mark.report("B228")
@pytest.mark.parametrize(("status", "limit_s"), [("active", SMI_LIMIT_S), ("suspended", WAKING_LIMIT_S)])
def test_a_gpu_that_must_be_woken_gets_more_time_and_is_asked_once(status: str, limit_s: float) -> None:
    hangs = {f"nvidia-smi {QUERY} {FORMAT}": CommandTimedOut("nvidia-smi", limit_s)}
    machine = WatchedMachine(files=card("0000:01:00.0", status, None), commands=hangs)
    reason = f"nvidia-smi did not answer within {limit_s:g} s; run it by hand, and restart if it hangs."
    assert NvidiaProbe().probe(machine) == ProbeFailed(reason)
    assert machine.questions == [("nvml", 0.0), ("nvidia-smi", limit_s)]


def test_a_sleeping_card_without_nvidias_driver_is_told_as_ever() -> None:
    files = card("0000:01:00.0", "suspended", None, driver="nouveau")
    assert isinstance(NvidiaProbe().probe(RecordedMachine(files=files)), ProbeFailed)


def test_a_sleeping_card_of_the_host_is_no_card_of_a_container_without_it() -> None:
    files = card("0000:01:00.0", "suspended", LAPTOP) | {"/.dockerenv": ""}
    hidden = "The host has an NVIDIA GPU that this container does not see; start it with --gpus all."
    assert NvidiaProbe().probe(RecordedMachine(files=files)) == ProbeFailed(hidden)
    passed_on = RecordedMachine(files=files | {"/dev/nvidiactl": ""})
    assert NvidiaProbe().probe(passed_on) == Findings(gpus=(Gpu(LAPTOP, "nvidia", 8 * GIB),), notes=(NOTE,))
