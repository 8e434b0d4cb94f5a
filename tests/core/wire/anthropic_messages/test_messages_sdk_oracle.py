"""The vendor's own SDK reads our frames and answers, and writes our requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence

import anthropic
import httpx2
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
    FunctionTool,
    Message,
    RefusalDelta,
    Role,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolResultPart,
    Usage,
    UsageReport,
)
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.base import AnswerContext

WIRE = AnthropicMessages()
CONTEXT = AnswerContext(ChatRequest("local", (Message(Role.USER, (TextPart("hi"),)),)), lambda prefix: prefix + "1", 0)


def sdk(handler: Callable[[httpx2.Request], httpx2.Response]) -> anthropic.Anthropic:
    client = httpx2.Client(transport=httpx2.MockTransport(handler))
    return anthropic.Anthropic(api_key="none", base_url="http://127.0.0.1", http_client=client, max_retries=2)


def streamed(events: Sequence[ChatEvent]) -> anthropic.types.Message:
    """The message that the SDK's stream accumulator builds from our frames."""

    def body() -> Iterator[bytes]:
        encoder = WIRE.event_encoder(CONTEXT)
        for event in events:
            yield from map(encode_frame, encoder.feed(event))
        yield from map(encode_frame, encoder.finish())

    def handler(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=b"".join(body()))

    with sdk(handler) as client, client.messages.stream(model="m", max_tokens=9, messages=[]) as stream:
        return stream.get_final_message()


def content_of(message: anthropic.types.Message) -> list[dict[str, object]]:
    return [block.model_dump(exclude_none=True, exclude_unset=True) for block in message.content]


def test_the_sdk_builds_the_whole_message_from_our_frames() -> None:
    message = streamed(
        [
            Started(),
            ThinkingDelta("hm"),
            TextDelta("a"),
            TextDelta("b"),
            ToolCallStart("t1", "Bash"),
            ToolCallDelta('{"command":"l'),
            ToolCallDelta('s"}'),
            ToolCallEnd(),
            ToolCallStart("t2", "Ls"),
            ToolCallEnd(),
            UsageReport(Usage(100, 60, 7)),
            Finished(StopReason.TOOL_CALLS),
        ]
    )
    assert (message.id, message.model, message.stop_reason) == ("msg_1", "local", "tool_use")
    assert content_of(message) == [
        {"type": "thinking", "thinking": "hm", "signature": UNSIGNED},
        {"type": "text", "text": "ab"},
        {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
        {"type": "tool_use", "id": "t2", "name": "Ls", "input": {}},
    ]
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.output_tokens) == (40, 60, 7)


@given(event_sequences())
def test_the_sdk_reads_every_answer(events: list[ChatEvent]) -> None:
    if isinstance(events[-1], Failed):
        with pytest.raises(anthropic.APIError):
            streamed(events)
        return
    content = content_of(streamed(events))
    text = "".join(str(block["text"]) for block in content if block["type"] == "text")
    assert text == "".join(event.text for event in events if isinstance(event, TextDelta | RefusalDelta))
    names = [block["id"] for block in content if block["type"] == "tool_use"]
    assert names == [event.id for event in events if isinstance(event, ToolCallStart)]


def test_the_sdk_reads_an_answer_that_is_not_streamed() -> None:
    answer = Answer((ThinkingPart("t"), ToolCallPart("t1", "A", "")), StopReason.TOOL_CALLS, usage=Usage(10, 4, 3))
    body = WIRE.encode_answer(answer, CONTEXT)
    with sdk(
        lambda request: httpx2.Response(200, headers={"content-type": "application/json"}, content=body)
    ) as client:
        message = client.messages.create(model="m", max_tokens=9, messages=[])
    assert content_of(message) == [
        {"type": "thinking", "thinking": "t", "signature": UNSIGNED},
        {"type": "tool_use", "id": "t1", "name": "A", "input": {}},
    ]
    assert (message.stop_reason, message.usage.input_tokens) == ("tool_use", 6)


@pytest.mark.report("B055")
@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (ErrorKind.BAD_REQUEST, anthropic.BadRequestError),
        (ErrorKind.AUTHENTICATION, anthropic.AuthenticationError),
        (ErrorKind.PERMISSION, anthropic.PermissionDeniedError),
        (ErrorKind.NOT_FOUND, anthropic.NotFoundError),
        (ErrorKind.CONTEXT_OVERFLOW, anthropic.BadRequestError),
    ],
)
def test_the_sdk_classifies_our_errors_and_does_not_retry_what_cannot_help(
    kind: ErrorKind, error: type[anthropic.APIStatusError]
) -> None:
    reply = WIRE.encode_fault(ChatFault(kind, "why", 9, 8))
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(request.url.path)
        return httpx2.Response(reply.status, headers=dict(reply.headers), content=reply.body)

    with sdk(handler) as client, pytest.raises(error):
        client.messages.create(model="m", max_tokens=9, messages=[])
    assert asked == [WIRE.path]


def test_what_the_sdk_writes_is_decoded() -> None:
    bodies: list[bytes] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies.append(request.read())
        return httpx2.Response(200, json=json.loads(WIRE.encode_answer(Answer((), StopReason.END_TURN), CONTEXT)))

    with sdk(handler) as client:
        client.messages.create(
            model="m",
            max_tokens=9,
            system="S",
            messages=[
                {"role": "user", "content": "😀"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "A", "input": {"a": 1}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]},
            ],
            tools=[{"name": "A", "input_schema": {"type": "object"}}],
        )
    decoded = WIRE.decode_request(bodies[0])
    assert decoded.messages == (
        Message(Role.SYSTEM, (TextPart("S"),)),
        Message(Role.USER, (TextPart("😀"),)),
        Message(Role.ASSISTANT, (ToolCallPart("t", "A", '{"a":1}'),)),
        Message(Role.TOOL, (ToolResultPart("t", (TextPart("r"),)),)),
    )
    assert [tool.name for tool in decoded.tools if isinstance(tool, FunctionTool)] == ["A"]
