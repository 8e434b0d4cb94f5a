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
class PrefixCache:
    """What the folder holds, the last used first; after a removal, what it held."""

    folder: Path
    prefixes: tuple[CachedPrefix, ...]
    is_cleared: bool = False

    @property
    def size_bytes(self) -> int:
        """All of them together."""
        return sum(prefix.size_bytes for prefix in self.prefixes)


def run_cache(action: str, dirs: Dirs) -> PrefixCache:
    """`list` looks, `clear` removes, also while engines run: they then compute. Raises UserError `unknown-action`."""
    from agentlaunch.shim import prefix_files

    match action:
        case "list":
            return PrefixCache(dirs.prefixes, tuple(map(_cached, prefix_files.read_kept(dirs.prefixes))))
        case "clear":
            return PrefixCache(dirs.prefixes, tuple(map(_cached, prefix_files.clear(dirs.prefixes))), is_cleared=True)
        case _:
            known = ", ".join(ACTIONS)
            raise UserError("unknown-action", f"unknown action `{action}`", f"agentlaunch cache list (known: {known})")


def _cached(kept: KeptPrefix) -> CachedPrefix:
    return CachedPrefix(kept.name, kept.model, kept.token_count, kept.size_bytes, kept.used_at)
