"""The Hugging Face cache on disk: where a file lies in it, whole or in part, and how one is put in and taken out.

The layout is the one that Hugging Face documents ("Understand caching"): content under its digest in `blobs/`, names as
links in `snapshots/COMMIT/`, branches in `refs/`. A download of ours is a download of all its tools.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.core.weight_names import RepositoryFile
from agentlaunch.errors import MachineError
from agentlaunch.system.files import write_private
from agentlaunch.system.locks import is_held

_FOLDER = "models--"


@dataclass(frozen=True)
class CachePlace:
    """One file's places. `partial` has the name that older versions of huggingface_hub resume from, too."""

    blob: Path
    partial: Path
    pointer: Path
    lock: Path
    size_bytes: int

    @property
    def is_whole(self) -> bool:
        """Whether all bytes are here. Where links cannot be made, the pointer is the file itself."""
        return any(_size(path) == self.size_bytes for path in (self.blob, self.pointer))

    @property
    def is_entered(self) -> bool:
        """Whether the snapshot has it whole under its name, so that nothing is to be written."""
        return _size(self.pointer) == self.size_bytes

    @property
    def fetched_bytes(self) -> int:
        """How many bytes are here already."""
        return self.size_bytes if self.is_whole else min(_size(self.partial) or 0, self.size_bytes)


def repository_folder(cache: Path, repository: str) -> Path:
    """Where a repository lies."""
    return cache / (_FOLDER + repository.replace("/", "--"))


def repository_of(path: Path, cache: Path) -> str:
    """The repository that a file below `cache` belongs to, empty for none."""
    with suppress(ValueError):
        top = path.relative_to(cache).parts[0]
        if top.startswith(_FOLDER):
            return top.removeprefix(_FOLDER).replace("--", "/", 1)
    return ""


def cache_place(cache: Path, repository: str, commit: str, file: RepositoryFile) -> CachePlace:
    """The places of one file."""
    folder = repository_folder(cache, repository)
    blob = folder / "blobs" / file.sha256
    return CachePlace(
        blob=blob,
        partial=blob.with_name(f"{file.sha256}.incomplete"),
        pointer=folder.joinpath("snapshots", commit, *file.name.split("/")),
        lock=cache / ".locks" / folder.name / f"{file.sha256}.lock",
        size_bytes=file.size_bytes,
    )


def prepare(place: CachePlace) -> None:
    """Make the folders, and the lock with the rights that huggingface_hub gives it: others may share the cache.

    Raises MachineError `cache-not-writable`.
    """
    try:
        place.blob.parent.mkdir(parents=True, exist_ok=True)
        place.lock.parent.mkdir(parents=True, exist_ok=True)
        place.lock.touch()
    except OSError as error:
        raise not_writable(place.blob.parent, error) from error


def enter(place: CachePlace, branch: str, commit: str) -> None:
    """Give the whole blob its name in the snapshot, and the branch its commit. Raises MachineError."""
    try:
        if place.blob.exists() and not place.pointer.exists():
            place.pointer.parent.mkdir(parents=True, exist_ok=True)
            place.pointer.unlink(missing_ok=True)  # a link that leads nowhere
            _link(place)
        reference = place.blob.parent.parent / "refs" / branch
        if not reference.is_file() or reference.read_text("utf-8") != commit:
            reference.parent.mkdir(parents=True, exist_ok=True)
            write_private(reference, commit.encode())
            reference.chmod(0o644)
    except OSError as error:
        raise not_writable(place.pointer.parent, error) from error


def _link(place: CachePlace) -> None:
    try:
        place.pointer.symlink_to(os.path.relpath(place.blob, place.pointer.parent))
    except OSError:  # Windows without the right to: huggingface_hub moves the blob, too
        shutil.move(place.blob, place.pointer)


def incomplete(cache: Path) -> Iterator[tuple[str, int, tuple[Path, ...]]]:
    """Repositories with downloads that were begun and not ended, the bytes of those, and their files."""
    for folder in sorted(_entries(cache)):
        partials = tuple(sorted(path for path in _entries(folder / "blobs") if path.suffix == ".incomplete"))
        if folder.name.startswith(_FOLDER) and partials:
            yield repository_of(folder, cache), sum(_size(path) or 0 for path in partials), partials


def is_being_fetched(partial: Path, cache: Path) -> bool:
    """Whether some process, ours or huggingface_hub's, holds the lock of the file that this is the beginning of."""
    return is_held(cache / ".locks" / partial.parent.parent.name / f"{partial.name.partition('.')[0]}.lock")


def files_behind(pointers: tuple[Path, ...], cache: Path) -> tuple[Path, ...]:
    """What must go so that these names are gone: each name, and its blob where no other name leads to it."""
    removed: list[Path] = []
    for pointer in pointers:
        removed.append(pointer)
        if not pointer.is_symlink():
            continue
        blob = pointer.resolve()
        snapshots = repository_folder(cache, repository_of(pointer, cache)) / "snapshots"
        others = (path for path in snapshots.rglob("*") if path.is_symlink() and path not in pointers)
        if cache.resolve() in blob.parents and not any(other.resolve() == blob for other in others):
            removed.append(blob)
    return tuple(removed)


def tidy(cache: Path, repository: str) -> None:
    """Take away what is empty after a removal, and branches whose commit is gone: both count as damage to other tools.

    Only empty folders go; a download that was begun keeps its own.
    """
    folder = repository_folder(cache, repository)
    snapshots = folder / "snapshots"
    for path in sorted(_below(snapshots), key=lambda path: -len(path.parts)):
        _remove_empty(path)
    for reference in _below(folder / "refs"):
        with suppress(OSError):
            if reference.is_file() and not (snapshots / reference.read_text("utf-8").strip()).is_dir():
                reference.unlink()
    for path in sorted(_below(folder / "refs"), key=lambda path: -len(path.parts)):
        _remove_empty(path)
    if not _entries(snapshots) and not _entries(folder / "blobs"):
        for path in (snapshots, folder / "blobs", folder / "refs", folder):
            _remove_empty(path)


def _below(folder: Path) -> list[Path]:
    try:
        return list(folder.rglob("*"))
    except OSError:
        return []


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # not empty, or not a folder
        folder.rmdir()


def free_bytes(folder: Path) -> int:
    """What the disk below `folder`, which need not exist, has room for."""
    for path in (folder, *folder.absolute().parents):
        with suppress(OSError):
            return shutil.disk_usage(path).free
    return 0


def not_writable(folder: Path, error: OSError) -> MachineError:
    """The cache cannot be written."""
    return MachineError(
        "cache-not-writable",
        f"cannot write in `{folder}`: {error.strerror or error}",
        "keep weights elsewhere: export HF_HUB_CACHE=/PATH/TO/FOLDER, then again",
    )


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
