"""Advisory locks between processes of ours; the system drops them when their holder dies, however it dies."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

from agentlaunch.system.files import make_private_dir, not_writable


class FileLock:
    """An exclusive lock on `path`, held until `release` or the end of the process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    def acquire(self) -> bool:
        """Take the lock if it is free; True when it is now ours. Raises MachineError `folder-not-writable`."""
        make_private_dir(self._path.parent)
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise not_writable(self._path.parent, error) from error
        if not _lock(handle):
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

    Raises MachineError `folder-not-writable`.
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
    finally:
        os.close(handle)


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
    import fcntl

    def _lock(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _lock_shared(handle: int) -> bool:
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
