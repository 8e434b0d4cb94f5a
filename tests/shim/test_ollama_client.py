"""Ollama's own client library against the live shim, and what it asks before it chats."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeVar

import httpx
import ollama
import pytest
from tests.shim.doubles import (
    DONE,
    GENEROUS_S,
    QUICK,
    STARTED,
    TOKEN,
    USAGE,
    Cut,
    Data,
    Head,
    Pause,
    Received,
    Step,
    answer,
    chunk,
    hello,
    live,
    make_session,
    shim_before,
)

from agentlaunch.shim.session import Session

T = TypeVar("T")
AUTH = {"authorization": f"Bearer {TOKEN}"}
PNG = b"\x89PNG\r\n\x1a\n0000"
USER = {"role": "user", "content": "hi"}
ARGUMENTS = {"path": "a.txt", "text": "Grüße 🙂"}
WRITE = {
    "type": "function",
    "function": {
        "name": "Write",
        "description": "writes",
        "parameters": {"type": "object", "properties": {"path": {"type": "string"}, "text": {"type": "string"}}},
    },
}
CALL = [
    STARTED,
    chunk({"reasoning_content": "I should "}),
    chunk({"reasoning_content": "write."}),
    chunk({"content": "Writing."}),
    chunk(
        {
            "tool_calls": [
                {"index": 0, "id": "call_1", "function": {"name": "Write", "arguments": json.dumps(ARGUMENTS)}}
            ]
        }
    ),
    chunk({}, "tool_calls", USAGE),
    DONE,
]


def with_ollama(steps: list[Step], test: Callable[[ollama.AsyncClient], Awaitable[T]]) -> tuple[T, list[Received]]:
    """What the test gives, and what the upstream got."""

    async def run() -> tuple[T, list[Received]]:
        async with shim_before([steps]) as (url, upstream):
            client = ollama.AsyncClient(host=url, headers=AUTH, timeout=GENEROUS_S)
            try:
                return await test(client), upstream.received
            finally:
                await client._client.aclose()

    return asyncio.run(run())


def ask(method: str, path: str, session: Session | None = None, **more: object) -> httpx.Response:
    async def run() -> httpx.Response:
        async with (
            live(session or make_session()) as url,
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S, headers=AUTH, base_url=url) as client,
        ):
            return await client.request(method, path, **more)  # type: ignore[arg-type]

    return asyncio.run(run())


# --- chat ---------------------------------------------------------------------------------------------------------


def test_ollama_streams_thinking_text_and_a_whole_call_and_sends_nothing_twice() -> None:
    async def test(client: ollama.AsyncClient) -> list[ollama.ChatResponse]:
        parts = await client.chat("local-model", [USER], tools=[WRITE], think=True, stream=True)
        return [part async for part in parts]

    parts, _ = with_ollama(answer(*CALL), test)
    assert "".join(part.message.thinking or "" for part in parts) == "I should write."
    assert "".join(part.message.content or "" for part in parts) == "Writing."
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("Write", ARGUMENTS)]
    last = parts[-1]
    assert (last.done, last.done_reason, last.prompt_eval_count, last.eval_count) == (True, "stop", 7, 2)
    assert [part.done for part in parts[:-1]] == [False] * (len(parts) - 1)
    assert {part.model for part in parts} == {"local-model"}


def test_ollama_gets_a_whole_answer_with_thinking_and_a_call() -> None:
    async def test(client: ollama.AsyncClient) -> ollama.ChatResponse:
        return await client.chat("local-model", [USER], tools=[WRITE])

    whole, _ = with_ollama(answer(*CALL), test)
    assert (whole.message.thinking, whole.message.content) == ("I should write.", "Writing.")
    assert [call.function.arguments for call in whole.message.tool_calls or ()] == [ARGUMENTS]
    assert (whole.done, whole.done_reason, whole.prompt_eval_count, whole.eval_count) == (True, "stop", 7, 2)


def test_ollamas_images_schema_options_and_results_reach_the_upstream() -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}}}
    called = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "Write", "arguments": {}}}]}

    async def test(client: ollama.AsyncClient) -> str | None:
        messages = [
            {"role": "system", "content": "be short"},
            {"role": "user", "content": "look", "images": [PNG]},
            called,
            {"role": "tool", "tool_name": "Write", "content": "written"},
            USER,
        ]
        options = {"temperature": 0.5, "num_predict": 9, "seed": 3, "stop": ["END"], "num_ctx": 4096}
        return (await client.chat("local-model", messages, format=schema, options=options)).message.content

    content, received = with_ollama(answer(hello()), test)
    assert content == "Hello"
    image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}}
    body = received[0].body
    assert body["messages"] == [
        {"role": "system", "content": "be short"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, image]},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "Write", "arguments": "{}"}}],
        },
        {"role": "tool", "content": "written", "tool_call_id": "call_1"},
        {"role": "user", "content": "hi"},
    ]
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    told = {key: body[key] for key in ("temperature", "max_tokens", "seed", "stop")}
    assert told == {"temperature": 0.5, "max_tokens": 9, "seed": 3, "stop": ["END"]}


def test_ollama_asks_for_any_json() -> None:
    async def test(client: ollama.AsyncClient) -> str | None:
        return (await client.chat("local-model", [USER], format="json")).message.content

    content, received = with_ollama(answer(hello("{}")), test)
    assert (content, received[0].body["response_format"]) == ("{}", {"type": "json_object"})


def test_a_stream_is_what_a_client_gets_that_says_nothing_about_it() -> None:
    async def run() -> tuple[str, list[bool]]:
        async with (
            shim_before([answer(hello())]) as (url, _),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client,
        ):
            got = await client.post(f"{url}/api/chat", headers=AUTH, json={"model": "m", "messages": [USER]})
            return got.headers["content-type"], [json.loads(line)["done"] for line in got.text.splitlines()]

    assert asyncio.run(run()) == ("application/x-ndjson", [False, True])


@pytest.mark.report("B026")
def test_ollama_raises_the_upstreams_error_with_its_status() -> None:
    async def test(client: ollama.AsyncClient) -> tuple[int, str]:
        with pytest.raises(ollama.ResponseError) as raised:
            await client.chat("local-model", [USER])
        return raised.value.status_code, raised.value.error

    steps: list[Step] = [Head(429, "application/json"), Data(b'{"error":{"message":"slow down"}}')]
    assert with_ollama(steps, test)[0] == (429, "slow down")


def test_ollama_raises_when_a_stream_is_cut() -> None:
    async def test(client: ollama.AsyncClient) -> str:
        parts = await client.chat("local-model", [USER], stream=True)
        first = await anext(parts)
        with pytest.raises(ollama.ResponseError, match="closed the connection"):
            await anext(parts)
        return first.message.content or ""

    assert with_ollama([*answer(STARTED, chunk({"content": "Hel"})), Cut()], test)[0] == "Hel"


def test_ollama_sees_signs_of_life_while_the_model_reads() -> None:
    async def run() -> list[tuple[str, bool]]:
        later = asyncio.Event()
        steps: list[Step] = [Head(), Pause(later), Data(hello())]
        async with shim_before([steps], keep_alive=QUICK) as (url, _):
            client = ollama.AsyncClient(host=url, headers=AUTH, timeout=GENEROUS_S)
            seen = []
            async for part in await client.chat("local-model", [USER], stream=True):
                seen.append((part.message.content or "", part.done))
                later.set()
            await client._client.aclose()
            return seen

    seen = asyncio.run(run())
    assert seen[0] == ("", False)
    assert seen[-2:] == [("Hello", False), ("", True)]


def test_ollama_is_told_of_a_missing_token_in_its_own_form() -> None:
    got = ask("POST", "/api/chat", headers={"authorization": "Bearer wrong"}, json={"model": "m", "messages": [USER]})
    what = "no session of agentlaunch has this token: start the agent with agentlaunch"
    assert (got.status_code, got.json()) == (401, {"error": what})


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("POST", "/api/embed", 404, "there is no route `/api/embed`"),
        ("GET", "/api/chat", 405, "the route `/api/chat` has no method `GET`"),
    ],
)
def test_what_ollamas_clients_ask_in_vain_is_told_in_their_form(
    method: str, path: str, status: int, error: str
) -> None:
    got = ask(method, path)
    assert (got.status_code, got.json()) == (status, {"error": error})


# --- before the chat ----------------------------------------------------------------------------------------------

DETAILS = {
    "context_length": 32768,
    "parent_model": "",
    "format": "",
    "family": "agentlaunch",
    "families": ["agentlaunch"],
    "parameter_size": "",
    "quantization_level": "",
}


def test_ollama_lists_shows_and_finds_the_sessions_model() -> None:
    async def test(client: ollama.AsyncClient) -> tuple[list[str | None], object, list[str] | None, list[str | None]]:
        shown = await client.show("local-model")
        return (
            [model.model for model in (await client.list()).models],
            shown.modelinfo,
            shown.capabilities,
            [model.model for model in (await client.ps()).models],
        )

    info = {"general.architecture": "agentlaunch", "agentlaunch.context_length": 32768}
    told = (["local-model"], info, ["completion", "tools"], ["local-model"])
    assert with_ollama([], test)[0] == told


def test_the_version_is_the_one_whose_api_is_spoken() -> None:
    assert ask("GET", "/api/version").json() == {"version": "0.32.15"}


def test_the_list_of_models_is_in_ollamas_form() -> None:
    assert ask("GET", "/api/tags").json() == {
        "models": [
            {
                "name": "local-model",
                "model": "local-model",
                "details": DETAILS,
                "capabilities": ["completion", "tools"],
                "modified_at": "1970-01-01T00:00:00Z",
                "size": 0,
                "digest": "",
            }
        ]
    }


def test_what_the_model_is_known_to_take_is_shown() -> None:
    plain = make_session()
    session = replace(plain, endpoint=replace(plain.endpoint, thinking="levels", takes_images=True))
    capabilities = ["completion", "tools", "thinking", "vision"]
    assert ask("POST", "/api/show", session, json={"name": "local-model:latest"}).json()["capabilities"] == capabilities


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        (b'{"model": "other"}', 404, "model 'other' not found"),
        (b"{}", 400, "model is required"),
        (b'{"model": 1}', 400, "Expected `str`, got `int` - at `$.model`"),
    ],
)
def test_a_model_that_cannot_be_shown_is_told_as_ollama_does(body: bytes, status: int, error: str) -> None:
    got = ask("POST", "/api/show", content=body)
    assert (got.status_code, got.json()) == (status, {"error": error})


def test_a_body_of_show_that_cannot_be_unpacked_is_told_as_ollama_does() -> None:
    got = ask("POST", "/api/show", headers={"content-encoding": "lzma"}, content=b"x")
    assert got.status_code == 415
    assert list(got.json()) == ["error"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/version"), ("GET", "/api/tags"), ("GET", "/api/ps"), ("POST", "/api/show")]
)
def test_nothing_is_told_without_the_token(method: str, path: str) -> None:
    assert ask(method, path, headers={"authorization": ""}).status_code == 401
