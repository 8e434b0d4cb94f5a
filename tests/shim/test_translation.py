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


HALVES = BODY.split(b"\n\n", 1)


@pytest.mark.parametrize(
    "life",
    [
        b"data:",
        b"data: ping",
        b"data: heartbeat",
        b'data: ""',
        b"data: null",
        b"data: [done]",
        b"data: 2024-04-27 01:35:43.686476",
        b"event: ping\ndata:",
    ],
)
def test_a_sign_of_life_in_words_changes_nothing(life: bytes) -> None:
    assert translate([life + b"\n\n" + HALVES[0] + b"\n\n" + life + b"\n\n" + HALVES[1]]) == EVENTS


def test_lines_that_a_proxy_has_wrapped_twice_are_unwrapped() -> None:
    assert translate([BODY.replace(b"data: ", b"data: data: ")]) == EVENTS


@pytest.mark.parametrize(
    ("wire", "body", "events"),
    [
        (
            "openai_chat",
            b'{"id":"r","choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}',
            [Started("r"), TextDelta("a"), Finished(StopReason.END_TURN)],
        ),
        (
            "anthropic_messages",
            b'{"type":"message","id":"r","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn"}',
            [Started("r"), TextDelta("a"), Finished(StopReason.END_TURN)],
        ),
        (
            "openai_responses",
            b'{"id":"r","status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":"a"}]}]}',
            [Started("r"), TextDelta("a"), Finished(StopReason.END_TURN)],
        ),
        (
            "openai_chat",
            b'{"error":{"message":"no such model","code":404}}',
            [Started(), Failed(ChatFault(ErrorKind.NOT_FOUND, "no such model"))],
        ),
        ("openai_chat", b"event: error\ndata: boom", [Started(), Failed(ChatFault(ErrorKind.INTERNAL, "boom"))]),
    ],
)
def test_a_whole_answer_under_the_name_of_a_stream_is_the_answer(
    wire: str, body: bytes, events: list[ChatEvent]
) -> None:
    one = translation(wire)
    told = one.feed(body)
    assert (told or one.finish()) == events


@pytest.mark.parametrize("stream", [BODY, BODY.removesuffix(b"data: [DONE]\n\n"), b": hi\n\n" + BODY])
def test_a_stream_under_the_name_of_a_whole_answer_is_the_answer(stream: bytes) -> None:
    assert translation().whole(stream) == EVENTS


def test_lines_of_json_under_the_name_of_a_whole_answer_are_the_answer() -> None:
    lines = BODY.replace(b"data: [DONE]", b"").replace(b"data: ", b"").replace(b"\n\n", b"\n")
    assert translation().whole(lines) == EVENTS
    ollama = b'{"message":{"content":"a"},"done":false}\n{"message":{"content":"b"},"done":true}\n'
    told = [Started(), TextDelta("a"), TextDelta("b"), Finished(StopReason.END_TURN)]
    assert translation("ollama_chat").whole(ollama) == told


@pytest.mark.parametrize("end", [b"data: [done]\n\n", b'data: "[DONE]"\n\n'])
def test_a_misspelt_end_is_one_where_nothing_follows(end: bytes) -> None:
    said = STARTED + chunk({"content": "x"})
    assert translate([said + end])[-1] == Finished(StopReason.END_TURN)
    assert isinstance(translate([end + said])[-1], Failed)


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
