"""Files of ours: written whole or not at all, readable by their owner only."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from agentlaunch.errors import MachineError


def make_private_dir(path: Path) -> None:
    """Create `path` and its parents, mode 0700 for what is new. Raises MachineError `folder-not-writable`."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(path, error) from error


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
        Path(temporary).replace(path)
    except OSError as error:
        if temporary:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise _not_writable(path.parent, error) from error


def _not_writable(path: Path, error: OSError) -> MachineError:
    return MachineError(
        "folder-not-writable",
        f"cannot write in `{path}`: {error.strerror or error}",
        "set AGENTLAUNCH_HOME to a folder that you may write, as in: AGENTLAUNCH_HOME=/tmp/agentlaunch agentlaunch ...",
    )
