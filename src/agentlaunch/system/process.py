"""Processes: who is alive, how one is started apart from us, how one takes our place."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from agentlaunch.errors import MachineError
from agentlaunch.system.files import not_writable, open_log
from agentlaunch.system.programs import startable

_OWN_GROUP = 0x08000200
_OUT_OF_THE_JOB = 0x01000000
"""CREATE_NO_WINDOW with CREATE_NEW_PROCESS_GROUP, and CREATE_BREAKAWAY_FROM_JOB (Microsoft, "Process Creation
Flags"); Python names them on Windows alone."""


@dataclass(frozen=True)
class ProcessId:
    """A process told apart from a later one with the same number.

    `started` is when it was made, in seconds from a moment that differs from system to system (the boot on Linux) and
    that setting the clock does not move: agents live through a laptop's sleep, after which its clock is often set.
    """

    pid: int
    started: float


def identify(pid: int) -> ProcessId | None:
    """The process with this number now, None when there is none."""
    seen = _look(pid)
    return None if seen is None else ProcessId(pid, seen.started)


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs; a zombie does not."""
    seen = _look(process.pid)
    return seen is not None and seen.runs and abs(seen.started - process.started) < 1


@dataclass(frozen=True)
class _Seen:
    """A process at this moment: `started` as in ProcessId, and whether it is more than a zombie."""

    started: float
    runs: bool


if sys.platform == "linux":

    def _look(pid: int) -> _Seen | None:
        """From the kernel itself, in ticks since the boot (proc_pid_stat(5), fields 3 and 22). psutil gives Unix
        seconds, which jump with the clock."""
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return None
        fields = stat.rpartition(b")")[2].split()  # behind the program's name, which may hold anything
        return _Seen(int(fields[19]) / os.sysconf("SC_CLK_TCK"), fields[0] not in (b"Z", b"X"))

else:

    def _look(pid: int) -> _Seen | None:
        import psutil

        try:
            found = psutil.Process(pid)
            return _Seen(found.create_time() - _first_start(), found.status() != psutil.STATUS_ZOMBIE)
        except psutil.Error:
            return None

    def _first_start() -> float:
        """What to count from. On macOS, where psutil moves every start by what the clock was set since its import, the
        start of process 1, which it moves alike; Windows keeps the moment as it was (GetProcessTimes)."""
        import psutil

        return psutil.Process(1).create_time() if sys.platform == "darwin" else 0.0


def spawn_detached(
    argv: Sequence[str], environment: Mapping[str, str], log: Path, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us and our terminal; its stderr, and its stdout unless given, go to `log`.

    Raises MachineError `folder-not-writable` for the log.
    """
    try:
        opened = os.fdopen(open_log(log, os.O_APPEND), "ab")
    except OSError as error:
        raise not_writable(log.parent, error) from error
    with opened as sink:

        def start(flags: int) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                list(argv),
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink if stdout is None else stdout,
                stderr=sink,
                start_new_session=sys.platform != "win32",
                creationflags=flags,
                cwd=Path.home() if Path.home().is_dir() else None,
            )

        return start_apart(start) if sys.platform == "win32" else start(0)


def start_apart(start: Callable[[int], subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
    """`start` with Windows' flags for a process apart: no window, no Ctrl-C of ours, and outside of our job.

    Editors and CI run a terminal in a job, and Windows ends a job's processes with it; a job may forbid to leave it.
    """
    try:
        return start(_OWN_GROUP | _OUT_OF_THE_JOB)
    except PermissionError:
        return start(_OWN_GROUP)


def exec_replace(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become `argv` (POSIX), or run it to its end and exit with its code (Windows). Never returns.

    Raises MachineError `agent-not-executable` when the system refuses to start it, UserError `argument-not-passable`.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None or closed, when the user closed it
            stream.flush()
    try:
        if sys.platform != "win32":
            os.execve(argv[0], list(argv), dict(environment))  # noqa: S606 - an argv list, no shell
        sys.exit(run_to_end(startable(argv, environment), environment))
    except OSError as error:
        raise MachineError(
            "agent-not-executable",
            f"cannot start `{argv[0]}`: {error.strerror or error}",
            f"run it yourself to see why: {argv[0]} --version",
        ) from error


def run_to_end(command: list[str] | str, environment: Mapping[str, str]) -> int:
    """Run what `startable` gave to its end; its exit code. Ctrl-C is the agent's, which shares our console.

    A terminal is then given back as shells expect it, whatever the agent has left on.
    """
    with _interrupts_passed(), subprocess.Popen(command, env=dict(environment)) as child:
        code = exit_status(child.wait())
    from agentlaunch.system.terminal import restore_terminal  # needed now, and nowhere on the way to the agent

    restore_terminal()
    return code


def exit_status(code: int) -> int:
    """A Windows exit code as `sys.exit` takes it: from 2 ** 31 on, as an NTSTATUS is, it would become -1."""
    return code - (1 << 32) if code >= 1 << 31 else code


@contextlib.contextmanager
def _interrupts_passed() -> Iterator[None]:
    """A handler that does nothing, and not SIG_IGN, which the child would inherit.

    To catch KeyboardInterrupt does not do: on Windows it comes when the wait is over, anywhere behind it.
    """
    before = signal.signal(signal.SIGINT, lambda *_: None)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
