"""From the official SDKs through the shim to Ollama's own API and back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import TypeVar

import anthropic
import openai
import pytest
from tests.doubles.ollama_server import KNOWN_FIELDS, Moods, OllamaDouble, Say
from tests.shim.doubles import QUICK, SLOW, TOKEN, live, make_session

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.shim.answer import KeepAlive
from agentlaunch.shim.upstream import request_headers

T = TypeVar("T")

SCHEMA = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOL: anthropic.types.ToolParam = {"name": "Write", "description": "writes", "input_schema": SCHEMA}
ASK: list[anthropic.types.MessageParam] = [{"role": "user", "content": "write a file"}]
LONG: list[anthropic.types.MessageParam] = [{"role": "user", "content": "word " * 30_000}]
"""About 37,500 tokens by the double's count, in a window of 32,768."""


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble().running() as running:
        yield running


def endpoint(double: OllamaDouble) -> Endpoint:
    return Endpoint("ollama", "ollama_chat", double.url, "tiny:latest", context_window=32_768, overflow="refused")


def with_claude(
    where: Endpoint, test: Callable[[anthropic.AsyncAnthropic], Awaitable[T]], keep_alive: KeepAlive = SLOW
) -> T:
    async def run() -> T:
        session = replace(make_session(), endpoint=where)
        async with (
            live(session, keep_alive) as url,
            anthropic.AsyncAnthropic(base_url=url, auth_token=TOKEN, api_key=None, max_retries=0) as client,
        ):
            return await test(client)

    return asyncio.run(run())


async def streamed(
    client: anthropic.AsyncAnthropic, messages: list[anthropic.types.MessageParam]
) -> anthropic.types.Message:
    async with client.messages.stream(model="local-model", max_tokens=100, messages=messages, tools=[TOOL]) as stream:
        return await stream.get_final_message()


async def unstreamed(
    client: anthropic.AsyncAnthropic, messages: list[anthropic.types.MessageParam]
) -> anthropic.types.Message:
    return await client.messages.create(model="local-model", max_tokens=5, messages=messages)


def test_a_tool_call_comes_back_through_the_shim_and_its_result_goes_out(double: OllamaDouble) -> None:
    double.replies = [Say(("Wri", "ting."), calls=(("Write", {"path": "a b.py"}),)), Say(("Done.",))]

    async def test(client: anthropic.AsyncAnthropic) -> tuple[object, object]:
        first = await streamed(client, ASK)
        results: list[anthropic.types.ToolResultBlockParam] = [
            {"type": "tool_result", "tool_use_id": block.id, "content": "written"}
            for block in first.content
            if block.type == "tool_use"
        ]
        turn: list[anthropic.types.MessageParam] = [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": results},
        ]
        second = await streamed(client, [*ASK, *turn])
        return first.to_dict(), second.to_dict()

    first, second = with_claude(endpoint(double), test)
    assert isinstance(first, dict)
    assert isinstance(second, dict)
    assert first["content"] == [
        {"type": "text", "text": "Writing."},
        {"type": "tool_use", "id": "call_00000000", "name": "Write", "input": {"path": "a b.py"}},
    ]
    assert (first["stop_reason"], first["usage"]["output_tokens"]) == ("tool_use", 5)
    assert (second["stop_reason"], second["content"]) == ("end_turn", [{"type": "text", "text": "Done."}])
    again = double.chats[1]["messages"]
    assert isinstance(again, list)
    assert again[1:] == [
        {
            "role": "assistant",
            "content": "Writing.",
            "tool_calls": [{"id": "call_00000000", "function": {"name": "Write", "arguments": {"path": "a b.py"}}}],
        },
        {"role": "tool", "content": "written", "tool_name": "Write", "tool_call_id": "call_00000000"},
    ]


@pytest.mark.report("B168")
@pytest.mark.report("B157")
@pytest.mark.report("B168")
def test_every_request_has_the_one_window_and_no_field_that_ollama_would_ignore(double: OllamaDouble) -> None:
    async def test(client: anthropic.AsyncAnthropic) -> None:
        await streamed(client, ASK)
        await client.messages.create(model="claude-haiku-4-5", max_tokens=5, messages=ASK)

    with_claude(endpoint(double), test)
    assert double.loads == [("tiny:latest", 32_768)]
    assert [body.keys() - KNOWN_FIELDS for body in double.chats] == [set(), set()]


@pytest.mark.report("B026")
def test_thinking_that_the_model_has_not_is_not_asked_for(double: OllamaDouble) -> None:
    async def test(client: anthropic.AsyncAnthropic) -> str | None:
        thinking: anthropic.types.ThinkingConfigParam = {"type": "enabled", "budget_tokens": 1024}
        message = await client.messages.create(
            model="m", max_tokens=2000, messages=ASK, thinking=thinking, stream=False
        )
        return message.stop_reason

    for thinking in ("none", "unknown"):
        where = replace(endpoint(double), thinking=thinking)  # type: ignore[arg-type]
        assert with_claude(where, test) == "end_turn"
    assert ["think" in body for body in double.chats] == [False, False]


def test_thinking_reaches_the_client(double: OllamaDouble) -> None:
    double.models[0].capabilities = ("completion", "tools", "thinking")
    double.replies = [Say(("Hi",), "hm")]

    async def test(client: anthropic.AsyncAnthropic) -> list[str]:
        thinking: anthropic.types.ThinkingConfigParam = {"type": "enabled", "budget_tokens": 1024}
        message = await client.messages.create(model="m", max_tokens=2000, messages=ASK, thinking=thinking)
        return [block.type for block in message.content]

    assert with_claude(replace(endpoint(double), thinking="switch"), test) == ["thinking", "text"]
    assert double.chats[0]["think"] is True


@pytest.mark.parametrize("overflow", ["refuse", "nested", "emptied", "silent"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_overflow_in_any_of_its_ways_is_the_one_that_claude_compacts_at(
    double: OllamaDouble, overflow: str, stream: bool
) -> None:
    double.moods = Moods(overflow=overflow)  # type: ignore[arg-type]

    async def test(client: anthropic.AsyncAnthropic) -> tuple[int, str]:
        ask = streamed if stream else unstreamed
        with pytest.raises(anthropic.BadRequestError) as caught:
            await ask(client, LONG)
        return caught.value.status_code, str(caught.value)

    status, text = with_claude(replace(endpoint(double), overflow="unknown"), test)
    assert status == 400
    assert "prompt is too long" in text
    assert "32768 maximum" in text


def test_an_error_line_after_text_ends_the_stream_with_an_error(double: OllamaDouble) -> None:
    double.moods.error_after = 1

    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(anthropic.APIStatusError, match="error was encountered"):
            await streamed(client, ASK)

    with_claude(endpoint(double), test)


def test_a_stream_that_is_cut_ends_with_an_error(double: OllamaDouble) -> None:
    double.moods.cut_after = 1

    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(anthropic.APIStatusError, match="closed the connection before its answer was whole"):
            await streamed(client, ASK)

    with_claude(endpoint(double), test)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda double: double.models.clear(), anthropic.NotFoundError),
        (lambda double: setattr(double.moods, "is_queue_full", True), anthropic.InternalServerError),
        (lambda double: setattr(double.models[0], "capabilities", ("completion",)), anthropic.BadRequestError),
    ],
    ids=["missing", "busy", "no tools"],
)
def test_an_error_answer_has_its_kind(
    double: OllamaDouble, spoil: Callable[[OllamaDouble], None], error: type[anthropic.APIStatusError]
) -> None:
    spoil(double)

    async def test(client: anthropic.AsyncAnthropic) -> None:
        with pytest.raises(error):
            await streamed(client, ASK)

    with_claude(endpoint(double), test)


def test_a_long_prefill_is_bridged_with_signs_of_life(double: OllamaDouble) -> None:
    double.moods.prefill_s = 0.3

    async def test(client: anthropic.AsyncAnthropic) -> list[str]:
        stream = await client.messages.create(model="m", max_tokens=5, messages=ASK, stream=True)
        return [event.type async for event in stream]

    assert with_claude(endpoint(double), test, QUICK)[-1] == "message_stop"


def test_openai_gets_a_tool_call_over_chat(double: OllamaDouble) -> None:
    double.replies = [Say((), calls=(("Write", {"path": "a"}), ("Write", {"path": "b"})))]
    double.moods.has_call_ids = False

    async def run() -> tuple[str, list[tuple[str, object]]]:
        async with (
            live(replace(make_session(), endpoint=endpoint(double))) as url,
            openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=TOKEN, max_retries=0) as client,
        ):
            completion = await client.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "hi"}],
                tools=[{"type": "function", "function": {"name": "Write", "parameters": SCHEMA}}],
            )
        choice = completion.choices[0]
        calls = [call for call in choice.message.tool_calls or [] if call.type == "function"]
        return choice.finish_reason, [(call.id, json.loads(call.function.arguments)) for call in calls]

    reason, calls = asyncio.run(run())
    assert reason == "tool_calls"
    assert [arguments for _, arguments in calls] == [{"path": "a"}, {"path": "b"}]
    assert len({id_ for id_, _ in calls}) == 2


def test_a_key_goes_as_its_scheme_says() -> None:
    basic = Endpoint("o", "ollama_chat", "http://127.0.0.1:1", "m", key="bTpw", key_scheme="basic")
    assert request_headers(basic)["authorization"] == "Basic bTpw"
    assert request_headers(replace(basic, key_scheme="bearer"))["authorization"] == "Bearer bTpw"
