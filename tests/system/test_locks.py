"""Locks between processes of ours."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.system.locks import FileLock, NoLocks, held, is_held

HOLD = """
import sys, pathlib
from agentlaunch.system.locks import FileLock
lock = FileLock(pathlib.Path(sys.argv[1]))
print(lock.acquire(), flush=True)
sys.stdin.read()
"""


def hold_elsewhere(path: Path) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline().strip() == "True"
    return child


def test_a_lock_held_by_another_process_is_not_had_and_is_free_after_kill_9(tmp_path: Path) -> None:
    path = tmp_path / "shim.lock"
    with hold_elsewhere(path) as child:
        assert not FileLock(path).acquire()
        child.kill()
        child.wait()
    lock = FileLock(path)
    assert lock.acquire()
    lock.release()


def test_waiting_for_a_lock_ends_at_the_limit_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "launch.lock"
    with hold_elsewhere(path) as child:
        with held(path, timeout_s=0.05) as taken:
            assert not taken
        child.kill()
    with held(path, timeout_s=5) as taken:
        assert taken


def test_release_gives_the_lock_to_the_next(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "l"), FileLock(tmp_path / "l")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    first.release()
    assert second.acquire()
    second.release()


def test_a_lock_that_cannot_be_opened_is_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "shim.lock").mkdir()
    with pytest.raises(MachineError) as caught:
        FileLock(tmp_path / "shim.lock").acquire()
    assert (caught.value.code, caught.value.message) == (
        "folder-not-writable",
        f"cannot write in `{tmp_path}`: Is a directory",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="Windows' file systems have locks")
@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told_and_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    import fcntl

    def flock(_handle: int, _kind: int) -> None:
        raise OSError(number, "no locks here")

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(NoLocks) as caught, held(tmp_path / "l", timeout_s=60):
        pass
    assert (caught.value.code, caught.value.message, is_held(tmp_path / "l")) == (
        "no-locks",
        f"`{tmp_path}` is on a file system without locks: no locks here",
        False,
    )
