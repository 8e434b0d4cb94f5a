"""Product names of AMD GPUs: the driver's own, libdrm's list, a short list of ours, the system's pci.ids."""

from __future__ import annotations

import re

from agentlaunch.probes.integrated import plain_name
from agentlaunch.probes.pci import PciDevice, pci_name
from agentlaunch.system.machine import Machine

IDS_FILES = ("/usr/share/libdrm/amdgpu.ids", "/opt/amdgpu/share/libdrm/amdgpu.ids")

NAMES: dict[int, dict[int, str]] = {
    0x1114: {0xC3: "840M", 0xD3: "840M", 0: "860M"},
    0x150E: {0xC4: "880M", 0xD2: "880M", 0: "890M"},
    0x1586: {0xC2: "8050S", 0xC4: "8050S", 0xD2: "8050S", 0xD4: "8050S", 0xD5: "8040S", 0: "8060S"},
    0x15BF: {0xC3: "760M", 0xC8: "760M", 0xC5: "740M", 0xCA: "740M", 0: "780M"},
    0x15C8: {0: "740M"},
    0x164E: {0: "610M"},
    0x1681: {0x07: "660M", 0x0B: "660M", 0xC9: "660M", 0: "680M"},
    0x1900: {0x02: "760M", 0x04: "760M", 0xC1: "760M", 0xC3: "760M", 0: "780M"},
    0x1901: {0: "740M"},
    0x73A5: {0: "RX 6950 XT"},
    0x73BF: {0xC1: "RX 6800 XT", 0xC3: "RX 6800", 0: "RX 6900 XT"},
    0x73DF: {0xC1: "RX 6700 XT", 0xC2: "RX 6800M", 0xCF: "RX 6700M", 0xDF: "RX 6700", 0xFF: "RX 6700", 0: "RX 6750 XT"},
    0x73EF: {0xC0: "RX 6800S", 0xC2: "RX 6700S", 0xC3: "RX 6650M", 0: "RX 6650 XT"},
    0x73FF: {0xC3: "RX 6600M", 0xC7: "RX 6600", 0xCB: "RX 6600S", 0: "RX 6600 XT"},
    0x73A3: {0: "PRO W6800"},
    0x743F: {0xC7: "RX 6400", 0xD7: "RX 6400", 0xC3: "RX 6500M", 0: "RX 6500 XT"},
    0x7448: {0: "PRO W7900"},
    0x744C: {0xCC: "RX 7900 XT", 0xCE: "RX 7900 GRE", 0xCF: "RX 7900M", 0: "RX 7900 XTX"},
    0x745E: {0: "PRO W7800"},
    0x7470: {0: "PRO W7700"},
    0x747E: {0xD8: "RX 7800M", 0xDB: "RX 7700", 0xFF: "RX 7700 XT", 0: "RX 7800 XT"},
    0x7480: {0: "RX 7600", 0xC0: "RX 7600 XT", 0xC1: "RX 7700S", 0xC3: "RX 7600S", 0xC7: "RX 7600M XT"},
    0x7550: {0xC2: "RX 9070 GRE", 0xC3: "RX 9070", 0: "RX 9070 XT"},
    0x7551: {0xC8: "AI PRO R9600D", 0: "AI PRO R9700"},
    0x7590: {0xC7: "RX 9060", 0: "RX 9060 XT"},
}
"""`Radeon ...` by PCI device and revision, 0 for the other revisions: facts of libdrm's data/amdgpu.ids, for systems
without that file (containers). Newer and older cards are named by pci.ids."""


def amd_name(machine: Machine, device: PciDevice) -> str:
    """The best name that this system knows, as `AMD Radeon RX 7900 XTX`."""
    own = plain_name(machine.read_text(f"{device.folder}/product_name") or "")
    if own and not own.startswith("0x"):
        return own if own.startswith("AMD") else f"AMD {own}"
    for path in IDS_FILES:
        listed = parse_amdgpu_ids(machine.read_text(path) or "", device.device, device.revision)
        if listed:
            return plain_name(listed)
    known = known_name(device.device, device.revision)
    if known:
        return known
    public = plain_name(pci_name(machine, 0x1002, device.device))
    return f"AMD {public}" if public else f"AMD GPU 1002:{device.device:04x}"


def known_name(device: int, revision: int) -> str:
    """The name in `NAMES`; empty when it has none."""
    known = NAMES.get(device)
    return f"AMD Radeon {known.get(revision, known[0])}" if known else ""


def parse_amdgpu_ids(text: str, device: int, revision: int) -> str:
    """libdrm's amdgpu.ids: `device, revision, name` a line, hexadecimal; empty when the pair is not listed."""
    found = re.search(rf"^{device:04X},[ \t]+{revision:02X},[ \t]+(\S.*)$", text, re.MULTILINE | re.IGNORECASE)
    return found[1].strip() if found else ""
