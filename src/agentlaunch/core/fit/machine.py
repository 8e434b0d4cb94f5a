"""A hardware report as fit sees it: how many bytes may be used where, and how fast each place computes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec import Struct

from agentlaunch.core.fit.calibration import Calibration
from agentlaunch.core.fit.speed import Device
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport

GIB = 2**30
MIB = 2**20

GPU_MARGIN_BYTES = 256 * MIB
"""Left free on each GPU, or a fiftieth of it where that is more: fragmentation and what other programs take next."""
DISPLAY_BYTES = 512 * MIB
"""Taken by desktop and driver where the free memory of a GPU is not known (or a 25th of the card)."""
UNIFIED_MARGIN_BYTES = 512 * MIB
SYSTEM_RESERVE_BYTES = GIB
"""Left to the operating system and the agent itself (Node.js), or a 16th of the memory where that is more."""
LINK_BYTES_S = 12e9
"""What a laptop's PCIe 4.0 x8 slot moves in practice: a prompt's weights in host memory go to the GPU over it."""

_ASSUMED_GPU_GB_S, _ASSUMED_GPU_TFLOPS = 200.0, 8.0
_ASSUMED_UNIFIED_TFLOPS = 1.2
_ASSUMED_MEMORY_GB_S = 51.2
"""DDR4-3200 in two channels (data/gpus.toml, memory), where the bus is not known."""
_SERVER_CORES, _SERVER_MEMORY_GB_S = 24, 150.0
# Peak operations a second and core with 4-bit weights: llama.cpp on 8B models reads 35 to 40 tokens a second with six
# AVX2 cores and about 100 with sixteen AVX-512 ones; an order, not a measurement of ours (backend `cpu`: wide range).
_CORE_OPERATIONS = {"avx512": 95e9, "avx2": 80e9, "asimd": 60e9, "none": 12e9}
_HBM = re.compile(r"\b(V100|A30|A100|H100|H200|GH200|B100|B200|GB200)\b")


class GpuPool(Struct, frozen=True):
    """The GPUs that one runtime splits a model over. Bytes over all of them; `names` as reported."""

    device: Device
    budget_bytes: int
    count: int
    unified: bool
    names: tuple[str, ...]
    assumed: bool


class Machine(Struct, frozen=True):
    """Where a model can lie. On unified memory the GPU's budget is the machine's, and there is no second place."""

    gpu: GpuPool | None
    host: Device
    host_budget_bytes: int

    @property
    def budget_bytes(self) -> int:
        """Bytes for models over every place together."""
        if self.gpu is None:
            return self.host_budget_bytes
        return self.gpu.budget_bytes + (0 if self.gpu.unified else self.host_budget_bytes)


def machine_of(report: HardwareReport, calibration: Calibration) -> Machine:
    """The machine behind a report whose paper figures are filled in (core/gpus, with_paper_figures)."""
    host_budget = max(report.memory.available_bytes - _system_reserve(report), 0)
    host = Device(_memory_bandwidth(report), cpu_operations(report.cpu, report.arch), calibration["cpu"])
    return Machine(_pool(report, calibration), host, host_budget)


def apple_working_set_bytes(total_bytes: int) -> int:
    """Bytes that macOS lets the GPU wire by default, where the probe could not read the limit itself.

    From reports (B204, B219): 10.7 to 11.8 of 16 GiB, 36 of 48, 107.52 of 128; the lower where they differ.
    """
    if total_bytes <= 36 * GIB:
        return total_bytes * 2 // 3
    return int(total_bytes * (0.84 if total_bytes >= 128 * GIB else 0.75))


def cpu_operations(cpu: Cpu, arch: str) -> float:
    """Peak operations a second of the processor, from its cores and vector extensions."""
    features = cpu.features or {"asimd"} if arch in {"arm64", "aarch64"} else cpu.features or {"avx2"}
    if any(feature.startswith("avx512") for feature in features):
        kind = "avx512"
    else:
        kind = next((kind for kind in ("avx2", "asimd") if kind in features), "none")
    return _CORE_OPERATIONS[kind] * max(cpu.cores, 1)


def _system_reserve(report: HardwareReport) -> int:
    return max(SYSTEM_RESERVE_BYTES, report.memory.total_bytes // 16)


def _memory_bandwidth(report: HardwareReport) -> float:
    if report.memory.bandwidth_gb_s is not None:
        return report.memory.bandwidth_gb_s * 1e9
    shared = [gpu.bandwidth_gb_s for gpu in report.gpus if gpu.unified and gpu.bandwidth_gb_s is not None]
    if shared:
        return max(shared) * 0.6e9  # A CPU cluster does not saturate the bus that it shares with a GPU.
    return (_SERVER_MEMORY_GB_S if report.cpu.cores >= _SERVER_CORES else _ASSUMED_MEMORY_GB_S) * 1e9


def _pool(report: HardwareReport, calibration: Calibration) -> GpuPool | None:
    """The vendor's discrete GPUs with most memory together, else the strongest GPU on unified memory, else none."""
    discrete = [gpu for gpu in report.gpus if not gpu.unified and gpu.memory_bytes > 0]
    pools = [_discrete_pool(group, report, calibration) for group in _by_vendor(discrete)]
    if pools:
        return max(pools, key=lambda pool: pool.budget_bytes)
    unified = [gpu for gpu in report.gpus if gpu.unified and _computes(gpu)]
    if not unified:
        return None
    gpu = max(unified, key=lambda gpu: gpu.compute_tflops or 0)
    backend = calibration[_backend_name(gpu, report.os)]
    device = Device(
        (gpu.bandwidth_gb_s or report.memory.bandwidth_gb_s or _ASSUMED_MEMORY_GB_S) * 1e9,
        (gpu.compute_tflops or _ASSUMED_UNIFIED_TFLOPS) * 1e12,
        backend,
    )
    return GpuPool(device, _unified_budget(gpu, report), 1, True, (gpu.name,), gpu.bandwidth_gb_s is None)


def _by_vendor(gpus: Iterable[Gpu]) -> Iterable[list[Gpu]]:
    groups: dict[str, list[Gpu]] = {}
    for gpu in gpus:
        groups.setdefault(gpu.vendor, []).append(gpu)
    return groups.values()


def _discrete_pool(gpus: list[Gpu], report: HardwareReport, calibration: Calibration) -> GpuPool:
    """Layers go over the cards by memory and run one after the other: times add up, so rates are harmonic means."""
    backend = calibration[_backend_name(gpus[0], report.os)]
    memory = sum(gpu.memory_bytes for gpu in gpus)
    bandwidth = memory / sum(gpu.memory_bytes / ((gpu.bandwidth_gb_s or _ASSUMED_GPU_GB_S) * 1e9) for gpu in gpus)
    rate = memory / sum(gpu.memory_bytes / ((gpu.compute_tflops or _ASSUMED_GPU_TFLOPS) * 1e12) for gpu in gpus)
    budget = sum(_discrete_budget(gpu) for gpu in gpus)
    assumed = any(gpu.bandwidth_gb_s is None for gpu in gpus)
    return GpuPool(Device(bandwidth, rate, backend), budget, len(gpus), False, tuple(gpu.name for gpu in gpus), assumed)


def _discrete_budget(gpu: Gpu) -> int:
    free = gpu.memory_free_bytes
    if free is None:
        free = gpu.memory_bytes - max(DISPLAY_BYTES, gpu.memory_bytes // 25)
    return max(min(free, gpu.memory_bytes) - max(GPU_MARGIN_BYTES, gpu.memory_bytes // 50), 0)


def _unified_budget(gpu: Gpu, report: HardwareReport) -> int:
    """The working-set limit, never more than what is free now without the system's own part (B202, B211, B229)."""
    total = report.memory.total_bytes
    limit = gpu.memory_bytes or total
    if gpu.vendor == "apple" and limit >= total:
        limit = apple_working_set_bytes(total)
    free = gpu.memory_free_bytes if gpu.memory_free_bytes is not None else limit
    available = report.memory.available_bytes - _system_reserve(report) + gpu.carve_out_bytes
    return max(min(limit - UNIFIED_MARGIN_BYTES, free - UNIFIED_MARGIN_BYTES, available), 0)


def _computes(gpu: Gpu) -> bool:
    """Integrated graphics that we know no figure of are no gain over the CPU (B203: UHD graphics)."""
    return gpu.vendor in {"apple", "nvidia"} or (gpu.vendor in {"amd", "intel"} and gpu.compute_tflops is not None)


def _backend_name(gpu: Gpu, os: str) -> str:
    match gpu.vendor:
        case "nvidia":
            if gpu.unified:
                return "cuda-unified"
            return "cuda-hbm" if _HBM.search(gpu.name.replace("-", " ")) else "cuda"
        case "apple":
            return "metal"
        case "amd":
            if gpu.unified:
                return "amd-unified"
            return "rocm" if os == "linux" else "vulkan"
        case _:
            return "vulkan"
