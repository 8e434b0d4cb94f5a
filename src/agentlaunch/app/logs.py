"""The ends of our logs, and what is added to them."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

from agentlaunch.errors import MachineError, UserError
from agentlaunch.system.dirs import Dirs

LogKind = Literal["shim", "engine", "serve"]

POLL_S = 0.2
_TAIL_BYTES = 4_000_000
"""Read from the end at most this far back: a log may have grown for weeks."""


def find_log(kind: LogKind, dirs: Dirs) -> Path:
    """The newest log of this kind. Raises UserError `no-log`."""
    found = [path for path in dirs.logs.glob(f"{kind}*.log") if path.is_file()] if dirs.logs.is_dir() else []
    if not found:
        raise UserError(
            "no-log", f"there is no log of the {kind} in `{dirs.logs}` yet", "agentlaunch claude --model demo"
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def last_lines(path: Path, count: int) -> tuple[list[str], int]:
    """The last `count` lines, and the byte after them. Raises MachineError `log-unreadable`."""
    try:
        with path.open("rb") as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(0, end - _TAIL_BYTES))
            lines = file.read().decode("utf-8", "replace").splitlines()
            return list(deque(lines, count)), end
    except OSError as error:
        raise MachineError(
            "log-unreadable", f"cannot read `{path}`: {error.strerror or error}", f"see who may: ls -l {path}"
        ) from error


def follow(path: Path, position: int, wait: Callable[[], None]) -> Iterator[str]:
    """What is added behind `position`, as it comes; `wait` is called when there is nothing new. Never ends by itself.

    A file that has become shorter, or has been replaced, is read from its beginning.
    """
    pending = b""
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < position:
            position, pending = 0, b""
        if size == position:
            wait()
            continue
        with path.open("rb") as file:
            file.seek(position)
            content = file.read(size - position)
        position += len(content)
        *whole, pending = (pending + content).split(b"\n")
        yield from (line.decode("utf-8", "replace").rstrip("\r") for line in whole)
