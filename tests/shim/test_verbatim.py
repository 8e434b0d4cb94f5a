"""Passthrough: what a vendor gets in the client's own bytes, and what is written anew all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import httpx
import pytest
from tests.shim.doubles import (
    GENEROUS_S,
    KEY,
    TOKEN,
    Cut,
    Data,
    Head,
    ScriptedUpstream,
    Step,
    live,
    make_session,
)

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart, ThinkingPart
from agentlaunch.shim.verbatim import Original, verbatim_body

ANTHROPIC = Endpoint("vendor", "anthropic_messages", "https://vendor.example", "claude-real", kind="anthropic")
BODY = b'{"model": "local", "max_tokens": 5, "stream": true, "new_field": {"b":1,"a":[2.50]}, "messages": []}'
HI = Message(Role.USER, (TextPart("hi"),))
REQUEST = ChatRequest("local", (HI,), stream=True)


def test_a_vendors_own_wire_gets_every_field_as_it_came_with_the_vendors_model() -> None:
    body = verbatim_body(Original("anthropic_messages", BODY), REQUEST, ANTHROPIC)
    assert body is not None
    assert json.loads(body) == {**json.loads(BODY), "model": "claude-real"}
    assert b'{"b":1,"a":[2.50]}' in body


@pytest.mark.parametrize(
    ("original", "request_", "endpoint"),
    [
        (Original("openai_chat", BODY), REQUEST, ANTHROPIC),
        (Original("openai_chat", BODY), REQUEST, replace(ANTHROPIC, wire="openai_chat", kind="llamacpp")),
        (Original("openai_chat", BODY), REQUEST, replace(ANTHROPIC, wire="openai_chat", kind="openai")),
        (Original("anthropic_messages", BODY), ChatRequest("local", (HI,)), ANTHROPIC),
        (Original("anthropic_messages", b"{'model'}"), REQUEST, ANTHROPIC),
        (Original("anthropic_messages", BODY), REQUEST, replace(ANTHROPIC, body_fields='{"a":1}')),
        (Original("anthropic_messages", BODY), REQUEST, replace(ANTHROPIC, takes_images=False)),
        (
            Original("anthropic_messages", BODY),
            ChatRequest("local", (HI, Message(Role.ASSISTANT, (ThinkingPart("hm"),))), stream=True),
            ANTHROPIC,
        ),
    ],
    ids=["other-wire", "local", "imitation", "not-streamed", "no-json", "own-fields", "images", "unsigned-reasoning"],
)
def test_everything_else_is_written_anew(original: Original, request_: ChatRequest, endpoint: Endpoint) -> None:
    assert verbatim_body(original, request_, endpoint) is None


def frame(event: Mapping[str, object]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (str(event["type"]).encode(), json.dumps(event).encode())


START = frame({"type": "message_start", "message": {"id": "msg_v", "type": "message", "role": "assistant",
    "content": [], "model": "claude-real", "stop_reason": None, "stop_sequence": None, "new": 1,
    "usage": {"input_tokens": 3, "output_tokens": 1}}})  # fmt: skip
TEXT = (
    frame({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}})
    + frame({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}})
    + frame({"type": "content_block_stop", "index": 0})
)
STOP = frame({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None, "new": 2},
    "usage": {"output_tokens": 2}}) + frame({"type": "message_stop"})  # fmt: skip


async def ask(
    steps: list[Step], path: str = "/v1/messages", *, stream: bool = True, **headers: str
) -> tuple[httpx.Response, ScriptedUpstream]:
    async with ScriptedUpstream([steps]).running() as upstream:
        session = make_session(upstream.url, "anthropic_messages", KEY)
        session = replace(session, endpoint=replace(session.endpoint, kind="anthropic"))
        async with live(session) as url, httpx.AsyncClient(timeout=GENEROUS_S, trust_env=False) as client:
            body = {"model": "m", "max_tokens": 9, "stream": stream, "messages": [{"role": "user", "content": "hi"}]}
            response = await client.post(
                f"{url}{path}", json=body, headers={"authorization": f"Bearer {TOKEN}", **headers}
            )
            return response, upstream


def test_the_answer_is_the_vendors_own_bytes_and_its_betas_are_asked_for() -> None:
    cut = len(START) - 7
    steps = [Head(), Data(START[:cut]), Data(START[cut:] + TEXT), Data(STOP)]
    response, upstream = asyncio.run(ask(steps, **{"anthropic-beta": "new-2026", "x-other": "private"}))
    assert response.content == START + TEXT + STOP
    got = upstream.received[0]
    assert (got.headers["anthropic-beta"], "x-other" in got.headers, got.body["model"]) == (
        "new-2026",
        False,
        "engine-model",
    )


NEWER = {"anthropic-beta": "new-2026", "anthropic-version": "2026-10-21"}


@pytest.mark.parametrize("stream", [True, False], ids=["its own bytes", "written anew"])
def test_a_vendor_is_told_the_clients_own_version_and_betas(stream: bool) -> None:
    response, upstream = asyncio.run(ask([Head(), Data(START + TEXT + STOP)], stream=stream, **NEWER))
    got = upstream.received[0].headers
    assert (response.status_code, {name: got[name] for name in NEWER}) == (200, NEWER)


def test_a_client_that_names_no_version_has_the_one_that_takes_what_every_wire_may_say() -> None:
    _, upstream = asyncio.run(ask([Head(), Data(START + TEXT + STOP)]))
    got = upstream.received[0].headers
    assert (got["anthropic-version"], "anthropic-beta" in got) == ("2023-06-01", False)


def test_a_client_of_another_wire_says_nothing_of_how_a_vendor_reads() -> None:
    _, upstream = asyncio.run(ask([Head(), Data(START + TEXT + STOP)], "/v1/chat/completions", **NEWER))
    got = upstream.received[0].headers
    assert (got["anthropic-version"], "anthropic-beta" in got) == ("2023-06-01", False)


def test_a_vendor_that_breaks_off_in_the_middle_is_told_in_the_wires_own_way() -> None:
    response, _ = asyncio.run(ask([Head(), Data(START + TEXT[:-9]), Cut()]))
    assert response.content.startswith(START + TEXT[:-9])
    assert b"\n\nevent: error\n" in response.content


def test_a_vendors_refusal_keeps_its_status() -> None:
    refusal = b'{"type":"error","error":{"type":"rate_limit_error","message":"slow"}}'
    response, _ = asyncio.run(ask([Head(429, "application/json", (("retry-after", "3"),)), Data(refusal)]))
    assert (response.status_code, response.headers["retry-after"]) == (429, "3")
