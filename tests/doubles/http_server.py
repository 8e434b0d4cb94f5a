"""A small HTTP server for doubles: real sockets on loopback, a thread of its own, cuts wherever one is wanted."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came; header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    version: str = "HTTP/1.1"


@dataclass(frozen=True)
class HttpReply:
    """An answer. `body` may be pieces, sent as chunks, or behind a content-length where `length` is given."""

    status: int = 200
    body: bytes | AsyncIterator[bytes] = b""
    content_type: str = "application/json; charset=utf-8"
    headers: tuple[tuple[str, str], ...] = ()
    length: int | None = None


class Cut(Exception):
    """Raised inside a body: the connection is closed in the middle."""


Handler = Callable[[HttpRequest], Awaitable[HttpReply]]


@dataclass
class HttpServer:
    """Serves `handler` until the block ends."""

    handler: Handler
    url: str = ""
    port: int = 0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @contextmanager
    def running(self, port: int = 0) -> Iterator[HttpServer]:
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, daemon=True)
        thread.start()
        server = asyncio.run_coroutine_threadsafe(self._listen(port), loop).result(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(self._close(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()

    async def _listen(self, port: int) -> asyncio.Server:
        server = await asyncio.start_server(self._accept, "127.0.0.1", port, limit=2**22)
        self.port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return server

    async def _close(self, server: asyncio.Server) -> None:
        server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._serve(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _read(reader)
                await _write(request, await self._answer(request, reader), writer)
                if request.version == "HTTP/1.0":
                    return
        except (asyncio.IncompleteReadError, ConnectionError, Cut):
            pass
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _answer(self, request: HttpRequest, reader: asyncio.StreamReader) -> HttpReply:
        """The handler's answer; a client that leaves before it ends the connection."""
        working = asyncio.ensure_future(self.handler(request))
        leaving = asyncio.ensure_future(_left(reader))
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise Cut
            return working.result()
        finally:
            working.cancel()
            leaving.cancel()
            await asyncio.wait({working, leaving})


async def _left(reader: asyncio.StreamReader) -> None:
    while not reader.at_eof():  # noqa: ASYNC110 - the stream has no event for its end that takes no bytes
        await asyncio.sleep(0.02)


async def _read(reader: asyncio.StreamReader) -> HttpRequest:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    method, path, version = head[0].split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return HttpRequest(method, path, headers, body, version)


async def _write(request: HttpRequest, reply: HttpReply, writer: asyncio.StreamWriter) -> None:
    more = "".join(f"{name}: {value}\r\n" for name, value in reply.headers)
    head = f"HTTP/1.1 {reply.status} Double\r\ncontent-type: {reply.content_type}\r\n{more}"
    if isinstance(reply.body, bytes):
        body = b"" if request.method == "HEAD" else reply.body
        writer.write(f"{head}content-length: {len(reply.body)}\r\n\r\n".encode() + body)
        await writer.drain()
        return
    if reply.length is not None:
        writer.write(f"{head}content-length: {reply.length}\r\n\r\n".encode())
        async for piece in reply.body:
            writer.write(piece)
            await writer.drain()
        return
    writer.write(f"{head}transfer-encoding: chunked\r\n\r\n".encode())
    async for piece in reply.body:
        writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        await writer.drain()
    writer.write(b"0\r\n\r\n")
    await writer.drain()


def json_reply(value: object, status: int = 200) -> HttpReply:
    """A JSON document."""
    return HttpReply(status, json.dumps(value, ensure_ascii=False).encode())
