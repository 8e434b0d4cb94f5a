"""What a probe is, what it may answer, and the table of all probes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from agentlaunch.core.hardware import Cpu, Gpu, Memory, OperatingSystem
from agentlaunch.system.machine import Machine

GIB = 1 << 30
MIB = 1 << 20


@dataclass(frozen=True)
class Findings:
    """What a probe found; empty when its vendor has nothing in this machine.

    `notes` are sentences for a person: what was left out, what was assumed, what to do.
    """

    gpus: tuple[Gpu, ...] = ()
    cpu: Cpu | None = None
    memory: Memory | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProbeFailed:
    """Hardware that is there, or may be, and could not be read. `reason` is a sentence that says what to do."""

    reason: str


ProbeResult = Findings | ProbeFailed


class Probe(Protocol):
    """Looks for one thing. A probe does not raise: what it cannot read is `ProbeFailed`."""

    name: str
    title: str
    """What it looks at, for the note that it did not answer."""
    limit_s: float
    """Seconds after which nobody waits for it."""

    def probe(self, machine: Machine) -> ProbeResult:
        """Look once."""
        ...


PROBES: dict[str, str] = {
    "memory": "agentlaunch.probes.memory:MemoryProbe",
    "cpu": "agentlaunch.probes.cpu:CpuProbe",
    "container": "agentlaunch.probes.container:ContainerProbe",
    "nvidia": "agentlaunch.probes.nvidia:NvidiaProbe",
    "amd": "agentlaunch.probes.amd:AmdProbe",
    "intel": "agentlaunch.probes.intel:IntelProbe",
    "qualcomm": "agentlaunch.probes.qualcomm:QualcommProbe",
    "apple": "agentlaunch.probes.apple:AppleProbe",
    "windows": "agentlaunch.probes.windows:WindowsProbe",
}
"""Probe -> its class. Where two name GPUs of one vendor, the earlier one is believed."""

PROBES_BY_SYSTEM: dict[OperatingSystem, tuple[str, ...]] = {
    "linux": ("memory", "cpu", "container", "nvidia", "amd", "intel", "qualcomm"),
    "darwin": ("memory", "cpu", "apple"),
    "windows": ("memory", "cpu", "nvidia", "qualcomm", "windows"),
}


def load_probe(name: str) -> Probe:
    """The probe called `name`. Raises KeyError for a name that is not in `PROBES`."""
    module, _, attribute = PROBES[name].partition(":")
    probe: Probe = getattr(import_module(module), attribute)()
    return probe


def parse_integer(text: str | None, base: int = 10) -> int | None:
    """A number alone in a sysfs file; None for anything else. `base` 0 reads 0x too."""
    if text is None:
        return None
    try:
        value = int(text.strip(), base)
    except ValueError:
        return None
    return value if value >= 0 else None
