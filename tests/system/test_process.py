"""Processes are told apart, outlive us when they should, and take our place."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.system.process import (
    ProcessId,
    exec_replace,
    exit_status,
    identify,
    is_alive,
    run_to_end,
    spawn_detached,
    start_apart,
)


def test_a_running_process_is_alive_and_a_finished_one_is_not() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = identify(child.pid)
        assert process is not None
        assert is_alive(process)
        child.kill()
        child.wait()
    assert not is_alive(process)
    assert identify(child.pid) is None


def test_a_zombie_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = identify(child.pid)
        assert process is not None
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        assert not is_alive(process)


@pytest.mark.report("B287")
def test_a_later_process_with_the_same_number_is_another_process() -> None:
    me = identify(os.getpid())
    assert me is not None
    assert not is_alive(ProcessId(me.pid, me.started - 3600))


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_a_process_stays_itself_when_the_clock_is_set() -> None:
    """It counts from the boot: a laptop's clock is set when it wakes, and every session would be closed."""
    me = identify(os.getpid())
    ticks = Path("/proc/self/stat").read_bytes().rpartition(b")")[2].split()[19]
    assert me == ProcessId(os.getpid(), int(ticks) / os.sysconf("SC_CLK_TCK"))


@pytest.mark.skipif(sys.platform != "linux", reason="a program's name in /proc")
def test_a_program_may_have_any_name(tmp_path: Path) -> None:
    program = tmp_path / "a ) R 1 (b"
    program.symlink_to("/bin/sleep")
    with subprocess.Popen([program, "30"]) as child:
        process = identify(child.pid)
        assert process is not None
        assert is_alive(process)
        child.kill()


def test_a_detached_process_has_its_own_session_and_its_words_go_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "child.log"
    child = spawn_detached([sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"], os.environ, log)
    assert child.wait() == 0
    assert log.read_text().strip() == "True"
    if sys.platform != "win32":
        assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_exec_gives_the_agents_own_exit_code_and_environment() -> None:
    code = (
        "from agentlaunch.system.process import exec_replace; import sys;"
        "exec_replace([sys.executable, '-c', 'import os,sys; sys.exit(int(os.environ[\"CODE\"]))'], {'CODE': '7'})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


def test_a_program_that_cannot_be_started_is_named(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        exec_replace([str(tmp_path / "missing agent")], {})
    assert caught.value.code == "agent-not-executable"
    assert "missing agent" in caught.value.message


def test_a_log_that_cannot_be_opened_is_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "shim.log").mkdir()
    with pytest.raises(MachineError) as caught:
        spawn_detached([sys.executable, "-c", ""], os.environ, tmp_path / "shim.log")
    assert (caught.value.code, caught.value.message) == (
        "folder-not-writable",
        f"cannot write in `{tmp_path}`: Is a directory",
    )


def test_exec_works_without_a_stdout_and_a_stderr() -> None:
    code = (
        "from agentlaunch.system.process import exec_replace; import sys; sys.stdout = None; sys.stderr.close();"
        "exec_replace([sys.executable, '-c', 'raise SystemExit(7)'], {})"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 7


@pytest.mark.parametrize(
    ("code", "status"), [(0, 0), (7, 7), (0xC000013A, -1073741510), (2**31 - 1, 2**31 - 1), (-9, -9)]
)
def test_a_windows_exit_code_is_passed_on_as_it_is(code: int, status: int) -> None:
    assert exit_status(code) == status
    assert status % 2**32 == code % 2**32


def test_a_program_run_to_its_end_gives_its_code_and_its_environment() -> None:
    code = "import os, sys; sys.exit(int(os.environ['CODE']))"
    assert run_to_end([sys.executable, "-c", code], {"CODE": "5"}) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
def test_ctrl_c_is_the_agents_and_its_exit_code_is_ours() -> None:
    agent = (
        "import signal, sys, time; signal.signal(signal.SIGINT, lambda *_: sys.exit(42)); print('up', flush=True);"
        "time.sleep(60)"
    )
    ours = (
        "import sys; from agentlaunch.system.process import run_to_end;"
        f"sys.exit(run_to_end([sys.executable, '-c', {agent!r}], {{}}))"
    )
    with subprocess.Popen([sys.executable, "-c", ours], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"up\n"
        os.killpg(child.pid, signal.SIGINT)
        assert child.wait() == 42


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT to a process group")
def test_an_agent_does_not_inherit_that_interrupts_pass_us_by() -> None:
    agent = "import signal; print(signal.getsignal(signal.SIGINT) is signal.default_int_handler)"
    words = f"[sys.executable, '-c', {agent!r}]"
    ours = f"import sys; from agentlaunch.system.process import run_to_end; run_to_end({words}, {{}})"
    assert subprocess.run([sys.executable, "-c", ours], capture_output=True, check=True).stdout == b"True\n"


def test_a_process_apart_leaves_the_job_where_that_is_permitted() -> None:
    asked: list[int] = []

    def start(flags: int, *, refused: int = 0) -> subprocess.Popen[bytes]:
        asked.append(flags)
        if flags & refused:
            raise PermissionError(13, "Access is denied")
        return subprocess.Popen([sys.executable, "-c", ""])

    breakaway = 0x01000000
    start_apart(start).wait()
    start_apart(lambda flags: start(flags, refused=breakaway)).wait()
    assert asked == [0x09000200, 0x09000200, 0x08000200]
