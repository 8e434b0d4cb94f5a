"""Calls written as Python: LFM and Llama 4 in brackets, Gemma in a block of `tool_code`."""

from __future__ import annotations

import re

from agentlaunch.core.filters.json_repair import Json, Repaired, Unrepairable, Whole, repaired
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.gemma_calls import QUOTES, read_gemma
from agentlaunch.core.filters.tool_text.markup import FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of, unclosed_call

_BEGIN = re.compile(r"\[?\s*(?:print\(\s*)*")
_NAME = re.compile(r"\s*([\w.:/-]+)\s*\(")
_KEY = re.compile(r"\s*([A-Za-z_]\w*)\s*(?:=(?!=)|:)\s*")
"""Gemma also writes a colon there (hermes-agent #7449)."""
_STRING_PREFIX = re.compile(r"(?:[fFrRbBuU]{1,2}(?=[\"']))?")
_BETWEEN = re.compile(r"\s*,?\s*")
_MAX_DEPTH = 32
_PRINT = re.compile(r"\s*(?:print\(\s*)+(?=[\w.:/-]+\s*\()")


def read_python(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The calls that stand at `start`, in a list or alone, and the index behind them. Raises NoCall."""
    position = _BEGIN.match(text, start).end()  # type: ignore[union-attr]
    if _has_gemma_quotes(text, position):
        return read_gemma(text, position, offered)
    calls: list[FoundCall] = []
    while (head := _NAME.match(text, position)) is not None:
        name = offered.find(head[1])
        if name is None:
            raise NoCall
        call, position = _call(text, head.end(), name, offered)
        calls.append(call)
        while text[position : position + 1] == ")":  # of print(...)
            position += 1
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        wrapped = _PRINT.match(text, position)
        position = wrapped.end() if wrapped else position
    if not calls:
        raise NoCall
    return calls, position + 1 if text[position : position + 1] == "]" else position


def _has_gemma_quotes(text: str, start: int) -> bool:
    """Whether Gemma has written its own quotation marks in brackets that are Python's (vLLM #53642, oMLX #1846)."""
    head = _NAME.match(text, start)
    if head is None or text[start - 1 : start] == "[":
        return False
    found = [at for quote in QUOTES if (at := text.find(quote, head.end())) >= 0]
    return bool(found) and not set("\"')") & set(text[head.end() : min(found)])


def _value(text: str, start: int, depth: int = 0) -> Repaired:
    """The value at `start`; Python's tuples are lists (vLLM #48171). Raises NoCall."""
    start = _STRING_PREFIX.match(text, start).end()  # type: ignore[union-attr]
    if not text.startswith("(", start):
        try:
            return repaired(text, start)
        except Unrepairable:
            raise NoCall from None
    if depth > _MAX_DEPTH:
        raise NoCall
    items: list[Json] = []
    position = start + 1
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if text.startswith(")", position):
            return Repaired(items, position + 1, Whole.YES)
        if position >= len(text):
            return Repaired(items, position, Whole.CUT)
        item = _value(text, position, depth + 1)
        items.append(item.value)
        position = item.end


def _call(text: str, start: int, name: str, offered: OfferedTools) -> tuple[FoundCall, int]:
    values: dict[str, Json] = {}
    names = list(offered.schema(name).properties())
    position = start
    while True:
        position = _BETWEEN.match(text, position).end()  # type: ignore[union-attr]
        if text[position : position + 1] == ")":
            return call_of(name, values), position + 1
        if position >= len(text) and not values:
            raise NoCall
        if position >= len(text):
            return unclosed_call(name, values), position
        key = _KEY.match(text, position)
        position = key.end() if key else position
        left = [known for known in names if known not in values]
        if key is None and not left:
            raise NoCall
        found = _value(text, position)
        position = found.end
        if key is None and not values and isinstance(found.value, dict) and found.value.keys() <= {*names}:
            values = found.value  # all of them as one object
        else:
            values[key[1] if key else left[0]] = found.value
        if found.whole is not Whole.YES:
            last = found.value if isinstance(found.value, str) else None
            return unclosed_call(name, values, last), len(text)
