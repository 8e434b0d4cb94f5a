"""NVIDIA GPUs that sleep: told from what the kernel keeps of them, since any question to the driver wakes them."""

from __future__ import annotations

import re
from pathlib import Path

from agentlaunch.probes.pci import PciDevice, display_devices
from agentlaunch.system.machine import Machine
from agentlaunch.system.nvml import NvidiaDevice

ASLEEP = ("suspended", "suspending")
"""`power/runtime_status` (the kernel's ABI documentation, sysfs-devices-power)."""

_MODEL = re.compile(r"^Model:\s+(\S.*?)\s*$", re.MULTILINE)
_UUID = re.compile(r"^GPU UUID:\s+(GPU-[0-9a-fA-F-]+)\s*$", re.MULTILINE)
_MOBILE = ("laptop", "max-q", "mobile")
_GPUS_FILE = Path(__file__).parent.parent / "data" / "gpus.json"


def sleeping_devices(machine: Machine) -> tuple[NvidiaDevice, ...] | None:
    """The GPUs of a machine whose NVIDIA GPUs all sleep, with memory from the paper; None where one must be asked.

    That is: one is awake, its driver does not name it, or no card of that name is known. A laptop's dGPU takes seconds
    to wake and minutes to sleep again (report B228). Names stand in `information` of the driver's /proc interface
    (NVIDIA's driver README, "Using the /proc File System Interface").
    """
    cards = [device for device in display_devices(machine) if device.vendor == "nvidia"]
    found = [_sleeping(machine, card) for card in cards]
    known = tuple(device for device in found if device is not None)
    return known if known and len(known) == len(cards) else None


def are_asleep(machine: Machine) -> bool:
    """Whether an NVIDIA GPU sleeps, so that it takes its time to answer."""
    return any(device.vendor == "nvidia" and _is_asleep(machine, device) for device in display_devices(machine))


def _is_asleep(machine: Machine, card: PciDevice) -> bool:
    return (machine.read_text(f"{card.folder}/power/runtime_status") or "").strip() in ASLEEP


def _sleeping(machine: Machine, card: PciDevice) -> NvidiaDevice | None:
    if not (card.driver == "nvidia" and _is_asleep(machine, card)):
        return None
    address = card.folder.rpartition("/")[2]
    text = machine.read_text(f"/proc/driver/nvidia/gpus/{address}/information") or ""
    model, uuid = _MODEL.search(text), _UUID.search(text)
    memory_bytes = None if model is None else _paper_memory_bytes(model[1])
    if model is None or memory_bytes is None:
        return None
    return NvidiaDevice(uuid[1] if uuid else "", model[1], memory_bytes, None)


def _paper_memory_bytes(name: str) -> int | None:
    """The memory of a card of this name; a laptop's card has less than a desktop's that is called almost the same."""
    from agentlaunch.core.gpus import parse_gpus

    facts = parse_gpus(_GPUS_FILE.read_bytes()).find(name)
    if facts is None or facts.unified or facts.memory_gb is None:
        return None
    is_mobile = any(word in name.lower() for word in _MOBILE)
    return int(facts.memory_gb * 2**30) if is_mobile == (facts.kind == "mobile") else None
