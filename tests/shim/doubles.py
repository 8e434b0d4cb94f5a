"""Doubles for the data path's tests: one session, a scripted upstream that is strict, and the live application."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import uvicorn
from starlette.types import ASGIApp

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatEvent
from agentlaunch.core.sse import SseParser
from agentlaunch.core.wire.base import load_wire
from agentlaunch.shim.answer import KeepAlive
from agentlaunch.shim.application import build_application
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.router import Router
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream import UpstreamClient

TOKEN = "session-token"
KEY = "upstream-key"
GENEROUS_S = 30.0
SLOW = KeepAlive(after_s=600, every_s=600)
QUICK = KeepAlive(after_s=0.05, every_s=0.05)

PATHS = {
    "anthropic_messages": "/v1/messages",
    "openai_responses": "/v1/responses",
    "openai_chat": "/v1/chat/completions",
}


class OneSession:
    """A session table with one session, which counts its requests."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.touched: list[str] = []

    def find(self, token: str) -> Session | None:
        return self.session if token == self.session.token else None

    def awaits(self, token: str) -> bool:
        return False

    def touch(self, session_id: str) -> None:
        self.touched.append(session_id)


def make_session(url: str = "http://127.0.0.1:9", wire: str = "openai_chat", key: str = KEY) -> Session:
    return Session(
        id="session-1",
        token=TOKEN,
        agent="claude",
        model="local-model",
        endpoint=Endpoint("double", wire, url, "engine-model", key=key),
        context_window=32768,
        max_output_tokens=4096,
    )


def request_body(wire: str, *, stream: bool, **extra: object) -> dict[str, object]:
    """The smallest request of each wire."""
    body: dict[str, object] = {"model": "local-model", "stream": stream}
    match wire:
        case "openai_responses":
            body["input"] = [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}]
        case _:
            body["messages"] = [{"role": "user", "content": "hi"}]
            if wire == "anthropic_messages":
                body["max_tokens"] = 100
    return {**body, **extra}


def chunk(delta: dict[str, object], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One frame of a Chat stream."""
    data: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "engine-model",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    if usage is not None:
        data["usage"] = usage
    return b"data: " + json.dumps(data).encode() + b"\n\n"


USAGE = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}
DONE = b"data: [DONE]\n\n"
STARTED = chunk({"role": "assistant", "content": ""})


def hello(text: str = "Hello") -> bytes:
    """A whole Chat stream."""
    return STARTED + chunk({"content": text}) + chunk({}, "stop", USAGE) + DONE


# --- the upstream -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Head:
    """Status line and headers."""

    status: int = 200
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Data:
    """A chunk of the body."""

    data: bytes


@dataclass(frozen=True)
class Pause:
    """Wait until the test goes on, or the client leaves."""

    until: asyncio.Event


@dataclass(frozen=True)
class Cut:
    """Close the connection in the middle."""


Step = Head | Data | Pause | Cut


def answer(*data: bytes) -> list[Step]:
    """Headers, then each piece as one chunk."""
    return [Head(), *(Data(piece) for piece in data)]


@dataclass
class Received:
    """A request as the upstream got it."""

    path: str
    headers: dict[str, str]
    body: dict[str, object]


_FIELDS = {
    "/v1/chat/completions": {
        "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens", "tools", "tool_choice",
        "temperature", "top_p", "stop", "seed", "parallel_tool_calls", "response_format",
        "chat_template_kwargs",
    },
    "/v1/messages": {"model", "messages", "stream", "max_tokens", "system", "tools", "tool_choice", "thinking"},
    "/v1/responses": {
        "model", "input", "stream", "max_output_tokens", "instructions", "tools", "tool_choice", "store", "include",
        "parallel_tool_calls", "reasoning",
    },
}  # fmt: skip


@dataclass
class ScriptedUpstream:
    """Answers its requests by scripts, in order; refuses a wrong key and fields that it does not know."""

    scripts: list[list[Step]]
    key: str = KEY
    received: list[Received] = field(default_factory=list)
    arrivals: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    client_left: asyncio.Event = field(default_factory=asyncio.Event)
    connections: int = 0
    steps_done: int = 0
    url: str = ""
    serving: set[asyncio.Task[None]] = field(default_factory=set)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ScriptedUpstream]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0, limit=2**20)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()
            for task in self.serving:
                task.cancel()
            await asyncio.gather(*self.serving, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.serving.add(asyncio.create_task(self._serve(reader, writer)))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while await self._exchange(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            self.client_left.set()
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        _, path, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = json.loads(await reader.readexactly(int(headers["content-length"])))
        self.received.append(Received(path, headers, body))
        self.arrivals.release()
        steps = self._refusal(path, headers, body) or self.scripts[len(self.received) - 1]
        for step in steps:
            if not await self._step(step, reader, writer):
                return False
            self.steps_done += 1
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True

    async def _step(self, step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        match step:
            case Head(status, content_type, headers):
                lines = [f"HTTP/1.1 {status} Scripted", f"content-type: {content_type}", "transfer-encoding: chunked"]
                lines += [f"{name}: {value}" for name, value in headers]
                writer.write("\r\n".join([*lines, "", ""]).encode())
            case Data(data):
                writer.write(b"%x\r\n%b\r\n" % (len(data), data))
            case Pause(until):
                return await self._pause(until, reader)
            case Cut():
                return False
        await writer.drain()
        return True

    async def _pause(self, until: asyncio.Event, reader: asyncio.StreamReader) -> bool:
        waits = {asyncio.ensure_future(until.wait()), asyncio.ensure_future(reader.read(1))}
        done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in pending:
            wait.cancel()
        if any(wait.result() == b"" for wait in done):
            self.client_left.set()
            return False
        return True

    def _refusal(self, path: str, headers: dict[str, str], body: dict[str, object]) -> list[Step]:
        given = (
            headers.get("x-api-key") if path == "/v1/messages" else headers.get("authorization", "")[len("Bearer ") :]
        )
        if given != self.key:
            return [Head(401, "application/json"), Data(b'{"error":{"message":"wrong key"}}')]
        if unknown := body.keys() - _FIELDS[path]:
            message = json.dumps({"error": {"message": f"unknown fields {sorted(unknown)}"}})
            return [Head(422, "application/json"), Data(message.encode())]
        return []


# --- the shim -----------------------------------------------------------------------------------------------------


def make_app(
    session: Session,
    keep_alive: KeepAlive = SLOW,
    router: Router | None = None,
    options: RelayOptions | None = None,
) -> tuple[ASGIApp, UpstreamClient]:
    """The application for one session; ids and the clock stand still."""
    options = replace(
        options or RelayOptions(),
        keep_alive=keep_alive,
        new_id=lambda prefix: f"{prefix}1",
        now=lambda: 1_700_000_000,
        router=router or Router(),
    )
    upstream = UpstreamClient()
    return build_application(OneSession(session), upstream, options=options), upstream


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """The application behind a real server on a free port; gives its URL."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        running = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            await running


@asynccontextmanager
async def live(
    session: Session,
    keep_alive: KeepAlive = SLOW,
    router: Router | None = None,
    options: RelayOptions | None = None,
) -> AsyncIterator[str]:
    """The live application for one session; gives its URL."""
    app, upstream = make_app(session, keep_alive, router, options)
    try:
        async with serving(app) as url:
            yield url
    finally:
        await upstream.aclose()


@asynccontextmanager
async def shim_before(
    scripts: Sequence[list[Step]], wire: str = "openai_chat", keep_alive: KeepAlive = SLOW
) -> AsyncIterator[tuple[str, ScriptedUpstream]]:
    """The live shim before a scripted upstream; gives the shim's URL and the upstream."""
    async with (
        ScriptedUpstream(list(scripts)).running() as upstream,
        live(make_session(upstream.url, wire), keep_alive) as url,
    ):
        yield url, upstream


def read_events(wire: str, body: bytes) -> list[ChatEvent]:
    """What a client of this wire understands."""
    parser, decoder = SseParser(), load_wire(wire).event_decoder()
    frames = [*parser.feed(body), *parser.finish()]
    return [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]
