"""Facts about a machine: what probes report and what fit computes from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Vendor = Literal["nvidia", "amd", "intel", "apple", "qualcomm", "unknown"]
OperatingSystem = Literal["linux", "darwin", "windows"]


@dataclass(frozen=True)
class Gpu:
    """One graphics processor. Unified memory is the system's own, of which `memory_bytes` is what the GPU may use.

    `carve_out_bytes` of those the firmware keeps for the GPU: the system's memory does not count them.
    `bandwidth_gb_s` is in 1e9 bytes a second; `compute_tflops` dense FP16. None: not known.
    """

    name: str
    vendor: Vendor
    memory_bytes: int
    memory_free_bytes: int | None = None
    bandwidth_gb_s: float | None = None
    compute_tflops: float | None = None
    unified: bool = False
    carve_out_bytes: int = 0


@dataclass(frozen=True)
class Cpu:
    """The processor. `cores` are physical; `features` are vector extensions as Linux spells them (avx2, asimd)."""

    name: str
    cores: int
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Memory:
    """System memory as this process may use it: a container's limit where that is smaller."""

    total_bytes: int
    available_bytes: int
    bandwidth_gb_s: float | None = None


@dataclass(frozen=True)
class HardwareReport:
    """One machine. `notes` tell, in sentences, what a probe could not find and what was assumed."""

    os: OperatingSystem
    arch: str
    cpu: Cpu
    memory: Memory
    gpus: tuple[Gpu, ...] = ()
    notes: tuple[str, ...] = ()
