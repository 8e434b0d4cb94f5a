"""What the Responses wire understands of an upstream's stream."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count

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
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import AnswerContext, Frame, ProtocolError
from agentlaunch.core.wire.openai_responses import OpenAIResponses
from agentlaunch.core.wire.openai_responses.sealed_reasoning import SEAL, seal

WIRE = OpenAIResponses()
Json = dict[str, object]

DONE: Json = {"type": "response.completed", "response": {"id": "r", "output": []}}
END = Finished(StopReason.END_TURN)
CUT_OFF = Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's stream ended before its answer was whole"))


def decoded(*events: Json | bytes, names: Iterable[str] = ()) -> list[ChatEvent]:
    decoder = WIRE.event_decoder()
    named = [*names, *[""] * len(events)]
    frames = [
        Frame(event if isinstance(event, bytes) else json.dumps(event).encode(), name)
        for event, name in zip(events, named, strict=False)
    ]
    return [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]


def added(item: Json, index: int = 0) -> Json:
    return {"type": "response.output_item.added", "output_index": index, "item": item}


def done(item: Json, index: int = 0) -> Json:
    return {"type": "response.output_item.done", "output_index": index, "item": item}


def piece(name: str, index: int = 0, **fields: object) -> Json:
    return {"type": f"response.{name}", "output_index": index, **fields}


def call(call_id: str, arguments: str = "", **fields: object) -> Json:
    return {
        "type": "function_call",
        "id": f"fc_{call_id}",
        "call_id": call_id,
        "name": "f",
        "arguments": arguments,
        **fields,
    }


def message(*content: Json) -> Json:
    return {"type": "message", "id": "msg", "role": "assistant", "content": list(content)}


def test_a_stream_of_openai_is_understood() -> None:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 4},
        "output_tokens": 6,
        "output_tokens_details": {"reasoning_tokens": 2},
        "total_tokens": 16,
    }
    assert decoded(
        {"type": "response.created", "response": {"id": "resp_1", "model": "gpt", "output": []}},
        {"type": "response.in_progress", "response": {"id": "resp_1"}},
        {"type": "keepalive", "sequence_number": 3},
        added({"type": "reasoning", "id": "rs", "summary": []}),
        piece("reasoning_summary_part.added", part={"type": "summary_text", "text": ""}),
        piece("reasoning_summary_text.delta", item_id="rs", summary_index=0, delta="hm"),
        piece("reasoning_summary_text.done", item_id="rs", summary_index=0, text="hm"),
        piece("reasoning_summary_text.delta", item_id="rs", summary_index=1, delta="so"),
        done({"type": "reasoning", "id": "rs", "summary": [{"text": "hm"}, {"text": "so"}], "encrypted_content": "gA"}),
        added(message(), 1),
        piece("content_part.added", 1, part={"type": "output_text", "text": ""}),
        piece("output_text.delta", 1, item_id="msg", content_index=0, delta="He"),
        piece("output_text.delta", 1, item_id="msg", content_index=0, delta="y"),
        piece("output_text.done", 1, item_id="msg", content_index=0, text="Hey"),
        done(message({"type": "output_text", "text": "Hey"}), 1),
        added(call("c1"), 2),
        piece("function_call_arguments.delta", 2, item_id="fc_c1", delta="{}"),
        piece("function_call_arguments.done", 2, item_id="fc_c1", arguments="{}"),
        done(call("c1", "{}"), 2),
        added(
            {"type": "custom_tool_call", "id": "ct", "call_id": "c2", "name": "p", "input": "", "namespace": "ns"}, 3
        ),
        piece("custom_tool_call_input.delta", 3, item_id="ct", delta="raw"),
        done({"type": "custom_tool_call", "id": "ct", "call_id": "c2", "name": "p", "input": "raw"}, 3),
        added({"type": "web_search_call", "id": "ws"}, 4),
        {"type": "response.completed", "response": {"id": "resp_1", "usage": usage, "output": [], "error": None}},
        b"[DONE]",
    ) == [
        Started("resp_1", "gpt"),
        Ping(),
        ThinkingDelta("hm"),
        ThinkingDelta("\n\nso"),
        ThinkingSignature(encrypted="gA"),
        TextDelta("He"),
        TextDelta("y"),
        ToolCallStart("c1", "f"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        ToolCallStart("c2", "p", "custom", "ns"),
        ToolCallDelta("raw"),
        ToolCallEnd(),
        UsageReport(Usage(10, 4, 6, 2)),
        Finished(StopReason.TOOL_CALLS),
    ]


@pytest.mark.report("B054")
def test_arguments_that_come_only_in_the_done_event_are_told() -> None:
    assert decoded(
        added(call("c")), piece("function_call_arguments.done", arguments='{"a":1}'), done(call("c", "x")), DONE
    ) == [
        Started(),
        ToolCallStart("c", "f"),
        ToolCallDelta('{"a":1}'),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]


@pytest.mark.report("B107")
@pytest.mark.parametrize(
    "events",
    [
        [piece("output_text.done", content_index=0, text="Hey"), DONE],
        [done(message({"type": "output_text", "text": "Hey"})), DONE],
        [{**DONE, "response": {"output": [message({"type": "output_text", "text": "Hey"})]}}],
        [added(message()), {**DONE, "response": {"output": [message({"type": "output_text", "text": "Hey"})]}}],
        [
            piece("output_text.delta", content_index=0, delta="Hey"),
            {**DONE, "response": {"output": [message({"type": "output_text", "text": "Hey"})]}},
        ],
    ],
)
def test_text_is_told_once_wherever_it_comes(events: list[Json]) -> None:
    assert decoded(*events) == [Started(), TextDelta("Hey"), END]


def test_calls_that_come_only_in_the_response_are_told() -> None:
    output = [call("a", "{}"), {"type": "custom_tool_call", "name": "p", "input": "x"}, {"type": "web_search_call"}]
    assert decoded({"type": "response.completed", "response": {"output": output}}) == [
        Started(),
        ToolCallStart("a", "f"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        ToolCallStart("call__1", "p", "custom"),
        ToolCallDelta("x"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]


def test_interleaved_calls_wait_for_each_other() -> None:
    assert decoded(
        added(call("a"), 0),
        added(call("b"), 1),
        piece("function_call_arguments.delta", 1, item_id="fc_b", delta="[2]"),
        piece("function_call_arguments.delta", 0, item_id="fc_a", delta="[1]"),
        piece("output_text.delta", 2, delta="text"),
        {"type": "keepalive"},
        done(call("b", "[2]"), 1),
        done(call("a", "[1]"), 0),
        DONE,
    ) == [
        Started(),
        ToolCallStart("a", "f"),
        ToolCallDelta("[1]"),
        ToolCallEnd(),
        ToolCallStart("b", "f"),
        ToolCallDelta("[2]"),
        ToolCallEnd(),
        TextDelta("text"),
        Finished(StopReason.TOOL_CALLS),
    ]


def test_a_server_without_indexes_and_done_events_is_understood() -> None:
    assert decoded(
        {"type": "response.output_item.added", "item": call("a")},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_a", "delta": "1"},
        {"type": "response.output_item.added", "item": call("b")},
        {"type": "response.function_call_arguments.delta", "item_id": "fc_b", "delta": "2"},
        DONE,
    ) == [
        Started(),
        ToolCallStart("a", "f"),
        ToolCallDelta("1"),
        ToolCallEnd(),
        ToolCallStart("b", "f"),
        ToolCallDelta("2"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]


def test_a_name_that_comes_last_holds_the_call_back() -> None:
    nameless = {"type": "function_call", "id": "x", "arguments": ""}
    delta = piece("function_call_arguments.delta", item_id="x", delta="{")
    named = {**nameless, "name": "f", "call_id": "c", "arguments": "{}"}
    assert decoded(added(nameless), delta, done(named), done(named), DONE) == [
        Started(),
        ToolCallStart("c", "f"),
        ToolCallDelta("{"),
        ToolCallDelta("}"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]
    with pytest.raises(ProtocolError, match="without a name"):
        decoded(added(nameless), delta, DONE)


def test_ids_that_change_from_event_to_event_do_not_matter() -> None:
    assert decoded(
        added(call("c", id="one")),
        piece("function_call_arguments.delta", item_id="two", delta="{}"),
        done(call("c", "{}", id="three")),
        DONE,
    ) == [Started(), ToolCallStart("c", "f"), ToolCallDelta("{}"), ToolCallEnd(), Finished(StopReason.TOOL_CALLS)]


def test_reasoning_is_told_once_when_it_comes_as_text_and_as_summary() -> None:
    item = {"type": "reasoning", "content": [{"text": "hm"}], "summary": [{"text": "short"}]}
    assert decoded(
        piece("reasoning_text.delta", content_index=0, delta="h"),
        piece("reasoning_summary_text.delta", summary_index=0, delta="short"),
        done(item),
        done(item),
        DONE,
    ) == [Started(), ThinkingDelta("h"), ThinkingDelta("m"), END]


def test_items_without_ids_that_share_an_index_are_two_once_the_first_has_said_something() -> None:
    assert decoded(
        piece("reasoning_text.delta", delta="h"),
        added({"type": "reasoning"}),
        piece("reasoning_text.done", text="hm"),
        piece("output_text.delta", delta="a"),
        added({"type": "message"}),
        piece("output_text.done", text="ab"),
        DONE,
    ) == [Started(), ThinkingDelta("h"), ThinkingDelta("hm"), TextDelta("a"), TextDelta("ab"), END]


def test_a_part_that_is_neither_text_nor_refusal_says_nothing() -> None:
    assert decoded(done(message({"type": "audio"}, {"type": "output_text", "text": "a"})), DONE) == [
        Started(),
        TextDelta("a"),
        END,
    ]


def test_an_item_that_is_none_of_ours_says_nothing() -> None:
    other = {"type": "web_search_call", "id": "ws"}
    last = {"type": "response.completed", "response": {"output": [other]}}
    assert decoded(added(other), done(other), last) == [Started(), END]


@pytest.mark.parametrize(
    ("before", "encrypted", "expected"),
    [
        ([], seal("t", "sig", ""), [ThinkingDelta("t"), ThinkingSignature("sig")]),
        (["t"], seal("t", "sig", "vendor"), [ThinkingDelta("t"), ThinkingSignature("sig", "vendor")]),
        ([], seal("t", "", ""), [ThinkingDelta("t")]),
        ([], "vendor", [ThinkingSignature(encrypted="vendor")]),
        ([], f"{SEAL}broken", []),
    ],
    ids=["text and signature", "text told before", "text alone", "the vendor's own", "damaged"],
)
def test_reasoning_that_we_sealed_is_told_with_its_signature(
    before: list[str], encrypted: str, expected: list[ChatEvent]
) -> None:
    item = {"type": "reasoning", "id": "rs_1", "encrypted_content": encrypted}
    deltas = [piece("reasoning_text.delta", item_id="rs_1", delta=text) for text in before]
    assert decoded(*deltas, done(item), done(item), DONE) == [Started(), *expected, END]


def test_an_item_of_a_kind_that_was_streamed_is_not_told_at_the_end_under_another_id() -> None:
    """A server that renews its ids and indexes would have it told twice."""
    other = {**message({"text": "ab"}), "id": "renewed"}
    last = {"type": "response.completed", "response": {"output": [message({"text": "ab"}), other]}}
    assert decoded(piece("output_text.delta", item_id="msg", delta="a"), last) == [
        Started(),
        TextDelta("a"),
        TextDelta("b"),
        END,
    ]


def test_an_item_of_a_kind_that_was_never_streamed_is_told_at_the_end() -> None:
    output = [{"type": "reasoning", "content": [{"text": "hm"}]}, message({"text": "ab"}), call("c", "{}")]
    last = {"type": "response.completed", "response": {"output": output}}
    assert decoded(piece("reasoning_text.delta", delta="hm"), last) == [
        Started(),
        ThinkingDelta("hm"),
        TextDelta("ab"),
        ToolCallStart("c", "f"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]


@pytest.mark.parametrize(
    ("response", "end"),
    [
        (
            {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}},
            Finished(StopReason.MAX_TOKENS),
        ),
        ({"status": "failed", "error": {"message": "boom"}}, Failed(ChatFault(ErrorKind.INTERNAL, "boom"))),
    ],
)
def test_a_response_that_is_completed_in_name_only_ends_as_its_status_says(
    response: Json, end: Finished | Failed
) -> None:
    last = {"type": "response.completed", "response": response}
    assert decoded(piece("output_text.delta", delta="a"), last) == [Started(), TextDelta("a"), end]


def test_events_without_what_they_are_about_say_nothing() -> None:
    events = [{"type": "response.created"}, {"type": "response.output_item.done", "item": None}]
    text = piece("output_text.delta", delta="a")
    assert decoded(*events, text, {"type": "response.completed"}) == [Started(), TextDelta("a"), END]


@pytest.mark.parametrize("name", ["reasoning.delta", "reasoning_summary.delta"])
def test_reasoning_under_its_first_names_is_reasoning(name: str) -> None:
    assert decoded(piece(name, delta="hm"), DONE) == [Started(), ThinkingDelta("hm"), END]


@pytest.mark.report("B097")
def test_a_reasoning_item_without_arrays_takes_deltas() -> None:
    assert decoded(
        added({"type": "reasoning", "id": "rs_1"}), piece("reasoning_text.delta", item_id="rs_1", delta="hm"), DONE
    ) == [Started(), ThinkingDelta("hm"), END]


def test_refusals_and_incomplete_responses_have_their_stop_reasons() -> None:
    told = piece("refusal.done", refusal="N")
    refusal = [piece("refusal.delta", delta="N"), told, done(message({"type": "refusal", "refusal": "No"}))]
    assert decoded(*refusal, DONE) == [
        Started(),
        RefusalDelta("N"),
        RefusalDelta("o"),
        Finished(StopReason.REFUSAL),
    ]
    for reason, expected in [
        ({"reason": "content_filter"}, StopReason.REFUSAL),
        ({"reason": "max_output_tokens"}, StopReason.MAX_TOKENS),
        (None, StopReason.MAX_TOKENS),
    ]:
        incomplete = {"type": "response.incomplete", "response": {"incomplete_details": reason}}
        assert decoded(incomplete) == [Started(), Finished(expected)]


@pytest.mark.report("B008")
@pytest.mark.parametrize(
    ("event", "fault"),
    [
        ({"error": {"message": "queue full", "code": 429}}, ChatFault(ErrorKind.RATE_LIMITED, "queue full")),
        ({"object": "error", "message": "bad", "code": 400}, ChatFault(ErrorKind.BAD_REQUEST, "bad")),
        ({"detail": "gone"}, ChatFault(ErrorKind.INTERNAL, "gone")),
        ({"type": "error", "code": "server_error", "message": "x"}, ChatFault(ErrorKind.INTERNAL, "x")),
        (
            {"type": "response.failed", "response": {"error": {"code": "rate_limit_exceeded", "message": "slow"}}},
            ChatFault(ErrorKind.RATE_LIMITED, "slow"),
        ),
        (
            {"type": "response.failed", "response": {}},
            ChatFault(ErrorKind.INTERNAL, "the upstream's stream reported an error"),
        ),
        (
            {
                "type": "response.failed",
                "response": {"error": {"message": "prompt is too long: 9 tokens > 8"}},
            },
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "prompt is too long: 9 tokens > 8", 9, 8),
        ),
    ],
)
def test_an_error_in_the_stream_is_a_failure(event: Json, fault: ChatFault) -> None:
    assert decoded(event, DONE) == [Started(), Failed(fault)]


def test_a_stream_that_ends_early_is_a_failure() -> None:
    assert decoded() == [Started(), CUT_OFF]
    assert decoded(piece("output_text.delta", delta="x"), b"[DONE]") == [Started(), TextDelta("x"), CUT_OFF]
    assert decoded(added(call("c"))) == [Started(), ToolCallStart("c", "f"), ToolCallEnd(), CUT_OFF]


def test_a_whole_response_that_failed_without_an_error_is_cut_off() -> None:
    assert WIRE.decode_answer(b'{"id":"r","model":"m","status":"failed","output":[]}') == [Started("r", "m"), CUT_OFF]


def test_the_event_s_name_stands_in_for_a_missing_type() -> None:
    names = ["response.output_text.delta", "response.completed"]
    assert decoded({"delta": "x"}, {"response": {}}, names=names) == [Started(), TextDelta("x"), END]


JSON_VALUES = st.none() | st.integers() | st.text(max_size=4) | st.lists(st.integers(), max_size=2) | st.just({})
EVENT_NAMES = [
    "response.created",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.function_call_arguments.done",
    "response.reasoning_text.delta",
    "response.completed",
    "response.failed",
    "error",
]
ITEMS = st.dictionaries(st.sampled_from(["type", "id", "name", "content", "call_id", "arguments"]), JSON_VALUES)
ITEMS |= st.sampled_from(["function_call", "message", "reasoning"]).map(lambda kind: {"type": kind})
JUNK_EVENTS = st.dictionaries(
    st.sampled_from(["item", "response", "delta", "output_index", "text", "arguments", "error", "detail"]),
    JSON_VALUES | ITEMS,
).flatmap(lambda event: st.sampled_from(EVENT_NAMES).map(lambda name: {**event, "type": name}))


@given(st.lists(JUNK_EVENTS.map(lambda event: json.dumps(event).encode()) | st.binary(max_size=30), max_size=5))
def test_junk_raises_only_protocol_errors(data: list[bytes]) -> None:
    try:
        decoded(*data)
    except ProtocolError:
        return


# --- what the encoder wrote ---------------------------------------------------------------------------------------


def merged(events: Iterable[ChatEvent]) -> list[ChatEvent]:
    """Events with pieces of one text joined, and without what the wire has no place for.

    Left out: pings, the upstream's own names, all usage reports but the last, signatures (they close an item), the
    stop reasons that the wire does not tell apart, and a call that ended right before a failure.
    """
    merged: list[ChatEvent] = []
    for event in events:
        last = merged[-1] if merged else None
        match event:
            case Ping() | Started() | UsageReport() | ThinkingSignature():
                continue
            case TextDelta() if isinstance(last, TextDelta):
                merged[-1] = TextDelta(last.text + event.text)
            case ThinkingDelta() if isinstance(last, ThinkingDelta):
                merged[-1] = ThinkingDelta(last.text + event.text)
            case RefusalDelta() if isinstance(last, RefusalDelta):
                merged[-1] = RefusalDelta(last.text + event.text)
            case ToolCallDelta() if isinstance(last, ToolCallDelta):
                merged[-1] = ToolCallDelta(last.arguments + event.arguments)
            case Finished():
                merged.append(Finished(_reason(event.reason, merged)))
            case _:
                merged.append(event)
    return merged


def _reason(reason: StopReason, events: list[ChatEvent]) -> StopReason:
    kinds = {type(event) for event in events}
    if reason in (StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL) and ToolCallStart not in kinds:
        return StopReason.MAX_TOKENS
    if reason is StopReason.REFUSAL and RefusalDelta not in kinds:
        return reason
    if ToolCallStart in kinds:
        return StopReason.TOOL_CALLS
    return StopReason.REFUSAL if RefusalDelta in kinds else StopReason.END_TURN


def through(events: Iterable[ChatEvent]) -> list[ChatEvent]:
    numbers = count()
    encoder = WIRE.event_encoder(AnswerContext(ChatRequest("m", ()), lambda prefix: f"{prefix}{next(numbers)}", 1))
    decoder = WIRE.event_decoder()
    frames = [*(frame for event in events for frame in encoder.feed(event)), *encoder.finish()]
    return [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]


@given(event_sequences())
def test_decoding_what_was_encoded_gives_the_same_answer(events: list[ChatEvent]) -> None:
    back = through(events)
    assert merged(back) == merged(events)
    usage = [event for event in events if isinstance(event, UsageReport)]
    told = usage[-1] if usage else UsageReport(Usage())
    if isinstance(events[-1], Finished):
        assert [event for event in back if isinstance(event, UsageReport)] == [told]


@given(event_sequences())
def test_signatures_come_back(events: list[ChatEvent]) -> None:
    if isinstance(events[-1], Failed):
        return
    signed = [event for event in events if isinstance(event, ThinkingSignature) and event != ThinkingSignature()]
    assert [event for event in through(events) if isinstance(event, ThinkingSignature)] == signed
