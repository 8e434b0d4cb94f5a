"""The vendors' own client libraries against the live shim: they judge what we send."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anthropic
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
    Step,
    answer,
    chunk,
    hello,
    shim_before,
)

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
