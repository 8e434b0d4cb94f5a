"""The routes: models, errors in each wire's form, and our own faults."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import aclosing

import brotli
import httpx
import msgspec
import pytest
import zstandard
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Message
from tests.shim.doubles import (
    GENEROUS_S,
    PATHS,
    STARTED,
    TOKEN,
    Data,
    OneSession,
    Pause,
    ScriptedUpstream,
    Step,
    chunk,
    hello,
    live,
    make_app,
    make_session,
    read_events,
    request_body,
    serving,
    shim_before,
)
from tests.shim.doubles import answer as scripted

from agentlaunch import __version__
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.ir import ChatEvent, ChatFault, ChatRequest, CustomTool, ErrorKind, Failed, TextDelta
from agentlaunch.core.wire.base import Reply, load_wire
from agentlaunch.shim.application import build_application, meant_path
from agentlaunch.shim.body import MAX_BODY_BYTES, BodyRefused, drain_body, read_body
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.upstream import UpstreamClient

ADDRESS = "http://127.0.0.1:8123"
AUTH = {"authorization": f"Bearer {TOKEN}"}
MODEL = {
    "id": "local-model",
    "object": "model",
    "type": "model",
    "lifecycle": "active",
    "display_name": "local-model",
    "owned_by": "agentlaunch",
    "created": 0,
    "created_at": "1970-01-01T00:00:00Z",
    "max_input_tokens": 32768,
    "max_model_len": 32768,
    "context_length": 32768,
    "max_tokens": 4096,
}

wires = pytest.mark.parametrize("wire", PATHS)


def ask(method: str, path: str, headers: dict[str, str] | None = None, content: bytes = b"") -> httpx.Response:
    async def run() -> httpx.Response:
        app, _ = make_app(make_session())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as client:
            return await client.request(method, path, headers={**AUTH, **(headers or {})}, content=content)

    return asyncio.run(run())


def ask_upstream(wire: str, headers: dict[str, str], content: bytes) -> httpx.Response:
    async def run() -> httpx.Response:
        async with (
            shim_before([scripted(hello())]) as (url, _),
            httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client,
        ):
            return await client.post(url + PATHS[wire], headers={**AUTH, **headers}, content=content)

    return asyncio.run(run())


def error_message(response: httpx.Response) -> str:
    message: str = response.json()["error"]["message"]
    return message


# --- models -------------------------------------------------------------------------------------------------------


@pytest.mark.report("B284")
def test_the_list_of_models_is_the_sessions_model_in_both_shapes() -> None:
    answer = ask("GET", "/v1/models?limit=1000")
    assert answer.json() == {
        "object": "list",
        "data": [MODEL],
        "has_more": False,
        "first_id": "local-model",
        "last_id": "local-model",
    }


def test_a_model_is_found_by_its_name() -> None:
    assert ask("GET", "/v1/models/local-model").json() == MODEL


@pytest.mark.report("B235")
@pytest.mark.parametrize(
    "name",
    ["claude-haiku-4-5-20251001", "haiku", "sonnet[1m]", "opus", "gpt-5-nano", "vendor/other", "m@background"],
)
def test_whatever_name_an_agent_looks_a_model_up_by_the_sessions_model_is_told(name: str) -> None:
    answer = ask("GET", f"/v1/models/{name}")
    assert (answer.status_code, answer.json()) == (200, {**MODEL, "id": name})


def test_health_tells_the_version() -> None:
    assert ask("GET", "/healthz").json() == {"status": "ok", "version": __version__}


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/v1/v1/models", "/v1/models"),
        ("//v1/models", "/v1/models"),
        ("/models", "/v1/models"),
        ("/v1/models/", "/v1/models"),
        ("/openai/v1/models/", "/v1/models"),
        ("/v1/v1/models/vendor/other", "/v1/models/vendor/other"),
    ],
)
def test_a_base_url_with_too_much_or_too_little_in_it_still_finds_the_route(path: str, meant: str) -> None:
    assert ask("GET", path).json() == ask("GET", meant).json()


@pytest.mark.parametrize("path", ["/messages", "/v1/v1/messages", "/anthropic/v1/messages", "/v1/messages/"])
def test_a_wire_is_told_by_the_route_that_is_meant(path: str) -> None:
    assert ask("GET", path).content == ask("GET", "/v1/messages").content


@pytest.mark.parametrize("path", ["/v1", "/api/chat/", "/x/v1/models", "/modelsx", "/agentlaunch/v1/models"])
def test_a_path_that_means_no_route_of_the_wires_stays(path: str) -> None:
    assert meant_path(path) == path


# --- routes that are not there ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "headers", "wire"),
    [
        ("/v1/embeddings", {}, "openai_chat"),
        ("/nothing", {}, "openai_chat"),
        ("/v1/messages/batches", {}, "anthropic_messages"),
        ("/v1/files", {"anthropic-version": "2023-06-01"}, "anthropic_messages"),
        ("/v1/responses/resp_1", {}, "openai_responses"),
    ],
)
def test_an_unknown_route_is_404_in_the_form_of_the_wire_that_was_meant(
    path: str, headers: dict[str, str], wire: str
) -> None:
    answer = ask("GET", path, headers)
    assert answer.status_code == 404
    fault = ChatFault(ErrorKind.NOT_FOUND, f"there is no route `{path}`", code="route_not_found")
    assert answer.content == load_wire(wire).encode_fault(fault).body


@pytest.mark.parametrize("path", ["/", "/api/hello", "/healthz"])
def test_whoever_looks_whether_a_server_is_there_finds_one(path: str) -> None:
    assert ask("HEAD", path).status_code == 200
    assert ask("GET", path).json() == {"status": "ok", "version": __version__}


@pytest.mark.parametrize(
    ("method", "path"), [("GET", path) for path in PATHS.values()] + [("POST", "/v1/models"), ("DELETE", "/healthz")]
)
def test_a_wrong_method_is_405_and_told_the_right_one(method: str, path: str) -> None:
    answer = ask(method, path)
    assert answer.status_code == 405
    assert error_message(answer) == f"the route `{path}` has no method `{method}`"
    if path != PATHS["anthropic_messages"]:  # whose errors have no code
        assert answer.json()["error"]["code"] == "method_not_allowed"
    assert set(answer.headers["allow"].split(", ")) <= {"GET", "HEAD", "POST"}


def test_routes_of_others_stand_behind_the_same_gate() -> None:
    async def extra(_: Request) -> PlainTextResponse:
        return PlainTextResponse("extra")

    async def run(host: str) -> httpx.Response:
        app = build_application(OneSession(make_session()), UpstreamClient(), [Route("/extra", extra)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as client:
            return await client.get("/extra", headers={"host": host})

    assert asyncio.run(run("127.0.0.1:8123")).text == "extra"
    assert asyncio.run(run("evil.example")).status_code == 403


# --- bodies -------------------------------------------------------------------------------------------------------


def raw_deflate(data: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def two_members(data: bytes) -> bytes:
    return gzip.compress(data[:9]) + gzip.compress(data[9:])


def zstd_in_frames(data: bytes) -> bytes:
    """Two frames, the second without its size in its head, as a streaming client packs."""
    packer = zstandard.ZstdCompressor().compressobj()
    return zstandard.compress(data[:9]) + packer.compress(data[9:]) + packer.flush()


@pytest.mark.report("B039")
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("identity", lambda data: data),
        ("gzip", two_members),
        ("zstd", zstandard.compress),
        ("ZSTD", zstd_in_frames),
        ("br", brotli.compress),
        ("gzip, zstd", lambda data: zstandard.compress(gzip.compress(data))),
        ("identity, br", brotli.compress),
        ("gzip", gzip.compress),
        ("GZIP", gzip.compress),
        ("deflate", zlib.compress),
        ("deflate", raw_deflate),
    ],
)
def test_a_compressed_body_is_read(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    body = json.dumps(request_body("anthropic_messages", stream=False)).encode()
    answer = ask_upstream("anthropic_messages", {"content-encoding": encoding}, pack(body))
    assert answer.json()["content"] == [{"type": "text", "text": "Hello"}]


@wires
@pytest.mark.report("B039")
@pytest.mark.parametrize(
    ("encodings", "named"), [("lzma", "lzma"), ("compress, gzip", "compress"), ("gzip," * 4, "gzip,gzip,gzip,gzip,")]
)
def test_an_unknown_compression_is_415_and_named(wire: str, encodings: str, named: str) -> None:
    packed = gzip.compress(b"packed")
    answer = ask("POST", PATHS[wire], {"content-encoding": encodings}, packed)
    what = f"the content-encoding `{named}` is not supported: use gzip, deflate, zstd, br or none"
    assert (answer.status_code, error_message(answer)) == (415, what)


PACKED = {
    "gzip": gzip.compress(b"{}", mtime=0),
    "deflate": zlib.compress(b"{}"),
    "zstd": zstandard.compress(b"{}"),
    "br": brotli.compress(b"{}"),
}


@wires
@pytest.mark.parametrize("encoding", PACKED)
@pytest.mark.parametrize("cut", [0, 1, -1], ids=["empty", "one byte", "cut"])
def test_a_compressed_body_that_is_cut_off_is_a_bad_request(wire: str, encoding: str, cut: int) -> None:
    answer = ask("POST", PATHS[wire], {"content-encoding": encoding}, PACKED[encoding][:cut])
    assert answer.status_code == 400
    assert error_message(answer).startswith("the compressed body is ")


@wires
@pytest.mark.parametrize("encoding", PACKED)
def test_a_body_that_is_not_packed_as_it_says_is_a_bad_request(wire: str, encoding: str) -> None:
    answer = ask("POST", PATHS[wire], {"content-encoding": encoding}, b'{"model": "local-model"}')
    assert answer.status_code == 400
    assert error_message(answer).startswith("the compressed body is ")


@wires
def test_a_body_over_the_limit_is_too_large(wire: str) -> None:
    big = b" " * (MAX_BODY_BYTES + 1)
    too_large = ChatFault(ErrorKind.TOO_LARGE, "the request's body is over 64 MiB")
    expected = load_wire(wire).encode_fault(too_large)
    answer = ask("POST", PATHS[wire], {}, big)
    assert (answer.status_code, answer.content) == (expected.status, expected.body)


@pytest.mark.report("B039")
@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", lambda data: gzip.compress(data, 1)),
        ("deflate", lambda data: zlib.compress(data, 1)),
        ("zstd", zstandard.compress),
        ("br", lambda data: brotli.compress(data, quality=1)),
    ],
)
def test_a_small_body_that_unpacks_to_a_big_one_is_too_large(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(b" " * (2 * MAX_BODY_BYTES))
    assert len(packed) < MAX_BODY_BYTES // 100
    answer = ask("POST", PATHS["anthropic_messages"], {"content-encoding": encoding}, packed)
    assert (answer.status_code, error_message(answer)) == (413, "the request's body is over 64 MiB")


@pytest.mark.report("B094")
@wires
def test_a_long_sessions_body_of_megabytes_is_read(wire: str) -> None:
    body = json.dumps(request_body(wire, stream=False, metadata={"pad": "x" * 3_500_000})).encode()
    assert ask_upstream(wire, {}, body).status_code == 200


@wires
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'{"model": 1}', b"\xff\xfe"])
def test_a_body_that_is_not_of_the_wire_is_a_bad_request(wire: str, body: bytes) -> None:
    answer = ask("POST", PATHS[wire], {}, body)
    assert answer.status_code == 400
    assert error_message(answer)


# --- our own faults -----------------------------------------------------------------------------------------------


@wires
def test_a_bug_of_ours_is_told_in_the_wires_form_and_logged_without_the_body(
    wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(request: ChatRequest) -> tuple[ChatRequest, tool_forms.ToolForms]:
        raise LookupError("a bug")

    async def run() -> httpx.Response:
        app = build_application(OneSession(make_session()), UpstreamClient(), options=RelayOptions(broken))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as client:
            body = request_body(wire, stream=True, user="a private name")
            return await client.post(PATHS[wire], headers=AUTH, json=body)

    caplog.set_level(logging.DEBUG, "agentlaunch")
    answer = asyncio.run(run())
    fault = ChatFault(ErrorKind.INTERNAL, "agentlaunch has failed; its log says more: agentlaunch logs")
    told = load_wire(wire).encode_fault(fault)
    assert (answer.status_code, answer.content) == (told.status, told.body)
    assert "LookupError: a bug" in caplog.text
    assert TOKEN not in caplog.text
    assert "a private name" not in caplog.text


def test_requests_are_counted_and_refusals_are_not() -> None:
    async def run() -> list[str]:
        sessions = OneSession(make_session())
        app = build_application(sessions, UpstreamClient())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as client:
            await client.get("/v1/models", headers=AUTH)
            await client.get("/v1/models")
            await client.get("/healthz")
        return sessions.touched

    assert asyncio.run(run()) == ["session-1"]


class FailingForms:
    """Forms whose filter has a bug that shows at the second text."""

    def restore(self) -> FailingForms:
        return self

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        if event == TextDelta("bug"):
            raise LookupError("a bug")
        yield event

    def finish(self) -> Iterator[ChatEvent]:
        return iter(())


@wires
def test_a_bug_of_ours_in_the_middle_of_a_stream_ends_it_with_an_error(wire: str) -> None:
    async def run() -> httpx.Response:
        later = asyncio.Event()
        steps: list[Step] = [
            *scripted(STARTED, chunk({"content": "Hel"})),
            Pause(later),
            Data(chunk({"content": "bug"})),
        ]
        async with ScriptedUpstream([steps]).running() as upstream:
            options = RelayOptions(lambda request: (request, FailingForms()))
            client_side = UpstreamClient()
            app = build_application(OneSession(make_session(upstream.url)), client_side, options=options)
            async with (
                aclosing(client_side),
                serving(app) as url,
                httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S, headers=AUTH) as client,
                client.stream("POST", url + PATHS[wire], json=request_body(wire, stream=True)) as response,
            ):
                pieces = response.aiter_raw()
                head = await anext(pieces)
                later.set()
                rest = [piece async for piece in pieces]
                return httpx.Response(response.status_code, content=head + b"".join(rest))

    response = asyncio.run(run())
    last = read_events(wire, response.content)[-1]
    assert response.status_code == 200
    assert isinstance(last, Failed)
    assert "agentlaunch has failed" in last.fault.message


@wires
def test_what_the_upstreams_wire_cannot_say_is_a_bad_request(wire: str) -> None:
    def unlowered(request: ChatRequest) -> tuple[ChatRequest, FailingForms]:
        return msgspec.structs.replace(request, tools=(CustomTool("apply_patch"),)), FailingForms()

    async def run() -> httpx.Response:
        app = build_application(OneSession(make_session()), UpstreamClient(), options=RelayOptions(unlowered))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=ADDRESS) as client:
            return await client.post(PATHS[wire], headers=AUTH, json=request_body(wire, stream=True))

    answer = asyncio.run(run())
    assert answer.status_code == 400
    assert "apply_patch" in error_message(answer)


@pytest.mark.parametrize("headers", [{"x-api-key": "wrong"}, {"origin": "https://evil.example"}])
def test_a_refusal_reaches_a_client_that_is_still_writing_its_body(headers: dict[str, str]) -> None:
    async def run() -> int:
        async with live(make_session()) as url, httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            return (await client.post(f"{url}/v1/messages", headers=headers, content=b"x" * 20_000_000)).status_code

    assert asyncio.run(run()) in (401, 403)


@wires
def test_a_body_that_stops_in_its_middle_is_a_408_in_the_wires_form(wire: str) -> None:
    async def run() -> Reply:
        pieces: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> Message:
            if not pieces:
                await asyncio.Event().wait()
            return pieces.pop()

        with pytest.raises(BodyRefused) as refused:
            await read_body(Headers(), receive, silence_s=0.05)
        return refused.value.reply(load_wire(wire))

    reply = asyncio.run(run())
    assert (reply.status, b"the request's body has stopped in its middle" in reply.body) == (408, True)


def test_a_body_that_nobody_wants_is_not_waited_for_when_it_stops() -> None:
    async def run() -> int:
        received = 0

        async def receive() -> Message:
            nonlocal received
            received += 1
            if received == 3:
                await asyncio.Event().wait()
            return {"type": "http.request", "body": b"x", "more_body": True}

        await drain_body(Headers(), receive, silence_s=0.05)
        return received

    assert asyncio.run(run()) == 3


def test_headers_without_end_are_refused_and_nobody_else_notices() -> None:
    async def run() -> tuple[bytes, int]:
        async with live(make_session()) as url, httpx.AsyncClient(trust_env=False, timeout=GENEROUS_S) as client:
            host, port = url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            writer.write(b"POST /v1/messages HTTP/1.1\r\nhost: x\r\n" + b"x-more: y\r\n" * 20_000)
            async with asyncio.timeout(GENEROUS_S):
                told = await reader.readline()
            writer.close()
            return told, (await client.get(f"{url}/healthz")).status_code

    told, health = asyncio.run(run())
    assert (told.split()[1], health) == (b"400", 200)
