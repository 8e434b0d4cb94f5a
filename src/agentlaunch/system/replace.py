"""Replaces a file of somebody else's: whole or not at all, and with everything but its bytes kept as it was."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.errors import MachineError, UserError

NEW_FILE_MODE = 0o600
"""What a configuration that we make is readable by: its owner."""


@dataclass(frozen=True)
class FoundFile:
    """A file as it is now. `path` is the file itself behind all links; `content` is None where there is no file."""

    path: Path
    content: bytes | None
    mode: int = NEW_FILE_MODE
    owner: tuple[int, int] | None = None


def find_file(path: Path) -> FoundFile:
    """The file that `path` means, read. Raises UserError `file-not-replaceable` for what no replacement could keep.

    That is a read-only file (somebody made it so), one of several names (hard links: they would part), and what is no
    file at all.
    """
    real = Path(os.path.realpath(path))
    try:
        status = real.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise _refused(real, "it is not a regular file", f"see what it is: ls -ld {real}")
        if status.st_nlink > 1:
            why = f"it has {status.st_nlink} names (hard links), and they would no longer be one file"
            raise _refused(real, why, f"make it a file of its own: cp -p {real} {real}.new && mv {real}.new {real}")
        if not status.st_mode & stat.S_IWUSR:
            raise _refused(real, "it is read-only", f"if that is not on purpose: chmod u+w {real}")
        return FoundFile(real, real.read_bytes(), stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid))
    except FileNotFoundError:
        return FoundFile(real, None)
    except OSError as error:
        raise _refused(real, error.strerror or str(error), f"see who may read it: ls -ld {real}") from error


def replace_file(found: FoundFile, content: bytes) -> None:
    """Give the file new bytes: a reader sees the old ones or the new ones, also after a crash of the machine.

    Raises UserError `file-changed` when somebody has written it since it was found, `file-not-replaceable` when its
    owner could not be kept, MachineError `file-not-writable`.
    """
    temporary = _temporary(found.path)
    try:
        found.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_beside(temporary, found, content)
        _check_unchanged(found)
        temporary.replace(found.path)
        sync_folder(found.path.parent)
    except OSError as error:
        raise _not_writable(found.path, error) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def remove_file(found: FoundFile) -> None:
    """Remove the file. Raises UserError `file-changed`, MachineError `file-not-writable`."""
    _check_unchanged(found)
    try:
        found.path.unlink(missing_ok=True)
        sync_folder(found.path.parent)
    except OSError as error:
        raise _not_writable(found.path, error) from error


def remove_leftover(path: Path) -> None:
    """Remove what a replacement that was killed has left beside the file; harmless when there is nothing."""
    with contextlib.suppress(OSError):
        _temporary(path).unlink()


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` last through a crash of the machine, where the system can; Windows cannot."""
    if sys.platform != "win32":
        with contextlib.suppress(OSError):
            handle = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)


def _temporary(path: Path) -> Path:
    """One name, so that what a kill leaves is found again; writers of ours hold a lock."""
    return path.with_name(f".{path.name}.agentlaunch-new")


def _write_beside(temporary: Path, found: FoundFile, content: bytes) -> None:
    with contextlib.suppress(FileNotFoundError):
        temporary.unlink()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
    with os.fdopen(os.open(temporary, flags, NEW_FILE_MODE), "wb") as file:
        file.write(content)
        file.flush()
        if sys.platform != "win32":
            _keep_owner(file.fileno(), found)
            _keep_attributes(found.path, file.fileno())
            os.fchmod(file.fileno(), found.mode)
        os.fsync(file.fileno())


if sys.platform != "win32":

    def _keep_owner(handle: int, found: FoundFile) -> None:
        status = os.fstat(handle)
        if found.owner is None or found.owner == (status.st_uid, status.st_gid):
            return
        try:
            os.fchown(handle, *found.owner)
        except OSError as error:
            why = "it belongs to somebody else, and a replacement would be yours"
            raise _refused(found.path, why, f"see whose it is: ls -ld {found.path}") from error


def _keep_attributes(path: Path, handle: int) -> None:
    """Access lists and labels, where the system has them and lets us."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            for name in os.listxattr(path):
                with contextlib.suppress(OSError):
                    os.setxattr(handle, name, os.getxattr(path, name))


def _check_unchanged(found: FoundFile) -> None:
    """The agent may write its file at any time; the moment that stays between this and the rename is microseconds."""
    try:
        now = found.path.read_bytes()
    except FileNotFoundError:
        now = None
    except OSError as error:
        raise _not_writable(found.path, error) from error
    if now != found.content:
        message = f"`{found.path}` was changed by another program at this moment"
        raise UserError("file-changed", message, "run the same command again")


def _refused(path: Path, why: str, hint: str) -> UserError:
    return UserError("file-not-replaceable", f"`{path}` is left as it is: {why}", hint)


def _not_writable(path: Path, error: OSError) -> MachineError:
    message = f"cannot write `{path}`: {error.strerror or error}"
    return MachineError("file-not-writable", message, f"see who may: ls -ld {path.parent}")
