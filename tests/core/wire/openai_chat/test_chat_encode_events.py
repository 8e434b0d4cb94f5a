"""Events to a client's chunks, and finished answers to a body."""

from __future__ import annotations

import json

import pytest

from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    ImagePart,
    Part,
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
from agentlaunch.core.wire.base import AnswerContext, Frame
from agentlaunch.core.wire.openai_chat import OpenAIChat

Json = dict[str, object]
USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 90},
    "completion_tokens_details": {"reasoning_tokens": 5},
}


def context(*, include_usage: bool = True) -> AnswerContext:
    request = ChatRequest("the-model", (), stream=True, include_usage=include_usage)
    return AnswerContext(request, lambda prefix: prefix + "1", 1764000000)


def encoded(*events: ChatEvent, include_usage: bool = True) -> list[Frame]:
    encoder = OpenAIChat().event_encoder(context(include_usage=include_usage))
    frames = [frame for event in events for frame in encoder.feed(event)]
    return [*frames, *encoder.finish()]


def chunks(frames: list[Frame]) -> list[Json | str]:
    return [json.loads(frame.data) if frame.data != b"[DONE]" else "[DONE]" for frame in frames]


def expected(delta: Json, finish: str | None = None) -> Json:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1764000000,
        "model": "the-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


ROLE = expected({"role": "assistant", "content": ""})


def test_an_answer_has_a_role_its_deltas_a_finish_reason_usage_and_done() -> None:
    frames = encoded(
        Started("upstream-id", "upstream-model"),
        Ping(),
        ThinkingDelta("hm"),
        ThinkingSignature("opaque"),
        TextDelta('hi "you"\n🙂'),
        RefusalDelta("no"),
        UsageReport(Usage(1)),
        UsageReport(Usage(100, 90, 20, 5)),
        Finished(StopReason.END_TURN),
    )
    assert chunks(frames) == [
        ROLE,
        expected({}),
        expected({"reasoning_content": "hm"}),
        expected({"content": 'hi "you"\n🙂'}),
        expected({"refusal": "no"}),
        expected({}, "stop"),
        {**expected({}), "choices": [], "usage": USAGE},
        "[DONE]",
    ]


@pytest.mark.report("B001")
def test_each_call_starts_with_index_id_type_and_name() -> None:
    frames = encoded(
        Started(),
        ToolCallStart("c1", "read"),
        ToolCallDelta('{"a"'),
        ToolCallDelta(":1}"),
        ToolCallEnd(),
        ToolCallStart("c2", "patch", "custom"),
        ToolCallDelta("*** Begin"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    )
    function = {"name": "read", "arguments": ""}
    custom = {"name": "patch", "input": ""}
    assert chunks(frames) == [
        ROLE,
        expected({"tool_calls": [{"index": 0, "id": "c1", "type": "function", "function": function}]}),
        expected({"tool_calls": [{"index": 0, "function": {"arguments": '{"a"'}}]}),
        expected({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
        expected({"tool_calls": [{"index": 1, "id": "c2", "type": "custom", "custom": custom}]}),
        expected({"tool_calls": [{"index": 1, "custom": {"input": "*** Begin"}}]}),
        expected({}, "tool_calls"),
        "[DONE]",
    ]


def test_usage_is_not_sent_to_a_client_that_did_not_ask() -> None:
    frames = encoded(Started(), UsageReport(Usage(1)), Finished(StopReason.END_TURN), include_usage=False)
    assert chunks(frames) == [ROLE, expected({}, "stop"), "[DONE]"]


@pytest.mark.parametrize(
    ("reason", "word"),
    [
        (StopReason.END_TURN, "stop"),
        (StopReason.STOP_SEQUENCE, "stop"),
        (StopReason.MAX_TOKENS, "length"),
        (StopReason.CONTEXT_FULL, "length"),
        (StopReason.TOOL_CALLS, "tool_calls"),
        (StopReason.REFUSAL, "content_filter"),
    ],
)
def test_every_reason_has_a_finish_reason(reason: StopReason, word: str) -> None:
    assert chunks(encoded(Started(), Finished(reason)))[1:] == [expected({}, word), "[DONE]"]


@pytest.mark.report("B007")
def test_calls_that_end_with_end_turn_are_told_as_tool_calls() -> None:
    frames = encoded(Started(), ToolCallStart("c1", "f"), ToolCallEnd(), Finished(StopReason.END_TURN))
    assert chunks(frames)[-2] == expected({}, "tool_calls")


@pytest.mark.report("B008")
def test_a_failure_ends_the_stream_with_an_error_and_nothing_after_it() -> None:
    frames = encoded(Started(), TextDelta("x"), Failed(ChatFault(ErrorKind.OVERLOADED, "busy")))
    error = {"message": "busy", "type": "server_error", "param": None, "code": "overloaded"}
    assert chunks(frames) == [ROLE, expected({"content": "x"}), {"error": error}]


def test_a_stream_that_nobody_finished_ends_with_an_error() -> None:
    error = {
        "message": "the upstream's stream ended before its answer was whole",
        "type": "server_error",
        "param": None,
        "code": "upstream_unavailable",
    }
    assert chunks(encoded(Started(), TextDelta("x"))) == [ROLE, expected({"content": "x"}), {"error": error}]


def body(*parts: Part, reason: StopReason = StopReason.END_TURN) -> Json:
    answer = Answer(parts, reason, usage=Usage(100, 90, 20, 5))
    decoded: Json = json.loads(OpenAIChat().encode_answer(answer, context()))
    return decoded


def test_a_whole_answer_is_one_chat_completion() -> None:
    calls = (ToolCallPart("c1", "f", "{}"), ToolCallPart("c2", "patch", "***", "custom"))
    message = {
        "role": "assistant",
        "content": "ab",
        "reasoning_content": "hm",
        "refusal": "no",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "c2", "type": "custom", "custom": {"name": "patch", "input": "***"}},
        ],
    }
    parts = (ThinkingPart("hm", "opaque"), TextPart("a"), RefusalPart("no"), TextPart("b"), *calls)
    assert body(*parts, reason=StopReason.TOOL_CALLS) == {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1764000000,
        "model": "the-model",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}],
        "usage": USAGE,
    }


def test_a_part_that_no_answer_holds_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="ImagePart"):
        body(ImagePart("image/png", "AAAA"))


@pytest.mark.parametrize(
    ("parts", "content"),
    [((), ""), ((ToolCallPart("c", "f", "{}"),), None), ((ThinkingPart("hm"),), ""), ((RefusalPart("no"),), None)],
)
def test_content_is_null_only_beside_calls_or_a_refusal(parts: tuple[Part, ...], content: str | None) -> None:
    choices = body(*parts)["choices"]
    assert isinstance(choices, list)
    assert choices[0]["message"]["content"] == content
