"""Answers on Ollama's wire, both ways, and its failures."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.strategies import event_sequences

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    DocumentPart,
    ErrorKind,
    Failed,
    Finished,
    FunctionTool,
    HostedTool,
    ImagePart,
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
    ToolReferencePart,
    ToolResultPart,
    Usage,
    UsageReport,
)
from agentlaunch.core.ndjson import NdjsonParser, encode_line
from agentlaunch.core.wire.base import CUT_OFF, AnswerContext, Frame, ProtocolError
from agentlaunch.core.wire.ollama_chat import OllamaChat
from agentlaunch.core.wire.ollama_chat.decode_events import OllamaDecoder
from agentlaunch.core.wire.ollama_chat.truncation import Expectation, estimate_prompt

WIRE = OllamaChat()
CONTEXT = AnswerContext(ChatRequest("m", ()), lambda prefix: f"{prefix}1", 1_764_000_000)
HEAD = {"model": "m", "created_at": "2026-08-21T18:48:22.123456789Z"}
STARTED = Started("", "m")
ROOMY = Expectation(100, 8192)


def line(done: bool = False, *, more: dict[str, object] | None = None, **message: object) -> Frame:
    body = {**HEAD, "message": {"role": "assistant", "content": "", **message}, "done": done, **(more or {})}
    return Frame(json.dumps(body).encode())


def done(reason: str = "stop", counted: int = 30, answered: int = 5) -> Frame:
    counts = {"prompt_eval_count": counted, "eval_count": answered}
    return line(True, more={"done_reason": reason, **{name: count for name, count in counts.items() if count}})


def call(arguments: object, **more: object) -> dict[str, object]:
    return {**more, "function": {"index": 0, "name": "f", "arguments": arguments}}


def decode(*frames: Frame, expectation: Expectation | None = None) -> list[ChatEvent]:
    decoder = OllamaDecoder(expectation)
    return [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]


def usage(counted: int = 30, answered: int = 5) -> UsageReport:
    return UsageReport(Usage(input_tokens=counted, output_tokens=answered))


# --- a server's answer -------------------------------------------------------------------------------------------


@pytest.mark.report("B007")
def test_thinking_text_and_whole_calls_become_events() -> None:
    frames = [
        line(thinking="hm"),
        line(content="Hel"),
        line(thinking="again"),
        line(tool_calls=[call({"b": 1, "a": [2]}, id="call_1"), call({}, id="call_1")]),
        done(),
    ]
    assert decode(*frames) == [
        STARTED,
        ThinkingDelta("hm"),
        TextDelta("Hel"),
        ThinkingDelta("again"),
        ToolCallStart("call_1", "f"),
        ToolCallDelta('{"b": 1, "a": [2]}'),
        ToolCallEnd(),
        ToolCallStart("call_20260821184822123456789_1", "f"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        usage(),
        Finished(StopReason.TOOL_CALLS),
    ]


@pytest.mark.parametrize(
    ("arguments", "text"), [({"a": 1}, '{"a": 1}'), ('{"a":1}', '{"a":1}'), ("", "{}"), (None, "{}")]
)
def test_arguments_in_any_form_become_text(arguments: object, text: str) -> None:
    events = decode(line(tool_calls=[call(arguments)]), done())
    assert events[1:4] == [ToolCallStart("call_20260821184822123456789_0", "f"), ToolCallDelta(text), ToolCallEnd()]


@pytest.mark.parametrize(
    ("reason", "counted", "expected"),
    [
        ("stop", 30, StopReason.END_TURN),
        ("unheard_of", 30, StopReason.END_TURN),
        ("length", 30, StopReason.MAX_TOKENS),
        ("length", 8187, StopReason.CONTEXT_FULL),
    ],
)
def test_a_done_reason_becomes_a_stop_reason(reason: str, counted: int, expected: StopReason) -> None:
    assert decode(done(reason, counted), expectation=ROOMY)[-1] == Finished(expected)


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        ((), Finished(StopReason.END_TURN)),
        (("</block>",), Finished(StopReason.STOP_SEQUENCE, "</block>")),
        (("</block>", "END"), Finished(StopReason.END_TURN)),
    ],
)
def test_an_end_is_told_as_the_one_stop_sequence_that_was_asked_for(stop: tuple[str, ...], expected: Finished) -> None:
    endpoint = Endpoint("ollama", "ollama_chat", "http://127.0.0.1:1", "m")
    wire = WIRE.for_call(endpoint, ChatRequest("m", (), stop=stop))
    decoder = wire.event_decoder()
    lines = [line(content="x"), done()]
    assert [event for each in lines for event in decoder.feed(each)][-1] == expected
    assert wire.decode_answer(done().data)[-1] == expected


def test_counts_that_are_left_out_are_estimated() -> None:
    assert decode(done(counted=0), expectation=ROOMY)[1] == usage(100)
    assert decode(done(counted=0, answered=0))[1:] == [Finished(StopReason.END_TURN)]


@pytest.mark.parametrize("data", [b'{"error":"boom"}', b'{"error":{"message":"boom"}}'])
def test_an_error_line_after_text_fails_the_answer(data: bytes) -> None:
    assert decode(line(content="Hel"), Frame(data), line(content="more")) == [
        STARTED,
        TextDelta("Hel"),
        Failed(ChatFault(ErrorKind.INTERNAL, "boom")),
    ]


@pytest.mark.report("B151")
def test_an_error_under_a_wrong_key_is_an_error() -> None:
    fault = ChatFault(ErrorKind.INTERNAL, 'error parsing tool call: "invalid character"')
    assert decode(Frame(b'{"error parsing tool call": "invalid character"}')) == [Started(), Failed(fault)]


def test_an_overflow_told_in_the_stream_is_an_overflow() -> None:
    last = decode(Frame(b'{"error":"the input length exceeds the context length"}'))[-1]
    assert isinstance(last, Failed)
    assert last.fault.kind is ErrorKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize("frames", [[], [line(content="Hel")]])
def test_a_stream_without_its_done_line_was_cut(frames: list[Frame]) -> None:
    assert decode(*frames)[-1] == Failed(CUT_OFF)


def test_nothing_follows_the_end() -> None:
    assert decode(done(), line(content="more"), done()) == [STARTED, usage(), Finished(StopReason.END_TURN)]


def test_lines_that_say_nothing_are_skipped() -> None:
    assert decode(Frame(b'{"x":1}'), Frame(b'{"message":null,"error":null}'), done())[-1] == Finished(
        StopReason.END_TURN
    )


@pytest.mark.parametrize("reason", ["load", "unload"])
def test_a_model_that_was_not_asked_is_a_failure_that_may_be_tried_again(reason: str) -> None:
    assert decode(done(reason), expectation=ROOMY) == [
        STARTED,
        Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream has loaded its model and answered nothing")),
    ]


@pytest.mark.parametrize("said", [{"content": "x"}, {"thinking": "x"}, {"tool_calls": [call({})]}])
def test_an_answer_that_has_said_something_ends_whatever_its_reason(said: dict[str, object]) -> None:
    assert isinstance(decode(line(**said), done("load"))[-1], Finished)


def test_a_call_that_a_later_line_repeats_is_told_once() -> None:
    twice = [line(tool_calls=[call({"p": 1}, id="c1")]), line(True, tool_calls=[call({"p": 1}, id="c1")])]
    assert [event for event in decode(*twice) if isinstance(event, ToolCallStart)] == [ToolCallStart("c1", "f")]
    others = [line(tool_calls=[call({"p": 1}), call({"p": 1})]), line(tool_calls=[call({"p": 2}, id="c1")]), done()]
    assert len([event for event in decode(*others) if isinstance(event, ToolCallStart)]) == 3


def test_a_call_whose_fields_stand_in_the_call_itself_is_read() -> None:
    flat = {"id": "c1", "name": "f", "arguments": {"p": 1}}
    assert decode(line(tool_calls=[flat]), done())[1:4] == [
        ToolCallStart("c1", "f"),
        ToolCallDelta('{"p": 1}'),
        ToolCallEnd(),
    ]


def test_a_call_without_its_function_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError, match=r"`message.tool_calls\[\].function` is missing"):
        decode(line(tool_calls=[{}]))


@given(st.binary(max_size=60))
@example(b'{"message":{"tool_calls":[{}]}}')
@example(b'{"done":"yes"}')
def test_junk_is_a_protocol_error_or_events_with_one_end(data: bytes) -> None:
    try:
        events = decode(Frame(data))
    except ProtocolError:
        return
    assert [isinstance(event, Finished | Failed) for event in events].index(True) == len(events) - 1


def test_a_whole_answer_is_the_same_events() -> None:
    body = line(True, more={"done_reason": "stop", "prompt_eval_count": 3}, content="Hi", thinking="hm").data
    assert WIRE.decode_answer(body) == [
        STARTED,
        ThinkingDelta("hm"),
        TextDelta("Hi"),
        UsageReport(Usage(input_tokens=3)),
        Finished(StopReason.END_TURN),
    ]
    assert WIRE.decode_answer(b'{"error":"boom"}')[-1] == Failed(ChatFault(ErrorKind.INTERNAL, "boom"))


# --- prompts that were cut without a word ------------------------------------------------------------------------


@pytest.mark.report("B165")
@pytest.mark.parametrize(
    ("expected_tokens", "counted", "is_cut"),
    [
        (9000, 4098, True),  # half the window and two, as the runner cuts
        (7000, 4098, True),
        (20_000, 8000, True),  # whole messages left out
        (7000, 6500, False),
        (9000, 8100, False),  # our estimate was too high
        (8192, 6000, False),
        (3000, 4098, False),  # half the window by chance: the prompt fits
        (9000, 0, False),
    ],
)
def test_a_cut_prompt_is_noticed_by_its_counts(expected_tokens: int, counted: int, is_cut: bool) -> None:
    events = decode(line(content="Hi"), done(counted=counted), expectation=Expectation(expected_tokens, 8192))
    if not is_cut:
        assert events[1] == TextDelta("Hi")
        assert events[-1] == Finished(StopReason.END_TURN)
        return
    tokens = max(expected_tokens, 8193)
    message = f"the prompt of about {expected_tokens} tokens was cut to fit the context of 8192"
    assert events == [STARTED, Failed(ChatFault(ErrorKind.CONTEXT_OVERFLOW, message, tokens, 8192))]


def test_only_an_answer_that_may_be_to_a_cut_prompt_is_held_back() -> None:
    def first_line(expectation: Expectation) -> list[ChatEvent]:
        return list(OllamaDecoder(expectation).feed(line(content="Hi")))

    assert first_line(Expectation(9000, 8192)) == [STARTED]
    assert first_line(Expectation(9000, 8192, "refused")) == [STARTED, TextDelta("Hi")]
    assert first_line(Expectation(3000, 8192)) == [STARTED, TextDelta("Hi")]


def test_what_was_held_back_is_told_before_a_failure() -> None:
    events = decode(line(content="Hi"), Frame(b'{"error":"boom"}'), expectation=Expectation(9000, 8192))
    assert events == [STARTED, TextDelta("Hi"), Failed(ChatFault(ErrorKind.INTERNAL, "boom"))]


def test_the_wire_of_a_call_expects_what_was_sent() -> None:
    wanted = ChatRequest("m", (Message(Role.USER, (TextPart("x" * 38_000),)),))
    endpoint = Endpoint("ollama", "ollama_chat", "http://127.0.0.1:1", "m", context_window=8192)
    decoder = WIRE.for_call(endpoint, wanted).event_decoder()
    last = [*decoder.feed(done(counted=4098))][-1]
    assert estimate_prompt(wanted) == 10_000
    assert isinstance(last, Failed)
    assert (last.fault.prompt_tokens, last.fault.context_window) == (10_000, 8192)


def test_everything_that_a_template_renders_counts() -> None:
    """Each piece is 38 characters long, 10 tokens by estimate; an image and a hosted tool count nothing."""
    ten = "x" * 38
    parts = (TextPart(ten), RefusalPart(ten), ThinkingPart(ten), DocumentPart(text=ten), ImagePart("image/png", ten))
    call = ToolCallPart("c", "f" * 8, "x" * 30)
    result = ToolResultPart("c", (TextPart(ten), ToolReferencePart(ten)))
    wanted = ChatRequest(
        "m",
        (Message(Role.USER, parts), Message(Role.ASSISTANT, (call,)), Message(Role.TOOL, (result,))),
        tools=(
            FunctionTool("f" * 4, "d" * 4, msgspec.Raw(b"{" + b" " * 28 + b"}")),
            CustomTool("p" * 8, "d" * 30),
            HostedTool("web_search", msgspec.Raw(b"{}")),
        ),
    )
    assert estimate_prompt(wanted) == 80


# --- failures ----------------------------------------------------------------------------------------------------

NESTED = {"error": {"code": 400, "message": "request (9000 tokens) exceeds the available context size (8192 tokens)",
                    "type": "exceed_context_size_error", "n_prompt_tokens": 9000, "n_ctx": 8192}}  # fmt: skip


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (400, "missing request body", ChatFault(ErrorKind.BAD_REQUEST, "missing request body")),
        (404, "model 'X' not found", ChatFault(ErrorKind.NOT_FOUND, "model 'X' not found")),
        (400, '"m" does not support thinking', ChatFault(ErrorKind.BAD_REQUEST, '"m" does not support thinking')),
        (400, "n does not support tools", ChatFault(ErrorKind.BAD_REQUEST, "n does not support tools")),
        (500, "n does not support tools", ChatFault(ErrorKind.BAD_REQUEST, "n does not support tools")),
        (
            503,
            "server busy, please try again.  maximum pending requests exceeded",
            ChatFault(
                ErrorKind.OVERLOADED,
                "server busy, please try again.  maximum pending requests exceeded",
                retry_after_s=2.0,
            ),
        ),
        (499, "request canceled", ChatFault(ErrorKind.UNAVAILABLE, "request canceled")),
        (403, "ollama cloud is disabled", ChatFault(ErrorKind.PERMISSION, "ollama cloud is disabled")),
        (
            500,
            "llama runner process has terminated",
            ChatFault(ErrorKind.INTERNAL, "llama runner process has terminated"),
        ),
        (
            400,
            "the input length exceeds the context length",
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "the input length exceeds the context length"),
        ),
        (400, json.dumps(NESTED), ChatFault(ErrorKind.CONTEXT_OVERFLOW, NESTED["error"]["message"], 9000, 8192)),  # type: ignore[arg-type]
        (503, "no room", ChatFault(ErrorKind.OVERLOADED, "no room")),
        (400, "{oops", ChatFault(ErrorKind.BAD_REQUEST, "{oops")),
        (
            500,
            "no user query found in messages",
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "no user query found in messages"),
        ),
    ],
)
def test_an_error_answer_is_read(status: int, error: str, expected: ChatFault) -> None:
    assert WIRE.decode_fault(status, {}, json.dumps({"error": error}).encode()) == expected


@pytest.mark.parametrize(
    ("fault", "status", "message"),
    [
        (ChatFault(ErrorKind.NOT_FOUND, "no"), 404, "no"),
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long", 9000, 8192),
            400,
            "input length 9000 exceeds the context length 8192",
        ),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long"), 400, "input length exceeds the context length"),
    ],
)
def test_an_error_answer_is_written(fault: ChatFault, status: int, message: str) -> None:
    reply = WIRE.encode_fault(fault)
    assert (reply.status, json.loads(reply.body)) == (status, {"error": message})


# --- an answer to a client ---------------------------------------------------------------------------------------


def encode(*events: ChatEvent) -> list[dict[str, object]]:
    encoder = WIRE.event_encoder(CONTEXT)
    frames = [*(frame for event in events for frame in encoder.feed(event)), *encoder.finish()]
    return [json.loads(frame.data) for frame in frames]


def test_events_become_lines() -> None:
    head = {"model": "m", "created_at": "2025-11-24T16:00:00Z"}
    function = {"name": "f", "arguments": {"a": 1}}
    events = [
        Started("x", "y"), ThinkingDelta("hm"), ThinkingSignature("s"), TextDelta("Hi"), RefusalDelta("no"), Ping(),
        ToolCallStart("c", "f"), ToolCallDelta('{"a"'), ToolCallDelta(":1}"), ToolCallEnd(),
        UsageReport(Usage(3, 0, 4)), Finished(StopReason.MAX_TOKENS),
    ]  # fmt: skip
    messages: list[dict[str, object]] = [
        {"content": "", "thinking": "hm"}, {"content": "Hi"}, {"content": "no"}, {"content": ""},
        {"content": "", "tool_calls": [{"id": "c", "function": function}]},
    ]  # fmt: skip
    last = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "length"}
    assert encode(*events) == [
        *({**head, "message": {"role": "assistant", **message}, "done": False} for message in messages),
        {**head, **last, "prompt_eval_count": 3, "eval_count": 4},
    ]


def test_a_custom_tools_text_becomes_an_object() -> None:
    written = encode(ToolCallStart("c", "patch", "custom"), ToolCallDelta("*** Begin"), ToolCallEnd())
    message = written[0]["message"]
    assert isinstance(message, dict)
    assert message["tool_calls"] == [{"id": "c", "function": {"name": "patch", "arguments": {"input": "*** Begin"}}}]


def test_a_failure_is_an_error_line_and_so_is_an_answer_that_nobody_finished() -> None:
    assert encode(Failed(ChatFault(ErrorKind.INTERNAL, "boom"))) == [{"error": "boom"}]
    assert encode(TextDelta("Hi"))[-1] == {"error": CUT_OFF.message}


def test_a_whole_answer_is_written() -> None:
    answer = Answer(
        (ThinkingPart("hm"), TextPart("Hi"), ToolCallPart("c", "f", '{"a":1}')),
        StopReason.TOOL_CALLS,
        usage=Usage(3, 0, 4),
    )
    assert json.loads(WIRE.encode_answer(answer, CONTEXT)) == {
        "model": "m",
        "created_at": "2025-11-24T16:00:00Z",
        "message": {
            "role": "assistant",
            "content": "Hi",
            "thinking": "hm",
            "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": {"a": 1}}}],
        },
        "done": True,
        "done_reason": "stop",
        "prompt_eval_count": 3,
        "eval_count": 4,
    }


@given(event_sequences(custom_tools=False, namespaces=False, signatures=False, refusals=False, pings=False))
def test_what_is_written_says_the_same_when_it_is_read(events: list[ChatEvent]) -> None:
    encoder = WIRE.event_encoder(CONTEXT)
    stream = b"".join(encode_line(frame) for event in events for frame in encoder.feed(event))
    again = decode(*NdjsonParser().feed(stream))
    said = (TextDelta, ThinkingDelta, ToolCallStart, ToolCallEnd)
    assert [e for e in again if isinstance(e, said)] == [e for e in events if isinstance(e, said)]
    assert type(again[-1]) is type(events[-1])
    calls = "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))
    if "{" not in calls:
        return
    assert msgspec.json.decode(
        b"[" + b",".join(e.arguments.encode() for e in again if isinstance(e, ToolCallDelta)) + b"]"
    )
