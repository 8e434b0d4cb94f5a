"""The processor: its name, physical cores that we may use, vector extensions."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from agentlaunch.core.hardware import Cpu
from agentlaunch.probes.base import Findings, ProbeFailed, ProbeResult
from agentlaunch.probes.memory import CGROUP_ROOT, ancestors, parse_cgroup
from agentlaunch.probes.registry import CPU_KEY, query_registry
from agentlaunch.system.machine import CommandEnded, Machine

VECTOR_FEATURES = frozenset(
    {
        *("sse4_2", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16"),
        *("avx512_fp16", "amx_tile", "amx_int8", "amx_bf16"),
        *("neon", "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2", "svei8mm", "sme", "sme2"),
    }
)
"""What llama.cpp has kernels for, as /proc/cpuinfo spells it."""

SYSCTL_NAMES = ("machdep.cpu.brand_string", "hw.physicalcpu")
SYSCTL_FEATURES = {
    "hw.optional.arm.FEAT_DotProd": "asimddp",
    "hw.optional.arm.FEAT_I8MM": "i8mm",
    "hw.optional.arm.FEAT_BF16": "bf16",
    "hw.optional.arm.FEAT_SME": "sme",
    "hw.optional.avx2_0": "avx2",
    "hw.optional.avx512f": "avx512f",
    "hw.optional.fma": "fma",
}
WINDOWS_FEATURES = {38: "sse4_2", 39: "avx", 40: "avx2", 41: "avx512f", 19: "neon", 43: "asimddp"}
"""Numbers of IsProcessorFeaturePresent (Windows SDK, winnt.h: PF_*)."""


@dataclass(frozen=True)
class CpuInfo:
    """What /proc/cpuinfo tells. `cores` 0: it does not name cores, as on ARM."""

    name: str
    cores: int
    features: frozenset[str]


class CpuProbe:
    """The processor."""

    name = "cpu"
    title = "the processor"
    limit_s = 2.0

    def probe(self, machine: Machine) -> ProbeResult:
        """The processor as this process may use it."""
        match machine.os:
            case "linux":
                info = _linux_info(machine)
            case "darwin":
                info = _darwin_info(machine)
            case "windows":
                info = _windows_info(machine)
        cores = machine.physical_cores() or info.cores or machine.usable_processors() or 1
        allowed = allowed_cores(machine, cores)
        cpu = Cpu(info.name or f"unknown ({machine.arch})", allowed, info.features)
        if allowed == cores:
            return Findings(cpu=cpu)
        return Findings(cpu=cpu, notes=(f"This process may use {allowed} of the processor's {cores} cores.",))


def allowed_cores(machine: Machine, cores: int) -> int:
    """Physical cores under the affinity mask and the cgroups' processor quotas, at least 1."""
    limits = [cores, machine.usable_processors() or cores]
    if machine.os == "linux":
        limits += [math.ceil(quota) for quota in _quotas(machine)]
    return max(1, min(limits))


def parse_cpu_max(text: str | None) -> float | None:
    """cpu.max, `200000 100000` or `max 100000`: processors' worth of time, None for no limit (kernel, cgroup-v2)."""
    found = re.fullmatch(r"(\d{1,15})\s+(\d{1,15})\s*", text or "")
    return int(found[1]) / int(found[2]) if found and int(found[2]) else None


def parse_cpuinfo(text: str) -> CpuInfo | ProbeFailed:
    """/proc/cpuinfo of x86 and ARM."""
    records = [_record(block) for block in re.split(r"\n\s*\n", text)]
    processors = [record for record in records if "processor" in record]
    if not processors:
        return ProbeFailed("/proc/cpuinfo names no processor.")
    first = processors[0]
    words = f"{first.get('flags', '')} {first.get('Features', '')}".split()
    cores = {(record.get("physical id", "0"), record["core id"]) for record in processors if "core id" in record}
    return CpuInfo(clean_cpu_name(first.get("model name", "")), len(cores), VECTOR_FEATURES.intersection(words))


def clean_cpu_name(name: str) -> str:
    """The maker's name without marks and clock: `Intel(R) Core(TM) i7-9700K CPU @ 3.60GHz` is `Intel Core i7-9700K`."""
    bare = re.sub(r"\((R|TM|r|tm)\)", "", name)
    bare = re.sub(r"\s+(CPU\s+)?@\s+[\d.,]+\s*GHz$", "", bare)
    return " ".join(bare.split())


def parse_sysctl(text: str) -> dict[str, str]:
    """`sysctl NAME...`: one `name: value` a line."""
    pairs = (line.partition(": ") for line in text.splitlines())
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}


def device_tree_model(machine: Machine) -> str:
    """The board's name where firmware gives one (ARM); empty elsewhere."""
    return (machine.read_text("/proc/device-tree/model") or "").replace("\x00", "").strip()


def _quotas(machine: Machine) -> tuple[float, ...]:
    """Every quota from our own v2 group up to the root, and v1's of the group that a container mounts as its root."""
    paths = parse_cgroup(machine.read_text("/proc/self/cgroup") or "")
    found = [
        parse_cpu_max(machine.read_text(f"{folder}/cpu.max")) for folder in ancestors(CGROUP_ROOT, paths.v2 or "/")
    ]
    v1 = [machine.read_text(f"{CGROUP_ROOT}/cpu/cpu.cfs_{name}_us") or "" for name in ("quota", "period")]
    return tuple(quota for quota in (*found, parse_cpu_max(" ".join(v1))) if quota is not None)


def _record(block: str) -> dict[str, str]:
    pairs = (line.partition(":") for line in block.splitlines())
    return {name.strip(): value.strip() for name, separator, value in pairs if separator}


def _linux_info(machine: Machine) -> CpuInfo:
    info = parse_cpuinfo(machine.read_text("/proc/cpuinfo") or "")
    if isinstance(info, ProbeFailed):
        return CpuInfo(device_tree_model(machine), 0, frozenset())
    return info if info.name else CpuInfo(device_tree_model(machine), info.cores, info.features)


def _darwin_info(machine: Machine) -> CpuInfo:
    ended = machine.run(["/usr/sbin/sysctl", *SYSCTL_NAMES, *SYSCTL_FEATURES], 1.0)
    values = parse_sysctl(ended.stdout) if isinstance(ended, CommandEnded) else {}
    found = {feature for name, feature in SYSCTL_FEATURES.items() if values.get(name) == "1"}
    base = {"neon", "asimd"} if machine.arch == "arm64" else set()
    cores = values.get("hw.physicalcpu", "")
    name = clean_cpu_name(values.get("machdep.cpu.brand_string", ""))
    return CpuInfo(name, int(cores) if cores.isdecimal() else 0, frozenset(found | base))


def _windows_info(machine: Machine) -> CpuInfo:
    keys = query_registry(machine, CPU_KEY)
    name = keys[0].values.get("ProcessorNameString", "") if keys else ""
    found = {feature for number, feature in WINDOWS_FEATURES.items() if machine.has_processor_feature(number)}
    return CpuInfo(clean_cpu_name(name), 0, frozenset(found))
