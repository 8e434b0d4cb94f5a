"""A table without the columns that its terminal has no room for."""

from __future__ import annotations

from collections.abc import Sequence

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


def _width(header: Sequence[str], rows: Sequence[Sequence[str]], kept: Sequence[int]) -> int:
    widest = (max(len(row[index]) for row in (header, *rows)) for index in kept)
    return sum(widest) + _GAP * (len(kept) - 1)
