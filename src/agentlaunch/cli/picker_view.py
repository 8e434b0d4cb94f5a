"""A list to choose from, as lines for a terminal of any size, or numbered for one that cannot be painted over."""

from __future__ import annotations

from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.picker_state import Choosing, Row

DETAIL_LINES = 3
"""What is kept free for why a row is there; more where the list leaves room for it."""
_NARROW = 60
"""Below so many columns, what stands beside a label may be cut, and is said below the list once more."""
_TAG_COLUMNS = 16
"""What a long label leaves for what stands beside it."""
_FIXED_LINES = 4
"""The title, two empty lines and the keys."""


def choosing_lines(state: Choosing, canvas: Canvas, rows: int) -> list[str]:
    """At most `rows` lines of at most `canvas.columns` characters; the row under the cursor is always among them."""
    detail = _detail(state, canvas, rows) if rows >= _FIXED_LINES + DETAIL_LINES + 1 else []
    room = max(1, rows - _FIXED_LINES - len(detail))
    lines = [_title(state, canvas), "", *_rows(state, canvas, room), "", *detail, _keys(state, canvas)]
    return lines if len(lines) <= rows else _rows(state, canvas, rows)


def numbered_lines(state: Choosing) -> list[str]:
    """Every row behind its number, from 1 on."""
    width = max((len(_plain(row.label)) for row in state.rows), default=0)
    numbered = enumerate(state.rows, 1)
    return [
        state.title,
        *(f"{n:3}  {_plain(row.label).ljust(width)}  {_plain(row.tag)}".rstrip() for n, row in numbered),
    ]


def _title(state: Choosing, canvas: Canvas) -> str:
    if state.wanted is None:
        return canvas.paint(_cut(state.title, canvas.columns), "title")
    return _cut(f"{state.title}  /{_plain(state.wanted)}_", canvas.columns)


def _rows(state: Choosing, canvas: Canvas, room: int) -> list[str]:
    """The part of the list around the cursor."""
    shown = state.shown
    if not shown:
        return [_cut("  nothing of that name; Esc shows all", canvas.columns)]
    first = min(max(0, state.cursor - room // 2), max(0, len(shown) - room))
    longest = max(len(_plain(state.rows[number].label)) for number in shown)
    width = min(longest, max(1, canvas.columns - _TAG_COLUMNS))
    return [
        _row(state.rows[number], canvas, width, is_current=at == state.cursor)
        for at, number in list(enumerate(shown))[first : first + room]
    ]


def _row(row: Row, canvas: Canvas, width: int, *, is_current: bool) -> str:
    label = _cut(_plain(row.label), width).ljust(width)
    line = _cut(f"{'>' if is_current else ' '} {label}  {_plain(row.tag)}".rstrip(), canvas.columns)
    return canvas.paint(line, "strong") if is_current else line


def _detail(state: Choosing, canvas: Canvas, rows: int) -> list[str]:
    """Why the row under the cursor, in as many lines as any row's takes, so that nothing below jumps."""
    longest = max((len(_why(row, canvas)) for row in state.rows), default=0)
    height = max(DETAIL_LINES, min(longest, rows - _FIXED_LINES - len(state.rows)))
    told = _why(state.rows[state.shown[state.cursor]], canvas) if state.shown else []
    lines = told if len(told) <= height else [*told[: height - 1], f"{told[height - 1][: canvas.columns - 4]} ..."]
    painted = (canvas.paint(_cut(line, canvas.columns), "faint") for line in lines)
    return [*painted, *[""] * (height - len(lines))]


def _why(row: Row, canvas: Canvas) -> list[str]:
    """The row's detail, and what stands beside its label where that may be cut."""
    is_cut = len(row.label) > canvas.columns - _TAG_COLUMNS or len(row.tag) > _TAG_COLUMNS
    text = _plain(f"{row.tag}: {row.detail}" if is_cut and canvas.columns < _NARROW else row.detail)
    return canvas.wrap(text, "  ", "  ")


def _keys(state: Choosing, canvas: Canvas) -> str:
    wide, narrow = "up/down j/k move, Enter takes, / filters, q leaves", "j/k move, Enter, / filters, q leaves"
    if state.wanted is not None:
        wide, narrow = "up/down move, Enter takes, Esc shows all", "Enter takes, Esc shows all"
    return canvas.paint(_cut(wide if len(wide) <= canvas.columns else narrow, canvas.columns), "faint")


def _plain(text: str) -> str:
    """Names come from files: nothing in one may move the cursor."""
    return "".join(character if character.isprintable() else "?" for character in text)


def _cut(text: str, columns: int) -> str:
    return text if len(text) <= columns else f"{text[: max(0, columns - 1)]}~"
