"""Public reports of what agents ask of a local server, against the live shim."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import Callable
from typing import cast

import brotli
import httpx
import pytest
import zstandard
from tests.shim.doubles import (
    GENEROUS_S,
    PATHS,
    TOKEN,
    Data,
    Head,
    Step,
    answer,
    hello,
    live,
    make_session,
    request_body,
    shim_before,
)

AUTH = {"authorization": f"Bearer {TOKEN}"}


@pytest.mark.report("B046")
@pytest.mark.report("B235")
@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wire", PATHS)
@pytest.mark.parametrize(
    "model",
    ["claude-haiku-4-5-20251001", "sonnet", "opus[1m]", "claude-opus-4-5[1m]", "gpt-5-nano", "local-model", "x"],
)
def test_whatever_model_an_agent_names_for_its_side_jobs_the_sessions_model_answers(
    model: str, wire: str, stream: bool
) -> None:
    async def run() -> tuple[int, str, object]:
        async with (
            shim_before([answer(hello())]) as (url, upstream),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client,
        ):
            body = request_body(wire, stream=stream, model=model)
            got = await client.post(url + PATHS[wire], headers=AUTH, json=body)
            return got.status_code, got.text, upstream.received[0].body["model"]

    status, text, asked = asyncio.run(run())
    assert (status, asked) == (200, "engine-model")
    assert f'"model":"{model}"' in text.replace(": ", ":")


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("wire", PATHS)
@pytest.mark.parametrize("model", [{"model": None}, {"model": ""}, {}])
def test_a_request_that_names_no_model_is_for_the_sessions_model(
    model: dict[str, object], wire: str, stream: bool
) -> None:
    async def run() -> tuple[int, str, object]:
        async with (
            shim_before([answer(hello())]) as (url, upstream),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client,
        ):
            body = request_body(wire, stream=stream)
            del body["model"]
            got = await client.post(url + PATHS[wire], headers=AUTH, json={**body, **model})
            return got.status_code, got.text, upstream.received[0].body["model"]

    status, text, asked = asyncio.run(run())
    assert (status, asked) == (200, "engine-model")
    assert '"model":"local-model"' in text


@pytest.mark.report("B071")
@pytest.mark.parametrize("upgrade", ["websocket", "WebSocket"])
def test_a_websocket_upgrade_on_responses_is_426_at_once(upgrade: str) -> None:
    async def run() -> httpx.Response:
        headers = {
            **AUTH,
            "connection": "Upgrade",
            "upgrade": upgrade,
            "sec-websocket-version": "13",
            "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
        }
        async with live(make_session()) as url, httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            return await client.get(f"{url}/v1/responses", headers=headers)

    got = asyncio.run(run())
    error = cast("dict[str, dict[str, str]]", got.json())["error"]
    assert (got.status_code, error["message"]) == (426, "the route `/v1/responses` has no method `GET`")


@pytest.mark.report("B010")
def test_a_remote_compaction_is_refused_at_once_in_the_wires_form() -> None:
    async def run() -> httpx.Response:
        async with live(make_session()) as url, httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            return await client.post(f"{url}/v1/responses/compact", headers=AUTH, json={"model": "m", "input": []})

    got = asyncio.run(run())
    assert (got.status_code, got.json()["error"]["code"]) == (404, "route_not_found")


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("zstd", zstandard.compress), ("br", brotli.compress)],
)
@pytest.mark.parametrize("stream", [True, False])
def test_an_answer_is_read_whatever_encoding_the_upstream_chose(
    encoding: str, pack: Callable[[bytes], bytes], stream: bool
) -> None:
    packed = pack(hello())
    pieces = [Data(packed[start : start + 7]) for start in range(0, len(packed), 7)]
    steps: list[Step] = [Head(headers=(("content-encoding", encoding),)), *pieces]

    async def run() -> httpx.Response:
        async with shim_before([steps]) as (url, _), httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            body = request_body("anthropic_messages", stream=stream)
            return await client.post(f"{url}/v1/messages", headers=AUTH, json=body)

    got = asyncio.run(run())
    assert got.status_code == 200
    assert "content-encoding" not in got.headers
    assert "Hello" in got.text


def stopped(stream: bool, stop: list[str], last: dict[str, object]) -> str:
    """What a client of the Messages wire gets when the upstream's last chunk says this."""

    async def run() -> str:
        steps = answer(hello().replace(b'"finish_reason": "stop"', json.dumps(last).encode()[1:-1]))
        async with shim_before([steps]) as (url, _), httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            body = request_body("anthropic_messages", stream=stream, stop_sequences=stop)
            return (await client.post(f"{url}/v1/messages", headers=AUTH, json=body)).text

    return asyncio.run(run())


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("stop", "last"),
    [
        (["</block>"], {"finish_reason": "stop"}),
        (["</block>", "END"], {"finish_reason": "stop", "stop_reason": "</block>"}),
    ],
)
def test_a_client_is_told_which_stop_sequence_ended_its_answer(
    stream: bool, stop: list[str], last: dict[str, object]
) -> None:
    assert '"stop_reason":"stop_sequence","stop_sequence":"</block>"' in stopped(stream, stop, last)


@pytest.mark.parametrize("stream", [True, False])
def test_an_end_of_the_models_own_is_no_stop_sequence_where_the_server_tells_them_apart(stream: bool) -> None:
    told = stopped(stream, ["</block>"], {"finish_reason": "stop", "stop_reason": None})
    assert '"stop_reason":"end_turn","stop_sequence":null' in told
