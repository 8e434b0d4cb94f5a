"""Room and time: disk for models and prefixes, memory, swap, a container's limits, the clock."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import time
from typing import TYPE_CHECKING

import agentlaunch
from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.hardware import HardwareReport

GIB = 1 << 30
LEAST_STATE_BYTES = 64 << 20
"""For a session's overlay files, logs and the book of usage."""
LEAST_CACHE_BYTES = 4 * GIB
"""Prompt prefixes take up to 4 GiB (docs/prefix.md)."""
USEFUL_MODEL_BYTES = 20 * GIB
"""A coding model of 30 billion parameters at four bits, the size that `check` recommends most often."""
LEAST_FREE_MEMORY_BYTES = 2 * GIB
SWAP_SHARE = 0.5
STALLED_PERCENT = 10.0
"""Share of the last minute in which some process waited for memory (Linux's pressure stall information, `some`)."""
_DAY_S = 86_400.0


@dataclass(frozen=True)
class Room:
    """Bytes and seconds. `free` are our folders' free bytes by role; `stalled_percent` None where nobody tells it.

    `system_bytes` is the machine's memory, `total_bytes` what this process may use of it; `installed_at` is when our
    own files were written, in Unix seconds.
    """

    free: tuple[tuple[str, str, int], ...]
    total_bytes: int
    available_bytes: int
    system_bytes: int
    swap_bytes: int = 0
    swap_used_bytes: int = 0
    stalled_percent: float | None = None
    now: float = 0.0
    installed_at: float = 0.0


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """The same for every agent."""
    del agents
    facts = gather(world)
    free = f"{facts.available_bytes / GIB:.1f} of {facts.total_bytes / GIB:.1f} GiB of memory free"
    disks = tuple(f"{room / GIB:.1f} GiB of disk free for {role}" for role, _, room in facts.free)
    return Inspected(tuple(judge(facts)), (free, *disks))


def gather(world: World) -> Room:
    """Asks the system."""
    import psutil

    from agentlaunch.system.machine import LocalMachine

    machine = LocalMachine(world.environment)
    report: HardwareReport = world.look()
    swap = psutil.swap_memory()
    return Room(
        free=tuple(_free(world)),
        total_bytes=report.memory.total_bytes,
        available_bytes=report.memory.available_bytes,
        system_bytes=machine.system_memory().total_bytes,
        swap_bytes=swap.total,
        swap_used_bytes=swap.used,
        stalled_percent=parse_pressure(machine.read_text("/proc/pressure/memory") or ""),
        now=time(),
        installed_at=Path(agentlaunch.__file__).stat().st_mtime,
    )


def _free(world: World) -> Iterator[tuple[str, str, int]]:
    roles = (("state", world.dirs.state), ("prefixes", world.dirs.prefixes), ("models", world.dirs.cache))
    for role, folder in roles:
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), None)
        if there is not None:
            yield role, str(there), shutil.disk_usage(there).free


def parse_pressure(text: str) -> float | None:
    """The percentage `avg60` of the line `some` (Linux, Documentation/accounting/psi.rst); None for another text."""
    found = re.search(r"^some .*\bavg60=(\d+(?:\.\d+)?)", text, re.MULTILINE)
    return None if found is None else float(found[1])


def judge(facts: Room) -> Iterator[Finding]:
    """What is short."""
    for role, folder, free in facts.free:
        yield from _disk(role, folder, free)
    yield from _memory(facts)
    if facts.now < facts.installed_at - _DAY_S:
        told = "the clock is before the day of our installation: certificates and sessions will be refused"
        yield will_bite("clock", told, "set it: sudo timedatectl set-ntp true")


def _disk(role: str, folder: str, free: int) -> Iterator[Finding]:
    shown = f"{free / GIB:.1f} GiB are free in `{folder}`"
    match role:
        case "state" if free < LEAST_STATE_BYTES:
            yield broken("disk-full", f"{shown}: no session can be opened", f"make room: df -h '{folder}'")
        case "prefixes" if free < LEAST_CACHE_BYTES:
            yield will_bite("disk-prefixes", f"{shown}: kept prompts want up to 4", "agentlaunch cache clear")
        case "models" if free < USEFUL_MODEL_BYTES:
            yield note("disk-models", f"{shown}: a large coding model takes about 20", "agentlaunch models list")
        case _:
            pass


def _memory(facts: Room) -> Iterator[Finding]:
    if 0 < facts.available_bytes < LEAST_FREE_MEMORY_BYTES:
        told = f"{facts.available_bytes / GIB:.1f} GiB of memory are free: hardly any model fits now"
        yield will_bite("memory-low", told, "close what you do not need, then: agentlaunch check")
    if facts.swap_bytes and facts.swap_used_bytes > SWAP_SHARE * facts.swap_bytes:
        told = (
            f"{facts.swap_used_bytes / GIB:.1f} of {facts.swap_bytes / GIB:.1f} GiB of swap are in use: models get slow"
        )
        yield will_bite("swapping", told, "close what you do not need; agentlaunch stop ends idle models")
    if facts.stalled_percent is not None and facts.stalled_percent > STALLED_PERCENT:
        told = f"programs waited for memory during {facts.stalled_percent:.0f} % of the last minute"
        yield will_bite("memory-pressure", told, "close what you do not need")
    if 0 < facts.total_bytes < facts.system_bytes * 0.95:
        told = (
            f"a container or cgroup allows {facts.total_bytes / GIB:.1f} of this machine's "
            f"{facts.system_bytes / GIB:.1f} GiB of memory"
        )
        yield note("memory-limit", told, "raise it where the container is started, as in: docker run --memory")
