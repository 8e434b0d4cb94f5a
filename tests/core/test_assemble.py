"""Events to the finished answer."""

from __future__ import annotations

from hypothesis import given
from tests.core.strategies import event_sequences

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    RefusalPart,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    Usage,
    UsageReport,
)


def assembled(events: list[ChatEvent]) -> Answer | ChatFault:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return assembler.result()


def test_pieces_become_parts_in_their_order() -> None:
    events: list[ChatEvent] = [
        Started("id", "m"),
        ThinkingDelta("a"),
        Ping(),
        ThinkingDelta("b"),
        ThinkingSignature("sig"),
        TextDelta("x"),
        TextDelta("y"),
        RefusalDelta("no"),
        ToolCallStart("c1", "read", namespace="fs"),
        ToolCallDelta('{"a"'),
        ToolCallDelta(":1}"),
        ToolCallEnd(),
        ToolCallStart("c2", "patch", "custom"),
        ToolCallEnd(),
        TextDelta("z"),
        UsageReport(Usage(1)),
        UsageReport(Usage(10, 5, 3, 2)),
        Finished(StopReason.STOP_SEQUENCE, "END"),
    ]
    assert assembled(events) == Answer(
        (
            ThinkingPart("ab", "sig"),
            TextPart("xy"),
            RefusalPart("no"),
            ToolCallPart("c1", "read", '{"a":1}', namespace="fs"),
            ToolCallPart("c2", "patch", "", "custom"),
            TextPart("z"),
        ),
        StopReason.STOP_SEQUENCE,
        "END",
        Usage(10, 5, 3, 2),
    )


def test_thinking_without_a_signature_and_a_signature_without_thinking_are_parts_of_their_own() -> None:
    events: list[ChatEvent] = [
        Started(),
        ThinkingDelta("a"),
        TextDelta("x"),
        ThinkingSignature(encrypted="opaque"),
        Finished(StopReason.END_TURN),
    ]
    expected = (ThinkingPart("a"), TextPart("x"), ThinkingPart("", encrypted="opaque"))
    assert assembled(events) == Answer(expected, StopReason.END_TURN)


def test_a_failure_is_the_result() -> None:
    fault = ChatFault(ErrorKind.RATE_LIMITED, "slow down", retry_after_s=2)
    assert assembled([Started(), TextDelta("x"), Failed(fault)]) == fault


def test_a_stream_without_its_end_is_unavailable() -> None:
    fault = assembled([Started(), TextDelta("x")])
    assert fault == ChatFault(ErrorKind.UNAVAILABLE, "the upstream's stream ended before its answer was whole")


@given(event_sequences())
def test_no_text_is_lost(events: list[ChatEvent]) -> None:
    result = assembled(events)
    match events[-1], result:
        case Failed(fault), ChatFault():
            assert result == fault
        case _, Answer(parts):
            text = "".join(event.text for event in events if isinstance(event, TextDelta))
            calls = [event.id for event in events if isinstance(event, ToolCallStart)]
            assert "".join(part.text for part in parts if isinstance(part, TextPart)) == text
            assert [part.id for part in parts if isinstance(part, ToolCallPart)] == calls
        case _:
            raise AssertionError(result)
