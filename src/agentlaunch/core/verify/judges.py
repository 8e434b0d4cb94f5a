"""Judges: deterministic readings of an answer, each telling in one phrase what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence

from agentlaunch.core.ir import StopReason, ToolCallPart
from agentlaunch.core.verify.case import Json, Judge, Reading


def arguments_of(call: ToolCallPart) -> dict[str, Json] | None:
    """A call's arguments; None when they are no JSON object."""
    try:
        value: Json = json.loads(call.arguments)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def calls_exactly(*wanted: tuple[str, Mapping[str, Json]]) -> Judge:
    """These calls in any order and no other; each must have at least these arguments. Paths may start with `./`."""

    def judge(reading: Reading) -> str:
        left = list(reading.calls)
        for name, arguments in wanted:
            found = next((call for call in left if _is(call, name, arguments)), None)
            if found is None:
                return f"no call of {name} with {shown(arguments)}; {said_of(reading)}"
            left.remove(found)
        return f"a call too many: {left[0].name}" if left else ""

    return judge


def writes(name: str, path_key: str, path: str, content: str, text_key: str = "content") -> Judge:
    """One call of `name` whose path is `path` and whose text is exactly `content`, but for line ends at its end."""

    def judge(reading: Reading) -> str:
        call, fault = _only(reading, name)
        if call is None:
            return fault
        said = arguments_of(call) or {}
        if _plain(said.get(path_key)) != path:
            return f"wrong {path_key}: {shown(said.get(path_key))}"
        text = said.get(text_key)
        if not isinstance(text, str) or text.rstrip("\n") != content.rstrip("\n"):
            return f"the content differs: {shown(text)}"
        return ""

    return judge


def edits(name: str, keys: tuple[str, str], before: str, after: str, list_key: str = "") -> Judge:
    """One call of `name` that turns the file's text `before` into `after`; `keys` name the old text and the new one.

    With `list_key` the call has a list of such pairs, each of which is looked for in `before`.
    """

    def judge(reading: Reading) -> str:
        call, fault = _only(reading, name)
        if call is None:
            return fault
        said = arguments_of(call) or {}
        pairs = said.get(list_key) if list_key else [said]
        if not isinstance(pairs, list) or not pairs:
            return f"{list_key} is missing"
        return edited([_pair(one, keys) for one in pairs], keys, before, after)

    return judge


def _pair(said: Json, keys: tuple[str, str]) -> tuple[str, str] | None:
    old, new = (said.get(keys[0]), said.get(keys[1])) if isinstance(said, dict) else (None, None)
    return (old, new) if isinstance(old, str) and isinstance(new, str) and old else None


def edited(pairs: Sequence[tuple[str, str] | None], keys: tuple[str, str], before: str, after: str) -> str:
    """What is wrong with these replacements, None being one that is incomplete; `keys` name their halves."""
    text = before
    for pair in pairs:
        if pair is None:
            return f"{keys[0]} or {keys[1]} is missing"
        if before.count(pair[0]) != 1:
            return f"{keys[0]} stands {before.count(pair[0])} times in the file: {shown(pair[0])}"
        text = text.replace(*pair)
    told = ", ".join(new for _, new in filter(None, pairs))
    return "" if text == after else f"the edited file is not what was asked for: {shown(told)}"


def brings(name: str, keys: Sequence[str], judge: Judge) -> Judge:
    """What `judge` says, and that each call of `name` has a text for every one of `keys`."""

    def both(reading: Reading) -> str:
        for call in (call for call in reading.calls if call.name == name):
            said = arguments_of(call) or {}
            missing = [key for key in keys if not isinstance(said.get(key), str) or not said.get(key)]
            if missing:
                return f"{', '.join(missing)} is missing"
        return judge(reading)

    return both


def runs(name: str, key: str, *needles: str) -> Judge:
    """One call of `name` whose text argument `key` holds each of `needles`, in this order."""

    def judge(reading: Reading) -> str:
        call, fault = _only(reading, name)
        if call is None:
            return fault
        text = (arguments_of(call) or {}).get(key) if call.kind == "function" else call.arguments
        if not isinstance(text, str):
            return f"{key} is missing"
        at = 0
        for needle in needles:
            at = text.find(needle, at)
            if at < 0:
                return f"{key} lacks {shown(needle)}: {shown(text)}"
            at += len(needle)
        return ""

    return judge


def says(pattern: str) -> Judge:
    """No call, an answer that ended by itself, and a text that matches the regular expression `pattern`."""

    def judge(reading: Reading) -> str:
        if reading.calls:
            return f"a call where none is needed: {reading.calls[0].name}"
        if reading.reason is not StopReason.END_TURN:
            return f"did not end by itself ({reading.reason})"
        return "" if re.search(pattern, reading.text, re.IGNORECASE) else said_of(reading)

    return judge


def refuses(name: str) -> Judge:
    """No call at all, and none of `name` written as text; some words to the user."""

    def judge(reading: Reading) -> str:
        if reading.calls:
            return f"called {reading.calls[0].name}"
        if re.search(rf'(?:[{{<(\[].{{0,40}}["\'<=: ]|[<\[]){re.escape(name)}["\'>(]', reading.text, re.DOTALL):
            return f"wrote a call of {name}, which does not exist"
        return "" if reading.text.strip() else "said nothing"

    return judge


def is_json(wanted: Mapping[str, Json]) -> Judge:
    """The text is one JSON object with exactly these members."""

    def judge(reading: Reading) -> str:
        try:
            value: Json = json.loads(reading.text)
        except ValueError:
            return f"no JSON: {shown(reading.text)}"
        return "" if value == wanted else f"other JSON than asked for: {shown(value)}"

    return judge


def _only(reading: Reading, name: str) -> tuple[ToolCallPart | None, str]:
    if len(reading.calls) != 1:
        return None, f"{len(reading.calls)} calls, one was due; {said_of(reading)}" if reading.calls else said_of(
            reading
        )
    call = reading.calls[0]
    return (call, "") if call.name == name else (None, f"called {call.name}, not {name}")


def _is(call: ToolCallPart, name: str, arguments: Mapping[str, Json]) -> bool:
    said = arguments_of(call)
    return call.name == name and said is not None and all(_plain(said.get(k)) == v for k, v in arguments.items())


def _plain(value: Json) -> Json:
    return value.removeprefix("./") if isinstance(value, str) else value


def said_of(reading: Reading) -> str:
    """What came in the place of what was asked for, in one phrase."""
    names: Sequence[str] = [call.name for call in reading.calls]
    if names:
        return f"called {', '.join(names)} with {shown(reading.calls[0].arguments)}"
    return f"said {shown(reading.text)}" if reading.text.strip() else f"said nothing ({reading.reason})"


def shown(value: object) -> str:
    """The beginning of a text or of what JSON makes of a value, in backticks."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    flat = " ".join(text.split())
    return f"`{flat if len(flat) <= 60 else flat[:60] + '...'}`"
