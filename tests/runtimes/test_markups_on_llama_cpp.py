"""The real llama.cpp saying calls in every notation: what it delivers itself, and what the filters make of it."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.core.filters.answers import REQUEST, TOOLS, Outcome, answer, parsed
from tests.core.filters.test_text_calls import NOTATIONS, PROSE
from tests.core.grammar import grammar_error

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import ChatEvent, StopReason, TextPart, ThinkingPart, ToolCallPart
from agentlaunch.core.scripted_gguf import Reply, Script, Turn
from agentlaunch.core.sse import SseParser
from agentlaunch.core.wire.openai_chat import OpenAIChat
from agentlaunch.runtimes.llama_cpp import LlamaCppHost

pytestmark = pytest.mark.real

GRAMMAR_BEGINS = ("<tool_call>\n", '<tool_call>{"name": "bash", "arguments": {')
"""Behind what the model's own template begins a call with, llama.cpp's grammar takes over from the script."""

SPACE_MARK = "\u2581"
"""A scripted model cannot say it, so DeepSeek's tokens are left to the unit tests."""

SAYABLE = {
    name: case
    for name, case in NOTATIONS.items()
    if SPACE_MARK not in case[0] and not any(begin in case[0] for begin in GRAMMAR_BEGINS)
}
EXAMPLES = {
    text: (text, Outcome(text, reason=StopReason.END_TURN))
    for text in PROSE
    if len(text) > 20 and SPACE_MARK not in text and "<tool_call>" not in text
}
HERMES = '<tool_call>\n{"name": "bash", "arguments": {"command": "ls"}}\n</tool_call>'
THINKING = "<think>hm</think>Hello"

Json = dict[str, Any]


def tool_definitions() -> list[Json]:
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": "A tool.", "parameters": json.loads(bytes(tool.parameters))},
        }
        for tool in TOOLS
    ]


def script_of(texts: Iterable[str]) -> Script:
    return Script(replies=tuple(Reply(f"case {number}.", Turn(text=text)) for number, text in enumerate(texts)))


async def events_of(client: httpx.AsyncClient, model: str, number: int) -> list[ChatEvent]:
    """What the decoder of the Chat wire reads from llama.cpp's stream."""
    body = {"model": model, "stream": True, "max_tokens": 400, "tools": tool_definitions()}
    body["messages"] = [{"role": "user", "content": f"case {number}."}]
    parser, decoder = SseParser(), OpenAIChat().event_decoder()
    events: list[ChatEvent] = []
    async with client.stream("POST", "/v1/chat/completions", json=body) as response:
        async for data in response.aiter_bytes():
            events += [event for frame in parser.feed(data) for event in decoder.feed(frame)]
    events += [event for frame in parser.finish() for event in decoder.feed(frame)]
    return [*events, *decoder.finish()]


def answers_of(texts: list[str], model_path: Path, logs: Path) -> list[list[ChatEvent]]:
    """The events of each text, said by one engine."""

    async def ask(endpoint: Endpoint, number: int) -> list[ChatEvent]:
        # A connection of its own for each: llama.cpp closes one after a hundred requests, without a word.
        async with httpx.AsyncClient(
            base_url=endpoint.base_url,
            headers={"Authorization": f"Bearer {endpoint.key}"},
            trust_env=False,
            timeout=60,
        ) as client:
            return await events_of(client, endpoint.model, number)

    async def work() -> list[list[ChatEvent]]:
        host = LlamaCppHost(logs, os.environ)
        try:
            endpoint = await host.ensure(EngineSpec(str(model_path), "scripted", 16_384))
            return [await ask(endpoint, number) for number in range(len(texts))]
        finally:
            await host.close()

    return asyncio.run(asyncio.wait_for(work(), 240))


def filtered(events: list[ChatEvent]) -> tuple[list[ChatEvent], dict[str, int]]:
    chain = FilterChain(answer_filters(REQUEST))
    told = [out for event in events for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(told) == ""
    return told, dict(chain.mended)


def came_to(events: list[ChatEvent]) -> Outcome:
    result = answer(events)
    return Outcome(
        "".join(part.text for part in result.parts if isinstance(part, TextPart)),
        tuple((part.name, parsed(part.arguments)) for part in result.parts if isinstance(part, ToolCallPart)),
        "".join(part.text for part in result.parts if isinstance(part, ThinkingPart)),
        result.reason,
    )


def test_llama_cpp_leaves_foreign_notations_as_text_and_the_filters_find_the_calls(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    cases = {**SAYABLE, **EXAMPLES}
    texts = [text for text, _ in cases.values()]
    streams = answers_of(texts, scripted_model(script_of(texts)), tmp_path)
    raw = {name: came_to(events).calls for name, events in zip(cases, streams, strict=True)}
    found = {name: came_to(filtered(events)[0]) for name, events in zip(cases, streams, strict=True)}
    assert raw == dict.fromkeys(cases, ())
    assert found == {name: expected for name, (_, expected) in cases.items()}


def test_what_llama_cpp_has_parsed_itself_passes_with_nothing_mended(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    texts = [HERMES, THINKING]
    hermes, thinking = answers_of(texts, scripted_model(script_of(texts)), tmp_path)
    assert came_to(hermes) == Outcome(calls=(("bash", {"command": "ls"}),))
    assert came_to(thinking) == Outcome("Hello", (), "hm", StopReason.END_TURN)
    for events in (hermes, thinking):
        told, mended = filtered(events)
        assert (came_to(told), mended) == (came_to(events), {})
