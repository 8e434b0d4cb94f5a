"""A machine made of recorded texts: what a probe asks is looked up, what was not recorded is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agentlaunch.core.hardware import OperatingSystem
from agentlaunch.system.machine import CommandEnded, CommandMissing, CommandResult, SystemMemory
from agentlaunch.system.nvml import NvmlMissing, NvmlReading

GIB = 1 << 30
MIB = 1 << 20
HOST = SystemMemory(32 * GIB, 24 * GIB)
NO_NVML = NvmlMissing()
CAPTURED = Path(__file__).parent / "captured"


def captured(name: str) -> str:
    """A captured text, line ends as they were."""
    return (CAPTURED / name).read_bytes().decode()


@dataclass(frozen=True)
class RecordedMachine:
    """`commands` by the whole line, or by the program alone; `files` by path; folders follow from the files."""

    os: OperatingSystem = "linux"
    arch: str = "x86_64"
    environment: Mapping[str, str] = field(default_factory=dict)
    commands: Mapping[str, CommandResult | str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    memory: SystemMemory = HOST
    cores: int | None = 8
    processors: int | None = 16
    processor_features: frozenset[int] = frozenset()
    nvml_reading: NvmlReading = NO_NVML

    def run(self, argv: Sequence[str], timeout_s: float) -> CommandResult:
        result = self.commands.get(" ".join(argv), self.commands.get(argv[0], CommandMissing(argv[0])))
        return CommandEnded(0, result) if isinstance(result, str) else result

    def read_text(self, path: str) -> str | None:
        return self.files.get(path)

    def list_folder(self, path: str) -> tuple[str, ...]:
        inside = {name[len(path) + 1 :].split("/")[0] for name in self.files if name.startswith(f"{path}/")}
        return tuple(sorted(inside))

    def exists(self, path: str) -> bool:
        return any(name == path or name.startswith(f"{path}/") for name in self.files)

    def system_memory(self) -> SystemMemory:
        return self.memory

    def physical_cores(self) -> int | None:
        return self.cores

    def usable_processors(self) -> int | None:
        return self.processors

    def has_processor_feature(self, number: int) -> bool:
        return number in self.processor_features

    def nvml(self) -> NvmlReading:
        return self.nvml_reading


def pci(address: str, identity: str, kind: str = "0x030000", **files: str) -> dict[str, str]:
    """The sysfs files of one PCI device; `identity` is `vendor:device:revision`. `a__b` in a name is `a/b`."""
    vendor, device, revision = identity.split(":")
    base = {"class": kind, "vendor": f"0x{vendor}", "device": f"0x{device}", "revision": f"0x{revision}"}
    folder = f"/sys/bus/pci/devices/{address}"
    return {f"{folder}/{name.replace('__', '/')}": f"{text}\n" for name, text in {**base, **files}.items()}
