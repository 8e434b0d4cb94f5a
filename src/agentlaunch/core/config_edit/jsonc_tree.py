"""Reads JSON with comments and trailing commas into values that know where they stand in the text."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

DEEPEST = 100
"""Levels of nesting; no configuration has more, and Python's own reader stops at about 1000."""

_BLANK = re.compile(r"(?:[ \t\r\n]+|//[^\r\n]*|/\*(?:[^*]|\*(?!/))*\*/)*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"')
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"true|false|null")


class NotJsonc(ValueError):
    """The text is not JSON with comments; the message says where and why."""


@dataclass(frozen=True)
class Member:
    """One key and its value. `comma` is where the comma behind it stands, -1 for none."""

    key: str
    start: int
    value: Node
    comma: int


@dataclass(frozen=True)
class Node:
    """One value, text[start:end]. `members` are an object's; `plain` is the value without places."""

    start: int
    end: int
    plain: object
    members: tuple[Member, ...] = field(default=())


def read_root(text: str) -> Node | None:
    """The object of a whole file; None for a file that has only blanks and comments. Raises NotJsonc."""
    reader = _Reader(text)
    at = reader.blank(0)
    if at == len(text):
        return None
    root = reader.value(at, 0)
    end = reader.blank(root.end)
    if end != len(text):
        raise reader.error("there is more behind its end", end)
    if not isinstance(root.plain, dict):
        raise reader.error("it is not a JSON object", at)
    return root


class _Reader:
    """A recursive descent over one text; every method gets a position."""

    def __init__(self, text: str) -> None:
        self._text = text

    def error(self, why: str, at: int) -> NotJsonc:
        """`why`, with line and column as editors count them."""
        before = self._text[:at]
        line = before.count("\n") + 1
        return NotJsonc(f"{why} (line {line}, column {at - (before.rfind(chr(10)) + 1) + 1})")

    def blank(self, at: int) -> int:
        """Behind blanks and comments."""
        found = _BLANK.match(self._text, at)
        return found.end() if found else at

    def value(self, at: int, depth: int) -> Node:
        """The value that begins here."""
        if depth > DEEPEST:
            raise self.error(f"it is nested more than {DEEPEST} levels deep", at)
        match self._text[at : at + 1]:
            case "{":
                return self._object(at, depth)
            case "[":
                return self._list(at, depth)
            case _:
                return self._scalar(at)

    def _scalar(self, at: int) -> Node:
        for pattern in (_STRING, _NUMBER, _WORD):
            found = pattern.match(self._text, at)
            if found:
                try:
                    return Node(at, found.end(), json.loads(found.group()))
                except ValueError as error:  # a number of more digits than Python reads
                    raise self.error(str(error), at) from error
        raise self.error("a value is missing or not JSON", at)

    def _object(self, start: int, depth: int) -> Node:
        members: list[Member] = []
        plain: dict[str, object] = {}
        at = self.blank(start + 1)
        while self._text[at : at + 1] != "}":
            if members and members[-1].comma < 0:
                raise self.error("a comma or `}` is missing", at)
            key = self._key(at)
            if key.plain in plain:
                raise self.error(f"the key `{key.plain}` is there twice", at)
            colon = self.blank(key.end)
            if self._text[colon : colon + 1] != ":":
                raise self.error("a colon is missing", colon)
            value = self.value(self.blank(colon + 1), depth + 1)
            comma, behind = self._comma(value.end)
            members.append(Member(str(key.plain), at, value, comma))
            plain[str(key.plain)] = value.plain
            at = behind
        return Node(start, at + 1, plain, tuple(members))

    def _key(self, at: int) -> Node:
        if self._text[at : at + 1] != '"':
            raise self.error("a key in quotes is missing", at)
        return self._scalar(at)

    def _list(self, start: int, depth: int) -> Node:
        items: list[object] = []
        at, comma = self.blank(start + 1), 0
        while self._text[at : at + 1] != "]":
            if comma < 0:
                raise self.error("a comma or `]` is missing", at)
            value = self.value(at, depth + 1)
            items.append(value.plain)
            comma, at = self._comma(value.end)
        return Node(start, at + 1, items)

    def _comma(self, end: int) -> tuple[int, int]:
        """Where the comma behind a value stands (-1: none), and where the next thing begins."""
        at = self.blank(end)
        if self._text[at : at + 1] != ",":
            return -1, at
        return at, self.blank(at + 1)
