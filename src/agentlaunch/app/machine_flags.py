"""The options that describe another machine than this one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MachineFlags:
    """The options that describe another machine; None and empty are those that were not given. GB are 2**30 bytes."""

    gpu: tuple[str, ...] = ()
    vram_gb: float | None = None
    ram_gb: float | None = None
    cores: int | None = None
    os: str | None = None
    simulate: str | None = None

    @property
    def are_given(self) -> bool:
        """Whether another machine is meant."""
        return self != THIS_MACHINE


THIS_MACHINE = MachineFlags()
