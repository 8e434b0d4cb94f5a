"""An upstream's bytes to events, whatever the upstream does."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.shim.doubles import DONE, STARTED, USAGE, chunk, hello

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Started,
    StopReason,
    TextDelta,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import ProtocolError, load_wire
from agentlaunch.shim.translation import Translation

CHAT = load_wire("openai_chat")
BODY = hello("Grüße 🙂")
EVENTS = [
    Started("chatcmpl-1", "engine-model"),
    TextDelta("Grüße 🙂"),
    UsageReport(Usage(input_tokens=7, output_tokens=2)),
    Finished(StopReason.END_TURN),
]
BROKEN = "the upstream `double` "


class Unchanged:
    """A filter that lets everything pass."""

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        yield event

    def finish(self) -> Iterator[ChatEvent]:
        return iter(())


class Protesting(Unchanged):
    """A filter that cannot end."""

    def finish(self) -> Iterator[ChatEvent]:
        raise ProtocolError("no end")


def translation(wire: str = "openai_chat") -> Translation:
    return Translation(load_wire(wire), "double", Unchanged())


def translate(pieces: list[bytes], fault: ChatFault | None = None) -> list[ChatEvent]:
    one = translation()
    events = [event for piece in pieces for event in one.feed(piece)]
    if not (events and isinstance(events[-1], Finished | Failed)):
        events += one.finish(fault)
    return events


@given(st.lists(st.integers(0, len(BODY)), max_size=8))
def test_any_cut_of_the_bytes_gives_the_same_events(cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), len(BODY)]
    pieces = [BODY[start:end] for start, end in pairwise(edges)]
    assert translate(pieces) == EVENTS


@given(st.binary(max_size=200))
def test_any_bytes_end_with_one_end(data: bytes) -> None:
    events = translate([STARTED, data])
    assert [isinstance(event, Finished | Failed) for event in events].index(True) == len(events) - 1


def test_a_stream_without_its_end_has_failed() -> None:
    events = translate([STARTED + chunk({"content": "Hel"})])
    assert events[:2] == [Started("chatcmpl-1", "engine-model"), TextDelta("Hel")]
    assert isinstance(events[-1], Failed)


def test_the_connections_fault_is_told_in_place_of_the_decoders() -> None:
    fault = ChatFault(ErrorKind.UNAVAILABLE, "the cable is out")
    assert translate([STARTED], fault)[-1] == Failed(fault)
    assert translate([], fault)[-1] == Failed(fault)


def test_a_fault_after_the_finish_reason_does_not_matter() -> None:
    fault = ChatFault(ErrorKind.UNAVAILABLE, "the cable is out")
    events = translate([STARTED + chunk({"content": "Hel"}) + chunk({}, "stop", USAGE)], fault)
    assert events[-1] == Finished(StopReason.END_TURN)


def test_the_last_event_needs_no_blank_line() -> None:
    assert translate([BODY.removesuffix(DONE) + b"data: [DONE]"]) == EVENTS


def test_json_is_the_events_of_the_answer() -> None:
    body = (
        b'{"id":"chatcmpl-1","model":"engine-model","usage":{"prompt_tokens":7,"completion_tokens":2},'
        b'"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Gr\\u00fc\\u00dfe"}}]}'
    )
    assert [event for event in translation().whole(body) if isinstance(event, TextDelta)] == [TextDelta("Grüße")]


@pytest.mark.parametrize("body", [b"", b"[]", b"junk"])
def test_json_that_is_no_answer_has_failed(body: bytes) -> None:
    last = translation().whole(body)[-1]
    assert isinstance(last, Failed)
    assert last.fault.message.startswith(BROKEN)


def test_a_last_frame_cut_in_its_middle_does_not_undo_an_answer_that_is_whole() -> None:
    assert translate([BODY.removesuffix(DONE) + b'data: {"choi']) == EVENTS


def test_a_filter_that_cannot_end_is_a_failure() -> None:
    fault = ChatFault(ErrorKind.UNAVAILABLE, BROKEN + "sent what is not of its API: no end")
    assert Translation(CHAT, "double", Protesting()).finish()[-1] == Failed(fault)


def test_what_an_upstream_says_behind_an_end_that_a_filter_has_made_is_nobodys_concern() -> None:
    class EndsAtOnce(Unchanged):
        def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
            yield Finished(StopReason.END_TURN) if isinstance(event, TextDelta) else event

    translation = Translation(CHAT, "double", EndsAtOnce())
    events = translation.feed(STARTED + chunk({"content": "x"}) + b"data: {broken\n\n")
    assert events == [Started("chatcmpl-1", "engine-model"), Finished(StopReason.END_TURN)]
