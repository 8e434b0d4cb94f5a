"""Whether a call begins here: decided from as little text as can be, so that prose is let through at once."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.markup import (
    CHANNEL,
    CLOSERS,
    DSML_TAGS,
    FENCES,
    FUNCTOOLS,
    KEY_TAGS,
    NAMESPACE_MARK,
    OPENERS,
    PARAMETER_TAGS,
    QUOTATION_MARKS,
    SEPARATORS,
    STRAY_TAGS,
    TAGS,
    Cursor,
    NoCall,
)

NAME_KEYS = (
    *("name", "tool_name", "tool", "function", "action", "function_name"),
    *("function_call", "tool_call", "recipient_name"),
)
ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "params", "kwargs")
"""Templates tell models either name, and models mix them up (field report B137)."""

_NAME_TAGS = ("name", "tool_name", "function_name")
_OTHER_KEYS = ("type", "id", "index", "call_id", "tool_call_id")
_CALL_FENCES = ("tool_code", "tool_call", "tool_calls", "tool_use", "tool", "function_call")
"""In any other block a line of Python is just that."""

_MOST_OPENERS = 12
"""DeepSeek has two and MiniMax-M3 four; more of them in a row is rubbish."""

TOOL_LISTS = ("tool_calls", "calls", "tool_uses")


class Form(Enum):
    """The notation of a call."""

    TAGS = auto()
    JSON = auto()
    NAMED = auto()
    """A bare name, and behind it JSON, keyed tags or nothing."""
    PYTHON = auto()
    GEMMA = auto()
    NESTED = auto()
    """Tags for the name and each argument."""


@dataclass(frozen=True)
class Head:
    """A call begins: its notation, and where that starts.

    `alone` calls look like what an answer may well show to the user (JSON, a markdown block): they count only when
    nothing but their like follows them.
    """

    form: Form
    position: int
    alone: bool
    fenced: bool = False


@dataclass(frozen=True)
class Place:
    """What stands before: `line_start` when nothing does on the line, `after_call` when a call does."""

    line_start: bool = False
    after_call: bool = False


def head_at(cursor: Cursor, offered: OfferedTools, place: Place) -> Head:
    """The call that begins at the cursor. Raises NoCall, and More while it cannot be told."""
    language = _fence(cursor) if place.line_start else None
    wrapped = _openers(cursor) or place.after_call
    if place.line_start and cursor.one_of((FUNCTOOLS,)) is not None:
        wrapped = True
        cursor.position -= 1
    start = cursor.position
    marked = wrapped or language is not None
    if cursor.one_of(TAGS) is not None:
        _tag(cursor, offered)
        return Head(Form.TAGS, start, alone=language is not None, fenced=language is not None)
    if cursor.one_of((CHANNEL,)) is not None:
        _channel(cursor, offered)
        return Head(Form.NAMED, start + len(CHANNEL), alone=False)
    if cursor.one_of(DSML_TAGS) is not None:
        _named_by_tag(cursor, offered)
        return Head(Form.NESTED, start, alone=False)
    if not marked and not place.line_start:
        raise NoCall
    form = _form(cursor, offered, wrapped=wrapped, marked=marked)
    if form is Form.PYTHON and not wrapped and language not in (None, *_CALL_FENCES):
        raise NoCall
    return Head(form, start, alone=not wrapped, fenced=language is not None)


def _openers(cursor: Cursor) -> bool:
    """Pass over what wraps a call; whether there is anything."""
    for number in range(_MOST_OPENERS):
        if cursor.one_of(OPENERS) is None:
            return number > 0
        cursor.space()
    raise NoCall


def _form(cursor: Cursor, offered: OfferedTools, *, wrapped: bool, marked: bool) -> Form:
    match cursor.peek():
        case "{":
            _json(cursor, offered, wrapped=wrapped)
            return Form.JSON
        case "[":
            return _list(cursor, offered, wrapped=wrapped)
        case "<" if wrapped:
            _nested(cursor, offered)
            return Form.NESTED
        case _:
            if cursor.one_of(("call:",)) is not None:
                return _gemma(cursor, offered, wrapped=wrapped)
            if not marked:
                return _bare(cursor, offered)
            return _named(cursor, offered, wrapped=wrapped)


def _gemma(cursor: Cursor, offered: OfferedTools, *, wrapped: bool) -> Form:
    """Behind `call:`; without brackets only in a wrapper (vLLM #53431, #53642)."""
    name = _offered_name(cursor, offered)
    bracket = cursor.one_of(("{", "("))
    if bracket is None:
        if not wrapped or offered.schema(name).required():
            raise NoCall
        if cursor.peek():
            _expect(cursor, CLOSERS)
        return Form.NAMED
    return Form.GEMMA if bracket == "{" else Form.PYTHON


def _fence(cursor: Cursor) -> str | None:
    """The language of a markdown block that opens here; NoCall for one that holds no calls."""
    if cursor.one_of(("```",)) is None:
        return None
    end = cursor.text.find("\n", cursor.position)
    language = cursor.text[cursor.position : end if end >= 0 else None].strip().lower()
    if language not in FENCES and not (end < 0 and any(known.startswith(language) for known in FENCES)):
        raise NoCall
    if end < 0:
        cursor.position = len(cursor.text)
        cursor.peek()
        raise NoCall
    cursor.position = end + 1
    cursor.space()
    return language


def _expect(cursor: Cursor, literals: tuple[str, ...]) -> str:
    found = cursor.one_of(literals)
    if found is None:
        raise NoCall
    return found


def _offered_name(cursor: Cursor, offered: OfferedTools) -> str:
    name = offered.find(cursor.name())
    if name is None:
        raise NoCall
    return name


def _needs_nothing(cursor: Cursor, offered: OfferedTools, name: str) -> bool:
    """Whether the text ends here, and the tool can do without arguments."""
    return cursor.peek() == "" and not offered.schema(name).required()


def _tag(cursor: Cursor, offered: OfferedTools) -> None:
    cursor.space()
    cursor.one_of(QUOTATION_MARKS)
    name = _offered_name(cursor, offered)
    cursor.one_of(QUOTATION_MARKS)
    cursor.space()
    closing = cursor.one_of((">", "/>"))
    if closing == "/>":
        return
    cursor.one_of((NAMESPACE_MARK,))
    cursor.space()
    own = tuple(f"{bracket}{key}>" for key in offered.schema(name).properties() for bracket in ("<", ""))
    if _needs_nothing(cursor, offered, name):
        return
    _expect(cursor, (*PARAMETER_TAGS, "{", *CLOSERS, *OPENERS[-1:], *own))


def _channel(cursor: Cursor, offered: OfferedTools) -> None:
    _offered_name(cursor, offered)
    _expect(cursor, ("<|message|>",))


def _named(cursor: Cursor, offered: OfferedTools, *, wrapped: bool) -> Form:
    """A bare name in a wrapper, or a Python call in a wrapper or a block of code."""
    while cursor.one_of(("print(",)) is not None:
        pass
    word = cursor.name()
    if word == "function" and cursor.one_of(("=", *SEPARATORS)) is not None:
        word = cursor.name()
    name = offered.find(word)
    if name is None:
        if wrapped and offered.run_together(word) and cursor.one_of(("</arg_key>", "</longcat_arg_key>")):
            return Form.NAMED
        raise NoCall
    cursor.one_of((">",))
    cursor.space()
    if cursor.one_of(("(",)) is not None:
        return Form.PYTHON
    if not wrapped:
        raise NoCall
    if not _needs_nothing(cursor, offered, name):
        keys = (f"{key}</" for key in offered.schema(name).properties())
        _expect(
            cursor, (*KEY_TAGS, *STRAY_TAGS, "{", "```", "<tool_call>", *PARAMETER_TAGS, *SEPARATORS, *CLOSERS, *keys)
        )
    return Form.NAMED


def _bare(cursor: Cursor, offered: OfferedTools) -> Form:
    """A name at the start of a line, and what only calls have behind it: servers drop the tokens before it."""
    if not offered.may_begin(cursor.word()):
        raise NoCall
    name = _offered_name(cursor, offered)
    cursor.space()
    if cursor.one_of(KEY_TAGS) is None:
        separated = cursor.one_of(SEPARATORS) is not None
        cursor.space()
        _expect(cursor, ("{",))
        cursor.space()
        keys = tuple(f"{key}:" for key in offered.schema(name).properties())
        if _expect(cursor, ('"', "}") if separated else ('"', *keys)) in keys:
            return Form.GEMMA
    return Form.NAMED


def _nested(cursor: Cursor, offered: OfferedTools) -> None:
    cursor.position += 1
    word = cursor.name()
    _expect(cursor, (">",))
    cursor.space()
    if word in _NAME_TAGS:
        named = _offered_name(cursor, offered)
        cursor.space()
        _expect(cursor, (f"</{word}>",))
        cursor.space()
        if not _needs_nothing(cursor, offered, named):
            _expect(cursor, ("<", "{"))
        return
    name = offered.find(word)
    if name is None:
        raise NoCall
    _in_tag_of(name, word, cursor, offered)


def _named_by_tag(cursor: Cursor, offered: OfferedTools) -> None:
    """DeepSeek V4 puts the tool's name, and the keys, where its own words belong (pi-free #381, #382)."""
    word = cursor.name()
    name = offered.find(word)
    if name is None:
        raise NoCall
    _expect(cursor, (">",))
    cursor.space()
    _in_tag_of(name, word, cursor, offered)


def _in_tag_of(name: str, word: str, cursor: Cursor, offered: OfferedTools) -> None:
    keys = offered.schema(name).properties()
    own = (f"{tag}{key}>" for key in keys for tag in ("<", *DSML_TAGS))
    _expect(cursor, ("{", f"</{word}>", *PARAMETER_TAGS, *own))


def _list(cursor: Cursor, offered: OfferedTools, *, wrapped: bool) -> Form:
    cursor.position += 1
    cursor.space()
    if cursor.peek() == "{":
        _json(cursor, offered, wrapped=wrapped)
        return Form.JSON
    _offered_name(cursor, offered)
    _expect(cursor, ("(",))
    return Form.PYTHON


def _json(cursor: Cursor, offered: OfferedTools, *, wrapped: bool) -> None:
    """A JSON object that names an offered tool and then its arguments. Quotes may be Python's or missing."""
    cursor.position += 1
    while True:
        cursor.space()
        key = _key(cursor)
        if key in TOOL_LISTS:
            _expect(cursor, ("[",))
            cursor.space()
            _expect(cursor, ("{",))
        elif key in NAME_KEYS and cursor.peek() == "{":
            cursor.position += 1
        elif key in NAME_KEYS:
            return _json_name(cursor, offered, wrapped=wrapped)
        elif key in _OTHER_KEYS:
            _text(cursor)
            cursor.space()
            _expect(cursor, (",",))
        elif wrapped and (key in ARGUMENT_KEYS or offered.find(key) is not None):
            return None
        else:
            raise NoCall


def _json_name(cursor: Cursor, offered: OfferedTools, *, wrapped: bool) -> None:
    if offered.find(_text(cursor)) is None:
        raise NoCall
    while True:
        cursor.space()
        if wrapped and cursor.one_of(("}",)) is not None:
            return
        _expect(cursor, (",",))
        cursor.space()
        key = _key(cursor)
        if key in ARGUMENT_KEYS or (wrapped and key not in _OTHER_KEYS):
            return
        if key not in _OTHER_KEYS:
            raise NoCall
        _text(cursor)


def _key(cursor: Cursor) -> str:
    cursor.one_of(('"', "'"))
    key = cursor.name().rstrip(":")
    if cursor.text[cursor.position - 1] != ":":
        cursor.one_of(('"', "'"))
        cursor.space()
        _expect(cursor, (":", "="))
    cursor.space()
    return key


def _text(cursor: Cursor) -> str:
    """A short string or a number."""
    cursor.one_of(('"', "'"))
    text = cursor.name()
    cursor.one_of(('"', "'"))
    return text
