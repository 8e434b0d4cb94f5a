"""The openings that agents were last seen to send, in the folder of kept prefixes, mode 0600."""

from __future__ import annotations

import contextlib
from pathlib import Path

import msgspec

from agentlaunch.core.prefix_openings import MAX_OPENINGS, Opening
from agentlaunch.errors import MachineError
from agentlaunch.shim.prefix_files import OPENING_SUFFIX
from agentlaunch.system.files import write_private

_opening = msgspec.json.Decoder(Opening)


def read_opening(folder: Path, name: str) -> Opening | None:
    """What was remembered under `name`; None for nothing, or for what another version of ours has written."""
    with contextlib.suppress(OSError, msgspec.MsgspecError, RecursionError):
        return _opening.decode((folder / (name + OPENING_SUFFIX)).read_bytes())
    return None


def write_opening(folder: Path, name: str, opening: Opening) -> None:
    """Remember it in the place of what was there, and forget the longest unused above MAX_OPENINGS. Never raises."""
    with contextlib.suppress(MachineError):
        write_private(folder / (name + OPENING_SUFFIX), msgspec.json.encode(opening))
    for path in _newest_first(folder)[MAX_OPENINGS:]:
        with contextlib.suppress(OSError):
            path.unlink()


def count_openings(folder: Path) -> int:
    """How many are remembered."""
    return len(_newest_first(folder))


def _newest_first(folder: Path) -> list[Path]:
    found: list[tuple[float, Path]] = []
    for path in folder.glob(f"*{OPENING_SUFFIX}"):
        with contextlib.suppress(OSError):
            found.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(found, reverse=True)]
