"""Lengths, ranges and patterns of a schema, as far as inference engines can make a grammar of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeAlias

from agentlaunch.core.filters.json_repair import Json

Node: TypeAlias = "dict[str, Json]"

MOST_REPEATS = 256
"""The highest bound on a length that is kept. llama.cpp writes a rule for each repetition and refuses 2,000 in all,
older builds those of nested lists multiplied (llama.cpp#23902, #25746, #27859; measured: docs/schemas.md)."""

ALL_REPEATS = 1_000
"""Repetitions kept in one schema: a hundred texts of 1,000 cost llama.cpp 1.2 s with each request (measured)."""

_LARGEST = 2**53
"""Beyond it llama.cpp says `At least one of min_value or max_value must be set` (64 bits); JSON's own safe limit."""

_FORMATS = frozenset({"date", "time", "date-time", "uuid"})
"""The formats that llama.cpp and xgrammar both know; vLLM refuses others (has_xgrammar_unsupported_json_features)."""

_LENGTHS = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}
_RANGE = ("minimum", "exclusiveMinimum", "maximum", "exclusiveMaximum")

_CHARACTER = r"[A-Za-z0-9_ :/@#%&=,;<>!~'-]"
_CLASS = r"\[\^?(?:[A-Za-z0-9_.:/@ +*-])+\]"
_TIMES = r"(?:[*+?]|\{\d{1,2}(?:,\d{0,2})?\})?"
_ATOM = rf"(?:{_CHARACTER}|\\[.\-/+]|{_CLASS}){_TIMES}"
_GROUP = rf"\((?:\?:)?{_ATOM}+(?:\|{_ATOM}+)*\)[?*+]?"
_PATTERN = re.compile(rf"\^(?:{_ATOM}|{_GROUP})+\$")
"""What every engine reads alike. Lookarounds, back references, classes by letter, anchors elsewhere: each is refused,
or silently read as something else, by one of them."""
_LONGEST_PATTERN = 200
_LETTERS = {r"\d": "[0-9]", r"\w": "[A-Za-z0-9_]"}
"""Classes by letter (ECMA-262), of which llama.cpp's grammars had no notion for long."""
_LETTERED = re.compile(r"(?<!\\)\\[dw]")
_BRACED = re.compile(r"(?<!\\)\{(?:\d+,)?(\d+)")


class Repeats:
    """How many repetitions a schema may still spend. Those inside of a list count once for each of its items."""

    def __init__(self) -> None:
        self._left = ALL_REPEATS
        self._around = 1

    def take(self, times: int) -> bool:
        """Whether `times` more are allowed; they are then spent. A single one is no repetition and costs nothing."""
        spent = times * self._around if times > 1 else 0
        if times > MOST_REPEATS or spent > self._left:
            return False
        self._left -= spent
        return True

    @contextmanager
    def inside(self, items: int) -> Iterator[None]:
        """While the block runs, what is taken belongs to a list of up to `items`."""
        outside, self._around = self._around, self._around * max(1, items)
        try:
            yield
        finally:
            self._around = outside


def bounds(node: Node, types: frozenset[str], repeats: Repeats) -> Node:
    """The keywords of `node` on lengths, ranges, format and pattern that are kept. Every one left out only widens."""
    found: Node = {}
    for name, (lowest, highest) in _LENGTHS.items():
        if name in types:
            found |= _lengths(node, lowest, highest, repeats)
    if types & {"integer", "number"}:
        found |= _range(node, whole="number" not in types)
    if "string" in types:
        found |= _text(node, repeats)
    return found


def most_items(found: Node) -> int:
    """How often the items of a list with these bounds are written out at most; 1 where it has none."""
    return max(_count(found.get(key)) or 1 for key in _LENGTHS["array"])


def _lengths(node: Node, lowest: str, highest: str, repeats: Repeats) -> Node:
    least, most = _count(node.get(lowest)), _count(node.get(highest))
    if least is not None and most is not None and least > most:
        return {}  # nothing fits; llama.cpp never comes back from a text of 5 to 2 characters (measured)
    found: Node = {}
    if least:
        found[lowest] = least if repeats.take(least) else 1
    if most is not None and repeats.take(most):
        found[highest] = most
    return found


def _count(value: Json) -> int | None:
    match value:
        case bool():
            return None
        case int() | float() if value >= 0 and value == value // 1:
            return int(value)
        case _:
            return None


def _range(node: Node, *, whole: bool) -> Node:
    found = {key: kept for key in _RANGE if (kept := _limit(node.get(key), whole=whole)) is not None}
    lowest = max((found[key] for key in _RANGE[:2] if key in found), default=-_LARGEST)
    highest = min((found[key] for key in _RANGE[2:] if key in found), default=_LARGEST)
    touching = lowest == highest and any(key in found for key in _RANGE if key.startswith("exclusive"))
    # An empty range leaves the engine nothing to say; for a touching one with an end left out, that may be so too.
    return {} if lowest > highest or touching or (whole and _has_none(found)) else dict(found)


def _has_none(found: dict[str, int | float]) -> bool:
    """Whether no whole number lies in the range, which has both ends."""
    lowest = [found[key] + step for key, step in (("minimum", 0), ("exclusiveMinimum", 1)) if key in found]
    highest = [found[key] - step for key, step in (("maximum", 0), ("exclusiveMaximum", 1)) if key in found]
    return bool(lowest and highest) and max(lowest) > min(highest)


def _limit(value: Json, *, whole: bool) -> int | float | None:
    """One end of a range: draft 4's true and false, texts and halves of whole numbers are none."""
    match value:
        case bool():
            return None
        case int() | float() if abs(value) <= _LARGEST and (not whole or value == value // 1):
            return int(value) if whole else value
        case _:
            return None


def _text(node: Node, repeats: Repeats) -> Node:
    match node.get("format"), node.get("pattern"):
        case str(name), _ if name in _FORMATS:
            return {"format": name}
        case _, str(pattern):
            plain = _LETTERED.sub(lambda found: _LETTERS[found[0]], pattern)
            if _is_plain(plain) and repeats.take(sum(map(int, _BRACED.findall(plain)))):
                return {"pattern": plain}
            return {}
        case _:
            return {}


def _is_plain(pattern: str) -> bool:
    if len(pattern) > _LONGEST_PATTERN or _PATTERN.fullmatch(pattern) is None:
        return False
    try:
        re.compile(pattern)
    except re.error:  # `[z-a]`, `a{5,2}`
        return False
    return True
