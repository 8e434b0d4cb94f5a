"""One report of all probes: each GPU once, cards first, and nobody waits for a probe that hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.probes.recorded import GIB, MIB, RecordedMachine, captured, pci

from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory
from agentlaunch.probes.base import PROBES, PROBES_BY_SYSTEM, Findings, ProbeFailed, ProbeResult, load_probe
from agentlaunch.probes.nvidia import FORMAT, QUERY
from agentlaunch.probes.report import ask_all, combined, probe_machine
from agentlaunch.system.machine import LocalMachine, Machine, SystemMemory

CARD = Gpu("NVIDIA GeForce GTX 1650", "nvidia", 4 * GIB)
INSIDE = Gpu("AMD Radeon 780M", "amd", 16 * GIB, 10 * GIB, unified=True)


@dataclass
class FakeProbe:
    answer: ProbeResult | Exception
    name: str = "fake"
    title: str = "the fake"
    limit_s: float = 30.0
    hold: threading.Event | None = None

    def probe(self, machine: Machine) -> ProbeResult:
        if self.hold:
            self.hold.wait(60)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_a_probe_that_hangs_is_left_behind_and_the_others_count() -> None:
    released = threading.Event()
    slow = FakeProbe(Findings(), "slow", "the slow one", 0.05, released)
    quick = FakeProbe(Findings(gpus=(CARD,)), "quick", limit_s=0.05)
    try:
        answers = ask_all((slow, quick), RecordedMachine())
    finally:
        released.set()
    assert answers == {"slow": ProbeFailed("Looking at the slow one took too long."), "quick": Findings(gpus=(CARD,))}


def test_a_probe_that_raises_is_a_note() -> None:
    answers = ask_all((FakeProbe(ValueError("int('[N/A]')")),), RecordedMachine())
    assert answers == {"fake": ProbeFailed("Looking at the fake failed: ValueError: int('[N/A]').")}


@pytest.mark.report("B195")
@pytest.mark.report("B230")
def test_a_failed_probe_is_a_note_beside_what_the_others_found() -> None:
    cpu, memory = Cpu("AMD Ryzen 7 7840U", 8), Memory(32 * GIB, 20 * GIB)
    answers = {
        "memory": Findings(memory=memory, notes=("told twice",)),
        "cpu": Findings(cpu=cpu, notes=("told twice",)),
        "nvidia": ProbeFailed("restart the machine."),
    }
    notes = ("told twice", "restart the machine.")
    assert combined(RecordedMachine(), answers) == HardwareReport("linux", "x86_64", cpu, memory, (), notes)


@pytest.mark.report("B200")
@pytest.mark.report("B220")
def test_a_card_comes_before_the_graphics_inside_the_processor_which_then_do_not_count() -> None:
    report = combined(RecordedMachine(), {"amd": Findings(gpus=(INSIDE,)), "nvidia": Findings(gpus=(CARD,))})
    note = "`AMD Radeon 780M` is inside the processor and not counted beside a card."
    assert report == HardwareReport("linux", "x86_64", Cpu("unknown", 1), Memory(0, 0), (CARD,), (note,))


def test_graphics_inside_the_processor_count_when_they_are_all_there_is() -> None:
    report = combined(RecordedMachine(), {"amd": Findings(gpus=(INSIDE,))})
    assert report.gpus == (INSIDE,)


def test_the_larger_card_is_named_first() -> None:
    large = Gpu("NVIDIA GeForce RTX 3090", "nvidia", 24 * GIB)
    assert combined(RecordedMachine(), {"nvidia": Findings(gpus=(CARD, large))}).gpus == (large, CARD)


def test_a_card_that_two_probes_list_counts_once() -> None:
    """nvidia-smi tells what is free; Windows' registry lists the same card again, and the graphics of the processor."""
    root = r"C:\Windows\System32\reg.exe query"
    machine = RecordedMachine(
        "windows",
        commands={
            f"nvidia-smi {QUERY} {FORMAT}": "GPU-1, NVIDIA GeForce RTX 3070 Ti, 8192, 7000, [N/A]\n",
            rf"{root} HKLM\SOFTWARE\Microsoft\DirectX /s": captured("directx_3070ti.txt"),
        },
    )
    report = probe_machine(machine)
    assert report.gpus == (Gpu("NVIDIA GeForce RTX 3070 Ti", "nvidia", 8192 * MIB, 7000 * MIB),)


def test_two_cards_of_two_vendors_both_count() -> None:
    files = pci("0000:03:00.0", "8086:e20b:00", uevent="DRIVER=xe")
    commands = {f"nvidia-smi {QUERY} {FORMAT}": captured("nvidia_smi_two_3090.csv")}
    names = [gpu.name for gpu in probe_machine(RecordedMachine(files=files, commands=commands)).gpus]
    assert names == ["NVIDIA GeForce RTX 3090", "NVIDIA GeForce RTX 3090", "Intel Arc B580"]


def test_a_part_that_shares_memory_and_is_no_processors_graphics_stays_beside_a_card() -> None:
    spark = Gpu("NVIDIA GB10", "nvidia", 119 * GIB, 100 * GIB, unified=True)
    assert combined(RecordedMachine(), {"nvidia": Findings(gpus=(spark, CARD))}).gpus == (CARD, spark)


def test_a_virtual_machine_without_a_gpu_says_so() -> None:
    files = {"/proc/cpuinfo": "processor\t: 0\nmodel name\t: QEMU Virtual CPU\nflags\t\t: fpu hypervisor avx2\n"}
    report = probe_machine(RecordedMachine(files=files, memory=SystemMemory(8 * GIB, 6 * GIB), cores=2, processors=2))
    assert report == HardwareReport(
        "linux",
        "x86_64",
        Cpu("QEMU Virtual CPU", 2, frozenset({"avx2"})),
        Memory(8 * GIB, 6 * GIB),
        (),
        ("This is a virtual machine without a GPU; one of the host has to be passed through to it.",),
    )


def test_every_probe_is_asked_on_some_system_and_answers_a_bare_machine() -> None:
    assert {name for names in PROBES_BY_SYSTEM.values() for name in names} == set(PROBES)
    for system, names in PROBES_BY_SYSTEM.items():
        for name in names:
            probe = load_probe(name)
            assert probe.name == name
            assert isinstance(probe.probe(RecordedMachine(system)), Findings | ProbeFailed)


@pytest.mark.skipif(sys.platform != "linux", reason="compares with /proc")
def test_this_machine_is_reported_as_proc_has_it() -> None:
    report = probe_machine(LocalMachine(os.environ))
    fields = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    total = int(fields["MemTotal"].split()[0]) * 1024
    assert 0 < report.memory.available_bytes <= report.memory.total_bytes <= total
    assert 1 <= report.cpu.cores <= (os.cpu_count() or 1)
    assert report.cpu.name
    words = Path("/proc/cpuinfo").read_text().split()
    assert report.cpu.features <= set(words)
    assert ("avx2" in report.cpu.features) == ("avx2" in words)


def test_looking_imports_neither_the_http_client_nor_the_renderer() -> None:
    code = (
        "import os, sys; from agentlaunch.probes.report import probe_machine;"
        "from agentlaunch.system.machine import LocalMachine; probe_machine(LocalMachine(os.environ));"
        "print([name for name in ('httpx', 'rich', 'typer', 'asyncio', 'json') if name in sys.modules])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert ended.stdout.strip() == "[]"
