"""AMD GPUs on Linux: the amdgpu driver's sysfs files, KFD's topology, rocm-smi where those tell nothing."""

from __future__ import annotations

from dataclasses import dataclass

from agentlaunch.core.hardware import Gpu, Memory
from agentlaunch.probes.amd_kfd import KfdNode, read_kfd
from agentlaunch.probes.amd_names import amd_name, known_name
from agentlaunch.probes.amd_rocm_smi import SmiCard, parse_rocm_smi
from agentlaunch.probes.base import GIB, Findings, ProbeFailed, ProbeResult, parse_integer
from agentlaunch.probes.container import HIDDEN_AMD, hides_graphics
from agentlaunch.probes.integrated import is_integrated, is_usable, plain_name, unified_gpu, unused_note
from agentlaunch.probes.memory import read_memory
from agentlaunch.probes.pci import PciDevice, display_devices
from agentlaunch.system.machine import CommandEnded, Machine

SMALL_UP_TO_BYTES = 2 * GIB
"""A carve-out for a processor's graphics is at most this unless somebody set more; a card with so little runs no model.
Exactly 2 GiB belongs to it (report B217)."""
USABLE_COMPUTE_UNITS = 8
ROCM_SMI_LIMIT_S = 3.0
ROCM_SMI = ("--showproductname", "--showmeminfo", "vram", "gtt", "--json")


@dataclass(frozen=True)
class AmdMemory:
    """The driver's figures in bytes: the card's memory or the carve-out, and what it may take of the system's (GTT)."""

    vram_bytes: int
    vram_used_bytes: int = 0
    gtt_bytes: int = 0
    gtt_used_bytes: int = 0


class AmdProbe:
    """AMD GPUs, on a card or in a processor."""

    name = "amd"
    title = "AMD GPUs"
    limit_s = 5.0

    def probe(self, machine: Machine) -> ProbeResult:
        """sysfs needs no tool and does not wake a GPU that sleeps."""
        nodes = read_kfd(machine)
        memory = read_memory(machine)
        devices = [device for device in display_devices(machine) if device.vendor == "amd"]
        found = [_classified(machine, device, nodes, memory) for device in devices]
        if hides_graphics(machine):
            return Findings(notes=(HIDDEN_AMD,) if any(isinstance(entry, Gpu) for entry in found) else ())
        if any(isinstance(entry, Gpu) for entry in found):
            return _findings(_visible(machine, found))
        if not devices and not nodes:
            return Findings()
        return _by_rocm_smi(machine, memory) or _findings(found)


def discrete_gpu(name: str, memory: AmdMemory) -> Gpu:
    """A card: GTT is the system's memory behind the bus and does not count."""
    return Gpu(name, "amd", memory.vram_bytes, max(0, memory.vram_bytes - memory.vram_used_bytes))


def apu_gpu(name: str, memory: AmdMemory, system: Memory) -> Gpu:
    """Graphics in a processor: carve-out and GTT together, never more than there is.

    The system's total does not contain the carve-out, and GTT may be set to more than that total (report B211:
    132 GB on a machine of 128).
    """
    total = min(memory.vram_bytes + memory.gtt_bytes, memory.vram_bytes + system.total_bytes)
    gtt_free = min(max(0, memory.gtt_bytes - memory.gtt_used_bytes), system.available_bytes)
    vram_free = max(0, memory.vram_bytes - memory.vram_used_bytes)
    return unified_gpu(name, "amd", total, vram_free + gtt_free, memory.vram_bytes)


def read_amd_memory(machine: Machine, folder: str) -> AmdMemory | None:
    """The mem_info files of one device; None without the amdgpu driver (kernel docs, gpu/amdgpu/driver-misc)."""
    names = ("vram_total", "vram_used", "gtt_total", "gtt_used")
    figures = [parse_integer(machine.read_text(f"{folder}/mem_info_{name}")) for name in names]
    if not figures[0]:
        return None
    return AmdMemory(*(figure or 0 for figure in figures))


def has_apu_sensor(machine: Machine, folder: str) -> bool:
    """Whether the driver shows the north bridge's voltage, which it does for processors with graphics alone.

    Source: the kernel's amdgpu_pm.c, hwmon_attributes_visible. MI300A is the exception; its name decides.
    """
    monitors = machine.list_folder(f"{folder}/hwmon")
    labels = (machine.read_text(f"{folder}/hwmon/{monitor}/in1_label") or "" for monitor in monitors)
    return any(label.strip() == "vddnb" for label in labels)


def _classified(machine: Machine, device: PciDevice, nodes: tuple[KfdNode, ...], system: Memory) -> Gpu | str:
    """One device as a GPU, or the note why it does not count."""
    name = amd_name(machine, device)
    memory = read_amd_memory(machine, device.folder)
    if memory is None:
        return (
            f"`{name}` has no working amdgpu driver (`{device.driver or 'none'}` is bound), so its memory is not known;"
            " install a newer kernel and linux-firmware."
        )
    node = next((node for node in nodes if node.device == device.device), None)
    inside = is_integrated(name) or has_apu_sensor(machine, device.folder) or bool(node and node.cpu_cores)
    if not inside and memory.vram_bytes > SMALL_UP_TO_BYTES:
        return discrete_gpu(name, memory)
    if is_usable(name) or (node is not None and node.compute_units >= USABLE_COMPUTE_UNITS):
        return apu_gpu(name, memory, system)
    return unused_note(name)


def _visible(machine: Machine, found: list[Gpu | str]) -> list[Gpu | str]:
    """What ROCR_VISIBLE_DEVICES leaves, and HIP_VISIBLE_DEVICES of that: numbers in the order of the bus.

    Source: AMD's documentation, "GPU isolation techniques". The first invalid entry ends a list, as with CUDA.
    """
    kept, notes = list(found), []
    for name in ("ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES"):
        choice = machine.environment.get(name)
        numbers = None if choice is None else _chosen_numbers(choice, len(kept))
        if numbers is None:
            continue
        before, kept = kept, [kept[number] for number in numbers]
        counts = [sum(isinstance(entry, Gpu) for entry in entries) for entries in (kept, before)]
        if counts[0] < counts[1]:
            notes.append(f"{name}=`{choice}` leaves {counts[0]} of {counts[1]} AMD GPUs.")
    return [*kept, *notes]


def _chosen_numbers(choice: str, count: int) -> tuple[int, ...] | None:
    """The numbers below `count` that a list names; None where it names a card by its UUID, which the kernel hides."""
    numbers: list[int] = []
    for entry in (word.strip() for word in choice.split(",")):
        if entry.startswith("GPU-"):
            return None
        if not (entry.isascii() and entry.isdecimal() and len(entry) < 4 and int(entry) < count):
            break
        numbers.append(int(entry))
    return tuple(dict.fromkeys(numbers))


def _by_rocm_smi(machine: Machine, system: Memory) -> ProbeResult | None:
    """The tool's own list; None when it is missing or helps no further."""
    for program in ("rocm-smi", "/opt/rocm/bin/rocm-smi"):
        result = machine.run([program, *ROCM_SMI], ROCM_SMI_LIMIT_S)
        if isinstance(result, CommandEnded):
            parsed = parse_rocm_smi(result.stdout)
            if isinstance(parsed, ProbeFailed):
                return None
            return _findings([_from_smi(card, system) for card in parsed])
    return None


def _from_smi(card: SmiCard, system: Memory) -> Gpu | str:
    name = known_name(card.device, card.revision) or plain_name(card.name)
    memory = AmdMemory(card.vram_bytes, card.vram_used_bytes, card.gtt_bytes, card.gtt_used_bytes)
    if not is_integrated(name) and card.vram_bytes > SMALL_UP_TO_BYTES:
        return discrete_gpu(name, memory)
    return apu_gpu(name, memory, system) if is_usable(name) else unused_note(name)


def _findings(found: list[Gpu | str]) -> Findings:
    gpus = tuple(entry for entry in found if isinstance(entry, Gpu))
    return Findings(gpus=gpus, notes=tuple(entry for entry in found if isinstance(entry, str)))
