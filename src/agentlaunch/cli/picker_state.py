"""A list to choose from, as a state machine: keys in, the next state or what was decided out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeAlias, assert_never

from agentlaunch.cli.picker_keys import Key, NamedKey, Typed

PAGE_ROWS = 5
"""How far Page Up and Page Down go."""


@dataclass(frozen=True)
class Row:
    """One thing to choose: its name, one word or two beside it, and the line that says why."""

    label: str
    tag: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Choosing:
    """The list on the screen. `wanted` filters it, None while nothing was typed; `cursor` counts the rows shown."""

    title: str
    rows: tuple[Row, ...]
    wanted: str | None = None
    cursor: int = 0

    @property
    def shown(self) -> tuple[int, ...]:
        """The numbers of the rows that hold every word of `wanted`."""
        words = (self.wanted or "").lower().split()
        texts = (f"{row.label} {row.tag}".lower() for row in self.rows)
        return tuple(number for number, text in enumerate(texts) if all(word in text for word in words))


@dataclass(frozen=True)
class Chosen:
    """The row of this number was taken."""

    number: int


@dataclass(frozen=True)
class WentBack:
    """The user wants the list before this one."""


@dataclass(frozen=True)
class Left:
    """The user wants nothing."""


Step: TypeAlias = Choosing | Chosen | WentBack | Left


def press(state: Choosing, key: Key) -> Step:
    """What `key` makes of the list. `j`, `k` and `q` are letters once a filter was begun, with `/` or any other."""
    match key:
        case Typed(character):
            return _type(state, character)
        case NamedKey.BACKSPACE:
            return _erase(state)
        case NamedKey.ESCAPE:
            return Left() if state.wanted is None else replace(state, wanted=None, cursor=0)
        case NamedKey.INTERRUPT:
            return Left()
        case NamedKey.LEFT:
            return WentBack()
        case NamedKey.ENTER | NamedKey.RIGHT:
            return Chosen(state.shown[state.cursor]) if state.shown else state
        case NamedKey():
            return _move(state, key)
        case _ as never:
            assert_never(never)


def _type(state: Choosing, character: str) -> Step:
    if state.wanted is None:
        match character:
            case "q":
                return Left()
            case "j":
                return _move(state, NamedKey.DOWN)
            case "k":
                return _move(state, NamedKey.UP)
            case "/":
                return replace(state, wanted="")
    return replace(state, wanted=(state.wanted or "") + character, cursor=0)


def _erase(state: Choosing) -> Step:
    if state.wanted is None:
        return WentBack()
    return replace(state, wanted=state.wanted[:-1] or None, cursor=0)


def _move(state: Choosing, key: NamedKey) -> Choosing:
    last = max(0, len(state.shown) - 1)
    goals = {
        NamedKey.UP: state.cursor - 1,
        NamedKey.DOWN: state.cursor + 1,
        NamedKey.PAGE_UP: state.cursor - PAGE_ROWS,
        NamedKey.PAGE_DOWN: state.cursor + PAGE_ROWS,
        NamedKey.FIRST: 0,
        NamedKey.LAST: last,
    }
    return replace(state, cursor=min(max(goals[key], 0), last))
