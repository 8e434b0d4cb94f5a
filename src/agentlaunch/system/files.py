"""Files of ours: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from time import sleep

from agentlaunch.errors import MachineError

REPLACE_PAUSES_S: Sequence[float] = (0.01, 0.05, 0.1, 0.2, 0.5) if sys.platform == "win32" else ()
"""Windows refuses to replace a file that somebody has open: another of us that reads it, or a virus scanner."""


def make_private_dir(path: Path) -> None:
    """Create `path` and its parents, mode 0700 for what is new.

    Raises MachineError `folder-not-writable`, and `folder-not-ours` for one that another user has made (in /tmp):
    what we write would be theirs to replace.
    """
    try:
        # Step by step: `parents=True` would make the parents with the umask's mode.
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in (*reversed(missing), path):
            folder.mkdir(mode=0o700, exist_ok=True)
        is_theirs = sys.platform != "win32" and path.stat().st_uid not in (0, os.geteuid()) and os.geteuid() != 0
    except OSError as error:
        raise not_writable(path, error) from error
    if is_theirs:
        raise MachineError(
            "folder-not-ours", f"`{path}` belongs to another user", "set AGENTLAUNCH_HOME to a folder of your own"
        )


def write_private(path: Path, content: bytes) -> None:
    """Replace `path` with `content` atomically, mode 0600. Raises MachineError `folder-not-writable`.

    A reader sees the old bytes or the new ones; a crash or a full disk leaves the old file and no temporary one.
    """
    make_private_dir(path.parent)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace_file(lambda: os.replace(temporary, path))  # noqa: PTH105 - as a callable
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise not_writable(path.parent, error) from error


def replace_file(
    replace: Callable[[], None], pauses_s: Sequence[float] = REPLACE_PAUSES_S, pause: Callable[[float], None] = sleep
) -> None:
    """`replace`, tried again after each of `pauses_s` (seconds) as long as it may not. Raises its last OSError."""
    for seconds in pauses_s:
        try:
            return replace()
        except PermissionError:
            pause(seconds)
    return replace()


def open_log(path: Path, flags: int) -> int:
    """A descriptor that writes to `path`, with os.open's `flags` beside; mode 0600, also where others could read it.

    A link in its place is refused, since another user may have laid it to have us write into a file of ours (report
    B320). Raises OSError.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
    if sys.platform != "win32":
        with contextlib.suppress(OSError):  # another user's
            os.fchmod(handle, 0o600)
    return handle


def not_writable(path: Path, error: OSError) -> MachineError:
    """What the user reads when the system refuses to write in the folder `path`: `folder-not-writable`."""
    return MachineError(
        "folder-not-writable",
        f"cannot write in `{path}`: {error.strerror or error}",
        "set AGENTLAUNCH_HOME to a folder that you may write, as in: AGENTLAUNCH_HOME=/tmp/agentlaunch agentlaunch ...",
    )
