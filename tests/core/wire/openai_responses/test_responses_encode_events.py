"""The stream and the whole answers that the Responses wire gives to a client; the official SDK reads them too."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from itertools import count

import httpx
import openai
import pytest
from hypothesis import given
from tests.core.strategies import event_sequences

from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    ImagePart,
    Ping,
    RefusalDelta,
    RefusalPart,
    Sampling,
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
    ToolKind,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import AnswerContext, Frame
from agentlaunch.core.wire.openai_responses import OpenAIResponses
from agentlaunch.core.wire.openai_responses.sealed_reasoning import seal

WIRE = OpenAIResponses()
Json = dict[str, object]

USAGE = UsageReport(Usage(100, 80, 20, 5))
WIRE_USAGE = {
    "input_tokens": 100,
    "input_tokens_details": {"cached_tokens": 80},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 5},
    "total_tokens": 120,
}
NO_USAGE = {
    "input_tokens": 0,
    "input_tokens_details": {"cached_tokens": 0},
    "output_tokens": 0,
    "output_tokens_details": {"reasoning_tokens": 0},
    "total_tokens": 0,
}
EVERYTHING: list[ChatEvent] = [
    Started("up", "other"),
    Ping(),
    ThinkingDelta("think"),
    ThinkingDelta("ing"),
    TextDelta("Hel"),
    TextDelta("lo"),
    ToolCallStart("c1", "f"),
    ToolCallDelta('{"a":'),
    ToolCallDelta("1}"),
    ToolCallEnd(),
    ToolCallStart("c2", "patch", "custom"),
    ToolCallDelta("raw"),
    ToolCallEnd(),
    ToolCallStart("c3", "spawn", namespace="agents"),
    ToolCallDelta("{}"),
    ToolCallEnd(),
    USAGE,
    Finished(StopReason.TOOL_CALLS),
]
OUTPUT: list[Json] = [
    {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "thinking"}],
        "encrypted_content": seal("thinking", "", ""),
    },
    {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "output_text", "text": "Hello", "annotations": [], "logprobs": []}],
        "id": "msg_2",
        "status": "completed",
    },
    {
        "type": "function_call",
        "call_id": "c1",
        "name": "f",
        "arguments": '{"a":1}',
        "id": "fc_3",
        "status": "completed",
    },
    {
        "type": "custom_tool_call",
        "call_id": "c2",
        "name": "patch",
        "input": "raw",
        "id": "ctc_4",
        "status": "completed",
    },
    {
        "type": "function_call",
        "call_id": "c3",
        "name": "spawn",
        "arguments": "{}",
        "namespace": "agents",
        "id": "fc_5",
        "status": "completed",
    },
]


def context() -> AnswerContext:
    numbers = count()
    return AnswerContext(ChatRequest("m", ()), lambda prefix: f"{prefix}{next(numbers)}", 1_700_000_000)


def frames(events: Iterable[ChatEvent]) -> list[Frame]:
    encoder = WIRE.event_encoder(context())
    return [*(frame for event in events for frame in encoder.feed(event)), *encoder.finish()]


def encoded(*events: ChatEvent) -> list[Json]:
    return [json.loads(frame.data) for frame in frames(events)]


def response(status: str, output: Sequence[Json], **changes: object) -> Json:
    return {
        "id": "resp_0",
        "created_at": 1_700_000_000,
        "status": status,
        "model": "m",
        "output": list(output),
        "parallel_tool_calls": True,
        "object": "response",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "temperature": None,
        "top_p": None,
        "max_output_tokens": None,
        "previous_response_id": None,
        "tool_choice": "auto",
        "tools": [],
        "store": False,
        "usage": WIRE_USAGE,
        **changes,
    }


def item_events(added: Json, done: Json, index: int, between: list[Json]) -> list[Json]:
    return [
        {"type": "response.output_item.added", "output_index": index, "item": added},
        *({"output_index": index, "item_id": done["id"], **event} for event in between),
        {"type": "response.output_item.done", "output_index": index, "item": done},
    ]


def call_events(done: Json, index: int, stem: str, field: str, deltas: list[str]) -> list[Json]:
    added = {**done, field: "", "status": "in_progress"}
    name = {"name": done["name"]} if field == "arguments" else {}
    between: list[Json] = [{"type": f"response.{stem}.delta", "delta": delta} for delta in deltas]
    return item_events(added, done, index, [*between, {"type": f"response.{stem}.done", field: done[field], **name}])


@pytest.mark.report("B049")
@pytest.mark.report("B038")
@pytest.mark.report("B097")
@pytest.mark.report("B033")
def test_every_kind_of_item_has_all_its_events_in_order() -> None:
    reasoning, message, function, custom, namespaced = OUTPUT
    text_part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    expected: list[Json] = [
        {"type": "response.created", "response": response("in_progress", [], usage=None)},
        {"type": "response.in_progress", "response": response("in_progress", [], usage=None)},
        {"type": "keepalive"},
        *item_events(
            {"type": "reasoning", "id": "rs_1", "summary": []},
            reasoning,
            0,
            [
                {
                    "type": "response.reasoning_summary_part.added",
                    "summary_index": 0,
                    "part": {"type": "summary_text", "text": ""},
                },
                {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "think"},
                {"type": "response.reasoning_summary_text.delta", "summary_index": 0, "delta": "ing"},
                {"type": "response.reasoning_summary_text.done", "summary_index": 0, "text": "thinking"},
                {
                    "type": "response.reasoning_summary_part.done",
                    "summary_index": 0,
                    "part": {"type": "summary_text", "text": "thinking"},
                },
            ],
        ),
        *item_events(
            {**message, "content": [], "status": "in_progress"},
            message,
            1,
            [
                {"type": "response.content_part.added", "content_index": 0, "part": text_part},
                {"type": "response.output_text.delta", "content_index": 0, "delta": "Hel", "logprobs": []},
                {"type": "response.output_text.delta", "content_index": 0, "delta": "lo", "logprobs": []},
                {"type": "response.output_text.done", "content_index": 0, "text": "Hello", "logprobs": []},
                {"type": "response.content_part.done", "content_index": 0, "part": {**text_part, "text": "Hello"}},
            ],
        ),
        *call_events(function, 2, "function_call_arguments", "arguments", ['{"a":', "1}"]),
        *call_events(custom, 3, "custom_tool_call_input", "input", ["raw"]),
        *call_events(namespaced, 4, "function_call_arguments", "arguments", ["{}"]),
        {"type": "response.completed", "response": response("completed", OUTPUT)},
    ]
    assert encoded(*EVERYTHING) == [{**event, "sequence_number": number} for number, event in enumerate(expected)]


def test_a_frame_is_named_for_its_event() -> None:
    assert all(frame.event == json.loads(frame.data)["type"] for frame in frames(EVERYTHING))


@pytest.mark.parametrize(
    ("reason", "status", "incomplete"),
    [
        (StopReason.END_TURN, "completed", None),
        (StopReason.STOP_SEQUENCE, "completed", None),
        (StopReason.MAX_TOKENS, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.CONTEXT_FULL, "incomplete", {"reason": "max_output_tokens"}),
        (StopReason.REFUSAL, "incomplete", {"reason": "content_filter"}),
    ],
)
def test_the_terminal_event_tells_the_stop_reason(reason: StopReason, status: str, incomplete: Json | None) -> None:
    *_, item, last = encoded(Started(), TextDelta("x"), Finished(reason))
    assert (last["type"], last["response"]) == (
        f"response.{status}",
        response(status, [_json(item["item"])], incomplete_details=incomplete, usage=NO_USAGE),
    )
    assert _json(item["item"])["status"] == status


@pytest.mark.parametrize("reason", [StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL])
@pytest.mark.parametrize("kind", ["function", "custom"])
@pytest.mark.parametrize("behind", [(), (TextDelta("and"),)], ids=["call last", "text behind it"])
def test_a_limit_behind_a_call_completes_the_response_so_that_codex_goes_on(
    reason: StopReason, kind: ToolKind, behind: tuple[ChatEvent, ...]
) -> None:
    call = (ToolCallStart("c", "A", kind), ToolCallDelta("{}"), ToolCallEnd())
    last = encoded(Started(), TextDelta("x"), *call, *behind, Finished(reason))[-1]
    ended = _json(last["response"])
    assert (last["type"], ended["status"], ended["incomplete_details"]) == ("response.completed", "completed", None)


def test_a_whole_answer_with_a_call_is_completed_whatever_limit_was_hit() -> None:
    answer = Answer((ToolCallPart("c", "A", "{}"),), StopReason.MAX_TOKENS)
    assert json.loads(WIRE.encode_answer(answer, context()))["status"] == "completed"


def _json(value: object) -> Json:
    assert isinstance(value, dict)
    return value


def test_a_refusal_in_words_is_a_completed_response_with_a_part_of_its_own() -> None:
    *_, item, last = encoded(
        Started(), TextDelta("So"), RefusalDelta("N"), RefusalDelta("o"), Finished(StopReason.REFUSAL)
    )
    assert last["type"] == "response.completed"
    assert _json(item["item"])["content"] == [
        {"type": "output_text", "text": "So", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "No"},
    ]


def test_a_refusal_without_text_before_it_opens_its_own_message() -> None:
    *_, item, last = encoded(Started(), RefusalDelta("No"), Finished(StopReason.REFUSAL))
    assert _json(item["item"])["content"] == [{"type": "refusal", "refusal": "No"}]
    assert last["type"] == "response.completed"


def test_arguments_outside_a_call_say_nothing() -> None:
    end = Finished(StopReason.END_TURN)
    assert encoded(Started(), ToolCallDelta("{}"), end) == encoded(Started(), end)


@pytest.mark.report("B036")
@pytest.mark.parametrize("events", [[], [Started()], [Started(), TextDelta("x")], [Started(), ThinkingDelta("x")]])
def test_a_stream_that_breaks_off_ends_with_response_failed(events: list[ChatEvent]) -> None:
    last = encoded(*events)[-1]
    message = "the upstream's stream ended before its answer was whole"
    assert (last["type"], last["response"]) == (
        "response.failed",
        response("failed", [], error={"code": "upstream_unavailable", "message": message}, usage=NO_USAGE),
    )


@pytest.mark.report("B008")
def test_a_failure_in_the_middle_is_response_failed_with_its_code() -> None:
    fault = ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long", 9, 8)
    last = encoded(Started(), TextDelta("x"), Failed(fault))[-1]
    assert last["response"] == response(
        "failed",
        [],
        error={"code": "context_length_exceeded", "message": "too long (9 tokens > 8 maximum)"},
        usage=NO_USAGE,
    )


@pytest.mark.parametrize("last", [[Failed(ChatFault(ErrorKind.INTERNAL, "x"))], []])
def test_a_call_before_a_failure_is_never_done(last: list[ChatEvent]) -> None:
    call: list[ChatEvent] = [ToolCallStart("c", "f"), ToolCallDelta("{"), ToolCallEnd()]
    assert "response.output_item.done" not in [event["type"] for event in encoded(Started(), *call, *last)]


def test_nothing_follows_the_end() -> None:
    encoder = WIRE.event_encoder(context())
    assert list(encoder.feed(Finished(StopReason.END_TURN))) != []
    assert [*encoder.feed(TextDelta("x")), *encoder.finish()] == []


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([ThinkingDelta("t"), ThinkingSignature("sig")], [("t", seal("t", "sig", ""))]),
        ([ThinkingDelta("t"), ThinkingSignature(encrypted="vendor")], [("t", "vendor")]),
        ([TextDelta("x"), ThinkingSignature(encrypted="redacted")], [(None, "redacted")]),
        ([ThinkingSignature("a"), ThinkingDelta("t")], [(None, seal("", "a", "")), ("t", seal("t", "", ""))]),
    ],
)
def test_signatures_are_sealed_in_their_reasoning_item(
    events: list[ChatEvent], expected: list[tuple[str | None, str]]
) -> None:
    output = _json(encoded(Started(), *events, Finished(StopReason.END_TURN))[-1]["response"])["output"]
    assert isinstance(output, list)
    reasoning = [item for item in output if item["type"] == "reasoning"]
    assert [
        (item["summary"][0]["text"] if item["summary"] else None, item["encrypted_content"]) for item in reasoning
    ] == (expected)


@given(event_sequences())
def test_whatever_is_answered_the_stream_holds_together(events: list[ChatEvent]) -> None:
    stream = encoded(*events)
    assert [event["sequence_number"] for event in stream] == list(range(len(stream)))
    assert [event["type"] for event in stream[:2]] == ["response.created", "response.in_progress"]
    terminal = {"response.completed", "response.incomplete", "response.failed"}
    assert [event["type"] in terminal for event in stream] == [False] * (len(stream) - 1) + [True]

    added = [event["output_index"] for event in stream if event["type"] == "response.output_item.added"]
    done = [event["output_index"] for event in stream if event["type"] == "response.output_item.done"]
    assert added == list(range(len(added)))
    assert done == (added if stream[-1]["type"] != "response.failed" else added[: len(done)])
    finished = [event["item"] for event in stream if event["type"] == "response.output_item.done"]
    assert _json(stream[-1]["response"])["output"] == finished


FIELDS = ("text", "refusal", "arguments", "input")


@given(event_sequences())
def test_deltas_add_up_to_what_is_done(events: list[ChatEvent]) -> None:
    open_item: object = None
    deltas: dict[tuple[object, ...], str] = {}
    for event in encoded(*events):
        stem, _, verb = str(event["type"]).rpartition(".")
        key = (stem, event.get("output_index"), event.get("content_index"), event.get("summary_index"))
        if event["type"] == "response.output_item.added":
            assert open_item is None
            open_item = event["output_index"]
        elif event["type"] == "response.output_item.done":
            open_item = None
        elif "output_index" in event:
            assert event["output_index"] == open_item
        if verb == "delta":
            deltas[key] = deltas.get(key, "") + str(event["delta"])
        elif verb == "done" and "item_id" in event and "part" not in event:
            assert [event[field] for field in FIELDS if field in event] == [deltas.get(key, "")]


# --- whole answers ------------------------------------------------------------------------------------------------


def test_an_answer_that_is_not_streamed_is_the_response_object() -> None:
    parts = (
        ThinkingPart("thinking"),
        TextPart("Hello"),
        ToolCallPart("c1", "f", '{"a":1}'),
        ToolCallPart("c2", "patch", "raw", "custom"),
        ToolCallPart("c3", "spawn", "{}", namespace="agents"),
    )
    answer = Answer(parts, StopReason.TOOL_CALLS, usage=USAGE.usage)
    ids = ["rs_0", "msg_1", "fc_2", "ctc_3", "fc_4"]
    output = [{**item, "id": new_id} for item, new_id in zip(OUTPUT, ids, strict=True)]
    assert json.loads(WIRE.encode_answer(answer, context())) == response("completed", output, id="resp_5")


def test_a_part_that_no_answer_holds_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match="ImagePart"):
        WIRE.encode_answer(Answer((ImagePart("image/png", "AAAA"),), StopReason.END_TURN), context())


def test_an_answer_says_the_request_s_options_and_why_it_is_incomplete() -> None:
    request = ChatRequest(
        "m", (), parallel_tool_calls=False, max_output_tokens=3, sampling=Sampling(temperature=0.5, top_p=0.9)
    )
    answer = Answer((TextPart("a"), RefusalPart("b")), StopReason.MAX_TOKENS)
    content = [
        {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
        {"type": "refusal", "refusal": "b"},
    ]
    message = {"type": "message", "role": "assistant", "content": content, "id": "msg_x", "status": "completed"}
    asked = AnswerContext(request, lambda prefix: prefix + "x", 1_700_000_000)
    assert json.loads(WIRE.encode_answer(answer, asked)) == response(
        "incomplete",
        [message],
        id="resp_x",
        parallel_tool_calls=False,
        max_output_tokens=3,
        temperature=0.5,
        top_p=0.9,
        incomplete_details={"reason": "max_output_tokens"},
        usage=NO_USAGE,
    )


# --- the official SDK as oracle -----------------------------------------------------------------------------------


def client(handler: Callable[[httpx.Request], httpx.Response]) -> openai.OpenAI:
    transport = httpx.Client(transport=httpx.MockTransport(handler))
    return openai.OpenAI(api_key="k", base_url="http://127.0.0.1:1/v1", http_client=transport, max_retries=0)


def streamed(events: Iterable[ChatEvent]) -> Callable[[httpx.Request], httpx.Response]:
    body = b"".join(b"event: " + f.event.encode() + b"\ndata: " + f.data + b"\n\n" for f in frames(events))
    return lambda _: httpx.Response(200, headers={"content-type": "text/event-stream"}, content=body)


def test_the_sdk_reads_the_stream() -> None:
    with client(streamed(EVERYTHING)) as sdk:
        events = list(sdk.responses.create(model="m", input="x", stream=True))
    assert [event.type for event in events] == [event["type"] for event in encoded(*EVERYTHING)]
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello"
    assert [item.type for item in last.response.output] == [item["type"] for item in OUTPUT]
    assert last.response.usage is not None
    assert last.response.usage.to_dict() == WIRE_USAGE


def test_the_sdk_s_accumulator_survives_pings_and_adds_up_the_answer() -> None:
    events: list[ChatEvent] = [Started(), Ping(), TextDelta("Hel"), Ping(), TextDelta("lo"), USAGE]
    with (
        client(streamed([*events, Finished(StopReason.END_TURN)])) as sdk,
        sdk.responses.stream(model="m", input="x") as stream,
    ):
        assert [event.delta for event in stream if event.type == "response.output_text.delta"] == ["Hel", "lo"]
        assert stream.get_final_response().output_text == "Hello"


def test_the_sdk_reads_a_whole_answer() -> None:
    answer = Answer((TextPart("Hello"), ToolCallPart("c", "f", "{}")), StopReason.TOOL_CALLS, usage=USAGE.usage)
    body = WIRE.encode_answer(answer, context())
    with client(lambda _: httpx.Response(200, headers={"content-type": "application/json"}, content=body)) as sdk:
        read = sdk.responses.create(model="m", input="x")
    assert (read.output_text, [item.type for item in read.output]) == ("Hello", ["message", "function_call"])
    assert read.status == "completed"


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (ErrorKind.CONTEXT_OVERFLOW, openai.BadRequestError),
        (ErrorKind.AUTHENTICATION, openai.AuthenticationError),
        (ErrorKind.NOT_FOUND, openai.NotFoundError),
        (ErrorKind.RATE_LIMITED, openai.RateLimitError),
        (ErrorKind.INTERNAL, openai.InternalServerError),
    ],
)
def test_the_sdk_raises_its_own_error_for_a_fault(kind: ErrorKind, error: type[openai.APIStatusError]) -> None:
    reply = WIRE.encode_fault(ChatFault(kind, "told"))
    with (
        client(lambda _: httpx.Response(reply.status, headers=dict(reply.headers), content=reply.body)) as sdk,
        pytest.raises(error, match="told"),
    ):
        sdk.responses.create(model="m", input="x")


def test_the_sdk_s_own_requests_decode() -> None:
    seen: list[bytes] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(
            200, headers={"content-type": "application/json"}, content=WIRE.encode_answer(hi, context())
        )

    hi = Answer((TextPart("hi"),), StopReason.END_TURN)
    with client(handler) as sdk:
        sdk.responses.create(
            model="m", input=[{"role": "user", "content": "x"}], instructions="be brief", temperature=0
        )
    [request] = [WIRE.decode_request(body) for body in seen]
    assert [str(message.role) for message in request.messages] == ["system", "user"]
