"""What a terminal sends for a key, as the key that it means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias


class NamedKey(Enum):
    """A key that moves, chooses or leaves."""

    UP = "up"
    DOWN = "down"
    LEFT = "left"
    RIGHT = "right"
    FIRST = "home"
    LAST = "end"
    PAGE_UP = "page up"
    PAGE_DOWN = "page down"
    ENTER = "enter"
    ESCAPE = "escape"
    BACKSPACE = "backspace"
    INTERRUPT = "ctrl-c"


@dataclass(frozen=True)
class Typed:
    """A character that can be shown."""

    character: str


Key: TypeAlias = NamedKey | Typed

_SENT = {
    # xterm's control sequences, "PC-style function keys"; SS3 stands for CSI in the application mode.
    "\x1b[A": NamedKey.UP,
    "\x1b[B": NamedKey.DOWN,
    "\x1b[C": NamedKey.RIGHT,
    "\x1b[D": NamedKey.LEFT,
    "\x1b[H": NamedKey.FIRST,
    "\x1b[F": NamedKey.LAST,
    "\x1b[1~": NamedKey.FIRST,
    "\x1b[4~": NamedKey.LAST,
    "\x1b[5~": NamedKey.PAGE_UP,
    "\x1b[6~": NamedKey.PAGE_DOWN,
    "\x1b": NamedKey.ESCAPE,
    "\r": NamedKey.ENTER,
    "\n": NamedKey.ENTER,
    "\x7f": NamedKey.BACKSPACE,
    "\b": NamedKey.BACKSPACE,
    "\x03": NamedKey.INTERRUPT,
    "\x04": NamedKey.INTERRUPT,
    "\x0e": NamedKey.DOWN,
    "\x10": NamedKey.UP,
    # Windows: msvcrt's second character of an extended key (Microsoft, `_getwch`).
    "\xe0H": NamedKey.UP,
    "\xe0P": NamedKey.DOWN,
    "\xe0K": NamedKey.LEFT,
    "\xe0M": NamedKey.RIGHT,
    "\xe0G": NamedKey.FIRST,
    "\xe0O": NamedKey.LAST,
    "\xe0I": NamedKey.PAGE_UP,
    "\xe0Q": NamedKey.PAGE_DOWN,
}
_PIECE = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]|\x1bO.|[\xe0\0][GHIKMOPQ]|.", re.DOTALL)


def keys_of(sent: str) -> Iterator[Key]:
    """The keys in what a terminal has sent at once; sequences that mean none of ours are dropped as a whole."""
    for piece in _PIECE.findall(sent):
        key = _SENT.get(piece.replace("\x1bO", "\x1b[").replace("\0", "\xe0") if len(piece) > 1 else piece)
        if key is not None:
            yield key
        elif len(piece) == 1 and piece.isprintable():
            yield Typed(piece)
