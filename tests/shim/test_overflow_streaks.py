"""After two overflows in a row a Chat client is no longer told to compact: OpenCode would for ever."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from tests.shim.doubles import (
    GENEROUS_S,
    PATHS,
    TOKEN,
    Data,
    Head,
    Step,
    answer,
    hello,
    request_body,
    shim_before,
)

OVERFLOW: list[Step] = [
    Head(400, "application/json"),
    Data(
        json.dumps(
            {
                "error": {
                    "code": 400,
                    "message": "request (9000 tokens) exceeds the available context size (8192 tokens)",
                    "type": "exceed_context_size_error",
                    "n_prompt_tokens": 9000,
                    "n_ctx": 8192,
                }
            }
        ).encode()
    ),
]
SUCCESS = answer(hello())
TOOLS: dict[str, list[dict[str, object]]] = {
    "openai_chat": [{"type": "function", "function": {"name": "ls", "parameters": {"type": "object"}}}],
    "openai_responses": [{"type": "function", "name": "ls", "parameters": {"type": "object"}}],
    "anthropic_messages": [{"name": "ls", "input_schema": {"type": "object"}}],
}


def messages_of(wire: str, requests: list[tuple[list[Step], bool]]) -> list[str]:
    """The error of each request, empty for a success. A request is what it gets, and whether it offers tools."""

    async def run() -> list[str]:
        told = []
        async with (
            shim_before([steps for steps, _ in requests]) as (url, _),
            httpx.AsyncClient(
                base_url=url, headers={"authorization": f"Bearer {TOKEN}"}, timeout=GENEROUS_S, trust_env=False
            ) as client,
        ):
            for _, has_tools in requests:
                extra = {"tools": TOOLS[wire]} if has_tools else {}
                response = await client.post(PATHS[wire], json=request_body(wire, stream=True, **extra))
                told.append("" if response.status_code == 200 else response.json()["error"]["message"])
        return told

    return asyncio.run(run())


CHAT_OVERFLOW = (
    "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
    " Please reduce the length of the messages."
)
PLAIN = "this request needs 9000 tokens and the model's window here is 8192: start with a larger --context, or --lean"


def test_the_third_overflow_in_a_row_is_a_plain_bad_request_though_compactions_succeed_in_between() -> None:
    loop = [(OVERFLOW, True), (SUCCESS, False), (OVERFLOW, True), (SUCCESS, False), (OVERFLOW, True)]
    assert messages_of("openai_chat", loop) == [CHAT_OVERFLOW, "", CHAT_OVERFLOW, "", PLAIN]


def test_a_turn_that_succeeds_begins_a_new_streak() -> None:
    turns = [(OVERFLOW, True), (OVERFLOW, False), (SUCCESS, True), (OVERFLOW, True), (OVERFLOW, True), (OVERFLOW, True)]
    assert messages_of("openai_chat", turns) == [CHAT_OVERFLOW, CHAT_OVERFLOW, "", CHAT_OVERFLOW, CHAT_OVERFLOW, PLAIN]


@pytest.mark.parametrize("wire", ["anthropic_messages", "openai_responses"])
def test_agents_that_stop_by_themselves_are_told_of_every_overflow(wire: str) -> None:
    told = messages_of(wire, [(OVERFLOW, True)] * 4)
    assert (len(set(told)), "9000" in told[0], told[0].count("8192")) == (1, True, 1)
