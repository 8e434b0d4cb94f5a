"""NVIDIA's management library, read through nvidia-ml-py when that is installed."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol, cast


@dataclass(frozen=True)
class NvidiaDevice:
    """One GPU or one MIG instance. None: the driver does not tell, as on parts that share the system's memory."""

    uuid: str
    name: str
    total_bytes: int | None
    free_bytes: int | None
    instances: tuple[NvidiaDevice, ...] | None = None
    """The MIG instances; None when the GPU is not divided."""
    fault: str = ""
    """What nvidia-smi says in place of figures of a card that does not answer."""

    @property
    def divided(self) -> bool:
        """Whether MIG divides it, so that nobody can use all of its memory."""
        return self.instances is not None


@dataclass(frozen=True)
class NvmlDevices:
    """What the driver listed, in its own order."""

    devices: tuple[NvidiaDevice, ...]


@dataclass(frozen=True)
class NvmlMissing:
    """nvidia-ml-py is not installed."""


@dataclass(frozen=True)
class NvmlFailed:
    """The library is there and refused; `reason` is in its own words."""

    reason: str


NvmlReading = NvmlDevices | NvmlMissing | NvmlFailed


class MemoryInfo(Protocol):
    """Bytes of one device."""

    total: int
    free: int


class Pynvml(Protocol):
    """The part of the module pynvml that we call; names as in NVIDIA's NVML API reference."""

    NVMLError: type[Exception]

    def nvmlInit(self) -> None: ...  # noqa: N802
    def nvmlShutdown(self) -> None: ...  # noqa: N802
    def nvmlDeviceGetCount(self) -> int: ...  # noqa: N802
    def nvmlDeviceGetHandleByIndex(self, index: int) -> object: ...  # noqa: N802
    def nvmlDeviceGetName(self, handle: object) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetUUID(self, handle: object) -> str | bytes: ...  # noqa: N802
    def nvmlDeviceGetMemoryInfo(self, handle: object) -> MemoryInfo: ...  # noqa: N802
    def nvmlDeviceGetMigMode(self, handle: object) -> list[int]: ...  # noqa: N802
    def nvmlDeviceGetMaxMigDeviceCount(self, handle: object) -> int: ...  # noqa: N802
    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: object, index: int) -> object: ...  # noqa: N802


def read_nvml(module: str = "pynvml") -> NvmlReading:
    """Ask the driver once. 10 to 30 ms with a driver that is awake, seconds with one that sleeps."""
    try:
        pynvml = cast(Pynvml, import_module(module))
    except ImportError:
        return NvmlMissing()
    return read_devices(pynvml)


def read_devices(pynvml: Pynvml) -> NvmlReading:
    """Everything that we want of the driver, in one session of the library."""
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return NvmlFailed(str(error))
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        return NvmlDevices(tuple(_device(pynvml, handle) for handle in handles))
    except pynvml.NVMLError as error:
        return NvmlFailed(str(error))
    finally:
        pynvml.nvmlShutdown()


def _device(pynvml: Pynvml, handle: object) -> NvidiaDevice:
    whole = _reading(pynvml, handle)
    instances = _instances(pynvml, handle)
    return NvidiaDevice(whole.uuid, whole.name, whole.total_bytes, whole.free_bytes, instances)


def _reading(pynvml: Pynvml, handle: object) -> NvidiaDevice:
    name, uuid = _text(pynvml.nvmlDeviceGetName(handle)), _text(pynvml.nvmlDeviceGetUUID(handle))
    try:
        memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
    except pynvml.NVMLError:
        return NvidiaDevice(uuid, name, None, None)
    return NvidiaDevice(uuid, name, memory.total or None, memory.free if memory.total else None)


def _instances(pynvml: Pynvml, handle: object) -> tuple[NvidiaDevice, ...] | None:
    """MIG is asked for last: most devices answer with an error, which means undivided."""
    try:
        if not pynvml.nvmlDeviceGetMigMode(handle)[0]:
            return None
        count = pynvml.nvmlDeviceGetMaxMigDeviceCount(handle)
    except pynvml.NVMLError:
        return None
    found = []
    for index in range(count):
        try:
            instance = pynvml.nvmlDeviceGetMigDeviceHandleByIndex(handle, index)
        except pynvml.NVMLError:
            continue  # the count is the most there may be; the places are filled in any order
        found.append(_reading(pynvml, instance))
    return tuple(found)


def _text(value: str | bytes) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
