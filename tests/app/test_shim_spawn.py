"""Starting the shim: what its launcher is told when it does not come up."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentlaunch.app.shim_spawn import LOG_LIMIT_BYTES, Said, last_words, spawn_shim
from agentlaunch.errors import MachineError
from agentlaunch.shim.state import shim_lock, shim_log
from agentlaunch.system.dirs import Dirs, find_dirs
from agentlaunch.system.locks import FileLock

TRACEBACK = """\
an older start
2026-11-25 03:00:00,000 INFO agentlaunch.shim.server: stopping
Traceback (most recent call last):
  File "server.py", line 1, in run
OSError: [Errno 28] No space left on device

"""


def dirs_of(home: Path) -> tuple[Dirs, dict[str, str]]:
    environment = {"PATH": os.defpath, "HOME": str(home), "AGENTLAUNCH_HOME": str(home / "ours")}
    return find_dirs(environment), environment


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk on which files can be made and nothing can be written; only root can have one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(disk)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no right to mount")
    try:
        for folder in ("state", "logs"):
            (disk / "ours" / folder).mkdir(parents=True)
        with pytest.raises(OSError, match="No space left"):
            (disk / "filler").write_bytes(bytes(1 << 20))
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_told_in_the_shims_own_sentence(full_disk: Path) -> None:
    dirs, environment = dirs_of(full_disk)
    expected = Said(ready=False, last_words=f"cannot write in `{dirs.state}`: No space left on device")
    assert spawn_shim(dirs, environment, 60) == expected


def test_a_shim_that_ends_by_itself_says_why_in_one_line(tmp_path: Path) -> None:
    dirs, environment = dirs_of(tmp_path)
    other = FileLock(shim_lock(dirs))
    assert other.acquire()
    assert spawn_shim(dirs, environment, 60) == Said(ready=False, last_words="another shim is running")
    other.release()
    assert shim_log(dirs).read_text() == "another shim is running\n"


@pytest.mark.report("B277")
def test_of_a_crash_only_the_last_line_is_told(tmp_path: Path) -> None:
    log = tmp_path / "shim.log"
    log.write_text(TRACEBACK)
    assert last_words(log, 0) == "OSError: [Errno 28] No space left on device"
    assert last_words(log, len(TRACEBACK)) == "it said nothing"


def test_a_log_that_cannot_be_put_aside_is_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    dirs, environment = dirs_of(tmp_path)
    older = dirs.logs / "shim.log.1"
    older.mkdir(parents=True)
    (older / "full").touch()
    shim_log(dirs).write_bytes(bytes(LOG_LIMIT_BYTES + 1))
    with pytest.raises(MachineError) as caught:
        spawn_shim(dirs, environment, 60)
    assert (caught.value.code, f"cannot write in `{dirs.logs}`" in caught.value.message) == (
        "folder-not-writable",
        True,
    )
