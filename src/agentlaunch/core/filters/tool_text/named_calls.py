"""Calls with a bare name in front: GLM's keyed tags, Mistral's newer form, DeepSeek, Kimi, gpt-oss."""

from __future__ import annotations

import re

from agentlaunch.core.filters.arguments import typed
from agentlaunch.core.filters.json_repair import Json
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.gemma_calls import QUOTES, read_gemma
from agentlaunch.core.filters.tool_text.json_calls import document
from agentlaunch.core.filters.tool_text.markup import BOUNDARY, SEPARATORS, FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of, unclosed_call
from agentlaunch.core.filters.tool_text.tag_calls import is_parameter, parameters, read_tags

_SEPARATOR = "|".join(map(re.escape, SEPARATORS))
_NAME = re.compile(rf"(?:function(?:=|{_SEPARATOR}))?([\w.:/-]+)>?\s*")
_NAME_END = re.compile(r"</(?:function|name|tool_name)>\s*")
_ATEM = re.compile(r"(?:<atem:function_calls>\s*)?(?=<atem:invoke )")
"""Muse Glimmer addresses a message to the tool and then calls it by tags (vLLM muse_glimmer)."""
_STRAY = re.compile(r"(?:\s*(?:<tool_sep>|</(?:longcat_)?arg_(?:key|value)>))*\s*")
"""Hy3 has a mark there; GLM closes there what it has not opened (Fireworks' python-sdk #119)."""
_BETWEEN = re.compile(rf"(?:\[CALL_ID\][\w-]*|{_SEPARATOR}|```\w*|\s+)*")
_OPEN = r"<(?:longcat_)?arg_key>"
_CLOSE = r"</(?:longcat_)?arg_key>"
_KEY = re.compile(
    rf"\s*(?:(?:{_OPEN}|<tool_call>)\s*)*([^<>]{{1,200}}?)\s*(?:{_CLOSE}\s*)+(?:<(?:longcat_)?arg_value>)?", re.DOTALL
)
"""GLM leaves some of these tags out, doubles them, or opens a key with its wrapper's tag (vLLM #47190, #49249, #54971;
sigit #95)."""
_VALUE_END = re.compile(rf"</(?:longcat_)?arg_value>(?=\s*(?:{_OPEN}|{BOUNDARY.pattern}|\Z))")
_NEXT_KEY = re.compile(rf"\s*{_OPEN}\s*([^<>]{{1,200}}?)\s*{_CLOSE}\s*<(?:longcat_)?arg_value>")
_FENCE = re.compile(r"\s*```")
_SPACE = re.compile(r"\s*")


def read_named(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The call whose name stands at `start` and the index behind it. Raises NoCall."""
    head = _NAME.match(text, start)
    if head is None:
        raise NoCall
    name = offered.find(head[1])
    if name is None:
        return _run_together(text, head, offered)
    ended = _NAME_END.match(text, head.end())
    position = ended.end() if ended and is_parameter(text, ended.end()) else head.end()
    position = _STRAY.match(text, position).end()  # type: ignore[union-attr]
    if _KEY.match(text, position):
        return _keyed(text, position, name, offered)
    if is_parameter(text, position):
        return parameters(text, position, name, offered.schema(name))
    position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
    if (atem := _ATEM.match(text, position)) is not None:
        return read_tags(text, atem.end(), offered)
    if text.startswith("{", position):
        return _json(text, position, name) if not _is_gemma(text, position) else read_gemma(text, start, offered)
    boundary = BOUNDARY.search(text, position)
    end = boundary.start() if boundary else len(text)
    rest = text[position:end].strip()
    if rest:  # no JSON: perhaps the one text that the tool takes
        return [FoundCall(name, rest, "" if boundary else rest)], end
    return [call_of(name, {}) if boundary else unclosed_call(name, {})], end


def _run_together(text: str, head: re.Match[str], offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """GLM's name and first key with no tag between them."""
    found = offered.run_together(head[1])
    if found is None:
        raise NoCall
    return _keyed(text, head.start(1) + len(found[0]), found[0], offered)


def _is_gemma(text: str, start: int) -> bool:
    """Whether Gemma's quotation marks stand in the braces at `start`."""
    found = [at for quote in QUOTES if (at := text.find(quote, start)) >= 0]
    return bool(found) and '"' not in text[start : min(found)]


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
        end = _value_end(text, key.end(), known.keys() - values.keys() - {key[1]})
        rest = _trimmed(text[key.end() : end.start() if end else None])
        schema = known.get(key[1])
        values[key[1]] = rest if schema is None else typed(rest, schema)
        if end is None:
            return [unclosed_call(name, values, rest)], len(text)
        position = end.end() if end.re is _VALUE_END else end.start()
    if BOUNDARY.match(text, _SPACE.match(text, position).end()) is None:  # type: ignore[union-attr]
        return [unclosed_call(name, values)], position
    return [call_of(name, values)], position


def _value_end(text: str, start: int, unused: set[str]) -> re.Match[str] | None:
    """What ends the value at `start`: its tag; where that is missing, the tool's next key or a wrapper's end."""
    end = _VALUE_END.search(text, start) or BOUNDARY.search(text, start)
    following = next((key for key in _NEXT_KEY.finditer(text, start) if key[1] in unused), None)
    return following if following and (end is None or following.start() < end.start()) else end


def _trimmed(text: str) -> str:
    """Without the line breaks of a value that stands on lines of its own."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == "\n" else text
