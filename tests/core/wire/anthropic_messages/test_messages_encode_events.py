"""Events to the frames that Claude Code reads."""

from __future__ import annotations

import json
from collections.abc import Sequence

import pytest
from hypothesis import given
from tests.core.strategies import event_sequences

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    Message,
    Ping,
    RefusalDelta,
    RefusalPart,
    Role,
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
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages, encode_count
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.base import AnswerContext, Frame

WIRE = AnthropicMessages()
CONTEXT = AnswerContext(ChatRequest("local", (Message(Role.USER, (TextPart("hi"),)),)), lambda prefix: prefix + "1", 0)
END = Finished(StopReason.END_TURN)

START = Frame(
    b'{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"local","content":[],'
    b'"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"cache_creation_input_tokens":0,'
    b'"cache_read_input_tokens":0,"output_tokens":0}}}',
    "message_start",
)
STOP = Frame(b'{"type":"message_stop"}', "message_stop")
NO_USAGE = b'{"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}'


def frames_of(events: Sequence[ChatEvent]) -> list[Frame]:
    encoder = WIRE.event_encoder(CONTEXT)
    frames = [frame for event in events for frame in encoder.feed(event)]
    return [*frames, *encoder.finish()]


def open_block(index: int, block: bytes) -> Frame:
    return Frame(
        b'{"type":"content_block_start","index":%d,"content_block":%b}' % (index, block), "content_block_start"
    )


def delta(index: int, body: bytes) -> Frame:
    return Frame(b'{"type":"content_block_delta","index":%d,"delta":%b}' % (index, body), "content_block_delta")


def close_block(index: int) -> Frame:
    return Frame(b'{"type":"content_block_stop","index":%d}' % index, "content_block_stop")


def end(reason: bytes, usage: bytes = NO_USAGE, stop_sequence: bytes = b"null") -> list[Frame]:
    head = b'{"type":"message_delta","delta":{"stop_reason":"%b","stop_sequence":%b},"usage":%b}'
    return [Frame(head % (reason, stop_sequence, usage), "message_delta"), STOP]


TEXT = b'{"type":"text","text":""}'
THINKING = b'{"type":"thinking","thinking":"","signature":""}'


@pytest.mark.report("B006")
@pytest.mark.report("B149")
@pytest.mark.report("B004")
def test_reasoning_text_and_calls_are_blocks_of_their_own() -> None:
    events = [
        Started("up", "model"),
        Ping(),
        ThinkingDelta("let "),
        ThinkingDelta("me"),
        TextDelta('a"\n'),
        TextDelta("é\u2028"),
        ToolCallStart("t1", "Bash"),
        ToolCallDelta('{"a":'),
        ToolCallDelta('"b"}'),
        ToolCallEnd(),
        ToolCallStart("t2", "Ls"),
        ToolCallEnd(),
        UsageReport(Usage(100, 60, 7, 3)),
        Finished(StopReason.TOOL_CALLS),
    ]
    usage = (
        b'{"input_tokens":40,"cache_creation_input_tokens":0,"cache_read_input_tokens":60,"output_tokens":7,'
        b'"output_tokens_details":{"thinking_tokens":3}}'
    )
    assert frames_of(events) == [
        START,
        Frame(b'{"type":"ping"}', "ping"),
        open_block(0, THINKING),
        delta(0, b'{"type":"thinking_delta","thinking":"let "}'),
        delta(0, b'{"type":"thinking_delta","thinking":"me"}'),
        delta(0, b'{"type":"signature_delta","signature":"%b"}' % UNSIGNED.encode()),
        close_block(0),
        open_block(1, TEXT),
        delta(1, b'{"type":"text_delta","text":"a\\"\\n"}'),
        delta(1, '{"type":"text_delta","text":"é\u2028"}'.encode()),
        close_block(1),
        open_block(2, b'{"type":"tool_use","id":"t1","name":"Bash","input":{}}'),
        delta(2, b'{"type":"input_json_delta","partial_json":"{\\"a\\":"}'),
        delta(2, b'{"type":"input_json_delta","partial_json":"\\"b\\"}"}'),
        close_block(2),
        open_block(3, b'{"type":"tool_use","id":"t2","name":"Ls","input":{}}'),
        delta(3, b'{"type":"input_json_delta","partial_json":"{}"}'),
        close_block(3),
        *end(b"tool_use", usage),
    ]


@pytest.mark.report("B003")
def test_no_text_block_opens_before_a_call_without_text() -> None:
    events = [Started(), ToolCallStart("t", "A"), ToolCallDelta("{}"), ToolCallEnd(), END]
    assert frames_of(events) == [
        START,
        open_block(0, b'{"type":"tool_use","id":"t","name":"A","input":{}}'),
        delta(0, b'{"type":"input_json_delta","partial_json":"{}"}'),
        close_block(0),
        *end(b"tool_use"),
    ]


def test_an_empty_answer_has_no_block() -> None:
    assert frames_of([Started(), END]) == [START, *end(b"end_turn")]


def test_an_upstreams_signature_closes_its_thinking() -> None:
    events = [Started(), ThinkingDelta("a"), ThinkingSignature("sig"), ThinkingDelta("b"), END]
    assert frames_of(events) == [
        START,
        open_block(0, THINKING),
        delta(0, b'{"type":"thinking_delta","thinking":"a"}'),
        delta(0, b'{"type":"signature_delta","signature":"sig"}'),
        close_block(0),
        open_block(1, THINKING),
        delta(1, b'{"type":"thinking_delta","thinking":"b"}'),
        delta(1, b'{"type":"signature_delta","signature":"%b"}' % UNSIGNED.encode()),
        close_block(1),
        *end(b"end_turn"),
    ]


def test_a_signature_without_text_and_encrypted_reasoning_have_blocks_of_their_own() -> None:
    events = [Started(), TextDelta("x"), ThinkingSignature("sig", "enc"), ThinkingSignature(), END]
    assert frames_of(events) == [
        START,
        open_block(0, TEXT),
        delta(0, b'{"type":"text_delta","text":"x"}'),
        close_block(0),
        open_block(1, THINKING),
        delta(1, b'{"type":"signature_delta","signature":"sig"}'),
        close_block(1),
        open_block(2, b'{"type":"redacted_thinking","data":"enc"}'),
        close_block(2),
        *end(b"end_turn"),
    ]


def test_a_refusal_is_text() -> None:
    events = [Started(), RefusalDelta("no"), RefusalDelta("pe"), Finished(StopReason.REFUSAL)]
    assert frames_of(events) == [
        START,
        open_block(0, TEXT),
        delta(0, b'{"type":"text_delta","text":"no"}'),
        delta(0, b'{"type":"text_delta","text":"pe"}'),
        close_block(0),
        *end(b"refusal"),
    ]


def test_free_text_of_a_custom_tool_is_streamed_as_one_json_string() -> None:
    pieces = ['*** "x"\n', "\\é\n"]
    calls = [ToolCallStart("t", "apply_patch", "custom", "n"), *map(ToolCallDelta, pieces), ToolCallEnd()]
    frames = frames_of([Started(), *calls, Finished(StopReason.TOOL_CALLS)])
    assert frames[1] == open_block(0, b'{"type":"tool_use","id":"t","name":"n__apply_patch","input":{}}')
    deltas = [json.loads(frame.data)["delta"] for frame in frames if frame.event == "content_block_delta"]
    assert [piece["type"] for piece in deltas] == ["input_json_delta"] * len(deltas)
    assert json.loads("".join(piece["partial_json"] for piece in deltas)) == {"input": "".join(pieces)}


@pytest.mark.report("B007")
@pytest.mark.parametrize(
    ("reason", "with_call", "without"),
    [
        (StopReason.END_TURN, b"tool_use", b"end_turn"),
        (StopReason.TOOL_CALLS, b"tool_use", b"end_turn"),
        (StopReason.STOP_SEQUENCE, b"tool_use", b"stop_sequence"),
        (StopReason.MAX_TOKENS, b"max_tokens", b"max_tokens"),
        (StopReason.REFUSAL, b"refusal", b"refusal"),
        (StopReason.CONTEXT_FULL, b"model_context_window_exceeded", b"model_context_window_exceeded"),
    ],
)
def test_the_stop_reason_is_tool_use_exactly_with_calls(reason: StopReason, with_call: bytes, without: bytes) -> None:
    call = [ToolCallStart("t", "A"), ToolCallEnd()]
    assert frames_of([Started(), *call, Finished(reason)])[-2:] == end(with_call)
    assert frames_of([Started(), Finished(reason)])[-2:] == end(without)


def test_the_stop_sequence_is_named() -> None:
    assert frames_of([Started(), Finished(StopReason.STOP_SEQUENCE, "END")]) == [
        START,
        *end(b"stop_sequence", stop_sequence=b'"END"'),
    ]


@pytest.mark.report("B012")
def test_cached_and_fresh_tokens_add_up_to_the_prompt_and_the_last_report_holds() -> None:
    reports = [UsageReport(Usage(5, 0, 1)), UsageReport(Usage(1000, 900, 12))]
    usage = b'{"input_tokens":100,"cache_creation_input_tokens":0,"cache_read_input_tokens":900,"output_tokens":12}'
    assert frames_of([Started(), *reports, END]) == [START, *end(b"end_turn", usage)]


@pytest.mark.report("B008")
def test_a_failure_in_mid_stream_closes_the_block_and_is_an_error_event() -> None:
    fault = ChatFault(ErrorKind.OVERLOADED, "queue full")
    assert frames_of([Started(), TextDelta("x"), Failed(fault)]) == [
        START,
        open_block(0, TEXT),
        delta(0, b'{"type":"text_delta","text":"x"}'),
        close_block(0),
        Frame(b'{"type":"error","error":{"type":"overloaded_error","message":"queue full"}}', "error"),
    ]


def test_a_failure_before_the_start_is_an_error_event_alone() -> None:
    assert frames_of([Failed(ChatFault(ErrorKind.INTERNAL, "x"))]) == [
        Frame(b'{"type":"error","error":{"type":"api_error","message":"x"}}', "error")
    ]


def test_events_that_end_early_close_the_block_and_say_so() -> None:
    assert frames_of([Started(), ToolCallStart("t", "A")]) == [
        START,
        open_block(0, b'{"type":"tool_use","id":"t","name":"A","input":{}}'),
        close_block(0),
        Frame(
            b'{"type":"error","error":{"type":"api_error",'
            b'"message":"the upstream\'s stream ended before its answer was whole"}}',
            "error",
        ),
    ]


@pytest.mark.report("B056")
def test_message_start_is_sent_once_and_nothing_after_the_end() -> None:
    assert frames_of([Started(), Started(), END, TextDelta("late"), END]) == [START, *end(b"end_turn")]


def test_a_lone_surrogate_from_an_upstream_does_not_break_the_stream() -> None:
    assert delta(0, '{"type":"text_delta","text":"\ufffd"}'.encode()) in frames_of(
        [Started(), TextDelta("\ud83d"), END]
    )


def joined(events: Sequence[ChatEvent], kind: type[TextDelta | RefusalDelta | ThinkingDelta | ToolCallDelta]) -> str:
    return "".join(
        event.arguments if isinstance(event, ToolCallDelta) else event.text  # type: ignore[union-attr]
        for event in events
        if isinstance(event, kind)
    )


@given(event_sequences())
def test_every_block_opens_and_closes_once_in_order_with_its_own_deltas(events: list[ChatEvent]) -> None:
    """What Claude Code's reader demands: see B004, B006."""
    deltas_of = {
        "text": {"text_delta"},
        "thinking": {"thinking_delta", "signature_delta"},
        "tool_use": {"input_json_delta"},
        "redacted_thinking": set[str](),
    }
    opened, block = 0, ""
    for frame in frames_of(events):
        body = json.loads(frame.data)
        assert body["type"] == frame.event
        match body["type"]:
            case "content_block_start":
                assert (block, body["index"]) == ("", opened)
                block, opened, last = body["content_block"]["type"], opened + 1, ""
            case "content_block_delta":
                assert body["index"] == opened - 1
                last = body["delta"]["type"]
                assert last in deltas_of[block]
            case "content_block_stop":
                assert (bool(block), body["index"]) == (True, opened - 1)
                assert (block == "thinking") == (last == "signature_delta")
                block = ""
            case _:
                assert block == "" or body["type"] == "ping"
    assert block == ""


@given(event_sequences(custom_tools=False))
def test_the_deltas_add_up_to_the_source(events: list[ChatEvent]) -> None:
    deltas = [json.loads(frame.data)["delta"] for frame in frames_of(events) if frame.event == "content_block_delta"]
    text = "".join(piece.get("text", "") for piece in deltas)
    thinking = "".join(piece.get("thinking", "") for piece in deltas)
    assert text == "".join(event.text for event in events if isinstance(event, TextDelta | RefusalDelta))
    assert thinking == joined(events, ThinkingDelta)
    arguments = "".join(piece["partial_json"] for piece in deltas if piece.get("partial_json", "{}") != "{}")
    assert arguments == "".join(
        event.arguments for event in events if isinstance(event, ToolCallDelta) and event.arguments != "{}"
    )


@given(event_sequences())
def test_there_is_one_start_and_one_end(events: list[ChatEvent]) -> None:
    names = [frame.event for frame in frames_of(events)]
    ends = ["error"] if isinstance(events[-1], Failed) else ["message_delta", "message_stop"]
    assert names[0] == "message_start"
    assert [name for name in names[1:] if not name.startswith("content_block") and name != "ping"] == ends
    assert names[-1] == ends[-1]


def test_an_answer_that_is_not_streamed_is_one_message() -> None:
    answer = Answer(
        (
            ThinkingPart("t"),
            ThinkingPart("", encrypted="E"),
            TextPart("a"),
            TextPart(""),
            RefusalPart(""),
            RefusalPart("no"),
            ToolCallPart("t1", "A", '{"a": 1}'),
        ),
        StopReason.END_TURN,
        usage=Usage(10, 4, 3),
    )
    assert WIRE.encode_answer(answer, CONTEXT) == (
        b'{"type":"message","id":"msg_1","role":"assistant","model":"local","content":['
        b'{"type":"thinking","thinking":"t","signature":"' + UNSIGNED.encode() + b'"},'
        b'{"type":"redacted_thinking","data":"E"},'
        b'{"type":"text","text":"a"},{"type":"text","text":"no"},'
        b'{"type":"tool_use","id":"t1","name":"A","input":{"a": 1}}],'
        b'"stop_reason":"tool_use","stop_sequence":null,'
        b'"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":3}}'
    )


def test_a_stop_sequence_is_named_in_an_answer_that_is_not_streamed() -> None:
    body = json.loads(WIRE.encode_answer(Answer((), StopReason.STOP_SEQUENCE, "END"), CONTEXT))
    assert (body["content"], body["stop_reason"], body["stop_sequence"]) == ([], "stop_sequence", "END")


@pytest.mark.report("B092")
def test_a_count_is_one_number() -> None:
    assert encode_count(12_128) == b'{"input_tokens":12128}'


@given(event_sequences())
def test_the_stream_and_the_whole_answer_hold_the_same_blocks(events: list[ChatEvent]) -> None:
    """Streaming and not streaming are one code path elsewhere; here both encoders must agree."""
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    answer = assembler.result()
    if isinstance(answer, ChatFault):
        return
    whole = json.loads(WIRE.encode_answer(answer, CONTEXT))
    streamed = _read(frames_of(events))
    assert (_neighbours_joined(streamed), whole["stop_reason"]) == (
        _neighbours_joined(whole["content"]),
        json.loads(frames_of(events)[-2].data)["delta"]["stop_reason"],
    )


def _read(frames: list[Frame]) -> list[dict[str, object]]:
    """The content that a client's reader builds."""
    content: list[dict[str, object]] = []
    partial = ""
    for frame in frames:
        body = json.loads(frame.data)
        if frame.event == "content_block_start":
            content.append(body["content_block"])
            partial = ""
        elif frame.event == "content_block_delta":
            for name, piece in body["delta"].items():
                if name == "partial_json":
                    partial += piece
                elif name != "type":
                    content[-1][name] = f"{content[-1][name]}{piece}"
        elif frame.event == "content_block_stop" and content[-1]["type"] == "tool_use":
            content[-1]["input"] = json.loads(partial)
    return content


def _neighbours_joined(content: list[dict[str, object]]) -> list[dict[str, object]]:
    """Text and refusals beside each other as one text."""
    joined: list[dict[str, object]] = []
    for block in content:
        if joined and block["type"] == joined[-1]["type"] == "text":
            joined[-1] = {"type": "text", "text": f"{joined[-1]['text']}{block['text']}"}
        else:
            joined.append(block)
    return joined
