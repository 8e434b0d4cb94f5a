"""Processes: who is alive, how one is started apart from us, how one takes our place."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from agentlaunch.errors import MachineError
from agentlaunch.system.files import not_writable


@dataclass(frozen=True)
class ProcessId:
    """A process told apart from a later one with the same number. `started` is its creation time, Unix seconds."""

    pid: int
    started: float


def identify(pid: int) -> ProcessId | None:
    """The process with this number now, None when there is none."""
    import psutil

    try:
        return ProcessId(pid, psutil.Process(pid).create_time())
    except psutil.Error:
        return None


def is_alive(process: ProcessId) -> bool:
    """Whether this very process still runs; a zombie does not."""
    import psutil

    try:
        found = psutil.Process(process.pid)
        return abs(found.create_time() - process.started) < 1 and found.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def spawn_detached(
    argv: Sequence[str], environment: Mapping[str, str], log: Path, stdout: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a process that outlives us and our terminal; its stderr, and its stdout unless given, go to `log`.

    Raises MachineError `folder-not-writable` for the log.
    """
    try:
        opened = os.fdopen(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")
    except OSError as error:
        raise not_writable(log.parent, error) from error
    with opened as sink:
        flags = 0
        if sys.platform == "win32":
            flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
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


def exec_replace(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Become `argv` (POSIX), or run it to its end and exit with its code (Windows). Never returns.

    Raises MachineError `agent-not-executable` when the system refuses to start it.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):  # None or closed, when the user closed it
            stream.flush()
    try:
        if sys.platform != "win32":
            os.execve(argv[0], list(argv), dict(environment))  # noqa: S606 - an argv list, no shell
        sys.exit(_run_to_end(argv, environment))
    except OSError as error:
        raise MachineError(
            "agent-not-executable",
            f"cannot start `{argv[0]}`: {error.strerror or error}",
            f"run it yourself to see why: {argv[0]} --version",
        ) from error


def _run_to_end(argv: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run to the end; Ctrl-C goes to the agent, which shares our console, and not to us."""
    with subprocess.Popen(list(argv), env=dict(environment)) as child:
        while True:
            try:
                return child.wait()
            except KeyboardInterrupt:
                continue
