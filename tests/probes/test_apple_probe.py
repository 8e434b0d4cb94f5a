"""An Apple chip's GPU has the share of the memory that Metal grants."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, captured

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.apple import ROSETTA, AppleProbe, default_working_set_bytes
from agentlaunch.probes.base import Findings, ProbeFailed, ProbeResult
from agentlaunch.system.machine import CommandTimedOut, SystemMemory


def probe(text: str, total_gib: int, available_gib: int) -> ProbeResult:
    memory = SystemMemory(total_gib * GIB, available_gib * GIB)
    machine = RecordedMachine(os="darwin", arch="arm64", commands={"/usr/sbin/sysctl": text}, memory=memory)
    return AppleProbe().probe(machine)


@pytest.mark.report("B202")
@pytest.mark.report("B229")
def test_16_gib_leave_two_thirds_and_what_is_free_of_them() -> None:
    gpu = Gpu("Apple M4", "apple", 16 * GIB * 2 // 3, 7 * GIB, unified=True)
    assert probe(captured("sysctl_m4.txt"), 16, 7) == Findings(gpus=(gpu,))


@pytest.mark.report("B204")
def test_a_limit_that_the_user_set_counts() -> None:
    gpu = Gpu("Apple M1 Max", "apple", 26000 * MIB, 20 * GIB, unified=True)
    assert probe(captured("sysctl_m1_max_limit.txt"), 32, 20) == Findings(gpus=(gpu,))


@pytest.mark.report("B204")
@pytest.mark.parametrize("line", ["", "iogpu.wired_limit_mb: 0\n", "iogpu.wired_limit_mb: \n"])
def test_without_a_limit_the_default_share_counts(line: str) -> None:
    text = f"hw.memsize: {48 * GIB}\nmachdep.cpu.brand_string: Apple M4 Pro\n{line}"
    gpu = Gpu("Apple M4 Pro", "apple", 36 * GIB, 36 * GIB, unified=True)
    assert probe(text, 48, 40) == Findings(gpus=(gpu,))


@pytest.mark.report("B219")
@pytest.mark.parametrize(
    ("total_gib", "usable_bytes"),
    [
        (8, 8 * GIB * 2 // 3),
        (16, 16 * GIB * 2 // 3),
        (32, 32 * GIB * 2 // 3),
        (36, 27 * GIB),
        (64, 48 * GIB),
        (128, 96 * GIB),
    ],
)
def test_the_default_share_is_below_what_was_measured(total_gib: int, usable_bytes: int) -> None:
    assert default_working_set_bytes(total_gib * GIB) == usable_bytes


def test_a_limit_above_the_memory_is_the_memory() -> None:
    text = f"hw.memsize: {16 * GIB}\nmachdep.cpu.brand_string: Apple M4\niogpu.wired_limit_mb: 99999\n"
    gpu = Gpu("Apple M4", "apple", 16 * GIB, 12 * GIB, unified=True)
    assert probe(text, 16, 12) == Findings(gpus=(gpu,))


def test_a_mac_with_an_intel_processor_runs_models_on_it() -> None:
    note = "This Mac has an Intel processor: its GPU is not used, models run on the processor."
    assert probe(captured("sysctl_intel_mac.txt"), 32, 20) == Findings(notes=(note,))


def test_a_silent_sysctl_is_told() -> None:
    machine = RecordedMachine(os="darwin", commands={"/usr/sbin/sysctl": CommandTimedOut("sysctl", 1.0)})
    assert AppleProbe().probe(machine) == ProbeFailed("sysctl did not answer: the Apple GPU is not known.")
    assert probe("", 16, 8) == ProbeFailed("sysctl names no Apple chip and memory: the GPU is not known.")


def test_a_program_for_intel_processors_on_an_apple_chip_sees_the_chips_memory() -> None:
    text = captured("sysctl_m4.txt").replace("Apple M4", "VirtualApple @ 2.50GHz processor")
    found = probe(text, 16, 8)
    gpu = Gpu("Apple silicon", "apple", 16 * GIB * 2 // 3, 8 * GIB, unified=True)
    assert found == Findings(gpus=(gpu,), notes=(ROSETTA,))
