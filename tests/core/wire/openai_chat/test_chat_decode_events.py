"""Upstream chunks to events, as llama.cpp, vLLM, Ollama, LM Studio, OpenRouter and Mistral send them."""

from __future__ import annotations

import json
import re
from itertools import pairwise

import pytest
from hypothesis import example, given
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
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.sse import SseParser, encode_frame
from agentlaunch.core.wire.base import AnswerContext, Frame, ProtocolError
from agentlaunch.core.wire.openai_chat import OpenAIChat

Json = dict[str, object]
MID_ANSWER = Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's stream ended before its answer was whole"))


def chunk(delta: Json | None = None, finish: str | None = None, **extra: object) -> Json:
    choice: Json = {"index": 0, "delta": delta or {}, "finish_reason": finish}
    return {"id": "r1", "model": "m", "created": 7, "object": "chat.completion.chunk", "choices": [choice], **extra}


def call(arguments: object = "", *, id: object = None, name: str | None = None, index: int | None = None) -> Json:  # noqa: A002
    """A `tool_calls` element; what is None is left out."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {key: value for key, value in (("index", index), ("id", id), ("function", function)) if value is not None}


def calls(*elements: Json) -> Json:
    return chunk({"tool_calls": list(elements)})


def decoded(*chunks: Json, done: bool = True) -> list[ChatEvent]:
    decoder = OpenAIChat().event_decoder()
    frames = [Frame(json.dumps(data).encode()) for data in chunks] + ([Frame(b"[DONE]")] if done else [])
    events = [event for frame in frames for event in decoder.feed(frame)]
    return [*events, *decoder.finish()]


def whole_call(id_: str, name: str, *arguments: str) -> list[ChatEvent]:
    return [ToolCallStart(id_, name), *map(ToolCallDelta, arguments), ToolCallEnd()]


STARTED = Started("r1", "m")
END = Finished(StopReason.END_TURN)
CALLED = Finished(StopReason.TOOL_CALLS)


def test_a_role_chunk_with_empty_content_says_nothing() -> None:
    chunks = [chunk({"role": "assistant", "content": ""}), chunk({"content": None}), chunk({"content": "hi"}, "stop")]
    assert decoded(*chunks) == [STARTED, TextDelta("hi"), END]


@pytest.mark.report("B006")
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_comes_before_text_under_either_name(name: str) -> None:
    chunks = [chunk({"role": "assistant", "content": ""}), chunk({name: "hm"}), chunk({"content": "hi"}, "stop")]
    assert decoded(*chunks) == [STARTED, ThinkingDelta("hm"), TextDelta("hi"), END]


def test_reasoning_under_both_names_is_told_once() -> None:
    assert decoded(chunk({"reasoning": "hm", "reasoning_content": "hm"}, "stop")) == [STARTED, ThinkingDelta("hm"), END]


def test_content_arrays_of_mistral_hold_reasoning_and_text() -> None:
    content = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "hi"}]
    assert decoded(chunk({"content": content}, "stop")) == [STARTED, ThinkingDelta("hm"), TextDelta("hi"), END]


def test_content_arrays_may_hold_plain_reasoning_and_refusals() -> None:
    content = [{"type": "thinking", "thinking": "hm"}, {"type": "thinking", "thinking": [{"text": ""}]}]
    refusal = [{"type": "refusal", "refusal": "no"}]
    chunks = [chunk({"content": content}), chunk({"content": refusal}, "stop")]
    assert decoded(*chunks) == [STARTED, ThinkingDelta("hm"), RefusalDelta("no"), END]


def test_a_custom_tool_s_call_is_free_text() -> None:
    first = {"index": 0, "id": "c1", "type": "custom", "custom": {"name": "patch", "input": ""}}
    more = {"index": 0, "custom": {"input": "*** Begin"}}
    expected = [ToolCallStart("c1", "patch", "custom"), ToolCallDelta("*** Begin"), ToolCallEnd()]
    assert decoded(calls(first), calls(more)) == [STARTED, *expected, CALLED]


def test_a_refusal_is_its_own_event() -> None:
    assert decoded(chunk({"refusal": "no"}, "stop")) == [STARTED, RefusalDelta("no"), END]


@pytest.mark.parametrize(
    ("finish", "expected"),
    [
        ("stop", StopReason.END_TURN),
        ("length", StopReason.MAX_TOKENS),
        ("content_filter", StopReason.REFUSAL),
        ("tool_calls", StopReason.END_TURN),  # without a call: else agents ask once more (facts/agents.md 4.2)
        ("eos", StopReason.END_TURN),
        ("STOP", StopReason.END_TURN),
        ("MAX_TOKENS", StopReason.MAX_TOKENS),
        ("sensitive", StopReason.REFUSAL),
        ("model_context_window_exceeded", StopReason.CONTEXT_FULL),
    ],
)
def test_a_finish_reason_is_mapped(finish: str, expected: StopReason) -> None:
    assert decoded(chunk({"content": "x"}, finish)) == [STARTED, TextDelta("x"), Finished(expected)]


def test_the_stop_string_that_vllm_names_is_kept() -> None:
    data = chunk({"content": "x"})
    last = {"id": "r1", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": "END"}]}
    assert decoded(data, last) == [STARTED, TextDelta("x"), Finished(StopReason.STOP_SEQUENCE, "END")]


@pytest.mark.parametrize("finish", ["error", "abort", "network_error", "insufficient_system_resource"])
def test_an_answer_that_the_server_gave_up_fails(finish: str) -> None:
    fault = ChatFault(ErrorKind.UNAVAILABLE, f"the upstream gave up its answer (finish_reason `{finish}`)")
    assert decoded(chunk({"content": "x"}, finish)) == [STARTED, TextDelta("x"), Failed(fault)]


@pytest.mark.parametrize("finish", ["MALFORMED_FUNCTION_CALL", "function_call_filter: MALFORMED_FUNCTION_CALL"])
def test_a_call_that_the_server_could_not_read_is_a_failure_where_nothing_else_was_said(finish: str) -> None:
    fault = ChatFault(ErrorKind.UNAVAILABLE, f"the upstream gave up its answer (finish_reason `{finish}`)")
    assert decoded(chunk({"content": ""}, finish)) == [STARTED, Failed(fault)]
    assert decoded(chunk({"content": "x"}, finish)) == [STARTED, TextDelta("x"), END]


# --- the end -----------------------------------------------------------------------------------------------------


def test_a_finish_reason_without_done_is_an_end() -> None:
    assert decoded(chunk({"content": "x"}, "stop"), done=False) == [STARTED, TextDelta("x"), END]


def test_done_without_a_finish_reason_is_an_end() -> None:
    assert decoded(chunk({"content": "x"})) == [STARTED, TextDelta("x"), END]


def test_neither_is_a_failure_that_may_be_tried_again() -> None:
    assert decoded(chunk({"content": "x"}), done=False) == [STARTED, TextDelta("x"), MID_ANSWER]


@pytest.mark.parametrize(
    ("said", "end"), [({"content": "x"}, END), ({"tool_calls": [call("{}", id="a", name="A")]}, CALLED)]
)
def test_the_answer_s_counts_in_a_chunk_of_their_own_are_an_end(said: Json, end: Finished) -> None:
    counts = {"id": "r1", "choices": [], "usage": USAGE}
    assert decoded(chunk(said), counts, done=False)[-2:] == [REPORT, end]


@pytest.mark.parametrize(
    "chunks",
    [
        [{"id": "r1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}],
        [chunk({"content": "x"}), {"id": "r1", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 0}}],
        [
            chunk({"content": "x"}),
            {"id": "r1", "choices": [], "usage": {"completion_tokens": 1}},
            chunk({"content": "y"}),
        ],
        [chunk({"content": "x"}, usage={"prompt_tokens": 1, "completion_tokens": 1})],
    ],
)
def test_counts_before_the_answer_or_within_it_are_no_end(chunks: list[Json]) -> None:
    assert decoded(*chunks, done=False)[-1] == MID_ANSWER


def test_an_empty_stream_is_a_failure() -> None:
    assert decoded(done=False) == [Started(), MID_ANSWER]


def test_a_call_that_the_stream_cut_off_is_closed_before_the_failure() -> None:
    events = decoded(calls(call('{"a', id="c1", name="f", index=0)), done=False)
    assert events == [STARTED, *whole_call("c1", "f", '{"a'), MID_ANSWER]


def test_what_follows_the_end_is_ignored() -> None:
    decoder = OpenAIChat().event_decoder()
    frames = [Frame(b"[DONE]"), Frame(b"junk"), Frame(json.dumps(chunk({"content": "x"})).encode())]
    assert [event for frame in frames for event in decoder.feed(frame)] == [Started(), END]


# --- usage -------------------------------------------------------------------------------------------------------

USAGE = {
    "prompt_tokens": 100,
    "completion_tokens": 20,
    "total_tokens": 120,
    "prompt_tokens_details": {"cached_tokens": 90},
    "completion_tokens_details": {"reasoning_tokens": 5},
}
REPORT = UsageReport(Usage(100, 90, 20, 5))


def test_usage_in_a_chunk_without_choices_comes_before_the_end() -> None:
    last = {"id": "r1", "choices": [], "usage": USAGE}
    assert decoded(chunk({"content": "x"}), chunk({}, "stop"), last) == [STARTED, TextDelta("x"), REPORT, END]


def test_usage_in_every_chunk_is_reported_once() -> None:
    chunks = [chunk({"content": "x"}, usage={"prompt_tokens": 1}), chunk({}, "stop", usage=USAGE)]
    assert decoded(*chunks) == [STARTED, TextDelta("x"), REPORT, END]


@pytest.mark.parametrize("zeros", [{"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, {}])
def test_counts_of_nothing_take_no_counts_back(zeros: Json) -> None:
    last = {"id": "r1", "choices": [], "usage": zeros}
    assert decoded(chunk({"content": "x"}, "stop", usage=USAGE), last) == [STARTED, TextDelta("x"), REPORT, END]
    assert decoded(chunk({"content": "x"}, usage=zeros), chunk({}, "stop", usage=USAGE))[-2:] == [REPORT, END]


@pytest.mark.parametrize(
    ("extra", "usage"),
    [
        pytest.param(
            {"timings": {"prompt_n": 10, "cache_n": 90, "predicted_n": 20, "prompt_ms": 1.5}},
            Usage(100, 90, 20),
            id="llama.cpp's timings alone",
        ),
        pytest.param(
            {"usage": {"prompt_tokens": 100, "completion_tokens": 20}, "timings": {"prompt_n": 10, "cache_n": 90}},
            Usage(100, 90, 20),
            id="llama.cpp's usage, cached tokens from its timings",
        ),
        pytest.param(
            {"usage": {"prompt_tokens": 100, "completion_tokens": 20, "prompt_cache_hit_tokens": 64}},
            Usage(100, 64, 20),
            id="DeepSeek",
        ),
        pytest.param(
            {"usage": {"input_tokens": 100, "output_tokens": 20}}, Usage(100, 0, 20), id="the other vendors' words"
        ),
        pytest.param(
            {"choices": [{"delta": {"content": "x"}, "finish_reason": "stop", "usage": {"prompt_tokens": 100}}]},
            Usage(100),
            id="Moonshot's place",
        ),
        pytest.param(
            {"usage": {"prompt_tokens": 100, "completion_tokens": None, "prompt_tokens_details": None}},
            Usage(100),
            id="vLLM's nulls",
        ),
    ],
)
def test_usage_is_read_in_each_server_s_form(extra: Json, usage: Usage) -> None:
    assert decoded(chunk({"content": "x"}, "stop", **extra)) == [STARTED, TextDelta("x"), UsageReport(usage), END]


def test_prefill_progress_is_a_sign_of_life() -> None:
    progress = chunk({"role": "assistant"}, prompt_progress={"total": 100, "processed": 50})
    assert decoded(progress, chunk({"content": "x"}, "stop")) == [STARTED, Ping(), TextDelta("x"), END]


# --- calls -------------------------------------------------------------------------------------------------------


def test_a_call_in_pieces_is_told_as_it_comes() -> None:
    chunks = [calls(call("", id="c1", name="f", index=0)), calls(call('{"a"', index=0)), calls(call(":1}", index=0))]
    assert decoded(*chunks, chunk({}, "tool_calls")) == [STARTED, *whole_call("c1", "f", '{"a"', ":1}"), CALLED]


@pytest.mark.report("B001")
@pytest.mark.parametrize(
    ("id_", "expected"), [(None, "call_r1_0"), ("", "call_r1_0"), (12, "12"), ("c1", "c1")], ids=repr
)
def test_a_call_has_a_string_id_whatever_the_upstream_sends(id_: object, expected: str) -> None:
    first = call("", name="read", index=0) if id_ is None else call("", id=id_, name="read", index=0)
    assert decoded(calls(first), calls(call("{}", index=0))) == [STARTED, *whole_call(expected, "read", "{}"), CALLED]


@pytest.mark.report("B001")
def test_an_id_that_comes_late_is_the_call_s_id() -> None:
    chunks = [calls(call("", name="read", index=0)), calls(call("", id="late", index=0)), calls(call("{}", index=0))]
    assert decoded(*chunks) == [STARTED, *whole_call("late", "read", "{}"), CALLED]


@pytest.mark.report("B001")
def test_an_id_that_comes_after_the_first_argument_is_too_late_and_changes_nothing() -> None:
    chunks = [calls(call('{"a"', name="read", index=0)), calls(call(":1}", id="late", index=0))]
    assert decoded(*chunks) == [STARTED, *whole_call("call_r1_0", "read", '{"a"', ":1}"), CALLED]


def test_ids_made_without_a_response_id_take_its_time() -> None:
    data = {**calls(call("{}", name="read", index=0)), "id": ""}
    assert decoded(data) == [Started("", "m"), *whole_call("call_7_0", "read", "{}"), CALLED]


def test_an_id_given_to_two_calls_is_replaced_for_the_second() -> None:
    chunks = [calls(call("{}", id="same", name="a", index=0)), calls(call("{}", id="same", name="b", index=1))]
    expected = [STARTED, *whole_call("same", "a", "{}"), *whole_call("call_r1_1", "b", "{}"), CALLED]
    assert decoded(*chunks) == expected


@pytest.mark.parametrize(
    "names",
    [("read_file", ""), ("read", "_file"), ("read_file", "read_file"), ("read", "read_file"), ("", "read_file")],
)
def test_a_name_is_put_together_from_what_servers_send(names: tuple[str, str]) -> None:
    chunks = [calls(call("", id="c1", name=names[0], index=0)), calls(call("", name=names[1], index=0))]
    assert decoded(*chunks, calls(call("{}", index=0))) == [STARTED, *whole_call("c1", "read_file", "{}"), CALLED]


def test_arguments_that_come_before_the_name_wait_for_it() -> None:
    chunks = [calls(call('{"a"', id="c1", index=0)), calls(call(":1}", name="f", index=0))]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f", '{"a"', ":1}"), CALLED]


def test_a_call_that_never_gets_a_name_is_told_as_unknown() -> None:
    assert decoded(calls(call("{}", id="c1", index=0))) == [STARTED, *whole_call("c1", "unknown", "{}"), CALLED]


def test_an_empty_call_is_no_call() -> None:
    assert decoded(calls({"index": 0}), chunk({"content": "x"}, "stop")) == [STARTED, TextDelta("x"), END]


@pytest.mark.report("B007")
def test_arguments_as_an_object_and_finish_reason_stop_are_a_call() -> None:
    chunks = [calls(call({"city": "Paris"}, id="c1", name="weather", index=0)), chunk({}, "stop")]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "weather", '{"city": "Paris"}'), CALLED]


@pytest.mark.report("B028")
def test_a_new_id_on_a_used_index_is_a_new_call() -> None:
    chunks = [
        calls(call('{"p":"hello.py"}', id="c1", name="write", index=0)),
        calls(call('{"p":"world.py"}', id="c2", name="write", index=0)),
    ]
    expected = [*whole_call("c1", "write", '{"p":"hello.py"}'), *whole_call("c2", "write", '{"p":"world.py"}')]
    assert decoded(*chunks) == [STARTED, *expected, CALLED]


@pytest.mark.report("B028")
def test_a_new_name_after_whole_arguments_on_a_used_index_is_a_new_call() -> None:
    chunks = [calls(call('{"p":1}', name="write", index=0)), calls(call('{"p":2}', name="write", index=0))]
    expected = [*whole_call("call_r1_0", "write", '{"p":1}'), *whole_call("call_r1_1", "write", '{"p":2}')]
    assert decoded(*chunks) == [STARTED, *expected, CALLED]


def test_a_name_repeated_with_every_piece_is_one_call() -> None:
    chunks = [calls(call(piece, id="c1", name="f", index=0)) for piece in ('{"a"', ":1}", "")]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f", '{"a"', ":1}"), CALLED]


@pytest.mark.report("B031")
def test_pieces_without_index_and_id_belong_to_the_open_call() -> None:
    chunks = [calls(call("", id="c1", name="shell")), calls(call("{\n")), calls(call("}"))]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "shell", "{\n", "}"), CALLED]


@pytest.mark.report("B057")
def test_several_calls_in_one_chunk_without_index_stay_apart() -> None:
    data = calls(call('{"path":"a.rs"}', name="read"), call('{"path":"b.rs"}', name="read"))
    expected = [
        *whole_call("call_r1_0", "read", '{"path":"a.rs"}'),
        *whole_call("call_r1_1", "read", '{"path":"b.rs"}'),
    ]
    assert decoded(data) == [STARTED, *expected, CALLED]


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param(
            [call("", id="a", name="A", index=0), call('{"x":', id="b", index=0), call("1}", id="b", index=0)]
        ),
        pytest.param([call('{"x":', id="a", name="A", index=0), call("1}", id="b", index=0)]),
        pytest.param([call('{"x":', id="a", name="A", index=0), call("1}", id="b", name="A", index=0)]),
        pytest.param([call('{"x":', id="a", name="A", index=0), call("1}", index=1)]),
        pytest.param([{"index": 0, "id": "a", "name": "A", "arguments": '{"x":'}, {"index": 0, "arguments": "1}"}]),
    ],
)
def test_a_piece_that_can_only_be_more_of_a_call_is(pieces: list[Json]) -> None:
    told = decoded(*map(calls, pieces), chunk({}, "tool_calls"))
    arguments = "".join(event.arguments for event in told if isinstance(event, ToolCallDelta))
    starts = [event for event in told if isinstance(event, ToolCallStart)]
    assert (starts, arguments, told[-1]) == ([ToolCallStart("a", "A")], '{"x":1}', CALLED)


@pytest.mark.parametrize(
    "second",
    [
        call('{"y":2}', id="b", index=0),
        call('{"y":2}', index=1),
        call("2}", id="b", name="B", index=0),
        call("2}", id="b", name="B", index=1),
    ],
)
def test_a_piece_that_may_be_another_call_is_one(second: Json) -> None:
    told = decoded(calls(call('{"x":', id="a", name="A", index=0)), calls(second), chunk({}, "tool_calls"))
    assert len([event for event in told if isinstance(event, ToolCallStart)]) == 2


@pytest.mark.parametrize("arguments", ['{"x":', '{"x":1}'])
def test_a_piece_that_says_nothing_under_another_id_is_no_call(arguments: str) -> None:
    told = decoded(calls(call(arguments, id="a", name="A", index=0)), calls(call("", id="b", index=0)), done=True)
    assert [event.id for event in told if isinstance(event, ToolCallStart)] == ["a"]


def test_a_name_without_arguments_under_another_id_begins_a_call() -> None:
    pieces = [call('{"x":', id="a", name="A", index=0), call("", id="b", name="A", index=0), call("{}", index=0)]
    told = decoded(*map(calls, pieces))
    assert [event.id for event in told if isinstance(event, ToolCallStart)] == ["a", "b"]


def test_a_notice_of_another_type_is_no_error() -> None:
    notice = {"type": "status", "message": "loading the model"}
    assert decoded(notice, chunk({"content": "x"}, "stop"))[1:] == [TextDelta("x"), END]


def test_a_piece_of_a_custom_tool_s_call_with_another_id_is_another_call() -> None:
    pieces = [{"index": 0, "id": id_, "custom": {"name": "p", "input": "x"}} for id_ in ("a", "b")]
    told = decoded(*map(calls, pieces), chunk({}, "tool_calls"))
    assert [event.id for event in told if isinstance(event, ToolCallStart)] == ["a", "b"]


def test_interleaved_calls_are_told_one_after_the_other() -> None:
    chunks = [
        calls(call('{"a"', id="c1", name="f", index=0), call('{"b"', id="c2", name="g", index=1)),
        calls(call(":2", index=1), call(":1", index=0)),
        calls(call("}", index=0), call("}", index=1)),
    ]
    first = whole_call("c1", "f", '{"a"', ":1", "}")
    assert decoded(*chunks) == [STARTED, *first, *whole_call("c2", "g", '{"b"', ":2", "}"), CALLED]


def test_a_second_call_is_told_as_it_comes_once_the_first_is_whole() -> None:
    decoder = OpenAIChat().event_decoder()
    chunks = [calls(call("{}", id="c1", name="f", index=0)), calls(call('{"b', id="c2", name="g", index=1))]
    events = [event for data in chunks for event in decoder.feed(Frame(json.dumps(data).encode()))]
    assert events == [STARTED, *whole_call("c1", "f", "{}"), ToolCallStart("c2", "g"), ToolCallDelta('{"b')]


def test_text_amid_a_call_waits_until_it_has_ended() -> None:
    chunks = [calls(call('{"a"', id="c1", name="f", index=0)), chunk({"content": "x"}), calls(call(":1}", index=0))]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f", '{"a"', ":1}"), TextDelta("x"), CALLED]


def test_a_call_that_was_cut_off_by_length_ends_with_max_tokens() -> None:
    chunks = [calls(call('{"a', id="c1", name="f", index=0)), chunk({}, "length")]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f", '{"a'), Finished(StopReason.MAX_TOKENS)]


def test_whole_calls_cut_off_after_them_still_run() -> None:
    assert decoded(calls(call("{}", id="c1", name="f", index=0)), chunk({}, "length"))[-1] == CALLED


def test_a_call_without_arguments_has_none() -> None:
    assert decoded(calls(call("", id="c1", name="f", index=0)), chunk({}, "tool_calls")) == [
        STARTED,
        *whole_call("c1", "f"),
        CALLED,
    ]


def test_the_old_function_call_is_a_call() -> None:
    chunks = [chunk({"function_call": {"name": "f", "arguments": ""}}), chunk({"function_call": {"arguments": "{}"}})]
    assert decoded(*chunks, chunk({}, "function_call")) == [STARTED, *whole_call("call_r1_0", "f", "{}"), CALLED]


def test_text_behind_a_call_that_never_ends_is_told_behind_it() -> None:
    chunks = [calls(call('{"a"', id="c1", name="f", index=0)), chunk({"content": "x"}, "stop")]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f", '{"a"'), TextDelta("x"), CALLED]


def test_a_call_without_an_index_is_known_by_its_id() -> None:
    chunks = [
        calls(call('{"a"', id="c1", name="f"), call('{"b"', id="c2", name="g")),
        calls(call(":1}", id="c1"), call(":2}", id="c2")),
    ]
    first = whole_call("c1", "f", '{"a"', ":1}")
    assert decoded(*chunks) == [STARTED, *first, *whole_call("c2", "g", '{"b"', ":2}"), CALLED]


@pytest.mark.parametrize("function", [{"name": "f"}, {"name": "f", "arguments": None}])
def test_arguments_that_are_left_out_or_null_are_none(function: Json) -> None:
    chunks = [calls({"index": 0, "id": "c1", "function": function})]
    assert decoded(*chunks) == [STARTED, *whole_call("c1", "f"), CALLED]


def test_arguments_that_are_an_object_are_its_text() -> None:
    assert decoded(calls(call({"a": 1}, id="c1", name="f"))) == [STARTED, *whole_call("c1", "f", '{"a": 1}'), CALLED]


def test_a_choice_may_hold_the_reason_alone() -> None:
    last = chunk()
    last["choices"] = [{"index": 0, "finish_reason": "stop"}]
    assert decoded(chunk({"content": "x"}), last) == [STARTED, TextDelta("x"), END]


def test_a_choice_is_the_answer_whatever_its_index_is() -> None:
    chunks = [{**chunk(), "choices": [{"index": 197 + place, "delta": {"content": "x"}}]} for place in range(2)]
    assert decoded(*chunks, chunk({}, "stop")) == [STARTED, TextDelta("x"), TextDelta("x"), END]


def test_only_the_first_choice_is_read() -> None:
    second = {"index": 1, "delta": {"content": "other"}, "finish_reason": None}
    data = chunk({"content": "x"}, "stop")
    data["choices"] = [*data["choices"], second]  # type: ignore[misc]
    assert decoded(data) == [STARTED, TextDelta("x"), END]


# --- errors in the stream ----------------------------------------------------------------------------------------


@pytest.mark.report("B008")
@pytest.mark.parametrize(
    ("data", "fault"),
    [
        ({"error": {"message": "queue full", "code": 429}}, ChatFault(ErrorKind.RATE_LIMITED, "queue full")),
        ({"error": {"message": "down", "code": "502"}}, ChatFault(ErrorKind.UNAVAILABLE, "down")),
        ({"error": "it broke"}, ChatFault(ErrorKind.INTERNAL, "it broke")),
        ({"object": "error", "message": "bad", "code": 400}, ChatFault(ErrorKind.BAD_REQUEST, "bad")),
        ({"detail": "it broke"}, ChatFault(ErrorKind.INTERNAL, "it broke")),
        (
            {"error": {"code": 400, "message": "too big", "type": "exceed_context_size_error", "n_ctx": 8}},
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too big", None, 8),
        ),
        ({**chunk({}, "error"), "error": {"code": 503, "message": "x"}}, ChatFault(ErrorKind.UNAVAILABLE, "x")),
    ],
)
def test_an_error_inside_the_stream_is_its_end(data: Json, fault: ChatFault) -> None:
    assert decoded(chunk({"content": "x"}), data) == [STARTED, TextDelta("x"), Failed(fault)]


@pytest.mark.report("B008")
def test_an_error_event_is_an_error_whatever_its_data_looks_like() -> None:
    decoder = OpenAIChat().event_decoder()
    events = list(decoder.feed(Frame(b'{"code":500,"message":"it broke"}', "error")))
    assert events == [Started(), Failed(ChatFault(ErrorKind.INTERNAL, "it broke"))]


def test_error_null_is_no_error() -> None:
    assert decoded(chunk({"content": "x"}, "stop", error=None)) == [STARTED, TextDelta("x"), END]


@pytest.mark.parametrize("nothing", ["", False, {}, []])
def test_an_error_that_says_nothing_is_none(nothing: object) -> None:
    assert decoded(chunk({"content": "x"}, "stop", error=nothing)) == [STARTED, TextDelta("x"), END]


@pytest.mark.parametrize(
    "body",
    [
        {"code": 500, "message": "boom"},
        {"message": "boom", "type": "server_error", "param": "", "code": "oops"},
        {"error_code": 336, "error_msg": "boom"},
        {"errors": [{"message": "boom"}]},
        {"choices": None, "base_resp": {"status_code": 1008, "status_msg": "boom"}},
    ],
)
def test_a_document_that_is_nothing_but_an_error_is_one_under_every_name(body: Json) -> None:
    assert decoded(body) == [Started(), Failed(ChatFault(ErrorKind.INTERNAL, "boom"))]


def test_an_error_inside_the_choice_is_told_in_its_words() -> None:
    choice = {"delta": {"content": ""}, "finish_reason": "error", "error": {"code": 502, "message": "it died"}}
    assert decoded({"choices": [choice]}) == [Started(), Failed(ChatFault(ErrorKind.UNAVAILABLE, "it died"))]


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_text": "hm"},
        {"thinking": "hm"},
        {"reasoning_content": [{"type": "text", "text": "h"}, "m"]},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
        {"reasoning_details": [{"type": "reasoning.summary", "summary": "hm"}, {"type": "reasoning.encrypted"}]},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}]},
    ],
)
def test_reasoning_is_told_once_under_each_of_its_names(delta: Json) -> None:
    assert decoded(chunk(delta), chunk({"content": "x"}, "stop")) == [STARTED, ThinkingDelta("hm"), TextDelta("x"), END]


def test_the_text_of_a_completion_is_the_answer() -> None:
    chunks = [{"choices": [{"text": "x"}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}]
    assert decoded(*chunks) == [Started(), TextDelta("x"), END]


def test_a_whole_message_beside_the_deltas_is_told_only_where_they_have_said_nothing() -> None:
    last = {"choices": [{"delta": {}, "message": {"content": "x"}, "finish_reason": "stop"}]}
    assert decoded(chunk({"content": "x"}), last) == [STARTED, TextDelta("x"), END]
    assert decoded(last) == [Started(), TextDelta("x"), END]


# --- an answer that is not streamed ------------------------------------------------------------------------------


def test_one_json_object_gives_the_events_of_a_stream() -> None:
    message = {
        "role": "assistant",
        "content": "hi",
        "reasoning_content": "hm",
        "tool_calls": [call("{}", id="c", name="f")],
    }
    body = {"id": "r1", "model": "m", "usage": USAGE, "choices": [{"message": message, "finish_reason": "tool_calls"}]}
    expected = [STARTED, ThinkingDelta("hm"), TextDelta("hi"), *whole_call("c", "f", "{}"), REPORT, CALLED]
    assert OpenAIChat().decode_answer(json.dumps(body).encode()) == expected


@pytest.mark.parametrize("why", [{}, {"finish_reason": None}])
def test_an_answer_in_one_piece_is_whole_without_a_reason(why: Json) -> None:
    body = json.dumps({"choices": [{"message": {"content": "hi"}, **why}]}).encode()
    assert OpenAIChat().decode_answer(body) == [Started(), TextDelta("hi"), END]


@pytest.mark.report("B047")
@pytest.mark.parametrize("body", [b"", b"<html>login</html>", b'{"choices":[{"mess', b"[]", b'"x"', b"\xff"])
def test_a_body_that_is_no_answer_is_a_protocol_error(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        OpenAIChat().decode_answer(body)


# --- properties --------------------------------------------------------------------------------------------------


LETTERS = {
    Started: "s",
    ToolCallStart: "(",
    ToolCallDelta: "a",
    ToolCallEnd: ")",
    UsageReport: "u",
    Finished: "e",
    Failed: "e",
}


def grammatical(events: list[ChatEvent]) -> bool:
    """Whether `events` are a whole answer in the grammar of `core.ir`."""
    word = "".join(LETTERS.get(type(event), "t") for event in events)
    empty = {TextDelta(""), ThinkingDelta(""), RefusalDelta(""), ToolCallDelta("")}
    starts = [event for event in events if isinstance(event, ToolCallStart)]
    named = all(start.id and start.name for start in starts)
    return re.fullmatch(r"s(t|\(a*\))*u*e", word) is not None and named and empty.isdisjoint(events)


PIECES = st.builds(
    call,
    st.sampled_from(["", "{", "}", "{}", '{"a":', "1}", {"a": 1}, None]),
    id=st.sampled_from([None, "", "c1", "c2", 3]),
    name=st.sampled_from([None, "", "f", "fg", "g"]),
    index=st.sampled_from([None, 0, 1, 2]),
)
CHUNKS = st.lists(
    st.one_of(
        st.builds(chunk, st.fixed_dictionaries({"content": st.sampled_from(["", "x", None])})),
        st.builds(chunk, st.fixed_dictionaries({"reasoning": st.sampled_from(["", "hm"])})),
        st.builds(calls, PIECES),
        st.builds(calls, PIECES, PIECES),
        st.builds(chunk, st.just({}), st.sampled_from(["stop", "length", "tool_calls", "error"])),
        st.just({"error": {"message": "x"}}),
        st.just({"choices": [], "usage": {"prompt_tokens": 3}}),
    ),
    max_size=8,
)


@given(CHUNKS, st.booleans())
@example([calls(call("{}", name="f", index=0), call("", name="g", index=0))], True)
def test_whatever_chunks_come_the_events_keep_to_the_grammar(chunks: list[Json], done: bool) -> None:
    events = decoded(*chunks, done=done)
    assert grammatical(events), events
    ids = [event.id for event in events if isinstance(event, ToolCallStart)]
    assert len(set(ids)) == len(ids)


@given(CHUNKS, st.data())
def test_any_cut_of_the_stream_s_bytes_gives_the_same_events(chunks: list[Json], data: st.DataObject) -> None:
    stream = b"".join(encode_frame(Frame(json.dumps(part).encode())) for part in chunks)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=8)))
    parser, decoder = SseParser(), OpenAIChat().event_decoder()
    frames = [frame for start, end in pairwise([0, *cuts, len(stream)]) for frame in parser.feed(stream[start:end])]
    events = [event for frame in [*frames, *parser.finish()] for event in decoder.feed(frame)]
    assert [*events, *decoder.finish()] == decoded(*chunks, done=False)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["id", "choices", "delta", "message", "tool_calls", "function", "arguments", "error", "usage"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"choices":[{"delta":{"content":"\\ud83d"}}]}')
@example(b'{"usage":{"prompt_tokens":1e999}}')
@example(b'{"error":{"message":"\\ud83d"}}')
@example(b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":"\\ud83d"}}]}}]}')
@example(b'{"choices":[{"delta":{"tool_calls":[{"function":{"name":"f","arguments":{"a":"\xff"}}}]}}]}')
def test_junk_raises_nothing_but_protocol_error(data: bytes) -> None:
    decoder = OpenAIChat().event_decoder()
    try:
        events = [*decoder.feed(Frame(data)), *decoder.finish()]
    except ProtocolError:
        return
    assert grammatical(events), events


def joined(events: list[ChatEvent]) -> list[ChatEvent]:
    """The events with neighbouring pieces of one kind joined."""
    result: list[ChatEvent] = []
    for event in events:
        match result[-1:], event:
            case [TextDelta(before)], TextDelta(after):
                result[-1] = TextDelta(before + after)
            case [ThinkingDelta(before)], ThinkingDelta(after):
                result[-1] = ThinkingDelta(before + after)
            case [RefusalDelta(before)], RefusalDelta(after):
                result[-1] = RefusalDelta(before + after)
            case [ToolCallDelta(before)], ToolCallDelta(after):
                result[-1] = ToolCallDelta(before + after)
            case _:
                result.append(event)
    return result


def as_the_wire_carries(events: list[ChatEvent]) -> list[ChatEvent]:
    """What of `events` the wire can say: no ping or stop string, one last usage, `tool_calls` when there are calls.

    Nothing is told between `Started` and the calls' order but text, so a call without arguments is told at the end.
    """
    has_calls = any(isinstance(event, ToolCallStart) for event in events)
    usages = [event for event in events if isinstance(event, UsageReport)]
    kept = [event for event in events[1:-1] if not isinstance(event, Ping | UsageReport)]
    match events[-1]:
        case Finished(StopReason.MAX_TOKENS | StopReason.CONTEXT_FULL):
            whole = all(type(a) is not ToolCallStart or type(b) is ToolCallDelta for a, b in pairwise(events))
            end = Finished(StopReason.TOOL_CALLS if has_calls and whole else StopReason.MAX_TOKENS)
        case Finished(reason):
            end = Finished(
                StopReason.TOOL_CALLS
                if has_calls
                else StopReason.REFUSAL
                if reason is StopReason.REFUSAL
                else StopReason.END_TURN
            )
        case failed:
            return [Started("chatcmpl-1", "m"), *joined(kept), failed]
    return [Started("chatcmpl-1", "m"), *joined(kept), *usages[-1:], end]


@given(event_sequences(custom_tools=False, namespaces=False, signatures=False))
def test_encoded_events_are_decoded_to_themselves(events: list[ChatEvent]) -> None:
    context = AnswerContext(ChatRequest("m", (), stream=True), lambda prefix: prefix + "1", 7)
    encoder, decoder = OpenAIChat().event_encoder(context), OpenAIChat().event_decoder()
    frames = [frame for event in events for frame in encoder.feed(event)] + list(encoder.finish())
    again = [event for frame in frames for event in decoder.feed(frame)] + list(decoder.finish())
    assert joined(again) == as_the_wire_carries(events)
