"""Reasoning that began in the prompt, through the live shim: told apart at once, or from the second answer on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

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


def test_a_model_that_was_told_not_to_think_is_not_taken_for_one_that_does() -> None:
    plain = STARTED + chunk({"content": "Hello"}) + chunk({}, "stop")

    async def run() -> tuple[list[tuple[str, str]], object]:
        async with ScriptedUpstream([answer(ANSWER), answer(plain)]).running() as upstream:
            session = make_session(upstream.url)
            ours = replace(session, endpoint=replace(session.endpoint, counting="llama_cpp"))
            async with live(ours) as url:
                asked = [{}, {"enable_thinking": False}]
                said = [told(await ask(url, "openai_chat", stream=True, **more)) for more in asked]
            return said, upstream.received[1].body["chat_template_kwargs"]

    assert asyncio.run(run()) == ([("", "First this.\nHello"), ("", "Hello")], {"enable_thinking": False})


def told(stream: bytes) -> tuple[str, str]:
    events = read_events("openai_chat", stream)
    thought = "".join(event.text for event in events if isinstance(event, ThinkingDelta))
    return thought, "".join(event.text for event in events if isinstance(event, TextDelta))


async def ask(url: str, wire: str, *, stream: bool, **more: object) -> bytes:
    headers = {"authorization": f"Bearer {TOKEN}"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=GENEROUS_S, trust_env=False) as client:
        return (await client.post(PATHS[wire], json=request_body(wire, stream=stream, **more))).content
