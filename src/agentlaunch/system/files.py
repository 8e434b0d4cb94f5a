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
        # Step by step: `parents=True` would make the parents with the umask's mode.
        missing = [folder for folder in path.parents if not folder.exists()]
        for folder in (*reversed(missing), path):
            folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise not_writable(path, error) from error


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
        raise not_writable(path.parent, error) from error


def not_writable(path: Path, error: OSError) -> MachineError:
    """What the user reads when the system refuses to write in the folder `path`: `folder-not-writable`."""
    return MachineError(
        "folder-not-writable",
        f"cannot write in `{path}`: {error.strerror or error}",
        "set AGENTLAUNCH_HOME to a folder that you may write, as in: AGENTLAUNCH_HOME=/tmp/agentlaunch agentlaunch ...",
    )
