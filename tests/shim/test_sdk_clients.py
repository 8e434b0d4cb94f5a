"""The vendors' own client libraries against the live shim: they judge what we send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anthropic
import httpx
import ollama
import openai
import pytest
from tests.shim.doubles import (
    DONE,
    GENEROUS_S,
    STARTED,
    TOKEN,
    USAGE,
    Cut,
    Data,
    Head,
    Pause,
    Step,
    answer,
    chunk,
    hello,
    request_body,
    shim_before,
)

from agentlaunch.shim.answer import KeepAlive

T = TypeVar("T")
ARGUMENTS = {"path": "a.txt", "text": "Grüße 🙂"}
SCHEMA: dict[str, object] = {"type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}}
LONG_JSON = json.dumps(ARGUMENTS)


def call_frames(name: str) -> list[bytes]:
    """Text, then a call whose arguments come in pieces."""
    function: dict[str, object] = {"name": name, "arguments": ""}
    frames = [STARTED, chunk({"content": "Writing."})]
    frames.append(chunk({"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}))
    for start in range(0, len(LONG_JSON), 5):
        piece = {"arguments": LONG_JSON[start : start + 5]}
        frames.append(chunk({"tool_calls": [{"index": 0, "function": piece}]}))
    return [*frames, chunk({}, "tool_calls", USAGE), DONE]


PATIENT = KeepAlive(whole_after_s=0.05, every_s=0.05)
"""Signs of life for an answer that is not streamed, long before a client loses its patience."""


def slowly(*then: Step) -> tuple[asyncio.Event, list[Step]]:
    """An upstream that is silent until the event is set."""
    until = asyncio.Event()
    return until, [Head(), Data(STARTED), Pause(until), *then]


async def asked_slowly(
    until: asyncio.Event, url: str, path: str, body: dict[str, object]
) -> tuple[int, bytes, httpx.RemoteProtocolError | None]:
    """Status, body and how the connection broke; the upstream goes on when the first sign of life has come."""
    received = b""
    async with (
        httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S, headers={"x-api-key": TOKEN}) as client,
        client.stream("POST", url + path, json=body, timeout=GENEROUS_S) as response,
    ):
        try:
            async for piece in response.aiter_raw():
                received += piece
                until.set()
        except httpx.RemoteProtocolError as error:
            return response.status_code, received, error
        return response.status_code, received, None


def with_anthropic(steps: list[Step], test: Callable[[anthropic.AsyncAnthropic], Awaitable[T]]) -> T:
    async def run() -> T:
        async with (
            shim_before([steps]) as (url, _),
            anthropic.AsyncAnthropic(
                base_url=url, auth_token=TOKEN, api_key=None, max_retries=0, timeout=GENEROUS_S
            ) as client,
        ):
            return await test(client)

    return asyncio.run(run())


def with_openai(steps: list[Step], test: Callable[[openai.AsyncOpenAI], Awaitable[T]]) -> T:
    async def run() -> T:
        async with (
            shim_before([steps]) as (url, _),
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0, timeout=GENEROUS_S) as client,
        ):
            return await test(client)

    return asyncio.run(run())


# --- Anthropic ----------------------------------------------------------------------------------------------------


def test_anthropic_streams_a_tool_call() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> list[dict[str, object]]:
        async with client.messages.stream(
            model="local-model",
            max_tokens=100,
            messages=[{"role": "user", "content": "hi"}],
            tools=[{"name": "Write", "description": "writes", "input_schema": SCHEMA}],
        ) as stream:
            message = await stream.get_final_message()
        assert message.stop_reason == "tool_use"
        assert (message.usage.input_tokens, message.usage.output_tokens) == (7, 2)
        return [block.model_dump(include={"type", "text", "name", "input"}) for block in message.content]

    assert with_anthropic(answer(*call_frames("Write")), test) == [
        {"type": "text", "text": "Writing."},
        {"type": "tool_use", "name": "Write", "input": ARGUMENTS},
    ]


def test_anthropic_gets_a_whole_answer() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> tuple[str | None, list[str]]:
        message = await client.messages.create(
            model="local-model", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
        )
        return message.stop_reason, [block.text for block in message.content if block.type == "text"]

    assert with_anthropic(answer(hello()), test) == ("end_turn", ["Hello"])


def test_anthropic_counts_tokens_and_lists_models() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> tuple[int, list[str]]:
        counted = await client.messages.count_tokens(model="local-model", messages=[{"role": "user", "content": "hi"}])
        return counted.input_tokens, [model.id async for model in client.models.list()]

    tokens, models = with_anthropic([], test)
    assert tokens > 0
    assert models == ["local-model"]


def test_anthropic_raises_the_upstreams_error() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(anthropic.RateLimitError, match="slow down"):
            await client.messages.create(
                model="local-model", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
            )

    with_anthropic([Head(429, "application/json"), Data(b'{"error":{"message":"slow down"}}')], test)


def test_anthropic_raises_when_the_stream_is_cut() -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(anthropic.APIStatusError):
            async with client.messages.stream(
                model="local-model", max_tokens=100, messages=[{"role": "user", "content": "hi"}]
            ) as stream:
                await stream.get_final_message()

    with_anthropic([*answer(STARTED, chunk({"content": "Hel"})), Cut()], test)


# --- OpenAI Chat --------------------------------------------------------------------------------------------------


def test_openai_streams_a_tool_call_over_chat() -> None:
    async def test(client: openai.AsyncOpenAI) -> tuple[str | None, str, dict[str, object]]:
        async with client.chat.completions.stream(
            model="local-model",
            messages=[{"role": "user", "content": "hi"}],
            tools=[{"type": "function", "function": {"name": "Write", "parameters": SCHEMA}}],
        ) as stream:
            choice = (await stream.get_final_completion()).choices[0]
        assert choice.finish_reason == "tool_calls"
        call = (choice.message.tool_calls or [])[0].function
        return choice.message.content, call.name, json.loads(call.arguments)

    assert with_openai(answer(*call_frames("Write")), test) == ("Writing.", "Write", ARGUMENTS)


def test_openai_gets_a_whole_answer_over_chat() -> None:
    async def test(client: openai.AsyncOpenAI) -> tuple[str | None, str | None]:
        completion = await client.chat.completions.create(
            model="local-model", messages=[{"role": "user", "content": "hi"}]
        )
        return completion.choices[0].message.content, completion.choices[0].finish_reason

    assert with_openai(answer(hello()), test) == ("Hello", "stop")


def test_openai_lists_models() -> None:
    async def test(client: openai.AsyncOpenAI) -> tuple[list[str], str]:
        return [model.id async for model in client.models.list()], (await client.models.retrieve("local-model")).id

    assert with_openai([], test) == (["local-model"], "local-model")


def test_openai_raises_when_a_chat_stream_is_cut() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        stream = await client.chat.completions.create(
            model="local-model", messages=[{"role": "user", "content": "hi"}], stream=True
        )
        with pytest.raises(openai.APIError):
            [event async for event in stream]

    with_openai([*answer(STARTED, chunk({"content": "Hel"})), Cut()], test)


# --- OpenAI Responses ---------------------------------------------------------------------------------------------


def test_openai_streams_a_tool_call_over_responses() -> None:
    async def test(client: openai.AsyncOpenAI) -> list[dict[str, object]]:
        async with client.responses.stream(
            model="local-model",
            input="hi",
            tools=[{"type": "function", "name": "Write", "parameters": SCHEMA, "strict": False}],
        ) as stream:
            response = await stream.get_final_response()
        assert response.status == "completed"
        assert response.usage is not None
        assert (response.usage.input_tokens, response.usage.output_tokens) == (7, 2)
        assert response.output_text == "Writing."
        return [
            {"name": item.name, "arguments": json.loads(item.arguments)}
            for item in response.output
            if item.type == "function_call"
        ]

    assert with_openai(answer(*call_frames("Write")), test) == [{"name": "Write", "arguments": ARGUMENTS}]


def test_openai_gets_a_whole_answer_over_responses() -> None:
    async def test(client: openai.AsyncOpenAI) -> tuple[str | None, str]:
        response = await client.responses.create(model="local-model", input="hi")
        return response.status, response.output_text

    assert with_openai(answer(hello()), test) == ("completed", "Hello")


def test_openai_is_told_that_a_responses_stream_was_cut() -> None:
    async def test(client: openai.AsyncOpenAI) -> str:
        stream = await client.responses.create(model="local-model", input="hi", stream=True)
        return [event.type async for event in stream][-1]

    assert with_openai([*answer(STARTED, chunk({"content": "Hel"})), Cut()], test) == "response.failed"


def test_openai_raises_the_upstreams_error_over_responses() -> None:
    async def test(client: openai.AsyncOpenAI) -> None:
        with pytest.raises(openai.RateLimitError, match="slow down"):
            await client.responses.create(model="local-model", input="hi")

    with_openai([Head(429, "application/json"), Data(b'{"error":{"message":"slow down"}}')], test)


# --- signs of life before an answer that is not streamed -----------------------------------------------------------

WHOLE = [
    ("anthropic_messages", "/v1/messages"),
    ("openai_responses", "/v1/responses"),
    ("openai_chat", "/v1/chat/completions"),
    ("ollama_chat", "/api/chat"),
]
REST = Data(chunk({"content": "Hello"}) + chunk({}, "stop", USAGE) + DONE)


async def anthropic_says(url: str) -> str:
    async with anthropic.AsyncAnthropic(
        base_url=url, auth_token=TOKEN, api_key=None, max_retries=0, timeout=GENEROUS_S
    ) as client:
        message = await client.messages.create(
            model="local-model", max_tokens=9, messages=[{"role": "user", "content": "hi"}]
        )
    return "".join(block.text for block in message.content if block.type == "text")


async def openai_says_over_chat(url: str) -> str:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0, timeout=GENEROUS_S) as client:
        completion = await client.chat.completions.create(
            model="local-model", messages=[{"role": "user", "content": "hi"}]
        )
    return completion.choices[0].message.content or ""


async def openai_says_over_responses(url: str) -> str:
    async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0, timeout=GENEROUS_S) as client:
        return (await client.responses.create(model="local-model", input="hi")).output_text


async def ollama_says(url: str) -> str:
    client = ollama.AsyncClient(host=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=GENEROUS_S)
    try:
        return (await client.chat("local-model", [{"role": "user", "content": "hi"}])).message.content or ""
    finally:
        await client._client.aclose()


CLIENTS = (anthropic_says, openai_says_over_chat, openai_says_over_responses, ollama_says)


@pytest.mark.parametrize("says", CLIENTS)
def test_the_vendors_clients_read_over_the_blanks_before_a_whole_answer(says: Callable[[str], Awaitable[str]]) -> None:
    async def run() -> str:
        until, steps = slowly(REST)
        async with shim_before([steps], keep_alive=PATIENT) as (url, _):
            asking = asyncio.ensure_future(says(url))
            await asyncio.sleep(PATIENT.whole_after_s * 4)  # that there are blanks is the next test's claim
            until.set()
            return await asking

    assert asyncio.run(run()) == "Hello"


@pytest.mark.parametrize("says", CLIENTS)
def test_the_vendors_clients_raise_when_a_whole_answer_fails_behind_its_blanks(
    says: Callable[[str], Awaitable[str]],
) -> None:
    async def run() -> None:
        until, steps = slowly(Cut())
        async with shim_before([steps], keep_alive=PATIENT) as (url, _):
            asking = asyncio.ensure_future(says(url))
            await asyncio.sleep(PATIENT.whole_after_s * 4)
            until.set()
            # Whether the blanks came first or not: none of them takes what it got for an answer.
            with pytest.raises((openai.APIError, anthropic.APIError, ollama.ResponseError, httpx.HTTPError)):
                await asking

    asyncio.run(run())


@pytest.mark.parametrize(("wire", "path"), WHOLE)
def test_a_whole_answer_that_takes_long_is_led_by_blanks(wire: str, path: str) -> None:
    async def run() -> tuple[int, bytes, httpx.RemoteProtocolError | None]:
        until, steps = slowly(REST)
        async with shim_before([steps], keep_alive=PATIENT) as (url, _):
            return await asked_slowly(until, url, path, request_body(wire, stream=False))

    status, body, error = asyncio.run(run())
    assert (status, error) == (200, None)
    assert body.startswith(b" ")
    assert "Hello" in json.dumps(json.loads(body))


@pytest.mark.parametrize(("wire", "path"), WHOLE)
def test_a_whole_answer_that_fails_behind_its_blanks_is_cut_and_no_answer(wire: str, path: str) -> None:
    async def run() -> tuple[int, bytes, httpx.RemoteProtocolError | None]:
        until, steps = slowly(Cut())
        async with shim_before([steps], keep_alive=PATIENT) as (url, _):
            return await asked_slowly(until, url, path, request_body(wire, stream=False))

    status, body, error = asyncio.run(run())
    assert (status, body.strip()) == (200, b"")
    assert error is not None


@pytest.mark.parametrize(("wire", "path"), WHOLE)
def test_a_whole_answer_that_fails_before_its_first_blank_has_its_status(wire: str, path: str) -> None:
    async def run() -> int:
        async with shim_before([[*answer(STARTED), Cut()]]) as (url, _):
            return (await asked_slowly(asyncio.Event(), url, path, request_body(wire, stream=False)))[0]

    assert asyncio.run(run()) >= 500
