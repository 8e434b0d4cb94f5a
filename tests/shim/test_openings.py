"""Reasoning that began in the prompt, through the live shim: told apart at once, or from the second answer on."""

from __future__ import annotations

import asyncio
import json

import httpx
from tests.shim.doubles import (
    GENEROUS_S,
    PATHS,
    STARTED,
    TOKEN,
    ScriptedUpstream,
    answer,
    chunk,
    live,
    make_session,
    read_events,
    request_body,
)

from agentlaunch.core.ir import TextDelta, ThinkingDelta

ANSWER = STARTED + chunk({"content": "First this.\n</th"}) + chunk({"content": "ink>\n\nHello"}) + chunk({}, "stop")


def test_a_client_that_waits_is_told_the_reasoning_apart_from_the_answer() -> None:
    async def run() -> list[dict[str, str]]:
        async with ScriptedUpstream([answer(ANSWER)]).running() as upstream, live(make_session(upstream.url)) as url:
            response = await ask(url, "anthropic_messages", stream=False)
            return list(json.loads(response)["content"])

    thought, said = asyncio.run(run())
    assert (thought["type"], thought["thinking"]) == ("thinking", "First this.\n")
    assert (said["type"], said["text"]) == ("text", "Hello")


def test_a_model_that_has_begun_inside_its_reasoning_is_known_from_then_on() -> None:
    async def run() -> list[tuple[str, str]]:
        answers = [answer(ANSWER), answer(ANSWER)]
        async with ScriptedUpstream(answers).running() as upstream, live(make_session(upstream.url)) as url:
            return [told(await ask(url, "openai_chat", stream=True)) for _ in answers]

    assert asyncio.run(run()) == [("", "First this.\nHello"), ("First this.\n", "Hello")]


def told(stream: bytes) -> tuple[str, str]:
    events = read_events("openai_chat", stream)
    thought = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    return thought, "".join(event.text for event in events if isinstance(event, TextDelta))


async def ask(url: str, wire: str, *, stream: bool) -> bytes:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=GENEROUS_S, trust_env=False) as client:
        return (await client.post(PATHS[wire], json=request_body(wire, stream=stream))).content
