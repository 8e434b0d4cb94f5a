"""PCI display devices as Linux lists them, with or without a driver, and their names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentlaunch.core.hardware import Vendor
from agentlaunch.probes.base import parse_integer
from agentlaunch.system.machine import Machine

PCI_FOLDER = "/sys/bus/pci/devices"
VENDORS: dict[int, Vendor] = {0x10DE: "nvidia", 0x1002: "amd", 0x8086: "intel"}
PCI_IDS_FILES = ("/usr/share/hwdata/pci.ids", "/usr/share/misc/pci.ids")


@dataclass(frozen=True)
class PciDevice:
    """One display device. `folder` is its sysfs folder; `driver` empty when none is bound."""

    folder: str
    vendor: Vendor
    device: int
    revision: int
    driver: str


def display_devices(machine: Machine) -> tuple[PciDevice, ...]:
    """Every GPU on the PCI bus: display class (0x03) or AMD's accelerators, in bus order."""
    found = (_device(machine, f"{PCI_FOLDER}/{name}") for name in machine.list_folder(PCI_FOLDER))
    return tuple(device for device in found if device is not None)


def parse_uevent_driver(text: str | None) -> str:
    """The bound driver's name in a device's uevent file; empty for none."""
    found = re.search(r"^DRIVER=(\S+)$", text or "", re.MULTILINE)
    return found[1] if found else ""


def pci_name(machine: Machine, vendor: int, device: int) -> str:
    """The device's name in the system's pci.ids; empty when that is not installed."""
    for path in PCI_IDS_FILES:
        text = machine.read_text(path)
        if text:
            return parse_pci_ids(text, vendor, device)
    return ""


def parse_pci_ids(text: str, vendor: int, device: int) -> str:
    """pci.ids: a vendor's line, then its devices after one tab. A name in brackets is the one on the box."""
    start = re.search(rf"^{vendor:04x}  .*$", text, re.MULTILINE)
    if not start:
        return ""
    following = re.search(r"^[0-9a-fA-F]", text[start.end() :], re.MULTILINE)
    block = text[start.end() : start.end() + following.start()] if following else text[start.end() :]
    found = re.search(rf"^\t{device:04x}  (.+)$", block, re.MULTILINE)
    if not found:
        return ""
    bracketed = re.search(r"\[(.+)\]", found[1])
    return (bracketed[1] if bracketed else found[1]).strip()


def _device(machine: Machine, folder: str) -> PciDevice | None:
    kind = parse_integer(machine.read_text(f"{folder}/class"), 0)
    vendor = VENDORS.get(parse_integer(machine.read_text(f"{folder}/vendor"), 0) or 0)
    if kind is None or vendor is None:
        return None
    accelerator = kind >> 8 == 0x1200 and vendor == "amd"  # Instinct cards have no display; Intel's NPUs are not GPUs
    device = parse_integer(machine.read_text(f"{folder}/device"), 0)
    if device is None or not (kind >> 16 == 0x03 or accelerator):
        return None
    revision = parse_integer(machine.read_text(f"{folder}/revision"), 0) or 0
    return PciDevice(folder, vendor, device, revision, parse_uevent_driver(machine.read_text(f"{folder}/uevent")))
