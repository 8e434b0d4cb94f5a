"""A table for the terminal that shows it: without the columns that there is no room for, or a block for each row."""

from __future__ import annotations

from collections.abc import Sequence
from operator import add

from agentlaunch.cli.render import table

_GAP = 2


def fitted_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], columns: int, dropped_first: Sequence[str]
) -> str:
    """The table within `columns` characters: headings of `dropped_first` are left out in turn until it fits."""
    kept = list(range(len(header)))
    for name in dropped_first:
        if _width(header, rows, kept) <= columns:
            break
        kept.remove(header.index(name))
    return table([header[index] for index in kept], [[row[index] for index in kept] for row in rows])


def narrow_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], columns: int | None, dropped_first: Sequence[str] = ()
) -> str:
    """The fitted table, and where even that is too wide nothing is left out: each row is a block of its own.

    `columns` is None where no terminal breaks lines.
    """
    if columns is None:
        return table(header, rows)
    shown = fitted_table(header, rows, columns, dropped_first)
    if max(map(len, shown.splitlines())) <= columns:
        return shown
    width = max(map(len, header[1:])) + _GAP
    names = [f"  {name.lower().ljust(width)}" for name in header[1:]]
    blocks = ([row[0], *map(add, names, row[1:])] for row in rows)
    return "\n".join(line for block in blocks for line in block)


def _width(header: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    widest = (max(len(row[index]) for row in (header, *rows)) for index in kept)
    return sum(widest) + _GAP * (len(kept) - 1)
