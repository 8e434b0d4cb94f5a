"""Intel GPUs on Linux: Arc cards by the xe and i915 drivers' files, graphics inside a processor."""

from __future__ import annotations

import re

from agentlaunch.core.hardware import Gpu, Memory
from agentlaunch.probes.base import GIB, Findings, ProbeResult, parse_integer
from agentlaunch.probes.container import HIDDEN_INTEL, hides_graphics
from agentlaunch.probes.integrated import is_usable, plain_name, unified_gpu, unused_note
from agentlaunch.probes.memory import read_memory
from agentlaunch.probes.pci import PciDevice, display_devices, pci_name
from agentlaunch.system.machine import Machine

CARDS: dict[int, tuple[str, int]] = {
    0x5690: ("Arc A770M", 16),
    0x5691: ("Arc A730M", 12),
    0x5692: ("Arc A550M", 8),
    0x5693: ("Arc A370M", 4),
    0x5694: ("Arc A350M", 4),
    0x5696: ("Arc A570M", 8),
    0x5697: ("Arc A530M", 8),
    0x56A0: ("Arc A770", 8),
    0x56A1: ("Arc A750", 8),
    0x56A2: ("Arc A580", 8),
    0x56A5: ("Arc A380", 6),
    0x56A6: ("Arc A310", 4),
    0x56B1: ("Arc Pro A40", 6),
    0x56B2: ("Arc Pro A60M", 8),
    0x56B3: ("Arc Pro A60", 12),
    0x56C0: ("Data Center GPU Flex 170", 16),
    0xE20B: ("Arc B580", 12),
    0xE20C: ("Arc B570", 10),
    0xE211: ("Arc Pro B60", 24),
    0xE212: ("Arc Pro B50", 16),
    0xE223: ("Arc Pro B70", 32),
}
"""Cards by PCI device: name and GiB (Intel's dgpu-docs hardware table; sizes as in gpus.json). A770 was sold with 8 and
16: the memory window tells them apart."""

PROCESSOR_GRAPHICS: dict[int, str] = {
    0x7D55: "Arc Graphics",
    0x7D51: "Arc 140T",
    0x64A0: "Arc 140V",
    0xB080: "Arc B390",
}
"""Graphics inside processors that are worth using, by PCI device (pci.ids). 64A0 is 130V or 140V: the processor's name
decides, `_lunar_lake`."""

MEMORY_WINDOW_LINE = 2
"""BAR 2 of a discrete card maps its memory, all of it where the firmware can resize windows."""


class IntelProbe:
    """Intel GPUs."""

    name = "intel"
    title = "Intel GPUs"
    limit_s = 2.0

    def probe(self, machine: Machine) -> ProbeResult:
        """sysfs only."""
        devices = [device for device in display_devices(machine) if device.vendor == "intel"]
        memory = read_memory(machine)
        found = [_classified(machine, device, memory) for device in devices]
        gpus = tuple(entry for entry in found if isinstance(entry, Gpu))
        if hides_graphics(machine):
            return Findings(notes=(HIDDEN_INTEL,) if gpus else ())
        return Findings(gpus=gpus, notes=tuple(entry for entry in found if isinstance(entry, str)))


def parse_resource(text: str, line: int) -> int | None:
    """The bytes of one window in a PCI device's `resource` file, `start end flags` a line; None for no window."""
    lines = text.splitlines()
    found = re.match(r"0x([0-9a-fA-F]{1,16}) 0x([0-9a-fA-F]{1,16}) 0x", lines[line]) if line < len(lines) else None
    if not found:
        return None
    start, end = int(found[1], 16), int(found[2], 16)
    return end - start + 1 if end > start else None


def card_memory_bytes(machine: Machine, device: PciDevice) -> int | None:
    """The driver's figure: i915's lmem_total_bytes, xe's physical_vram_size_bytes of each tile; None when untold."""
    for card in machine.list_folder(f"{device.folder}/drm"):
        told = parse_integer(machine.read_text(f"{device.folder}/drm/{card}/lmem_total_bytes"))
        if told:
            return told
    tiles = [name for name in machine.list_folder(device.folder) if re.fullmatch(r"tile\d+", name)]
    sizes = (parse_integer(machine.read_text(f"{device.folder}/{tile}/physical_vram_size_bytes")) for tile in tiles)
    return sum(size or 0 for size in sizes) or None


def _classified(machine: Machine, device: PciDevice, memory: Memory) -> Gpu | str:
    told = card_memory_bytes(machine, device)
    listed = CARDS.get(device.device)
    if listed or told:
        name = f"Intel {listed[0]}" if listed else _public_name(machine, device)
        if not device.driver:
            return f"`{name}` has no driver; it needs kernel 6.2 (i915) or 6.12 (xe) and linux-firmware."
        return Gpu(name, "intel", told or _size_by_window(machine, device, listed[1] if listed else 0))
    if device.device in PROCESSOR_GRAPHICS:
        name = _lunar_lake(machine) if device.device == 0x64A0 else f"Intel {PROCESSOR_GRAPHICS[device.device]}"
    else:
        name = _public_name(machine, device)
    if not is_usable(name):
        return unused_note(name)
    # the kernel lets graphics pin half of the memory unless told otherwise (drivers/gpu/drm/ttm, ttm_tt_mgr_init)
    return unified_gpu(name, "intel", memory.total_bytes // 2, memory.available_bytes)


def _size_by_window(machine: Machine, device: PciDevice, listed_gib: int) -> int:
    """The listed size; the window's where it shows the larger of two variants. A small window says nothing."""
    window = parse_resource(machine.read_text(f"{device.folder}/resource") or "", MEMORY_WINDOW_LINE) or 0
    doubled = device.device == 0x56A0 and window >= 16 * GIB
    return (16 if doubled else listed_gib) * GIB


def _public_name(machine: Machine, device: PciDevice) -> str:
    name = plain_name(pci_name(machine, 0x8086, device.device)).removeprefix("Intel ")
    return f"Intel {name}" if name else f"Intel Graphics 8086:{device.device:04x}"


def _lunar_lake(machine: Machine) -> str:
    """Core Ultra 5 has 130V, 7 and 9 have 140V (Intel's product pages)."""
    cpu = machine.read_text("/proc/cpuinfo") or ""
    return "Intel Arc 130V" if re.search(r"Core\(TM\) Ultra 5 \d+V", cpu) else "Intel Arc 140V"
