"""Advisory locks between processes of ours; the system drops them when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from agentlaunch.errors import MachineError
from agentlaunch.system.files import make_private_dir, not_writable


class NoLocks(MachineError):
    """The file system has no locks: `no-locks`. Lustre without `flock`, some NFS, FUSE and 9P mounts."""


class FileLock:
    """An exclusive lock on `path`, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; True when it is now ours.

        Raises MachineError `folder-not-writable`, NoLocks where to wait would be for ever.
        """
        make_private_dir(self._path.parent)
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise not_writable(self._path.parent, error) from error
        try:
            taken = _lock(handle)
        except OSError as error:
            os.close(handle)
            raise _no_locks(self._path.parent, error) from error
        if not taken:
            os.close(handle)
            return False
        self._handle = handle
        return True

    def release(self) -> None:
        """Give the lock up; harmless when it is not held."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextmanager
def held(path: Path, timeout_s: float) -> Iterator[bool]:
    """Wait for the lock on `path` for at most `timeout_s` seconds; yields whether it was had.

    Raises MachineError `folder-not-writable`, `no-locks`.
    """
    lock = FileLock(path)
    deadline = monotonic() + timeout_s
    taken = lock.acquire()
    while not taken and monotonic() < deadline:
        sleep(0.02)
        taken = lock.acquire()
    try:
        yield taken
    finally:
        lock.release()


def is_held(path: Path) -> bool:
    """Whether some process holds the lock on `path`. Asking never makes a second asker believe that it is held."""
    try:
        handle = os.open(path, os.O_RDWR | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return False
    try:
        return not _lock_shared(handle)
    except OSError:  # no locks, so nobody can hold one
        return False
    finally:
        os.close(handle)


def _no_locks(folder: Path, error: OSError) -> NoLocks:
    message = f"`{folder}` is on a file system without locks: {error.strerror or error}"
    return NoLocks("no-locks", message, "set AGENTLAUNCH_HOME to a folder on a disk of this machine")


if sys.platform == "win32":
    import msvcrt

    def _lock(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _lock_shared(handle: int) -> bool:
        """Windows has no shared lock here: two askers at one moment see each other, and a holder stays."""
        for _ in range(3):
            if _lock(handle):
                return True
            sleep(0.01)
        return False

else:
    import errno
    import fcntl

    _IS_HELD = (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES)
    """What flock(2) and NFS say of a lock that another one has; anything else says that there are none."""

    def _lock(handle: int) -> bool:
        return _flock(handle, fcntl.LOCK_EX)

    def _lock_shared(handle: int) -> bool:
        return _flock(handle, fcntl.LOCK_SH)

    def _flock(handle: int, kind: int) -> bool:
        try:
            fcntl.flock(handle, kind | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _IS_HELD:
                raise
            return False
        return True
