"""System memory as this process may use it: psutil's figures under the limits of cgroups."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from agentlaunch.core.hardware import Memory
from agentlaunch.probes.base import GIB, Findings, ProbeFailed, ProbeResult, parse_integer
from agentlaunch.system.machine import Machine

CGROUP_ROOT = "/sys/fs/cgroup"
ZFS_STATISTICS = "/proc/spl/kstat/zfs/arcstats"
NO_LIMIT_FROM_BYTES = 1 << 60
"""A v1 group without a limit reads 9223372036854771712, the largest signed count rounded to pages
(kernel docs, cgroup-v1/memory); a machine with an EiB of memory is not expected."""


@dataclass(frozen=True)
class CgroupPaths:
    """Where a process stands in the memory controller's trees; None where it is in none."""

    v2: str | None
    v1: str | None


@dataclass(frozen=True)
class GroupLimit:
    """One group's limit and what its processes hold of it, page cache that can be dropped not counted."""

    limit_bytes: int
    used_bytes: int


class MemoryProbe:
    """Memory of the machine or of the container."""

    name = "memory"
    title = "system memory"
    limit_s = 2.0

    def probe(self, machine: Machine) -> ProbeResult:
        """The smallest of what the system has and every limit above us."""
        system = machine.system_memory()
        memory = read_memory(machine)
        if memory.total_bytes == 0:
            return ProbeFailed("The amount of memory could not be read; say it with --ram GB.")
        if memory.total_bytes >= system.total_bytes:
            return Findings(memory=memory)
        note = (
            f"A container or service limit allows {memory.total_bytes / GIB:.1f} GiB of this machine's"
            f" {system.total_bytes / GIB:.1f} GiB of memory; the limit counts."
        )
        return Findings(memory=memory, notes=(note,))


def read_memory(machine: Machine) -> Memory:
    """Total and available bytes under all limits; zeros when the system does not tell."""
    system = machine.system_memory()
    total, available = system.total_bytes, system.available_bytes
    if machine.os != "linux":
        return Memory(total, available)
    available = min(total, available + zfs_cache_bytes(machine.read_text(ZFS_STATISTICS)))
    for group in group_limits(machine):
        total = min(total, group.limit_bytes) if total else group.limit_bytes
        available = min(available, max(0, group.limit_bytes - group.used_bytes))
    return Memory(total, min(available, total))


def zfs_cache_bytes(text: str | None) -> int:
    """What ZFS' cache gives back when programs ask for memory: all above its least size.

    The kernel counts it as used, unlike any other file cache (openzfs man zfs(4), zfs_arc_min).
    """
    figures = {
        name: int(value) for name, value in re.findall(r"^(size|c_min) +\d+ +(\d{1,20})$", text or "", re.MULTILINE)
    }
    return max(0, figures.get("size", 0) - figures.get("c_min", 0))


def group_limits(machine: Machine) -> tuple[GroupLimit, ...]:
    """Every limit from our own group up to the root: an outer slice may be the tighter one."""
    paths = parse_cgroup(machine.read_text("/proc/self/cgroup") or "")
    found = []
    if paths.v2 is not None:
        for root in (CGROUP_ROOT, f"{CGROUP_ROOT}/unified"):
            found += [_v2_limit(machine, folder) for folder in ancestors(root, paths.v2)]
    if paths.v1 is not None:
        found += [_v1_limit(machine, folder) for folder in ancestors(f"{CGROUP_ROOT}/memory", paths.v1)]
    return tuple(limit for limit in found if limit is not None)


def parse_cgroup(text: str) -> CgroupPaths:
    """/proc/self/cgroup: `0::/path` is v2's line, `4:memory:/path` v1's (man cgroups(7))."""
    v1 = v2 = None
    for line in text.splitlines():
        number, _, rest = line.partition(":")
        controllers, colon, path = rest.partition(":")
        if not colon or not path.startswith("/"):
            continue
        if number == "0" and not controllers:
            v2 = path
        elif "memory" in controllers.split(","):
            v1 = path
    return CgroupPaths(v2, v1)


def ancestors(root: str, path: str) -> tuple[str, ...]:
    """The folders of `path` below `root`, innermost first, `root` last.

    A path of the host that the container does not mount, or one that starts with `..` (a process moved from outside the
    namespace), leads to folders that do not exist; the container's own limit then stands in `root`.
    """
    parts = [part for part in PurePosixPath(path).parts[1:] if part != ".."]
    return tuple("/".join([root, *parts[:length]]) for length in range(len(parts), -1, -1))


def parse_limit(text: str | None) -> int | None:
    """A limit file: bytes, or None for `max`, v1's huge number, an absent file or anything else."""
    value = parse_integer(text)
    return value if value is not None and value < NO_LIMIT_FROM_BYTES else None


def parse_stat(text: str | None, key: str) -> int:
    """One figure of memory.stat; 0 when it is not there."""
    found = re.search(rf"^{re.escape(key)} (\d{{1,20}})$", text or "", re.MULTILINE)
    return int(found[1]) if found else 0


def _file_cache_bytes(text: str | None, prefix: str) -> int:
    """What the kernel drops when a group needs memory: pages of files, those read twice too, as a model's are.

    The same that MemAvailable counts for a whole machine; shared memory is not on these lists (kernel, cgroup-v2).
    """
    return sum(parse_stat(text, f"{prefix}{kind}_file") for kind in ("active", "inactive"))


def _v2_limit(machine: Machine, folder: str) -> GroupLimit | None:
    """memory.high counts too: above it the kernel stalls the process until it gives memory back."""
    limits = [parse_limit(machine.read_text(f"{folder}/{name}")) for name in ("memory.max", "memory.high")]
    stated = [limit for limit in limits if limit is not None]
    if not stated:
        return None
    used = parse_integer(machine.read_text(f"{folder}/memory.current")) or 0
    cache = _file_cache_bytes(machine.read_text(f"{folder}/memory.stat"), "")
    return GroupLimit(min(stated), max(0, used - cache))


def _v1_limit(machine: Machine, folder: str) -> GroupLimit | None:
    limit = parse_limit(machine.read_text(f"{folder}/memory.limit_in_bytes"))
    if limit is None:
        return None
    used = parse_integer(machine.read_text(f"{folder}/memory.usage_in_bytes")) or 0
    cache = _file_cache_bytes(machine.read_text(f"{folder}/memory.stat"), "total_")
    return GroupLimit(limit, max(0, used - cache))
