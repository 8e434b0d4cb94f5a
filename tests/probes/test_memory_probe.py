"""Memory is what this process may use: the system's, under every limit above us."""

from __future__ import annotations

import pytest
from tests.probes.recorded import GIB, RecordedMachine, captured

from agentlaunch.core.hardware import Memory
from agentlaunch.probes.base import Findings, ProbeFailed
from agentlaunch.probes.memory import CgroupPaths, MemoryProbe, ancestors, parse_cgroup, parse_limit, read_memory
from agentlaunch.system.machine import SystemMemory

HOST = SystemMemory(64 * GIB, 50 * GIB)


def machine(**files: str) -> RecordedMachine:
    return RecordedMachine(files={f"/{name}": text for name, text in files.items()}, memory=HOST)


@pytest.mark.report("B196")
@pytest.mark.report("B226")
def test_a_containers_limit_counts_and_is_told() -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{8 * GIB}\n",
        "sys/fs/cgroup/memory.current": f"{3 * GIB}\n",
        "sys/fs/cgroup/memory.stat": f"anon 1\ninactive_file {1 * GIB}\n",
    }
    note = "A container or service limit allows 8.0 GiB of this machine's 64.0 GiB of memory; the limit counts."
    assert MemoryProbe().probe(machine(**files)) == Findings(memory=Memory(8 * GIB, 6 * GIB), notes=(note,))


def test_an_outer_group_may_be_the_tighter_one() -> None:
    files = {
        "proc/self/cgroup": "0::/user.slice/user-1000.slice/session.scope\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/session.scope/memory.max": "max\n",
        "sys/fs/cgroup/user.slice/user-1000.slice/memory.max": f"{20 * GIB}\n",
        "sys/fs/cgroup/user.slice/memory.max": f"{12 * GIB}\n",
        "sys/fs/cgroup/user.slice/memory.current": f"{2 * GIB}\n",
    }
    assert read_memory(machine(**files)) == Memory(12 * GIB, 10 * GIB)


def test_the_throttling_limit_counts_too() -> None:
    files = {
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{16 * GIB}\n",
        "sys/fs/cgroup/memory.high": f"{10 * GIB}\n",
    }
    assert read_memory(machine(**files)) == Memory(10 * GIB, 10 * GIB)


def test_a_v1_limit_stands_in_the_root_that_the_container_mounts() -> None:
    files = {
        "proc/self/cgroup": captured("kubernetes_cgroup.txt"),
        "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{8 * GIB}\n",
        "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{5 * GIB}\n",
        "sys/fs/cgroup/memory/memory.stat": f"inactive_file 1\ntotal_inactive_file {2 * GIB}\n",
    }
    assert read_memory(machine(**files)) == Memory(8 * GIB, 5 * GIB)


@pytest.mark.parametrize("text", ["max\n", "9223372036854771712\n", "9223372036854775807\n", "", "-1\n", None])
def test_no_limit_has_many_spellings(text: str | None) -> None:
    assert parse_limit(text) is None


def test_no_limit_leaves_the_system_as_it_is() -> None:
    files = {
        "proc/self/cgroup": "4:memory:/a\n0::/\n",
        "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        "sys/fs/cgroup/memory/a/memory.limit_in_bytes": "9223372036854771712\n",
    }
    assert MemoryProbe().probe(machine(**files)) == Findings(memory=Memory(64 * GIB, 50 * GIB))


def test_a_limit_above_the_system_changes_nothing() -> None:
    files = {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{100 * GIB}\n"}
    assert read_memory(machine(**files)) == Memory(64 * GIB, 50 * GIB)


def test_another_system_has_no_groups() -> None:
    assert read_memory(RecordedMachine(os="darwin", memory=HOST)) == Memory(64 * GIB, 50 * GIB)


def test_memory_that_cannot_be_read_is_told() -> None:
    assert MemoryProbe().probe(RecordedMachine(memory=SystemMemory(0, 0))) == ProbeFailed(
        "The amount of memory could not be read; say it with --ram GB."
    )


def test_the_paths_of_both_trees_are_read() -> None:
    assert parse_cgroup(captured("kubernetes_cgroup.txt")) == CgroupPaths(
        "/system.slice/containerd.service", "/kubepods/burstable/pod1/c1"
    )
    assert parse_cgroup("") == CgroupPaths(None, None)


def test_ancestors_go_from_inside_to_the_root_and_never_above_it() -> None:
    assert ancestors("/r", "/a/b") == ("/r/a/b", "/r/a", "/r")
    assert ancestors("/r", "/../../a") == ("/r/a", "/r")
    assert ancestors("/r", "/") == ("/r",)


ARC = "name  type data\nc_min  4    2147483648\nsize   4    {size}\n"


@pytest.mark.parametrize(
    ("text", "available_bytes"),
    [
        (ARC.format(size=10 * GIB), 58 * GIB),
        (ARC.format(size=100 * GIB), 64 * GIB),
        (ARC.format(size=GIB), 50 * GIB),
        ("size 4", 50 * GIB),
    ],
)
def test_zfs_cache_is_available_above_its_least_size(text: str, available_bytes: int) -> None:
    found = read_memory(machine(**{"proc/spl/kstat/zfs/arcstats": text}))
    assert found == Memory(64 * GIB, available_bytes)


def test_zfs_cache_of_the_host_does_not_widen_a_containers_limit() -> None:
    files = {
        "proc/spl/kstat/zfs/arcstats": ARC.format(size=10 * GIB),
        "proc/self/cgroup": "0::/\n",
        "sys/fs/cgroup/memory.max": f"{8 * GIB}\n",
        "sys/fs/cgroup/memory.current": f"{GIB}\n",
    }
    assert read_memory(machine(**files)) == Memory(8 * GIB, 7 * GIB)


@pytest.mark.parametrize(
    ("files", "available_bytes"),
    [
        (
            {
                "proc/self/cgroup": "0::/\n",
                "sys/fs/cgroup/memory.max": f"{8 * GIB}\n",
                "sys/fs/cgroup/memory.current": f"{7 * GIB}\n",
                "sys/fs/cgroup/memory.stat": f"file {6 * GIB}\nactive_file {5 * GIB}\ninactive_file {1 * GIB}\n",
            },
            7 * GIB,
        ),
        (
            {
                "proc/self/cgroup": "4:memory:/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": f"{8 * GIB}\n",
                "sys/fs/cgroup/memory/memory.usage_in_bytes": f"{7 * GIB}\n",
                "sys/fs/cgroup/memory/memory.stat": f"total_active_file {5 * GIB}\ntotal_inactive_file {1 * GIB}\n",
            },
            7 * GIB,
        ),
    ],
)
def test_a_model_that_was_read_before_does_not_fill_a_container(files: dict[str, str], available_bytes: int) -> None:
    assert read_memory(machine(**files)) == Memory(8 * GIB, available_bytes)
