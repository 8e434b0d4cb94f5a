"""The state file is believed only while somebody holds the lock."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from agentlaunch.shim.state import (
    ShimState,
    find_serves,
    find_shim,
    remove_serve,
    remove_state,
    shim_lock,
    write_serve,
    write_state,
)
from agentlaunch.system.dirs import Dirs, find_dirs
from agentlaunch.system.locks import FileLock, is_held
from agentlaunch.system.process import identify

STATE = ShimState("http://127.0.0.1:4711", 4711, 1_700_000_000.5, "control-secret", "0.1.0")


@pytest.fixture
def dirs(tmp_path: Path) -> Dirs:
    return find_dirs({"AGENTLAUNCH_HOME": str(tmp_path / "home")})


def test_without_a_state_file_there_is_no_shim(dirs: Dirs) -> None:
    assert find_shim(dirs) is None


def test_a_state_file_is_believed_while_the_lock_is_held(dirs: Dirs) -> None:
    lock = FileLock(shim_lock(dirs))
    assert lock.acquire()
    write_state(dirs, STATE)
    assert find_shim(dirs) == STATE
    lock.release()
    assert find_shim(dirs) is None


def test_a_removed_state_file_hides_a_shim_that_still_holds_the_lock(dirs: Dirs) -> None:
    lock = FileLock(shim_lock(dirs))
    assert lock.acquire()
    write_state(dirs, STATE)
    remove_state(dirs)
    remove_state(dirs)
    assert find_shim(dirs) is None
    lock.release()


def test_a_state_file_that_cannot_be_removed_does_not_stop_the_end_of_the_shim(dirs: Dirs) -> None:
    dirs.shim_state.mkdir(parents=True)  # a folder cannot be unlinked, by nobody
    remove_state(dirs)
    assert dirs.shim_state.is_dir()


@pytest.mark.report("B266")
def test_a_killed_holder_leaves_nothing_that_is_believed(dirs: Dirs) -> None:
    write_state(dirs, STATE)
    code = (
        "import sys; from pathlib import Path; from agentlaunch.system.locks import FileLock\n"
        "lock = FileLock(Path(sys.argv[1])); print(lock.acquire(), flush=True); sys.stdin.read()"
    )
    argv = [sys.executable, "-c", code, str(shim_lock(dirs))]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"True\n"
        while_it_lives = find_shim(dirs)
        holder.kill()
    assert (while_it_lives, find_shim(dirs)) == (STATE, None)


def test_two_askers_at_once_do_not_take_each_other_for_the_shim(dirs: Dirs) -> None:
    import fcntl

    write_state(dirs, STATE)
    lock = FileLock(shim_lock(dirs))
    assert lock.acquire()
    lock.release()
    asker = os.open(shim_lock(dirs), os.O_RDWR)
    fcntl.flock(asker, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert not is_held(shim_lock(dirs))
    os.close(asker)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"url": "http://127.0.0.1:1"}', b'{"url": 1, "pid": "x"}', b"\xff\xfe\x00"]
)
def test_a_broken_state_file_is_no_shim(dirs: Dirs, content: bytes) -> None:
    lock = FileLock(shim_lock(dirs))
    assert lock.acquire()
    dirs.shim_state.write_bytes(content)
    assert find_shim(dirs) is None
    lock.release()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_only_the_owner_can_read_the_state_file(dirs: Dirs) -> None:
    write_state(dirs, STATE)
    assert stat.S_IMODE(dirs.shim_state.stat().st_mode) == 0o600


def test_the_control_token_is_in_no_repr() -> None:
    assert "control-secret" not in repr(STATE)


def test_a_serve_is_believed_while_its_very_process_runs(dirs: Dirs) -> None:
    mine = identify(os.getpid())
    assert mine is not None
    me = replace(STATE, pid=mine.pid, started=mine.started)
    write_serve(dirs, me)
    assert find_serves(dirs) == (me,)
    write_serve(dirs, replace(me, started=mine.started - 3600))  # another process had the number an hour ago
    assert find_serves(dirs) == ()


def test_a_new_serve_removes_what_killed_ones_have_left_and_takes_its_own_back(dirs: Dirs) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = identify(os.getpid())
    assert mine is not None
    me = replace(STATE, pid=mine.pid, started=mine.started)
    write_serve(dirs, replace(STATE, pid=gone.pid))
    write_serve(dirs, me)
    assert [path.name for path in (dirs.state / "serves").iterdir()] == [f"{mine.pid}.json"]
    remove_serve(dirs, mine.pid)
    remove_serve(dirs, mine.pid)
    assert (find_serves(dirs), list((dirs.state / "serves").iterdir())) == ((), [])


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_serves_file_is_its_users_alone(dirs: Dirs) -> None:
    write_serve(dirs, STATE)
    assert stat.S_IMODE((dirs.state / "serves" / f"{STATE.pid}.json").stat().st_mode) == 0o600
