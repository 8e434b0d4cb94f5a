"""The file that a download grows in: a correct beginning of the whole at every moment, and its digest so far."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from agentlaunch.errors import MachineError
from agentlaunch.weights.hub_cache import not_writable
from agentlaunch.weights.progress import size_text

_BLOCK_BYTES = 4 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT}
"""No room on the disk, or in the quota."""


class Sink:
    """An unbuffered file that is written at its end only, so that what is in it was counted and digested."""

    def __init__(self, path: Path, again: str) -> None:
        self._path = path
        self._again = again
        self._digest = hashlib.sha256()
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        self.size_bytes = 0

    def take_up(self, on_read: Callable[[int], None]) -> None:
        """Digest what is there from before; `on_read` gets the bytes read so far."""
        while block := os.read(self._handle, _BLOCK_BYTES):
            self._digest.update(block)
            self.size_bytes += len(block)
            on_read(self.size_bytes)

    def write(self, data: bytes) -> None:
        """Append. Raises MachineError `disk-full`, `cache-not-writable`; what went in before that stays."""
        rest = memoryview(data)
        while rest:
            try:
                written = os.write(self._handle, rest)
            except OSError as error:
                raise self._failed(error) from error
            self._digest.update(rest[:written])
            self.size_bytes += written
            rest = rest[written:]

    def restart(self) -> None:
        """Empty the file: what is in it does not belong to what comes."""
        os.lseek(self._handle, 0, os.SEEK_SET)
        os.ftruncate(self._handle, 0)
        self._digest = hashlib.sha256()
        self.size_bytes = 0

    def sync(self) -> None:
        """Wait until the disk has it. Raises MachineError as `write`: some file systems tell only now."""
        try:
            os.fsync(self._handle)
        except OSError as error:
            raise self._failed(error) from error

    @property
    def sha256(self) -> str:
        """Of what is in the file."""
        return self._digest.hexdigest()

    def close(self) -> None:
        """Harmless when it is closed."""
        if self._handle >= 0:
            os.close(self._handle)
            self._handle = -1

    def _failed(self, error: OSError) -> MachineError:
        if error.errno == errno.EFBIG:  # FAT32 ends at 4 GiB a file, RLIMIT_FSIZE where it is set
            return MachineError(
                "file-too-large",
                f"`{self._path.parent}` takes no file of more than {size_text(self.size_bytes)}: the disk's format"
                " (FAT32) or `ulimit -f` forbids it",
                "keep weights on another disk (exFAT, NTFS, APFS, ext4): export HF_HUB_CACHE=/PATH/TO/FOLDER",
            )
        if error.errno not in _FULL:
            return not_writable(self._path.parent, error)
        return MachineError(
            "disk-full",
            f"the disk is full: `{self._path.parent}` took {size_text(self.size_bytes)} and no more",
            f"make room, then go on where it stopped: {self._again}",
        )


@contextmanager
def opened(path: Path, again: str) -> Iterator[Sink]:
    """The sink at `path`, closed at the end. `again` is the command that goes on. Raises MachineError."""
    try:
        sink = Sink(path, again)
    except OSError as error:
        raise not_writable(path.parent, error) from error
    try:
        yield sink
    finally:
        sink.close()
