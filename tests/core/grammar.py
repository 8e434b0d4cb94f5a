"""The grammar of `core.ir`, checked: what every decoder and every filter must keep to."""

from __future__ import annotations

from collections.abc import Iterable

from agentlaunch.core.ir import (
    ChatEvent,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)


def grammar_error(events: Iterable[ChatEvent], *, is_whole: bool = True) -> str:
    """What is wrong with a sequence of events, empty for nothing. Not `is_whole`: its end may be missing."""
    place = "start"
    ids: set[str] = set()
    for number, event in enumerate(events):
        problem = _problem(event, place, ids)
        if problem:
            return f"event {number}, {event}: {problem}"
        match event:
            case ToolCallStart():
                ids.add(event.id)
                place = "call"
            case ToolCallDelta() | Ping() if place == "call":
                pass
            case UsageReport():
                place = "usage"
            case Finished() | Failed():
                place = "end"
            case _:
                place = "usage" if place == "usage" else "body"
    return "" if place == "end" or not is_whole else f"it stops in the {place}"


def _problem(event: ChatEvent, place: str, ids: set[str]) -> str:
    allowed = {
        "start": (Started,),
        "body": (object,),
        "call": (ToolCallDelta, ToolCallEnd, Failed),
        "usage": (UsageReport, Finished, Failed, Ping),
        "end": (),
    }[place]
    if not isinstance(event, allowed):
        return f"not allowed in the {place}"
    match event:
        case Started() if place != "start":
            return "a second start"
        case ToolCallDelta() | ToolCallEnd() if place != "call":
            return "outside a call"
        case ToolCallDelta("") | TextDelta("") | ThinkingDelta("") | RefusalDelta(""):
            return "empty"
        case ToolCallStart(id_, name):
            return "no id or name" if not (id_ and name) else "a repeated id" if id_ in ids else ""
        case _:
            return ""
