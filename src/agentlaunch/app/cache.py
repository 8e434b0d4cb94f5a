"""The prompt prefixes that engines have left on the disk: what is there, and its removal."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from agentlaunch.core.prefix_cache import KeptPrefix
from agentlaunch.errors import UserError
from agentlaunch.system.dirs import Dirs

ACTIONS = ("list", "clear")


@dataclass(frozen=True)
class CachedPrefix:
    """One prefix; `used_at` in Unix seconds."""

    name: str
    model: str
    tokens: int
    size_bytes: int
    used_at: float


@dataclass(frozen=True)
class RefusedPrefixes:
    """Why a model's prefixes are not all kept; `at` in Unix seconds."""

    model: str
    reason: str
    at: float


@dataclass(frozen=True)
class PrefixCache:
    """What the folder holds, the last used first; after a removal, what it held.

    `openings` is how many agents' first requests are remembered for pre-warming; `refusals` are the engines whose
    prefixes are not kept, or only whole ones.
    """

    folder: Path
    prefixes: tuple[CachedPrefix, ...]
    is_cleared: bool = False
    openings: int = 0
    refusals: tuple[RefusedPrefixes, ...] = ()

    @property
    def size_bytes(self) -> int:
        """All of them together."""
        return sum(prefix.size_bytes for prefix in self.prefixes)


def run_cache(action: str, dirs: Dirs) -> PrefixCache:
    """`list` looks, `clear` removes, also while engines run: they then compute. Raises UserError `unknown-action`."""
    from agentlaunch.shim import prefix_files
    from agentlaunch.shim.prewarm_files import count_openings

    folder = dirs.prefixes
    openings = count_openings(folder)
    match action:
        case "list":
            prefixes = tuple(map(_cached, prefix_files.read_kept(folder)))
            refusals = tuple(
                RefusedPrefixes(one.model, one.reason, one.at) for one in prefix_files.read_refusals(folder)
            )
            return PrefixCache(folder, prefixes, openings=openings, refusals=refusals)
        case "clear":
            cleared = tuple(map(_cached, prefix_files.clear(folder)))
            return PrefixCache(folder, cleared, is_cleared=True, openings=openings)
        case _:
            known = ", ".join(ACTIONS)
            raise UserError("unknown-action", f"unknown action `{action}`", f"agentlaunch cache list (known: {known})")


def _cached(kept: KeptPrefix) -> CachedPrefix:
    return CachedPrefix(kept.name, kept.model, kept.token_count, kept.size_bytes, kept.used_at)
