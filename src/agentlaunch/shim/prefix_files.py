"""The folder of kept prefixes: each a state that llama.cpp has written, and a description of ours beside it."""

from __future__ import annotations

import contextlib
import os
from hashlib import blake2b
from pathlib import Path

import msgspec

from agentlaunch.core.prefix_cache import KeptPrefix, excess
from agentlaunch.errors import MachineError
from agentlaunch.system.files import make_private_dir, write_private

STATE_SUFFIX = ".slot"
OPENING_SUFFIX = ".opening"
"""Of the remembered openings in the same folder (shim/prewarm_files.py), which `clear` removes as well."""
_ABOUT_SUFFIX = ".json"
_REFUSAL_SUFFIX = ".refusal"
_MAX_REFUSALS = 32
_STRAY_S = 3600.0
_SAMPLES = 64
_SAMPLE_BYTES = 4096

_about = msgspec.json.Decoder(KeptPrefix)


class NotKept(Exception):
    """A state that cannot be used or kept; the message says why."""


class Refusal(msgspec.Struct, frozen=True):
    """Why an engine's prefixes are kept not at all, or not all of them. `at` in Unix seconds."""

    engine: str
    model: str
    reason: str
    at: float


_refusal = msgspec.json.Decoder(Refusal)


def state_name(name: str) -> str:
    """What llama.cpp is told to write to or read from."""
    return name + STATE_SUFFIX


def prepare_folder(folder: Path) -> None:
    """Make the folder, mode 0700. Raises MachineError `folder-not-writable`."""
    make_private_dir(folder)


def read_kept(folder: Path) -> tuple[KeptPrefix, ...]:
    """Every prefix whose state is there, the last used first; descriptions that cannot be read are passed over."""
    found: list[KeptPrefix] = []
    for path in folder.glob(f"*{_ABOUT_SUFFIX}"):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            about = _about.decode(path.read_bytes())
            if about.name == path.stem and (folder / state_name(about.name)).is_file():
                found.append(about)
    return tuple(sorted(found, key=lambda prefix: -prefix.used_at))


def seal(folder: Path, prefix: KeptPrefix, written_bytes: int) -> KeptPrefix:
    """Describe the state that was just written, so that it can be found and trusted. Raises NotKept.

    It is on the disk before its description is: a state that is cut off ends llama.cpp (GGML_ASSERT, measured).
    """
    path = folder / state_name(prefix.name)
    try:
        path.chmod(0o600)
        # For writing: Windows flushes no other handle.
        with path.open("rb+") as file:
            os.fsync(file.fileno())
        stat = path.stat()
        sealed = msgspec.structs.replace(
            prefix, size_bytes=stat.st_size, modified_ns=stat.st_mtime_ns, sample=_sample(path)
        )
    except OSError as error:
        raise NotKept(f"the state cannot be read back: {error.strerror or error}") from error
    if stat.st_size != written_bytes:
        raise NotKept(f"the state has {stat.st_size:,} bytes in place of {written_bytes:,}")
    _describe(folder, sealed)
    return sealed


def check(folder: Path, prefix: KeptPrefix) -> None:
    """Whether the state is still the one that was sealed. Raises NotKept.

    Size, time of change and 64 samples over the file: a whole hash of a GB takes as long as restoring it.
    """
    path = folder / state_name(prefix.name)
    try:
        stat = path.stat()
        if (stat.st_size, stat.st_mtime_ns) != (prefix.size_bytes, prefix.modified_ns):
            raise NotKept("its file has been changed")
        if _sample(path) != prefix.sample:
            raise NotKept("its file is damaged")
    except OSError as error:
        raise NotKept(f"its file cannot be read: {error.strerror or error}") from error


def touch(folder: Path, prefix: KeptPrefix, now: float) -> KeptPrefix:
    """Note that it was used at `now`, in Unix seconds. Raises NotKept."""
    used = msgspec.structs.replace(prefix, used_at=now)
    _describe(folder, used)
    return used


def remove(folder: Path, prefix: KeptPrefix) -> None:
    """Remove a prefix; harmless when it is gone."""
    for suffix in (_ABOUT_SUFFIX, STATE_SUFFIX):
        with contextlib.suppress(OSError):
            (folder / (prefix.name + suffix)).unlink()


def make_room(folder: Path, limit_bytes: int, now: float) -> tuple[KeptPrefix, ...]:
    """Remove what is over the limit, and states that nobody has described within an hour; what has gone.

    `now` in Unix seconds. A younger state may be another engine's, which is just writing it.
    """
    kept = read_kept(folder)
    going = excess(kept, limit_bytes)
    for prefix in going:
        remove(folder, prefix)
    _remove_strays(folder, {prefix.name for prefix in kept}, now - _STRAY_S)
    return going


def clear(folder: Path) -> tuple[KeptPrefix, ...]:
    """Remove everything; the prefixes that have gone."""
    gone = make_room(folder, -1, float("inf"))
    for path in (*folder.glob(f"*{OPENING_SUFFIX}"), *folder.glob(f"*{_REFUSAL_SUFFIX}")):
        with contextlib.suppress(OSError):
            path.unlink()
    return gone


def note_refusal(folder: Path, refusal: Refusal) -> None:
    """Keep the reason for whoever looks at the folder, the last one of each engine; a full disk keeps none."""
    with contextlib.suppress(MachineError):
        write_private(folder / (refusal.engine + _REFUSAL_SUFFIX), msgspec.json.encode(refusal))
    for old in read_refusals(folder)[_MAX_REFUSALS:]:
        with contextlib.suppress(OSError):
            (folder / (old.engine + _REFUSAL_SUFFIX)).unlink()


def read_refusals(folder: Path) -> tuple[Refusal, ...]:
    """Every reason that was noted, the newest first; files that cannot be read are passed over."""
    found: list[Refusal] = []
    for path in folder.glob(f"*{_REFUSAL_SUFFIX}"):
        with contextlib.suppress(OSError, msgspec.MsgspecError):
            found.append(_refusal.decode(path.read_bytes()))
    return tuple(sorted(found, key=lambda refusal: -refusal.at))


def _remove_strays(folder: Path, known: set[str], before: float) -> None:
    for path in (*folder.glob(f"*{STATE_SUFFIX}"), *folder.glob(f"*{_ABOUT_SUFFIX}")):
        if path.stem not in known:
            with contextlib.suppress(OSError):
                if path.stat().st_mtime < before:
                    path.unlink()


def _describe(folder: Path, prefix: KeptPrefix) -> None:
    try:
        write_private(folder / (prefix.name + _ABOUT_SUFFIX), msgspec.json.encode(prefix))
    except MachineError as error:
        raise NotKept(error.message) from error


def _sample(path: Path) -> bytes:
    """A digest of blocks spread over the file, the first and the last among them."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        for number in range(_SAMPLES):
            file.seek(max(0, size - _SAMPLE_BYTES) * number // (_SAMPLES - 1))
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.digest()
