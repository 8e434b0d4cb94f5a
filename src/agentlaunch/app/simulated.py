"""The report of a machine that is described and not here: flags over a file, over this machine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.described import DescribedGpu, DescribedMachine, find_gpu, parse_os, read_machine_file
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory, OperatingSystem
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.core.gpus import GpuTable

GIB = 1 << 30
_TAKEN_SHARE, _TAKEN_AT_LEAST, _TAKEN_AT_MOST = 8, 2 * GIB, 8 * GIB
"""What system and programs hold of a described machine's memory: an eighth, between 2 and 8 GiB. An idle desktop with a
browser; a real machine is measured instead."""
_LARGEST = 1_000_000


def simulated_report(
    flags: MachineFlags, folder: Path, look: Callable[[], HardwareReport], table: GpuTable
) -> HardwareReport:
    """Raises UserError `bad-machine`, `bad-machine-file`, `unknown-gpu`."""
    _check_numbers(flags)
    if flags.simulate is not None:
        base = _BLANK
        described = read_machine_file(folder / Path(flags.simulate).expanduser(), table)
    else:
        base = look()
        described = DescribedMachine()
    return _built(_with_flags(described, flags, base, table), base)


_BLANK = HardwareReport("linux", "x86_64", Cpu("unknown", 8), Memory(0, 0))
"""What a machine file does not say: eight cores of an unnamed x86 processor on Linux."""


def _check_numbers(flags: MachineFlags) -> None:
    for name, value in (("--vram", flags.vram_gb), ("--ram", flags.ram_gb), ("--cores", flags.cores)):
        if value is not None and not 0 < value <= _LARGEST:
            shown = value if isinstance(value, int) else f"{value:g}"
            raise UserError(
                "bad-machine",
                f"{name} cannot be `{shown}`",
                f"write a number above 0 and up to {_LARGEST}, as in: {name} 16",
            )


def _with_flags(
    described: DescribedMachine, flags: MachineFlags, base: HardwareReport, table: GpuTable
) -> DescribedMachine:
    """A flag wins over the file."""
    gpus = described.gpus
    if flags.gpu:
        gpus = tuple(gpu for text in flags.gpu for gpu in _named(text, flags.vram_gb, table))
    elif flags.vram_gb is not None:
        vram_gb = flags.vram_gb
        known = gpus or tuple(DescribedGpu(gpu.name, None, table.find(gpu.name)) for gpu in base.gpus)
        unnamed = DescribedGpu("unnamed GPU", None, None)
        gpus = tuple(replace(gpu, memory_gb=vram_gb) for gpu in known or (unnamed,))
    return DescribedMachine(
        os=described.os if flags.os is None else parse_os(flags.os, "--os"),
        ram_gb=flags.ram_gb or described.ram_gb,
        cores=flags.cores or described.cores,
        gpus=gpus,
    )


def _named(text: str, vram_gb: float | None, table: GpuTable) -> list[DescribedGpu]:
    """`NAME`, `NAME*N`, or `none`."""
    name, star, count = text.rpartition("*")
    if not star:
        name, count = text, "1"
    if not count.strip().isdecimal() or not 1 <= int(count) <= 64:
        raise UserError(
            "bad-machine", f"--gpu cannot be `{text}`", 'write how many, 1 to 64, as in: --gpu "RTX 3090*2"'
        )
    if not name.strip():  # an unset variable in a script must not mean a machine without a GPU
        raise UserError("bad-machine", f"--gpu cannot be `{text}`", 'write a name, as in: --gpu "RTX 4090", or none')
    if name.strip().lower() == "none":
        return []
    facts = find_gpu(name.strip(), vram_gb, table)
    return [DescribedGpu(facts.name, vram_gb, facts)] * int(count)


def _built(described: DescribedMachine, base: HardwareReport) -> HardwareReport:
    """The report of a described machine; what it does not say is `base`'s."""
    gpus = described.gpus
    os = described.os or _os_of(gpus) or base.os
    memory = base.memory if described.ram_gb is None else _memory(described.ram_gb)
    if memory.total_bytes == 0:
        raise UserError("bad-machine", "how much memory has that machine?", "add ram_gb to the file, or --ram GB")
    cpu = base.cpu if described.cores is None else Cpu("unknown", described.cores)
    arch = "arm64" if os == "darwin" else base.arch
    found = base.gpus if gpus is None else tuple(_gpu(gpu, memory) for gpu in gpus)
    notes = ("Described by you, not measured; what runs on it takes no part.",)
    return HardwareReport(os, arch, cpu, memory, found, notes)


def _os_of(gpus: tuple[DescribedGpu, ...] | None) -> OperatingSystem | None:
    apple = any(gpu.facts is not None and gpu.facts.vendor == "apple" for gpu in gpus or ())
    return "darwin" if apple else None


def _memory(ram_gb: float) -> Memory:
    total = int(ram_gb * GIB)
    taken = min(max(total // _TAKEN_SHARE, _TAKEN_AT_LEAST), _TAKEN_AT_MOST)
    return Memory(total, max(total - taken, 0))


def _gpu(gpu: DescribedGpu, memory: Memory) -> Gpu:
    """Unified memory is the machine's own, and the GPU's part of it is for core/fit to limit."""
    facts = gpu.facts
    unified = facts is not None and facts.unified
    size = gpu.memory_gb if gpu.memory_gb is not None else (facts.memory_gb if facts is not None else None)
    size_bytes = memory.total_bytes if size is None else int(size * GIB)
    if unified:
        size_bytes = min(size_bytes, memory.total_bytes)
    bandwidth, compute = (None, None) if facts is None else (facts.bandwidth_gb_s, facts.compute_tflops)
    return Gpu(gpu.name, gpu.vendor, size_bytes, None, bandwidth, compute, unified)
