"""NVML is asked once, and what it does not support is not told."""

# ruff: noqa: N802 - the names are NVIDIA's

from __future__ import annotations

from dataclasses import dataclass, field

from agentlaunch.system.nvml import NvidiaDevice, NvmlDevices, NvmlFailed, NvmlMissing, read_devices, read_nvml


class FakeError(Exception):
    """What pynvml raises."""


@dataclass
class FakeMemory:
    total: int
    free: int


@dataclass
class FakeDevice:
    uuid: str
    name: str | bytes
    memory: FakeMemory | None = None
    slices: list[FakeDevice | None] | None = None


@dataclass
class FakePynvml:
    devices: list[FakeDevice]
    refusal: str = ""
    lost: str = ""
    sessions: int = 0
    NVMLError: type[Exception] = field(default=FakeError)

    def nvmlInit(self) -> None:
        if self.refusal:
            raise FakeError(self.refusal)
        self.sessions += 1

    def nvmlShutdown(self) -> None:
        self.sessions -= 1

    def nvmlDeviceGetCount(self) -> int:
        if self.lost:
            raise FakeError(self.lost)
        return len(self.devices)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> FakeDevice:
        return self.devices[index]

    def nvmlDeviceGetName(self, handle: FakeDevice) -> str | bytes:
        return handle.name

    def nvmlDeviceGetUUID(self, handle: FakeDevice) -> str:
        return handle.uuid

    def nvmlDeviceGetMemoryInfo(self, handle: FakeDevice) -> FakeMemory:
        if handle.memory is None:
            raise FakeError("Not Supported")
        return handle.memory

    def nvmlDeviceGetMigMode(self, handle: FakeDevice) -> list[int]:
        if handle.slices is None:
            raise FakeError("Not Supported")
        return [1, 1]

    def nvmlDeviceGetMaxMigDeviceCount(self, handle: FakeDevice) -> int:
        return len(handle.slices or [])

    def nvmlDeviceGetMigDeviceHandleByIndex(self, handle: FakeDevice, index: int) -> FakeDevice:
        found = (handle.slices or [])[index]
        if found is None:
            raise FakeError("Not Found")
        return found


def test_devices_are_read_with_their_instances_and_the_session_is_closed() -> None:
    part = FakeDevice("MIG-1", "NVIDIA H100 MIG 1g.10gb", FakeMemory(100, 90))
    pynvml = FakePynvml(
        [
            FakeDevice("GPU-1", b"NVIDIA GeForce RTX 4090", FakeMemory(24, 20)),
            FakeDevice("GPU-2", "NVIDIA GB10"),
            FakeDevice("GPU-3", "NVIDIA H100", FakeMemory(800, 10), [None, part]),
        ]
    )
    assert read_devices(pynvml) == NvmlDevices(  # type: ignore[arg-type]
        (
            NvidiaDevice("GPU-1", "NVIDIA GeForce RTX 4090", 24, 20),
            NvidiaDevice("GPU-2", "NVIDIA GB10", None, None),
            NvidiaDevice("GPU-3", "NVIDIA H100", 800, 10, (NvidiaDevice("MIG-1", "NVIDIA H100 MIG 1g.10gb", 100, 90),)),
        )
    )
    assert pynvml.sessions == 0


def test_a_refusing_driver_is_data() -> None:
    assert read_devices(FakePynvml([], "RM has detected an NVML/RM version mismatch.")) == NvmlFailed(  # type: ignore[arg-type]
        "RM has detected an NVML/RM version mismatch."
    )


def test_a_driver_that_fails_half_way_is_data_and_the_session_is_closed() -> None:
    pynvml = FakePynvml([], lost="GPU is lost")
    assert read_devices(pynvml) == NvmlFailed("GPU is lost")  # type: ignore[arg-type]
    assert pynvml.sessions == 0


def test_without_the_package_nvml_is_missing() -> None:
    assert read_nvml("agentlaunch_no_such_module") == NvmlMissing()
