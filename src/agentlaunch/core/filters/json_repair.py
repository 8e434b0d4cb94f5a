"""JSON as language models write it: the value that was meant, and whether it was whole."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import NoReturn, TypeAlias, cast

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

MAX_DEPTH = 100
"""Levels of brackets that are read; no tool's arguments are as deep, and Python's stack is not endless."""


class Unrepairable(ValueError):
    """The text is no JSON value, however kindly read."""


class Whole(StrEnum):
    """Where the text ended."""

    YES = "yes"
    BRACKETS_MISSING = "brackets missing"
    """Between values: nothing is lost but the closing brackets."""
    CUT = "cut"
    """Inside a string, a word or a pair: what is missing cannot be known."""


@dataclass(frozen=True)
class Repaired:
    """A value, the index behind its text, and whether its text was whole."""

    value: Json
    end: int
    whole: Whole


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_no_constant)
_SPACE = re.compile(r"\s*")
_STRICT_SPACE = re.compile(r"[ \t\r\n]*")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.])")
_WORD = re.compile(r"[A-Za-z_$][\w$-]*")
_WORDS: dict[str, Json] = {
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "null": None,
    "None": None,
    "undefined": None,
    "NaN": None,
}
_QUOTES = {'"': '"', "'": "'", "\u201c": "\u201d"}
_PLAIN = re.compile(r"[^\"'\u201d\\]+")
_HEX = re.compile(r"[0-9a-fA-F]{4}")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", '"': '"', "'": "'", "\\": "\\", "/": "/", "\n": ""}
_COMMENTS = r"(?:(?://|#)[^\n]*\n\s*|/\*.{0,500}?\*/\s*){0,8}"
_QUOTED_KEY = r"(?:\"(?:[^\"\\]|\\.){0,100}\"|'(?:[^'\\]|\\.){0,100}'|\u201c[^\u201d]{0,100}\u201d)\s*[:\uff1a]"
_KEY_FOLLOWS = re.compile(
    rf"\s*[,\uff0c]\s*{_COMMENTS}(?:\}}|{_QUOTED_KEY}|[A-Za-z_$][\w$-]{{0,100}}\s*:)|\s+{_QUOTED_KEY}", re.DOTALL
)
_WINDOWS = re.compile(r"(?:[A-Za-z]:|\\\\[\w.-]+)\\(?!\\)[^:*?<>|\n]*")
_NO_ESCAPE = re.compile(r"\\(?:[^\"\\/bfnrtu\s]|u(?![0-9a-fA-F]{4}))")
"""What stands in a path of Windows whose backslashes were not doubled, and in nothing else (claude-code #87251)."""
_BARE_PATH = re.compile(r"(?:[A-Za-z]:[\\/]|\.{0,2}/|~/)[^\"\n{}\[\]]*?(?=\s*(?:,\s*\"[^\"]{1,100}\"\s*:|\}))")
_COMMENT = re.compile(r"(?:(?://|#)[^\n]*|/\*.*?\*/)", re.DOTALL)
_COLONS = ":=\uff1a"
"""Chinese models also write the full-width one, and the comma."""


def strict(text: str, start: int = 0) -> tuple[Json, int] | None:
    """The JSON value at `start` and the index behind it; None where there is none that is valid and whole."""
    try:
        found = _DECODER.raw_decode(text, _STRICT_SPACE.match(text, start).end())  # type: ignore[union-attr]
    except (ValueError, RecursionError):
        return None
    return cast("tuple[Json, int]", found)


def repaired(text: str, start: int = 0) -> Repaired:
    """The value at `start`, with the slips that models make. What follows it is not looked at.

    Single and typographic quotes, Python's words and triple quotes, bare line breaks and bare quotes inside strings,
    bare keys, commas missing or too many, comments, and brackets that never close. Raises Unrepairable.
    """
    reader = _Reader(text, start)
    value = reader.value(0, "")
    return Repaired(value, reader.position, reader.whole)


class _Reader:
    """One reading. Past the end of the text everything open is closed, and `whole` says so."""

    def __init__(self, text: str, start: int) -> None:
        self.text = text
        self.position = start
        self.whole = Whole.YES
        self.is_path = False

    def value(self, depth: int, inside: str) -> Json:
        self._skip()
        if depth > MAX_DEPTH:
            raise Unrepairable("nested too deeply")
        character = self._peek()
        if character == "{":
            return self._object(depth)
        if character == "[":
            return self._array(depth)
        if character in _QUOTES:
            return self._string(inside or "value")
        return self._scalar()

    def _peek(self) -> str:
        """The next character; the end of the text reads as a NUL."""
        return self.text[self.position] if self.position < len(self.text) else "\0"

    def _skip(self) -> None:
        """Pass over white space and comments."""
        self.position = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        while (comment := _COMMENT.match(self.text, self.position)) is not None:
            self.position = _SPACE.match(self.text, comment.end()).end()  # type: ignore[union-attr]

    def _at_end(self, whole: Whole) -> bool:
        """Whether the text is over; then `whole` is what it lacks. What lacks more stays."""
        if self.position < len(self.text):
            return False
        if self.whole is not Whole.CUT:
            self.whole = whole
        return True

    def _next_member(self) -> Whole:
        """Pass to the next member; what is missing if the text ends here. Behind a comma, that is a member."""
        self._skip()
        missing = Whole.BRACKETS_MISSING
        while self._peek() in ",\uff0c":
            missing = Whole.CUT
            self.position += 1
            self._skip()
        return missing

    def _object(self, depth: int) -> Json:
        found: dict[str, Json] = {}
        self.position += 1
        while True:
            if self._at_end(self._next_member()):
                return found
            if self._peek() == "}":
                self.position += 1
                return found
            key = self._key()
            self._skip()
            if self._at_end(Whole.CUT):
                return found
            if self._peek() not in _COLONS:
                raise Unrepairable("a key without a value")
            self.position += 1
            self._skip()
            if self._at_end(Whole.CUT):
                return found
            found[key] = self.value(depth + 1, "object")

    def _key(self) -> str:
        if self._peek() in _QUOTES:
            return self._string("key")
        word = _WORD.match(self.text, self.position)
        if word is None:
            raise Unrepairable("no key where one should be")
        self.position = word.end()
        return word[0]

    def _array(self, depth: int) -> Json:
        found: list[Json] = []
        self.position += 1
        while True:
            if self._at_end(self._next_member()):
                return found
            if self._peek() == "]":
                self.position += 1
                return found
            found.append(self.value(depth + 1, "array"))

    def _scalar(self) -> Json:
        path = _BARE_PATH.match(self.text, self.position)
        if path is not None:
            self.position = path.end()
            return path[0]
        number = _NUMBER.match(self.text, self.position)
        if number is not None:
            self.position = number.end()
            if self.position == len(self.text):
                self._at_end(Whole.CUT)
            return _number(number[0])
        word = _WORD.match(self.text, self.position)
        if word is None or word[0] not in _WORDS:
            raise Unrepairable("no value where one should be")
        self.position = word.end()
        return _WORDS[word[0]]

    def _string(self, inside: str) -> str:
        quote = _QUOTES[self._peek()]
        triple = quote * 3
        if quote != "\u201d" and self.text.startswith(triple, self.position):
            return self._triple(triple)
        self.position += 1
        self.is_path = self._is_windows_path(quote)
        pieces: list[str] = []
        while not self._at_end(Whole.CUT):
            plain = _PLAIN.match(self.text, self.position)
            if plain is not None:
                pieces.append(plain[0])
                self.position = plain.end()
                continue
            character = self._peek()
            if character == "\\":
                pieces.append(self._escape())
                continue
            self.position += 1
            if character == quote and self._closes(inside):
                break
            pieces.append(character)
        return "".join(pieces)

    def _is_windows_path(self, quote: str) -> bool:
        """Whether the string that begins here is a path of which not every backslash is an escape."""
        end = self.text.find(quote, self.position)
        if end < 0 or _WINDOWS.fullmatch(self.text, self.position, end) is None:
            return False
        return _NO_ESCAPE.search(self.text, self.position, end) is not None

    def _closes(self, inside: str) -> bool:
        """Whether the quote just read ends the string: by what follows it, since models forget to escape quotes."""
        after = _SPACE.match(self.text, self.position).end()  # type: ignore[union-attr]
        following = self.text[after : after + 1]
        if not following:
            return True
        match inside:
            case "key":
                return following in _COLONS
            case "object":
                return following == "}" or _KEY_FOLLOWS.match(self.text, self.position) is not None
            case "array":
                return following in ",]"
            case _:
                return following in ",)]}"

    def _escape(self) -> str:
        letter = self.text[self.position + 1 : self.position + 2]
        if self.is_path and letter not in '"\\':
            self.position += 1
            return "\\"
        digits = _HEX.match(self.text, self.position + 2) if letter == "u" else None
        if digits is not None:
            self.position = digits.end()
            return chr(int(digits[0], 16))
        self.position += 1 + len(letter)
        return _ESCAPES.get(letter, "\\" + letter)

    def _triple(self, quotes: str) -> str:
        start = self.position + 3
        end = self.text.find(quotes, start)
        if end < 0:
            self.position = len(self.text)
            self._at_end(Whole.CUT)
            return self.text[start:]
        self.position = end + 3
        return self.text[start:end]


def _number(text: str) -> Json:
    try:
        return int(text)
    except ValueError:
        return float(text) if len(text) < 400 else text


def json_text(value: Json) -> str:
    """`value` as JSON text; lone surrogates, become U+FFFD. Raises ValueError for infinity."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
