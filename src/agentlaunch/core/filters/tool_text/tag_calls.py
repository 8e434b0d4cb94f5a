"""Calls written as tags: Qwen3-Coder, Anthropic's `invoke`, MiniMax, DeepSeek's DSML, Llama's `function`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from agentlaunch.core.filters.arguments import typed
from agentlaunch.core.filters.json_repair import Json
from agentlaunch.core.filters.json_schema import Schema
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.json_calls import document
from agentlaunch.core.filters.tool_text.markup import BOUNDARY, FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of, unclosed_call

_BARRED = r"[|\uff5c\u2016]{1,2}(?:DSML|GCML)[|\uff5c\u2016]{1,2}"
_PREFIX = rf"(?:\w+:|{_BARRED}|longcat_)?"
_HEAD = re.compile(
    rf"<{_PREFIX}(?:function_call|function|invoke|tool_call|tool_use|tool)(?:=|\s+name=)"
    r"\s*[\"'\u201c\u201d]?([\w.:-]+(?:/[\w.:-]+)*)[\"'\u201c\u201d]?\s*(/?>)?\s*"
)
_PARAMETER = re.compile(
    rf"\s*<{_PREFIX}parameter(?:=|\s+name=)\s*"
    r"[\"'\u201c]?([^>\"'\u201c\u201d\n=]+?)[\"'\u201d]?(?:\s+[^>\n]*)?>"
)
_OWN_TAG = re.compile(rf"\s*<{_PREFIX}([\w-]+)>")
_FIRST_TAG = re.compile(rf"\s*<?{_PREFIX}([\w-]+)>")
"""MiniMax-M3 leaves the first bracket of the first parameter out (vLLM #51075)."""
_IS_PARAMETER = re.compile(rf"\s*<{_PREFIX}parameter[=\s]")
_END = re.compile(rf"\s*</{_PREFIX}(?:function|invoke|inv|tool)(?:=[\w.:/-]+)?>")
_MARK = re.compile(rf"<(/?){_PREFIX}(parameter|function|invoke|inv)(?:[=\s][^>\n]*)?>")
_STRUCTURE = re.compile(
    rf"(?:\s*</{_PREFIX}parameter>)?\s*(?:<{_PREFIX}parameter[=\s]|</{_PREFIX}(?:function|invoke|inv|tool)(?:=[\w.:/-]+)?>|{BOUNDARY.pattern}|<{_PREFIX}(?:function|invoke)[=\s]|</[\w.:-]+>\s*(?:{BOUNDARY.pattern}|\Z)|\Z)"
)
_AGAIN = re.compile(rf"(?:\s*</{_PREFIX}parameter>)?")
"""Qwen3.6 closes a value twice (llama.cpp#24807); the text of no file ends with that tag alone on a line."""
_AFTER_CALL = re.compile(rf"\s*(?:{BOUNDARY.pattern}|<{_PREFIX}(?:function|invoke)[=\s]|\Z)")


@dataclass(frozen=True)
class _Value:
    """A parameter's text, where it ends with its tag, and whether it had one."""

    text: str
    end: int
    closed: bool


def read_tags(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The call whose head stands at `start` and the index behind it. Raises NoCall."""
    head = _HEAD.match(text, start)
    name = offered.find(head[1]) if head is not None else None
    if head is None or name is None:
        raise NoCall
    if head[2] == "/>":
        return [call_of(name, {})], head.end()
    if text.startswith("{", head.end()):
        return json_body(text, head.end(), name)
    return parameters(text, head.end(), name, offered.schema(name))


def is_parameter(text: str, position: int) -> bool:
    """Whether a parameter's tag stands there."""
    return _IS_PARAMETER.match(text, position) is not None


def json_body(text: str, start: int, name: str) -> tuple[list[FoundCall], int]:
    """Llama 3.1 puts JSON between its tags."""
    found, closed = document(text, start)
    if not closed:
        return [FoundCall(name, text[start:], text[start:])], len(text)
    end = _END.match(text, found.end)
    return [call_of(name, found.value if isinstance(found.value, dict) else {})], end.end() if end else found.end


def parameters(text: str, start: int, name: str, schema: Schema) -> tuple[list[FoundCall], int]:
    """The call of `name` with the parameters whose tags stand from `start` on, and the index behind it."""
    known = schema.properties()
    values: dict[str, Json] = {}
    last: str | None = None
    position = start
    while True:
        parameter = _PARAMETER.match(text, position) or _own_tag(text, position, known, is_first=position == start)
        if parameter is None:
            break
        key = parameter[1].strip()
        own = parameter.re is not _PARAMETER
        if own:
            value = _own_value(text, parameter)
        else:
            is_verbatim = "name=" in parameter[0]
            value = _value(text, parameter.end(), known.keys() - values.keys(), is_verbatim=is_verbatim)
            value = _without_own_end(value, key)
        values[key] = _typed(value, known.get(key))
        last = None if value.closed else value.text
        position = value.end
    end = _END.match(text, position)
    if end is not None:
        return [call_of(name, values)], end.end()
    if text[position:].strip():
        return [call_of(name, values)], position
    return [unclosed_call(name, values, last)], len(text)


def _own_tag(text: str, position: int, known: dict[str, Schema], *, is_first: bool) -> re.Match[str] | None:
    """MiniMax-M3 makes the parameter's name the tag."""
    found = (_FIRST_TAG if is_first else _OWN_TAG).match(text, position)
    return found if found is not None and found[1] in known else None


def _own_value(text: str, tag: re.Match[str]) -> _Value:
    closing = re.compile(rf"</{re.escape(tag[1])}>|</{_BARRED}(?:{re.escape(tag[1])}|parameter)>")
    end = closing.search(text, tag.end())
    if end is None:
        return _Value(text[tag.end() :], len(text), closed=False)
    inner = text[tag.end() : end.start()]
    on_lines = len(inner) > 1 and inner[0] == inner[-1] == "\n"
    return _Value(inner[1:-1] if on_lines else inner, end.end(), closed=True)


def _typed(value: _Value, schema: Schema | None) -> Json:
    if schema is None:
        return value.text
    if value.text.lstrip().startswith("<") and schema.types() & {"array", "object"}:
        return _children(value.text, schema)
    return typed(value.text, schema)


def _children(text: str, schema: Schema) -> Json:
    """Lists as `<item>`s and objects as their keys' tags (field report B156)."""
    pairs = list(_pairs(text))
    if not pairs:
        return typed(text, schema)
    if "array" in schema.types():
        return [_child(inner, schema.items()) for _, inner in pairs]
    known = schema.properties()
    return {key: _child(inner, known.get(key)) for key, inner in pairs}


def _pairs(text: str) -> Iterator[tuple[str, str]]:
    """The names and texts of the tags that stand side by side in `text`."""
    position = 0
    while (tag := _OWN_TAG.match(text, position)) is not None:
        closing = f"</{tag[1]}>"
        end = text.find(closing, tag.end())
        if end < 0:
            return
        yield tag[1], text[tag.end() : end]
        position = end + len(closing)


def _child(text: str, schema: Schema | None) -> Json:
    return _typed(_Value(text, 0, closed=True), schema)


def _without_own_end(value: _Value, key: str) -> _Value:
    """The value that a tag of its own name has closed instead of `parameter` (claude-code #83088, #44826)."""
    text = value.text.rstrip()
    if not text.endswith(f"</{key}>") or f"<{key}" in text:
        return value
    return replace(value, text=_trimmed(text.removesuffix(f"</{key}>")))


# --- where a value ends -------------------------------------------------------------------------------------------


def _value(text: str, start: int, unused: set[str], *, is_verbatim: bool) -> _Value:
    """The value from `start` to its closing tag, though tags may stand in it, or be missing."""
    end = _balanced_end(text, start)
    if end is not None:
        inner = text[start : end.start()]
        # Qwen's notation puts each value on lines of its own; the others' none, and a file may end with a line break.
        is_whole = is_verbatim and not (inner.startswith(("\n", "\r\n")) and inner.endswith("\n"))
        return _Value(inner if is_whole else _trimmed(inner), _past_again(text, end.end()), closed=True)
    for mark in _MARK.finditer(text, start):
        if _ends_unclosed(text, mark, unused):
            closed = mark[1] == "/" and mark[2] == "parameter"
            inner = text[start : mark.start()]
            end_at = _past_again(text, mark.end()) if closed else mark.start()
            return _Value(_trimmed(inner, spaces=not closed), end_at, closed=True)
    boundary = _last_boundary(text, start)
    return _Value(_trimmed(text[start:boundary], spaces=True), boundary, closed=boundary < len(text))


def _past_again(text: str, position: int) -> int:
    return _AGAIN.match(text, position).end()  # type: ignore[union-attr]


def _balanced_end(text: str, start: int) -> re.Match[str] | None:
    """The closing tag that belongs to the value, every call written out inside it being whole. None: there is none."""
    depth = 0
    for mark in _MARK.finditer(text, start):
        if mark[1] == "":
            depth += 1
        elif depth:
            depth -= 1
        elif mark[2] != "parameter":
            return None
        elif _STRUCTURE.match(text, mark.end()):
            return mark
    return None


def _ends_unclosed(text: str, mark: re.Match[str], unused: set[str]) -> bool:
    """Whether the value ends at this mark at the latest: its own closing tag, the next parameter, the call's end."""
    if mark[2] == "parameter":
        if mark[1]:
            return _STRUCTURE.match(text, mark.end()) is not None
        parameter = _PARAMETER.match(text, mark.start())
        return parameter is not None and parameter[1].strip() in unused and text[mark.start() - 1] in " \n>"
    return bool(mark[1]) and _AFTER_CALL.match(text, mark.end()) is not None


def _last_boundary(text: str, start: int) -> int:
    """Where the marks begin that end the text, if it ends with such."""
    end = len(text.rstrip())
    for found in _trailing(text, start):
        end = found
    return end if end < len(text.rstrip()) else len(text)


def _trailing(text: str, start: int) -> Iterator[int]:
    """Ever earlier starts of the run of closing marks at the end of the text."""
    marks = list(BOUNDARY.finditer(text, start))
    end = len(text.rstrip())
    for mark in reversed(marks):
        if text[mark.end() : end].strip():
            return
        end = mark.start()
        yield end


def _trimmed(text: str, *, spaces: bool = False) -> str:
    """Without the one line break that the notation puts on either side, or the one space where tags are missing."""
    if text.startswith(("\n", "\r\n")):
        text = text[text.index("\n") + 1 :]
    elif spaces:
        text = text.removeprefix(" ")
    return text.removesuffix("\n").removesuffix("\r")
