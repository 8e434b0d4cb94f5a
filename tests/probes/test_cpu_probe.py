"""The processor is named plainly, and cores that we may not use do not count."""

from __future__ import annotations

import pytest
from tests.probes.recorded import RecordedMachine, captured

from agentlaunch.core.hardware import Cpu
from agentlaunch.probes.base import Findings, ProbeFailed
from agentlaunch.probes.cpu import CpuInfo, CpuProbe, clean_cpu_name, parse_cpu_max, parse_cpuinfo
from agentlaunch.probes.registry import CPU_KEY


@pytest.mark.report("B221")
def test_cpuinfo_of_an_intel_processor_with_decimal_commas() -> None:
    info = CpuInfo("Intel Core i7-9700K", 2, frozenset({"sse4_2", "avx", "f16c", "fma", "avx2"}))
    assert parse_cpuinfo(captured("cpuinfo_9700k.txt")) == info


def test_an_arm_board_is_named_by_its_device_tree() -> None:
    files = {"/proc/cpuinfo": captured("cpuinfo_cortex.txt"), "/proc/device-tree/model": "Raspberry Pi 5 Model B\x00"}
    cpu = Cpu("Raspberry Pi 5 Model B", 6, frozenset({"asimd", "asimdhp", "asimddp"}))
    assert CpuProbe().probe(RecordedMachine(arch="arm64", files=files, cores=6)) == Findings(cpu=cpu)


def test_cores_are_physical_and_a_quota_makes_them_fewer() -> None:
    files = {
        "/proc/cpuinfo": captured("cpuinfo_9700k.txt"),
        "/proc/self/cgroup": "0::/\n",
        "/sys/fs/cgroup/cpu.max": "150000 100000\n",
    }
    cpu = Cpu("Intel Core i7-9700K", 2, frozenset({"sse4_2", "avx", "f16c", "fma", "avx2"}))
    note = "This process may use 2 of the processor's 8 cores."
    assert CpuProbe().probe(RecordedMachine(files=files)) == Findings(cpu=cpu, notes=(note,))


def test_a_v1_quota_makes_them_fewer() -> None:
    files = {
        "/sys/fs/cgroup/cpu/cpu.cfs_quota_us": "250000\n",
        "/sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    }
    note = "This process may use 3 of the processor's 8 cores."
    assert CpuProbe().probe(RecordedMachine(files=files)) == Findings(cpu=Cpu("unknown (x86_64)", 3), notes=(note,))


def test_an_affinity_mask_makes_them_fewer() -> None:
    found = CpuProbe().probe(RecordedMachine(processors=4))
    note = "This process may use 4 of the processor's 8 cores."
    assert found == Findings(cpu=Cpu("unknown (x86_64)", 4), notes=(note,))


def test_apple_silicon_is_read_through_sysctl() -> None:
    text = (
        "machdep.cpu.brand_string: Apple M4\nhw.physicalcpu: 10\n"
        "hw.optional.arm.FEAT_DotProd: 1\nhw.optional.arm.FEAT_I8MM: 1\nhw.optional.arm.FEAT_SME: 0\n"
    )
    machine = RecordedMachine("darwin", "arm64", commands={"/usr/sbin/sysctl": text}, cores=None, processors=10)
    cpu = Cpu("Apple M4", 10, frozenset({"neon", "asimd", "asimddp", "i8mm"}))
    assert CpuProbe().probe(machine) == Findings(cpu=cpu)


def test_windows_names_it_in_the_registry() -> None:
    commands = {rf"C:\Windows\System32\reg.exe query {CPU_KEY}": captured("cpu_snapdragon.txt")}
    machine = RecordedMachine("windows", "arm64", commands=commands, cores=12, processor_features=frozenset({19, 43}))
    cpu = Cpu("Snapdragon X Elite - X1E80100 - Qualcomm Oryon CPU", 12, frozenset({"neon", "asimddp"}))
    assert CpuProbe().probe(machine) == Findings(cpu=cpu)


def test_a_text_without_processors_is_a_failure() -> None:
    assert parse_cpuinfo("") == ProbeFailed("/proc/cpuinfo names no processor.")


def test_names_lose_marks_and_clock() -> None:
    assert clean_cpu_name("Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz") == "Intel Xeon CPU E5-2680 v4"
    assert clean_cpu_name("AMD RYZEN AI MAX+ 395 w/ Radeon 8060S") == "AMD RYZEN AI MAX+ 395 w/ Radeon 8060S"


@pytest.mark.parametrize(
    ("text", "quota"), [("200000 100000\n", 2.0), ("max 100000\n", None), ("1 0", None), ("", None), (None, None)]
)
def test_a_quota_is_time_over_period(text: str | None, quota: float | None) -> None:
    assert parse_cpu_max(text) == quota
