"""Where an engine's prompt prefixes are kept, and what a saved one can be restored into. On the way of every launch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

MAX_BYTES = 4 * 2**30
FREE_SHARE = 10
"""By default the prefixes take at most 4 GiB, and at most a tenth of what is free on the disk with them."""


@dataclass(frozen=True)
class PrefixStore:
    """Where an engine's slots are saved, and what they can only be restored into.

    `folder` is the one that the engine was started with; `engine` is a digest of everything that a saved state depends
    on; `max_bytes` bounds all files in the folder, of every engine.
    """

    folder: str
    engine: str
    max_bytes: int


def default_limit_bytes(free_bytes: int) -> int:
    """The bound for a disk with this much room."""
    return min(MAX_BYTES, free_bytes // FREE_SHARE)


def engine_digest(facts: Iterable[object]) -> str:
    """A name for everything that a saved state depends on; any change of any fact gives another."""
    return blake2b(repr(tuple(facts)).encode(), digest_size=16).hexdigest()
