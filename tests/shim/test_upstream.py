"""The HTTP side towards upstreams."""

from __future__ import annotations

import asyncio
import gzip
import json
import tracemalloc
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest
import zstandard
from tests.shim.doubles import GENEROUS_S, KEY, PATHS, TOKEN, Cut, Data, Head, ScriptedUpstream, Step, shim_before

from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.policy import Caps
from agentlaunch.shim.upstream import MAX_WHOLE_BYTES, UpstreamClient, UpstreamFailed, request_headers

ENDPOINT = Endpoint("double", "openai_chat", "", "engine-model", key=KEY)


def fetch(steps: list[Step]) -> tuple[int, bytes]:
    async def run() -> tuple[int, bytes]:
        client = UpstreamClient()
        async with ScriptedUpstream([steps]).running() as upstream:
            endpoint = replace(ENDPOINT, base_url=upstream.url)
            try:
                async with client.post(endpoint, "/v1/chat/completions", b"{}") as response:
                    return response.status, await response.read()
            finally:
                await client.aclose()

    return asyncio.run(run())


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_loopback_never_goes_through_a_proxy(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv(variable, "http://127.0.0.1:9")
    assert fetch([Head(), Data(b"fine")]) == (200, b"fine")


def test_other_addresses_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> str:
        asked: list[str] = []

        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append((await reader.readuntil(b"\r\n")).decode())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = UpstreamClient()
        async with (
            server,
            client.post(replace(ENDPOINT, base_url="http://far.invalid", may_leave=True), "/v1/x", b"{}") as response,
        ):
            await response.read()
        await client.aclose()
        return asked[0]

    assert asyncio.run(run()) == "POST http://far.invalid/v1/x HTTP/1.1\r\n"


def test_a_kept_connection_dropped_without_an_answer_is_tried_once_more() -> None:
    async def run(answers: list[bytes]) -> tuple[int, object]:
        asked = 0

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal asked
            await reader.readuntil(b"{}")
            writer.write(answers[asked])
            asked += 1
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        endpoint = replace(ENDPOINT, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = UpstreamClient()
        try:
            async with server, client.post(endpoint, "/v1/chat/completions", b"{}") as response:
                return asked, await response.read()
        except UpstreamFailed as failure:
            return asked, failure.fault.kind
        finally:
            await client.aclose()

    fine = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
    assert asyncio.run(run([b"", fine])) == (2, b"fine")
    assert asyncio.run(run([b"", b"", fine])) == (2, ErrorKind.UNAVAILABLE)


def test_an_answer_compressed_unasked_is_unpacked() -> None:
    steps: list[Step] = [Head(headers=(("content-encoding", "gzip"),)), Data(gzip.compress(b"data: 1\n\n"))]
    assert fetch(steps) == (200, b"data: 1\n\n")


def test_a_bomb_of_an_upstream_is_given_up_and_never_whole_in_the_memory() -> None:
    frame = zstandard.compress(bytes(MAX_WHOLE_BYTES))
    steps: list[Step] = [Head(headers=(("content-encoding", "zstd"),)), Data(frame * 160)]  # ten gigabytes
    tracemalloc.start()
    try:
        with pytest.raises(UpstreamFailed, match="the upstream's answer is too big"):
            fetch(steps)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 3 * MAX_WHOLE_BYTES


def test_an_answer_in_an_encoding_that_nobody_knows_is_read_as_it_is() -> None:
    assert fetch([Head(headers=(("content-encoding", "utf-8"),)), Data(b"plain")]) == (200, b"plain")


def test_headers_without_end_are_an_upstreams_failure() -> None:
    async def run() -> ErrorKind:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"{}")
            writer.write(b"HTTP/1.1 200 OK\r\n")
            with suppress(ConnectionError):
                while True:
                    writer.write(b"x-more: %b\r\n" % (b"x" * 1000))
                    await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        endpoint = replace(ENDPOINT, base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        client = UpstreamClient()
        try:
            async with server, client.post(endpoint, "/v1/chat/completions", b"{}"):
                raise AssertionError("it has answered")
        except UpstreamFailed as failure:
            return failure.fault.kind
        finally:
            await client.aclose()

    assert asyncio.run(run()) is ErrorKind.UNAVAILABLE


@pytest.mark.parametrize(
    "steps",
    [[Cut()], [Head(), Data(b"half"), Cut()], [Head(headers=(("content-encoding", "gzip"),)), Data(b"no gzip")]],
)
def test_a_broken_connection_is_an_upstreams_failure(steps: list[Step]) -> None:
    with pytest.raises(UpstreamFailed) as failure:
        fetch(steps)
    assert failure.value.fault.kind is ErrorKind.UNAVAILABLE
    assert "`double`" in failure.value.fault.message


@pytest.mark.parametrize("key", ["sk-secret\n", "sk-secret\r\nx-evil: 1", "sk-sécret", "sk-secret\x00"])
def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(UpstreamFailed) as failure:
        request_headers(replace(ENDPOINT, key=key))
    assert failure.value.fault.kind is ErrorKind.AUTHENTICATION
    assert "secret" not in repr(failure.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.9.9.9", True),
        ("http://localhost:1", True),
        ("https://[::1]:8443/x", True),
        ("http://10.0.0.1", False),
        ("https://api.example", False),
        ("http://127.0.0.1.evil.example", False),
    ],
)
def test_loopback_is_told_by_the_address(url: str, expected: bool) -> None:
    assert is_loopback(url) is expected


@pytest.mark.parametrize("padding_bytes", [0, 2**20])
def test_what_may_never_leave_stays_however_big_the_request(padding_bytes: int) -> None:
    async def run() -> ChatFault:
        client = UpstreamClient()
        far = replace(ENDPOINT, base_url="http://192.0.2.1:9", may_leave=True, caps=Caps(patterns=("ACME-[0-9]+",)))
        body = b'{"a":"' + b"x" * padding_bytes + b' ACME-1234"}'
        try:
            async with client.post(far, "/v1/x", body):
                raise AssertionError
        except UpstreamFailed as failed:
            return failed.fault
        finally:
            await client.aclose()

    fault = asyncio.run(run())
    assert (fault.kind, fault.code, "1234" in fault.message) == (ErrorKind.PERMISSION, "never_send", False)


def test_without_consent_nothing_is_sent_to_another_machine() -> None:
    async def run() -> ChatFault:
        client = UpstreamClient()
        try:
            async with client.post(replace(ENDPOINT, base_url="http://192.0.2.1:9"), "/v1/x", b"{}"):
                raise AssertionError
        except UpstreamFailed as failed:
            return failed.fault
        finally:
            await client.aclose()

    fault = asyncio.run(run())
    assert (fault.kind, fault.code) == (ErrorKind.PERMISSION, "privacy")


QUOTED = json.dumps({"error": {"message": f"not in our table: {KEY}"}}).encode()


@pytest.mark.parametrize(
    "steps",
    [
        [Head(401, "application/json"), Data(QUOTED)],
        [Head(), Data(b"data: " + QUOTED + b"\n\n")],
        [Head(200, "application/json"), Data(QUOTED)],
    ],
    ids=["refusal", "stream", "document"],
)
@pytest.mark.parametrize("wire", PATHS)
def test_a_key_that_the_upstream_quotes_never_reaches_the_agent(wire: str, steps: list[Step]) -> None:
    async def run() -> str:
        body = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}], "input": "hi"}
        async with (
            shim_before([steps, steps]) as (url, _),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client,
        ):
            headers = {"authorization": f"Bearer {TOKEN}"}
            return (await client.post(url + PATHS[wire], headers=headers, json=body)).text

    said = asyncio.run(run())
    assert KEY not in said
    assert "not in our table: [hidden]" in said
