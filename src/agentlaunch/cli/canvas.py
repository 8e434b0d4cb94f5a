"""Text for the place where it is shown: its width, colours if it has any, bars, and lines that break between words."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass

PLAIN_COLUMNS = 80
NARROWEST, WIDEST = 40, 100
_CODES = {"title": "1;36", "strong": "1", "good": "32", "warn": "33", "bad": "31", "faint": "2"}


@dataclass(frozen=True)
class Canvas:
    """`columns` wide. Without colours, and without block characters, everything is said all the same."""

    columns: int = PLAIN_COLUMNS
    colours: bool = False
    blocks: bool = False

    def paint(self, text: str, style: str) -> str:
        """`text` in the colour of a meaning: title, strong, good, warn, bad, faint."""
        return f"\x1b[{_CODES[style]}m{text}\x1b[0m" if self.colours and text else text

    def bar(self, share: float, cells: int, style: str) -> str:
        """`[#####.....]`, full at 1.0 and never longer."""
        filled = min(max(round(share * cells), 0), cells)
        full, empty = ("█", "░") if self.blocks else ("#", ".")
        return f"[{self.paint(full * filled, style)}{self.paint(empty * (cells - filled), 'faint')}]"

    def wrap(self, text: str, first: str, indent: str = "") -> list[str]:
        """Lines of at most `columns`: the first behind `first`, which may be painted and is as wide as `indent`."""
        room = max(self.columns - len(indent), 20)
        lines: list[str] = []
        line = ""
        for word in text.split():
            if line and len(line) + 1 + len(word) > room:
                lines.append(line)
                line = word
            else:
                line = f"{line} {word}" if line else word
        lines.append(line)
        return [first + lines[0], *(indent + rest for rest in lines[1:])]

    def field(self, label: str, text: str, width: int = 10) -> list[str]:
        """A label and its text, which breaks beside the label."""
        padded = f"  {label}".ljust(width + 2)
        return self.wrap(text, self.paint(padded, "faint"), " " * len(padded))


def stdout_columns() -> int | None:
    """Where lines on stdout break: COLUMNS, else the terminal's width; None where there is neither."""
    said = os.environ.get("COLUMNS", "")
    if said.isascii() and said.isdigit() and int(said) > 0:
        return int(said)
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size((PLAIN_COLUMNS, 24)).columns


def stdout_canvas() -> Canvas:
    """The terminal on stdout; plain text of 80 columns where there is none and nobody says otherwise."""
    columns = min(max(stdout_columns() or PLAIN_COLUMNS, NARROWEST), WIDEST)
    if sys.stdout is None or not sys.stdout.isatty():
        return Canvas(columns)
    dumb = os.environ.get("TERM") == "dumb"
    blocks = not dumb and (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    return Canvas(columns, not dumb and not os.environ.get("NO_COLOR"), blocks)


def stderr_canvas() -> Canvas | None:
    """The terminal on stderr; None where none can be painted over: a file, a pipe, TERM=dumb."""
    if sys.stderr is None or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
        return None
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or PLAIN_COLUMNS
    except (OSError, ValueError):
        columns = PLAIN_COLUMNS
    blocks = (sys.stderr.encoding or "").lower().replace("-", "") == "utf8"
    return Canvas(min(max(columns, NARROWEST), WIDEST), not os.environ.get("NO_COLOR"), blocks)
