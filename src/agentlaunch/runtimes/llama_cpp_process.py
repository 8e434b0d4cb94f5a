"""One llama.cpp child process: started, told its spec, its log kept within bounds, stopped; and why it ended."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from agentlaunch.errors import Bug, MachineError
from agentlaunch.runtimes.llama_environment import child_environment
from agentlaunch.system.files import make_private_dir, not_writable, open_log

Stream = TypeVar("Stream")

LOG_BYTES = 2 * 2**20
"""A log file's limit; the one before it is kept as `.1`, so a log takes twice this."""
STOP_STEP_S = 3.0
TAIL_LINES = 20


class LogFile:
    """A log of bounded size, started anew with each engine, and its last lines in memory.

    Raises MachineError `folder-not-writable` when it cannot be begun.
    """

    def __init__(self, path: Path, limit_bytes: int = LOG_BYTES) -> None:
        self.path = path
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._limit_bytes = limit_bytes
        self._size = 0
        make_private_dir(path.parent)
        self._file: BinaryIO | None = self._begin()

    def write(self, chunk: bytes) -> None:
        """Append whole lines. A full disk loses lines, never the engine."""
        self.tail.extend(line for line in chunk.decode("utf-8", "replace").splitlines() if line.strip())
        with contextlib.suppress(OSError, MachineError):
            if self._file is None or self._size + len(chunk) > self._limit_bytes:
                self.close()
                self._file = self._begin()
            self._file.write(chunk)
            self._file.flush()
            self._size += len(chunk)

    def close(self) -> None:
        """Close the file; the tail stays."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                file.close()

    def _begin(self) -> BinaryIO:
        self._size = 0
        try:
            if self.path.exists():
                self.path.replace(self.path.with_name(f"{self.path.name}.1"))
            return os.fdopen(open_log(self.path, os.O_TRUNC), "wb")
        except OSError as error:
            raise not_writable(self.path.parent, error) from error


@dataclass(frozen=True)
class Ended:
    """How a child ended: what to say, and the signal or exit status as the system gave it."""

    status: int

    def __str__(self) -> str:
        if self.status >= 0:
            return f"exit code {self.status}"
        with contextlib.suppress(ValueError):
            return f"killed by {signal.Signals(-self.status).name}"
        return f"killed by signal {-self.status}"


class ChildProcess:
    """A running child. Made by `start_child`; `stop` and `finish` may be awaited by several at once."""

    def __init__(self, process: Process, log: LogFile, stop_step_s: float) -> None:
        self._process = process
        self._stdin = _piped(process.stdin)
        self._stdout = _piped(process.stdout)
        self._stderr = _piped(process.stderr)
        self.log = log
        self.pid = process.pid
        self._stop_step_s = stop_step_s
        self._pump = asyncio.create_task(self._pump_log())
        self._waiter = asyncio.create_task(self._wait())

    @property
    def exit(self) -> Ended | None:
        """How it ended, None while it runs."""
        return self._waiter.result() if self._waiter.done() else None

    async def finish(self) -> Ended | None:
        """Wait for the end of a child that has given up, its log written; stop one that lingers."""
        if not await self._ends_within(self._stop_step_s):
            await self.stop()
        return self.exit

    async def answer(self) -> dict[str, str]:
        """The one line that the child says, empty when it ends without one."""
        line = await self._stdout.readline()
        return dict(json.loads(line)) if line.endswith(b"\n") else {}

    async def send(self, spec: Mapping[str, object]) -> None:
        """Tell the child its spec, as JSON. A child that is gone already is noticed by its end, not here."""
        with contextlib.suppress(OSError):
            self._stdin.write(json.dumps(spec).encode() + b"\n")
            await self._stdin.drain()

    async def stop(self) -> None:
        """End it: close its stdin, then terminate, then kill, each with a time limit of its own."""
        self._stdin.close()
        for step in (self._process.terminate, self._process.kill):
            if await self._ends_within(self._stop_step_s):
                return
            with contextlib.suppress(ProcessLookupError):
                step()
        await self._ends_within(self._stop_step_s)

    async def _ends_within(self, timeout_s: float) -> bool:
        done, _ = await asyncio.wait([self._waiter], timeout=timeout_s)
        return bool(done)

    async def _wait(self) -> Ended:
        status = await self._process.wait()
        # A grandchild that holds stderr open must not hide the end.
        await asyncio.wait([self._pump], timeout=1)
        self._pump.cancel()
        self.log.close()
        return Ended(status)

    async def _pump_log(self) -> None:
        while chunk := await _lines(self._stderr):
            self.log.write(chunk)


def _piped(stream: Stream | None) -> Stream:
    if stream is None:
        raise Bug("no-pipe", "the child was started without a pipe")
    return stream


async def _lines(stream: asyncio.StreamReader) -> bytes:
    """What has come, up to a line's end; a line longer than the stream's buffer comes in pieces."""
    try:
        return await stream.readuntil()
    except asyncio.IncompleteReadError as error:
        return error.partial
    except asyncio.LimitOverrunError as error:
        return await stream.read(error.consumed)


async def start_child(
    command: Sequence[str], environment: Mapping[str, str], log: LogFile, stop_step_s: float = STOP_STEP_S
) -> ChildProcess:
    """Start a child in a session of its own, out of reach of the terminal's signals. Raises MachineError."""
    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=child_environment(environment),
            start_new_session=sys.platform != "win32",
            creationflags=flags,
        )
    except OSError as error:
        log.close()
        message = f"cannot start `{command[0]}`: {error.strerror or error}"
        raise MachineError("engine-not-started", message, "see: agentlaunch logs shim") from error
    return ChildProcess(process, log, stop_step_s)
