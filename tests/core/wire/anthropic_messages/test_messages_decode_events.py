"""Streams of Messages upstreams to events."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import event_sequences

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    Message,
    Ping,
    RefusalDelta,
    Role,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.base import AnswerContext, Frame, ProtocolError

WIRE = AnthropicMessages()
CONTEXT = AnswerContext(ChatRequest("local", (Message(Role.USER, (TextPart("hi"),)),)), lambda prefix: prefix + "1", 0)

START = {"type": "message_start", "message": {"id": "msg_1", "model": "m", "usage": {"input_tokens": 9}}}
STOP = {"type": "message_stop"}
STARTED = Started("msg_1", "m")
USAGE_9 = UsageReport(Usage(9))
CUT_OFF = Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's stream ended before its answer was whole"))


def block(index: int, **content: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": content}


def delta(index: int, kind: str, **fields: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


def stop(index: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": index}


def ending(reason: str | None, **usage: int) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


def decode_frames(frames: Iterable[Frame]) -> list[ChatEvent]:
    decoder = WIRE.event_decoder()
    events = [event for frame in frames for event in decoder.feed(frame)]
    return [*events, *decoder.finish()]


def decode(*bodies: object) -> list[ChatEvent]:
    return decode_frames(Frame(json.dumps(body).encode()) for body in bodies)


def test_a_stream_of_the_vendor_decodes_whole() -> None:
    message = {
        "id": "msg_01",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": [],
        "stop_reason": None,
        "usage": {
            "input_tokens": 10,
            "cache_creation_input_tokens": 20,
            "cache_read_input_tokens": 70,
            "output_tokens": 1,
            "service_tier": "standard",
        },
    }
    assert decode(
        {"type": "message_start", "message": message},
        {"type": "ping"},
        block(0, type="thinking", thinking="", signature=""),
        delta(0, "thinking_delta", thinking="hm"),
        delta(0, "signature_delta", signature="sig"),
        stop(0),
        block(1, type="redacted_thinking", data="enc"),
        stop(1),
        block(2, type="text", text=""),
        delta(2, "text_delta", text="a"),
        delta(2, "citations_delta", citation={"type": "page_location"}),
        delta(2, "text_delta", text=""),
        stop(2),
        block(3, type="tool_use", id="toolu_1", name="Bash", input={}, caller={"type": "direct"}),
        delta(3, "input_json_delta", partial_json=""),
        delta(3, "input_json_delta", partial_json='{"command":'),
        delta(3, "input_json_delta", partial_json='"ls"}'),
        stop(3),
        block(4, type="tool_use", id="toolu_2", name="Ls", input={}),
        stop(4),
        ending("tool_use", output_tokens=15, output_tokens_details={"thinking_tokens": 4}),  # type: ignore[arg-type]
        STOP,
    ) == [
        Started("msg_01", "claude-x"),
        Ping(),
        ThinkingDelta("hm"),
        ThinkingSignature("sig"),
        ThinkingSignature(encrypted="enc"),
        TextDelta("a"),
        ToolCallStart("toolu_1", "Bash"),
        ToolCallDelta('{"command":'),
        ToolCallDelta('"ls"}'),
        ToolCallEnd(),
        ToolCallStart("toolu_2", "Ls"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        UsageReport(Usage(100, 70, 15, 4)),
        Finished(StopReason.TOOL_CALLS),
    ]


def test_content_that_stands_in_the_block_start_is_kept() -> None:
    assert decode(
        START,
        block(0, type="thinking", thinking="t", signature="s"),
        stop(0),
        block(1, type="text", text="a"),
        stop(1),
        block(2, type="tool_use", id="c", name="A", input={"x": 1}),
        stop(2),
        ending("tool_use"),
        STOP,
    ) == [
        STARTED,
        ThinkingDelta("t"),
        ThinkingSignature("s"),
        TextDelta("a"),
        ToolCallStart("c", "A"),
        ToolCallDelta('{"x": 1}'),
        ToolCallEnd(),
        USAGE_9,
        Finished(StopReason.TOOL_CALLS),
    ]


def test_our_own_signature_is_none() -> None:
    thinking = [block(0, type="thinking", thinking="t"), delta(0, "signature_delta", signature=UNSIGNED), stop(0)]
    assert decode(START, *thinking, STOP) == [STARTED, ThinkingDelta("t"), USAGE_9, Finished(StopReason.END_TURN)]


def test_interleaved_calls_come_one_after_the_other_and_text_waits_for_them() -> None:
    assert decode(
        START,
        block(0, type="tool_use", id="a", name="A", input={}),
        delta(0, "input_json_delta", partial_json='{"a":'),
        block(1, type="tool_use", id="b", name="B", input={}),
        delta(1, "input_json_delta", partial_json="{}"),
        block(2, type="text", text=""),
        delta(2, "text_delta", text="late"),
        {"type": "ping"},
        delta(0, "input_json_delta", partial_json="1}"),
        stop(1),
        stop(0),
        delta(2, "text_delta", text="r"),
        stop(2),
        STOP,
    ) == [
        STARTED,
        ToolCallStart("a", "A"),
        ToolCallDelta('{"a":'),
        ToolCallDelta("1}"),
        ToolCallEnd(),
        ToolCallStart("b", "B"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        TextDelta("late"),
        TextDelta("r"),
        USAGE_9,
        Finished(StopReason.TOOL_CALLS),
    ]


def test_forgotten_block_ends_are_made_up_for() -> None:
    assert decode(
        START,
        block(0, type="thinking", thinking="", signature="s"),
        delta(0, "thinking_delta", thinking="t"),
        block(1, type="text", text=""),
        delta(1, "text_delta", text="x"),
        block(1, type="tool_use", id="a", name="A", input={}),
        delta(1, "input_json_delta", partial_json="{}"),
        ending("tool_use"),
        STOP,
    ) == [
        STARTED,
        ThinkingDelta("t"),
        ThinkingSignature("s"),
        TextDelta("x"),
        ToolCallStart("a", "A"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        USAGE_9,
        Finished(StopReason.TOOL_CALLS),
    ]


@pytest.mark.report("B004")
def test_text_for_a_block_that_never_opened_is_kept() -> None:
    assert decode(
        delta(0, "thinking_delta", thinking="t"),
        delta(0, "text_delta", text="x"),
        delta(1, "thinking_delta", thinking="u"),
        delta(0, "text_delta", text="y"),
        stop(7),
        STOP,
    ) == [
        Started(),
        ThinkingDelta("t"),
        TextDelta("x"),
        ThinkingDelta("u"),
        TextDelta("y"),
        Finished(StopReason.END_TURN),
    ]


@pytest.mark.report("B056")
def test_a_second_message_start_only_adds_its_usage() -> None:
    again = {"type": "message_start", "message": {"id": "msg_1", "usage": {"input_tokens": 0, "output_tokens": 3}}}
    assert decode(START, again, STOP) == [STARTED, UsageReport(Usage(9, 0, 3)), Finished(StopReason.END_TURN)]


@pytest.mark.report("B001")
def test_a_call_without_an_id_gets_one() -> None:
    call = [block(0, type="tool_use", name="A", id=None), stop(0)]
    assert decode(START, *call, STOP)[1] == ToolCallStart("toolu_msg_1_0", "A")


def test_what_the_vendors_server_runs_is_left_out() -> None:
    assert decode(
        START,
        block(0, type="server_tool_use", id="s", name="web_search", input={}),
        delta(0, "input_json_delta", partial_json='{"query":"q"}'),
        stop(0),
        block(1, type="web_search_tool_result", tool_use_id="s", content=[]),
        stop(1),
        block(2, type="text", text="found"),
        stop(2),
        ending("end_turn"),
        STOP,
    ) == [STARTED, TextDelta("found"), USAGE_9, Finished(StopReason.END_TURN)]


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("end_turn", StopReason.END_TURN),
        ("tool_use", StopReason.END_TURN),
        ("pause_turn", StopReason.END_TURN),
        ("max_tokens", StopReason.MAX_TOKENS),
        ("stop_sequence", StopReason.STOP_SEQUENCE),
        ("refusal", StopReason.REFUSAL),
        ("length", StopReason.MAX_TOKENS),
        ("content_filter", StopReason.REFUSAL),
        ("model_context_window_exceeded", StopReason.CONTEXT_FULL),
    ],
)
def test_stop_reasons_are_kept(word: str, reason: StopReason) -> None:
    assert decode(START, ending(word), STOP) == [STARTED, USAGE_9, Finished(reason)]


def test_the_stop_sequence_is_kept() -> None:
    last = {"type": "message_delta", "delta": {"stop_reason": "stop_sequence", "stop_sequence": "END"}}
    assert decode(START, last, STOP)[-1] == Finished(StopReason.STOP_SEQUENCE, "END")


def test_a_stream_without_message_stop_is_whole_when_its_stop_reason_came() -> None:
    assert decode(START, ending("end_turn")) == [STARTED, USAGE_9, Finished(StopReason.END_TURN)]


def test_a_stream_that_is_cut_off_fails_and_drops_what_never_began() -> None:
    assert decode(
        START,
        block(0, type="tool_use", id="a", name="A", input={}),
        delta(0, "input_json_delta", partial_json='{"a'),
        block(1, type="tool_use", id="b", name="B", input={}),
    ) == [STARTED, ToolCallStart("a", "A"), ToolCallDelta('{"a'), ToolCallEnd(), USAGE_9, CUT_OFF]


def test_a_stream_without_a_single_frame_fails() -> None:
    assert decode() == [Started(), CUT_OFF]


@pytest.mark.report("B008")
@pytest.mark.report("B151")
@pytest.mark.parametrize(
    ("frame", "kind", "message"),
    [
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}',
            ErrorKind.OVERLOADED,
            "Overloaded",
        ),
        (b'{"error":{"message":"queue full","code":429}}', ErrorKind.RATE_LIMITED, "queue full"),
        (b'{"object":"error","message":"bad","code":400}', ErrorKind.BAD_REQUEST, "bad"),
        (b'{"detail":"gone wrong"}', ErrorKind.INTERNAL, "gone wrong"),
        (b'{"error":"plain"}', ErrorKind.INTERNAL, "plain"),
        (b'{"type":"error","error":{"type":3,"message":"odd"}}', ErrorKind.INTERNAL, "odd"),
        (b'{"type":"error"}', ErrorKind.INTERNAL, '{"type":"error"}'),
    ],
)
def test_an_error_in_the_stream_is_a_failure_and_the_end(frame: bytes, kind: ErrorKind, message: str) -> None:
    start = Frame(json.dumps(START).encode(), "message_start")
    assert decode_frames([start, Frame(frame), Frame(b'{"type":"message_stop"}')]) == [
        STARTED,
        USAGE_9,
        Failed(ChatFault(kind, message)),
    ]


def test_an_overflow_in_the_stream_is_recognised() -> None:
    body = {"type": "error", "error": {"type": "api_error", "message": "Context size has been exceeded."}}
    assert decode(START, body)[-1] == Failed(ChatFault(ErrorKind.CONTEXT_OVERFLOW, "Context size has been exceeded."))


@pytest.mark.report("B077")
def test_what_is_no_event_or_a_new_event_is_ignored() -> None:
    frames = [Frame(b"[DONE]"), Frame(b""), Frame(b'{"type":"brand_new","index":4}')]
    body = Frame(json.dumps(START).encode())
    assert decode_frames([*frames, body, *frames, Frame(b'{"type":"message_stop"}')]) == [
        STARTED,
        USAGE_9,
        Finished(StopReason.END_TURN),
    ]


def test_pieces_that_carry_nothing_leave_no_trace() -> None:
    assert decode(
        START,
        block(0, type="redacted_thinking", data=""),
        stop(0),
        block(1, type="text"),
        delta(1, "brand_new_delta", value=1),
        delta(2, "signature_delta", signature="for no block"),
        delta(1, "thinking_delta", thinking=""),
        {"type": "message_delta", "delta": {"stop_reason": None}},
        {"type": "message_delta"},
        STOP,
    ) == [STARTED, USAGE_9, Finished(StopReason.END_TURN)]


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ({"text": "a"}, [TextDelta("a")]),
        ({"thinking": "hm"}, [ThinkingDelta("hm")]),
    ],
)
def test_a_delta_without_a_type_is_what_its_field_says(fields: dict[str, object], events: list[ChatEvent]) -> None:
    bare = {"type": "content_block_delta", "index": 0, "delta": fields}
    assert decode(START, bare, STOP) == [STARTED, *events, USAGE_9, Finished(StopReason.END_TURN)]


@pytest.mark.parametrize("delta", [{"partial_json": '{"a":1}'}, {"type": "input_json_delta", "partial_json": {"a": 1}}])
def test_arguments_without_a_type_or_in_an_object_are_arguments(delta: dict[str, object]) -> None:
    piece = {"type": "content_block_delta", "index": 0, "delta": delta}
    events = decode(START, block(0, type="tool_use", id="t", name="f"), piece, stop(0), STOP)
    assert [json.loads(event.arguments) for event in events if isinstance(event, ToolCallDelta)] == [{"a": 1}]


def test_an_input_in_a_string_at_the_start_is_the_calls_arguments() -> None:
    events = decode(START, block(0, type="tool_use", id="t", name="f", input='{"a":1}'), stop(0), STOP)
    assert [event for event in events if isinstance(event, ToolCallDelta)] == [ToolCallDelta('{"a":1}')]


def test_pings_before_the_start_are_dropped() -> None:
    assert decode({"type": "ping"}, START, STOP) == [STARTED, USAGE_9, Finished(StopReason.END_TURN)]


def test_the_name_of_the_frame_stands_in_for_a_missing_type() -> None:
    assert decode_frames([Frame(b"{}", "message_stop")]) == [Started(), Finished(StopReason.END_TURN)]


@pytest.mark.parametrize(
    "opening",
    [
        block(0, type="compaction", content=None),
        block(0, type="fallback", **{"from": {"model": "a"}}),
        block(0, type="advisor_tool_result", tool_use_id="s", content={"type": "advisor_result", "text": "x"}),
    ],
)
def test_a_block_of_a_type_that_nobody_knows_yet_costs_no_answer(opening: dict[str, object]) -> None:
    later = [delta(0, "compaction_delta", content="c"), stop(0), block(1, type="text", text="so"), stop(1), STOP]
    assert decode(START, opening, *later) == [STARTED, TextDelta("so"), USAGE_9, Finished(StopReason.END_TURN)]


def test_text_in_a_block_of_an_unknown_type_is_told() -> None:
    frames = [block(0, type="note", text="a"), delta(0, "text_delta", text="b"), stop(0), STOP]
    assert decode(START, *frames) == [STARTED, TextDelta("a"), TextDelta("b"), USAGE_9, Finished(StopReason.END_TURN)]


@pytest.mark.parametrize(
    ("bodies", "named"),
    [
        ([block(0, type="tool_use", id="a", name="")], "content_block.name"),
        ([{"type": "content_block_start", "index": 0}], "content_block"),
        ([{"type": "content_block_delta", "index": 0}], "delta"),
        ([delta(0, "input_json_delta", partial_json="{")], "input_json_delta"),
        ([{"index": 0}], "type"),
        ([{"type": "content_block_delta", "index": "x"}], "delta"),
        ([{"type": "content_block_delta", "delta": "x"}], "$.delta"),
    ],
)
def test_what_is_not_of_the_wire_is_refused_by_name(bodies: list[dict[str, object]], named: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(START, *bodies)
    assert named in str(refused.value)


@given(st.binary(max_size=40))
def test_junk_is_ignored_or_told_as_a_failure_or_raises_a_protocol_error(data: bytes) -> None:
    try:
        events = list(WIRE.event_decoder().feed(Frame(data)))
    except ProtocolError:
        return
    assert events == [] or in_grammar(events)


# --- the grammar, and there and back -----------------------------------------------------------------------------


def in_grammar(events: Sequence[ChatEvent]) -> bool:
    """Whether `events` is an answer in the grammar of `core.ir`."""
    letters = {Started: "S", ToolCallStart: "(", ToolCallDelta: "-", ToolCallEnd: ")", UsageReport: "U"}
    word = "".join("E" if isinstance(event, Finished | Failed) else letters.get(type(event), ".") for event in events)
    body = word.removeprefix("S")
    calls = body.rstrip("E").rstrip("U")
    inside = 0
    for letter in calls:
        wanted = {"(": 0, "-": 1, ")": 1, ".": 0}.get(letter)
        if wanted != inside:
            return False
        inside = {"(": 1, ")": 0}.get(letter, inside)
    return word.startswith("S") and inside == 0 and word.count("E") == 1 and word.endswith("E")


INDEX = st.integers(0, 3)
wire_events = st.one_of(
    st.builds(lambda index: block(index, type="text", text=""), INDEX),
    st.builds(lambda index: block(index, type="thinking", thinking="", signature="s"), INDEX),
    st.builds(lambda index: block(index, type="tool_use", id="t", name="A", input={}), INDEX),
    st.builds(lambda index: block(index, type="server_tool_use", id="t", name="A"), INDEX),
    st.builds(lambda index: delta(index, "text_delta", text="x"), INDEX),
    st.builds(lambda index: delta(index, "thinking_delta", thinking="x"), INDEX),
    st.builds(lambda index: delta(index, "signature_delta", signature="x"), INDEX),
    st.builds(lambda index: delta(index, "input_json_delta", partial_json="{}"), INDEX),
    st.builds(stop, INDEX),
    st.sampled_from([START, STOP, {"type": "ping"}, ending("tool_use", output_tokens=1), {"type": "error"}]),
)


@given(st.lists(wire_events, max_size=12))
def test_any_order_of_frames_gives_the_grammar_or_a_protocol_error(bodies: list[dict[str, object]]) -> None:
    try:
        events = decode(*bodies)
    except ProtocolError:
        return
    assert in_grammar(events)


def without_losses(events: Sequence[ChatEvent]) -> list[ChatEvent]:
    """`events` as far as the wire can carry them: pieces are joined, refusals are text, nothing is unsigned."""
    kept: list[ChatEvent] = []
    for event in events:
        match event:
            case Ping() | ThinkingSignature("", "") | UsageReport():
                continue
            case RefusalDelta(text):
                _join(kept, TextDelta(text))
            case ThinkingSignature(signature, encrypted):
                kept += [ThinkingSignature(signature)] if signature else []
                kept += [ThinkingSignature(encrypted=encrypted)] if encrypted else []
            case ToolCallEnd() if isinstance(kept[-1], ToolCallStart):
                kept += [ToolCallDelta("{}"), event]
            case _:
                _join(kept, event)
    return kept


def _join(kept: list[ChatEvent], event: ChatEvent) -> None:
    last = kept[-1] if kept else None
    match last, event:
        case (TextDelta(before), TextDelta(after)):
            kept[-1] = TextDelta(before + after)
        case (ThinkingDelta(before), ThinkingDelta(after)):
            kept[-1] = ThinkingDelta(before + after)
        case (ToolCallDelta(before), ToolCallDelta(after)):
            kept[-1] = ToolCallDelta(before + after)
        case _:
            kept.append(event)


def expected_end(events: Sequence[ChatEvent]) -> ChatEvent:
    """The last event as the wire can carry it: it knows no more of a failure than its kind and text."""
    calls = any(isinstance(event, ToolCallStart) for event in events)
    match events[-1]:
        case Finished(reason, stop_sequence):
            if reason in (StopReason.END_TURN, StopReason.TOOL_CALLS):
                return Finished(StopReason.TOOL_CALLS if calls else StopReason.END_TURN)
            if reason is StopReason.STOP_SEQUENCE and calls:
                return Finished(StopReason.TOOL_CALLS)
            return Finished(reason, stop_sequence)
        case end:
            return end


@given(event_sequences(custom_tools=False, namespaces=False))
def test_events_come_back_equal_from_their_own_frames(events: list[ChatEvent]) -> None:
    encoder = WIRE.event_encoder(CONTEXT)
    back = decode_frames(frame for event in events for frame in encoder.feed(event))
    assert in_grammar(back)
    assert without_losses(back)[1:-1] == without_losses(events)[1:-1]
    if isinstance(events[-1], Failed):
        assert isinstance(back[-1], Failed)
    else:
        assert back[-1] == expected_end(events)
        reports = [event for event in events if isinstance(event, UsageReport)]
        assert back[-2] == (reports[-1] if reports else UsageReport(Usage()))
