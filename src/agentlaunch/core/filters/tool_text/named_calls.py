"""Calls with a bare name in front: GLM's keyed tags, Mistral's newer form, DeepSeek, Kimi, gpt-oss."""

from __future__ import annotations

import re

from agentlaunch.core.filters.arguments import typed
from agentlaunch.core.filters.json_repair import Json
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.json_calls import document
from agentlaunch.core.filters.tool_text.markup import BOUNDARY, SEPARATORS, FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of, unclosed_call

_SEPARATOR = "|".join(map(re.escape, SEPARATORS))
_NAME = re.compile(rf"(?:function(?:{_SEPARATOR}))?([\w.:/-]+)\s*")
_BETWEEN = re.compile(rf"(?:\[CALL_ID\][\w-]*|{_SEPARATOR}|```\w*|\s+)*")
_KEY = re.compile(r"\s*<arg_key>(.*?)</arg_key>\s*<arg_value>", re.DOTALL)
_VALUE_END = re.compile(rf"</arg_value>(?=\s*(?:<arg_key>|{BOUNDARY.pattern}|\Z))")
_FENCE = re.compile(r"\s*```")
_SPACE = re.compile(r"\s*")


def read_named(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The call whose name stands at `start` and the index behind it. Raises NoCall."""
    head = _NAME.match(text, start)
    name = offered.find(head[1]) if head is not None else None
    if head is None or name is None:
        raise NoCall
    if text.startswith("<arg_key>", head.end()):
        return _keyed(text, head.end(), name, offered)
    position = _BETWEEN.match(text, head.end()).end()  # type: ignore[union-attr]
    if text.startswith("{", position):
        return _json(text, position, name)
    boundary = BOUNDARY.search(text, position)
    end = boundary.start() if boundary else len(text)
    rest = text[position:end].strip()
    if rest:  # no JSON: perhaps the one text that the tool takes
        return [FoundCall(name, rest, "" if boundary else rest)], end
    return [call_of(name, {}) if boundary else unclosed_call(name, {})], end


def _json(text: str, start: int, name: str) -> tuple[list[FoundCall], int]:
    found, closed = document(text, start)
    if not closed:
        return [FoundCall(name, text[start:], text[start:])], len(text)
    fence = _FENCE.match(text, found.end)
    return [call_of(name, found.value if isinstance(found.value, dict) else {})], fence.end() if fence else found.end


def _keyed(text: str, start: int, name: str, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    known = offered.schema(name).properties()
    values: dict[str, Json] = {}
    position = start
    while (key := _KEY.match(text, position)) is not None:
        end = _VALUE_END.search(text, key.end()) or BOUNDARY.search(text, key.end())
        rest = text[key.end() : end.start() if end else None]
        schema = known.get(key[1].strip())
        values[key[1].strip()] = rest if schema is None else typed(rest, schema)
        if end is None:
            return [unclosed_call(name, values, rest)], len(text)
        position = end.end() if end.re is _VALUE_END else end.start()
    if BOUNDARY.match(text, _SPACE.match(text, position).end()) is None:  # type: ignore[union-attr]
        return [unclosed_call(name, values)], position
    return [call_of(name, values)], position
