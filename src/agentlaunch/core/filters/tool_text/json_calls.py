"""Calls written as JSON: Hermes, Mistral, Llama, Granite, and whoever puts them into a block of code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from agentlaunch.core.filters.json_repair import Json, Repaired, Unrepairable, Whole, repaired, strict
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_text.heads import ARGUMENT_KEYS, NAME_KEYS, TOOL_LISTS
from agentlaunch.core.filters.tool_text.markup import BOUNDARY, FoundCall, NoCall
from agentlaunch.core.filters.tool_text.open_ended import call_of

_MOST_BOUNDARIES = 32
"""Marks that are tried as the end of broken JSON: more of them stand in a value, which may be long."""

_ENDS = re.compile(rf"(?:\s|{BOUNDARY.pattern})*(?:\Z|<[\w|]|\[|\{{|```)")
"""From a mark on: whether whatever follows it may be another call, or nothing does."""

_NOT_ARGUMENTS = (*NAME_KEYS, "type", "id", "index", "call_id", "tool_call_id")


_SLIPPED = re.compile(
    rf"\{{\s*[\"']?(?:{'|'.join(NAME_KEYS)})[\"']?\s*[:=]\s*[\"']?([\w.:/-]+)[\"']?\s*,\s*"
    rf"[\"']?(?:{'|'.join(ARGUMENT_KEYS)})[\"']?\s*[:=]\s*(?=\{{)"
)
"""The beginning of a call with marks that are missing or others (maclocal-api #141)."""


def read_json(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    """The calls in the JSON value at `start` and the index behind it. Raises NoCall."""
    try:
        return _read(text, start, offered)
    except NoCall:
        slipped = _SLIPPED.match(text, start)
        name = offered.find(slipped[1]) if slipped is not None else None
        if slipped is None or name is None:
            raise
        found, closed = document(text, slipped.end())
        if not closed:
            rest = text[slipped.end() :]
            return [FoundCall(name, rest, rest)], len(text)
        return [call_of(name, found.value if isinstance(found.value, dict) else {})], found.end


def _read(text: str, start: int, offered: OfferedTools) -> tuple[list[FoundCall], int]:
    found, closed = document(text, start)
    if found.whole is not Whole.YES and not closed:
        return [_open_ended(text[start:], found.value, offered)], len(text)
    calls = list(_calls(found.value, offered))
    if not calls:
        raise NoCall
    return calls, found.end


def document(text: str, start: int) -> tuple[Repaired, bool]:
    """The JSON value at `start`; whether it ended, be it by a mark of the model's. Raises NoCall.

    A value that is broken ends at the first mark which leaves it whole, since marks also stand in values; else at the
    first which nothing but marks and calls follow.
    """
    exact = strict(text, start)
    if exact is not None:
        return Repaired(*exact, Whole.YES), True
    ended: list[Repaired] = []
    for boundary in list(BOUNDARY.finditer(text, start))[-_MOST_BOUNDARIES:]:
        found = _repaired(text[: boundary.start()], start)
        if found is None or text[found.end : boundary.start()].strip("]} \t\r\n"):
            continue
        at_mark = Repaired(found.value, boundary.start(), found.whole)
        if found.whole is not Whole.CUT:
            return at_mark, True
        if _ENDS.match(text, boundary.start()):
            ended.append(at_mark)
    if ended:
        return ended[0], True
    found = _repaired(text, start)
    if found is None:
        raise NoCall
    return found, found.whole is Whole.YES


def _repaired(text: str, start: int) -> Repaired | None:
    try:
        return repaired(text, start)
    except Unrepairable:
        return None


def _calls(value: Json, offered: OfferedTools) -> Iterator[FoundCall]:
    match value:
        case list():
            for item in value:
                yield from _calls(item, offered)
        case dict() if (items := _listed(value)) is not None:
            yield from _calls(items, offered)
        case {"function": dict() as inner} | {"function_call": dict() as inner} | {"tool_call": dict() as inner}:
            yield from _calls(inner, offered)
        case dict():
            yield from _call(value, offered)
        case _:
            return


def _listed(value: dict[str, Json]) -> list[Json] | None:
    """The calls under the one key of an object that stands for several."""
    found = (value.get(key) for key in TOOL_LISTS)
    return next((items for items in found if isinstance(items, list)), None)


def _call(value: dict[str, Json], offered: OfferedTools) -> Iterator[FoundCall]:
    for key in NAME_KEYS:
        named = value.get(key)
        name = offered.find(named) if isinstance(named, str) else None
        if name is not None:
            yield _named(name, value)
            return
    if len(value) == 1:  # {"Write": {...}}: Apertus
        [(key, inner)] = value.items()
        name = offered.find(key)
        if name is not None and isinstance(inner, dict):
            yield call_of(name, inner)


def _named(name: str, value: dict[str, Json]) -> FoundCall:
    """What stands under one of the keys for arguments; without one, whatever else stands beside the name."""
    for key in ARGUMENT_KEYS:
        match value.get(key):
            case str() as text:
                return FoundCall(name, text)
            case dict() as inner:
                return call_of(name, inner)
            case [dict() as inner]:
                return call_of(name, inner)
            case _:
                if key in value:
                    return call_of(name, {})
    return call_of(name, {key: inner for key, inner in value.items() if key not in _NOT_ARGUMENTS})


def _open_ended(text: str, value: Json, offered: OfferedTools) -> FoundCall:
    """A call that broke off inside its JSON: the arguments as the model wrote them, which no parser takes for whole."""
    calls = list(_calls(value, offered))
    if not calls:
        raise NoCall
    starts = [text.find(f'"{key}"') + len(key) + 2 for key in ARGUMENT_KEYS if f'"{key}"' in text]
    rest = text[min(starts) :].lstrip(": \t\r\n") if starts else ""
    return FoundCall(calls[-1].name, rest or "{", rest or "{")
