"""GPUs as Windows' registry lists them: what DXGI last saw, else the display drivers' own entries."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from agentlaunch.core.hardware import Gpu, Memory, Vendor
from agentlaunch.probes.base import GIB, MIB, Findings, ProbeResult
from agentlaunch.probes.integrated import is_integrated, is_usable, plain_name, unified_gpu, unused_note
from agentlaunch.probes.memory import read_memory
from agentlaunch.probes.qualcomm import adreno_name
from agentlaunch.probes.registry import RegistryKey, query_registry
from agentlaunch.system.machine import Machine

DIRECTX_KEY = r"HKLM\SOFTWARE\Microsoft\DirectX"
"""DXGI's adapters as Windows caches them at each start: DXGI_ADAPTER_DESC's fields as values; `LastSeen` tells stale
ones."""
CLASS_KEY = r"HKLM\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}"
"""The class of display adapters (Microsoft: system-defined device setup classes), one numbered key a driver."""
MOST_ADAPTERS = 8

VENDORS: dict[int, Vendor] = {
    0x10DE: "nvidia",
    0x1002: "amd",
    0x8086: "intel",
    0x4D4F4351: "qualcomm",
    0x5143: "qualcomm",
}
_WITH_PROCESSORS: tuple[Vendor, ...] = ("amd", "intel")
SMALL_UP_TO_BYTES = 2 * GIB
"""Graphics of an unknown name with so little are a processor's with their carve-out, or a card that runs no model."""
SATURATED_FROM_BYTES = 4 * GIB - MIB
"""A 32-bit size cannot say more; 4293918720 stands for 4 GB and for all above (reports B193, B206)."""


@dataclass(frozen=True)
class Adapter:
    """One adapter. `dedicated_bytes` None: not known. `shared_bytes` is what it may take of the system's memory."""

    name: str
    vendor: Vendor
    dedicated_bytes: int | None
    shared_bytes: int | None = None


class WindowsProbe:
    """GPUs of every vendor; where a vendor's own probe answered, that one is believed."""

    name = "windows"
    title = "Windows' graphics adapters"
    limit_s = 5.0

    def probe(self, machine: Machine) -> ProbeResult:
        """The registry only: WMI takes a second and saturates at 4 GB."""
        adapters = directx_adapters(query_registry(machine, DIRECTX_KEY, "/s"))
        if not adapters or any(adapter.dedicated_bytes is None for adapter in adapters):
            adapters = merged(adapters, class_adapters(_class_keys(machine)))
        memory = read_memory(machine)
        found = [_classified(adapter, memory) for adapter in adapters]
        gpus = tuple(entry for entry in found if isinstance(entry, Gpu))
        return Findings(gpus=gpus, notes=tuple(entry for entry in found if isinstance(entry, str)))


def directx_adapters(keys: tuple[RegistryKey, ...]) -> tuple[Adapter, ...]:
    """The adapters that DXGI saw at the last start; Microsoft's software renderer is not one of them."""
    latest = max((key.number("LastSeen") or 0 for key in keys), default=0)
    described = [key for key in keys if "Description" in key.values]
    present = [key for key in described if key.number("LastSeen") in (None, latest)] or described
    found = (_directx_adapter(key) for key in present)
    return tuple(adapter for adapter in found if adapter is not None)


def class_adapters(keys: tuple[RegistryKey, ...]) -> tuple[Adapter, ...]:
    """The display drivers' keys: 64-bit `qwMemorySize` first, the 32-bit `MemorySize` only below its ceiling."""
    found = []
    for key in keys:
        vendor = _class_vendor(key.values.get("MatchingDeviceId", ""))
        name = key.values.get("DriverDesc", "")
        if vendor and name:
            found.append(Adapter(adapter_name(name, vendor), vendor, _class_bytes(key)))
    return tuple(found)


def merged(first: tuple[Adapter, ...], second: tuple[Adapter, ...]) -> tuple[Adapter, ...]:
    """The first list with sizes of the second by name, never by position; the second where the first is empty."""
    if not first:
        return second
    sizes = {adapter.name: adapter.dedicated_bytes for adapter in second}
    return tuple(
        replace(adapter, dedicated_bytes=sizes.get(adapter.name)) if adapter.dedicated_bytes is None else adapter
        for adapter in first
    )


def adapter_name(name: str, vendor: Vendor) -> str:
    """The driver's name as our tables spell it."""
    plain = plain_name(name)
    if vendor == "qualcomm":
        return adreno_name(plain) or plain
    return plain


def _directx_adapter(key: RegistryKey) -> Adapter | None:
    vendor = VENDORS.get(key.number("VendorId") or 0)
    if vendor is None:
        return None
    name = adapter_name(key.values["Description"], vendor)
    return Adapter(name, vendor, key.number("DedicatedVideoMemory"), key.number("SharedSystemMemory"))


def _class_keys(machine: Machine) -> tuple[RegistryKey, ...]:
    """The numbered keys from 0000 on. Not `/s`: the key `Properties` beside them refuses everyone."""
    found: list[RegistryKey] = []
    for number in range(MOST_ADAPTERS):
        keys = query_registry(machine, rf"{CLASS_KEY}\{number:04d}")
        if not keys:
            break
        found.append(keys[0])
    return tuple(found)


def _class_vendor(matching: str) -> Vendor | None:
    pci = re.search(r"VEN_([0-9A-Fa-f]{4})", matching)
    if pci:
        return VENDORS.get(int(pci[1], 16))
    return "qualcomm" if "VEN_QCOM" in matching.upper() else None


def _class_bytes(key: RegistryKey) -> int | None:
    wide = key.number("HardwareInformation.qwMemorySize")
    if wide:
        return wide
    narrow = key.number("HardwareInformation.MemorySize")
    return narrow if narrow and narrow < SATURATED_FROM_BYTES else None


def _classified(adapter: Adapter, memory: Memory) -> Gpu | str:
    if is_integrated(adapter.name):
        if not is_usable(adapter.name):
            return unused_note(adapter.name)
        # Windows shares half of the memory with a GPU that has none of its own (WDDM: reporting graphics memory)
        shared = memory.total_bytes // 2 if adapter.shared_bytes is None else adapter.shared_bytes
        dedicated = adapter.dedicated_bytes or 0
        free = dedicated + min(shared, memory.available_bytes)
        return unified_gpu(adapter.name, adapter.vendor, dedicated + shared, free, dedicated)
    if adapter.dedicated_bytes and adapter.dedicated_bytes <= SMALL_UP_TO_BYTES and adapter.vendor in _WITH_PROCESSORS:
        return unused_note(adapter.name)
    if not adapter.dedicated_bytes:
        return f"Windows tells no memory for `{adapter.name}`; it is not counted. Say it with --vram GB."
    return Gpu(adapter.name, adapter.vendor, adapter.dedicated_bytes)
