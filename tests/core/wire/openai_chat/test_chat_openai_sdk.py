"""The official OpenAI SDK as the oracle of what we send to clients: it must read all of it as we meant it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import openai
import pytest
from hypothesis import given, settings
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.types.chat import ChatCompletion
from tests.core.strategies import event_sequences

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    RefusalPart,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ToolCallPart,
    Usage,
)
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext
from agentlaunch.core.wire.openai_chat import OpenAIChat

WIRE = OpenAIChat()


def context() -> AnswerContext:
    return AnswerContext(ChatRequest("m", (), stream=True), lambda prefix: prefix + "1", 1764000000)


def stream_of(events: list[ChatEvent]) -> bytes:
    encoder = WIRE.event_encoder(context())
    frames = [frame for event in events for frame in encoder.feed(event)]
    return b"".join(map(encode_frame, [*frames, *encoder.finish()]))


@contextmanager
def client(status: int, content_type: str, body: bytes) -> Iterator[openai.OpenAI]:
    """A client whose every request is answered so."""
    headers = {"content-type": content_type}
    transport = httpx.MockTransport(lambda _: httpx.Response(status, content=body, headers=headers))
    with httpx.Client(transport=transport) as http:
        yield openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", http_client=http, max_retries=0)


def completed(body: bytes) -> ChatCompletion:
    """What the SDK puts together from a stream, before it complains of `length` and `content_filter`."""
    state = ChatCompletionStreamState()
    with client(200, "text/event-stream", body) as sdk:
        stream = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}], stream=True)
        for chunk in stream:
            state.handle_chunk(chunk)
    return state.current_completion_snapshot


def texts(answer: Answer, kind: type[TextPart] | type[RefusalPart]) -> str:
    return "".join(part.text for part in answer.parts if isinstance(part, kind))


def said(completion: ChatCompletion) -> tuple[str, str, list[tuple[str, str, str]]]:
    """Text, refusal and calls as the SDK has them."""
    message = completion.choices[0].message
    calls = [
        (call.id, call.function.name, call.function.arguments)
        for call in message.tool_calls or ()
        if call.type == "function"
    ]
    return message.content or "", message.refusal or "", calls


def meant(answer: Answer) -> tuple[str, str, list[tuple[str, str, str]]]:
    calls = [(part.id, part.name, part.arguments) for part in answer.parts if isinstance(part, ToolCallPart)]
    return texts(answer, TextPart), texts(answer, RefusalPart), calls


@settings(deadline=None, max_examples=50)
@given(event_sequences(custom_tools=False, namespaces=False))
def test_the_sdk_reads_every_stream_as_it_was_meant(events: list[ChatEvent]) -> None:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    answer = assembler.result()
    if isinstance(answer, ChatFault):
        with pytest.raises(openai.APIError):
            completed(stream_of(events))
        return
    completion = completed(stream_of(events))
    assert said(completion) == meant(answer)
    assert completion.choices[0].finish_reason in ("stop", "length", "tool_calls", "content_filter")
    if answer.usage != Usage():
        assert completion.usage is not None
        assert completion.usage.prompt_tokens == answer.usage.input_tokens
        assert completion.usage.completion_tokens == answer.usage.output_tokens


@pytest.mark.report("B008")
def test_the_sdk_raises_a_failure_in_mid_stream_with_its_words() -> None:
    events: list[ChatEvent] = [Started(), TextDelta("x"), Failed(ChatFault(ErrorKind.OVERLOADED, "busy now"))]
    with pytest.raises(openai.APIError, match="busy now"):
        completed(stream_of(events))


def test_the_sdk_reads_an_answer_that_is_not_streamed() -> None:
    answer = Answer(
        (TextPart("hi"), ToolCallPart("c1", "f", '{"a":1}')), StopReason.TOOL_CALLS, usage=Usage(9, 4, 3, 1)
    )
    with client(200, "application/json", WIRE.encode_answer(answer, context())) as sdk:
        completion = sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
    assert said(completion) == meant(answer)
    assert completion.choices[0].finish_reason == "tool_calls"
    assert completion.usage is not None
    assert completion.usage.prompt_tokens_details is not None
    assert completion.usage.prompt_tokens_details.cached_tokens == 4


@pytest.mark.parametrize(
    ("kind", "raised"),
    [
        (ErrorKind.BAD_REQUEST, openai.BadRequestError),
        (ErrorKind.AUTHENTICATION, openai.AuthenticationError),
        (ErrorKind.PERMISSION, openai.PermissionDeniedError),
        (ErrorKind.NOT_FOUND, openai.NotFoundError),
        (ErrorKind.CONTEXT_OVERFLOW, openai.BadRequestError),
        (ErrorKind.RATE_LIMITED, openai.RateLimitError),
        (ErrorKind.UNAVAILABLE, openai.InternalServerError),
    ],
)
def test_the_sdk_raises_each_fault_as_its_own_error(kind: ErrorKind, raised: type[openai.APIStatusError]) -> None:
    reply = WIRE.encode_fault(ChatFault(kind, "so it is"))
    with client(reply.status, "application/json", reply.body) as sdk, pytest.raises(raised, match="so it is"):
        sdk.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


def test_the_sdk_s_own_request_is_read() -> None:
    seen: list[bytes] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.content)
        return httpx.Response(400, json={})

    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        sdk = openai.OpenAI(base_url="http://127.0.0.1:1/v1", api_key="none", http_client=http, max_retries=0)
        with pytest.raises(openai.BadRequestError):
            sdk.chat.completions.create(
                model="m",
                messages=[{"role": "developer", "content": "S"}, {"role": "user", "content": "hi"}],
                tools=[{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
                max_completion_tokens=7,
            )
    request = WIRE.decode_request(seen[0])
    assert (request.model, request.max_output_tokens, len(request.messages), len(request.tools)) == ("m", 7, 2, 1)
    assert json.loads(WIRE.encode_request(request))["max_tokens"] == 7
