"""Connections whose clients never come to ask."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import ClassVar, TypeVar

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from agentlaunch.shim.connection import Connection
from agentlaunch.shim.server import bind

HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
T = TypeVar("T")


class Impatient(Connection):
    head_s: ClassVar[float] = 0.2


async def slow_answer(_: Request) -> Response:
    await asyncio.sleep(3 * Impatient.head_s)
    return PlainTextResponse("hello")


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A client's two ends."""
    routes = [Route("/", slow_answer)]
    server = uvicorn.Server(uvicorn.Config(Starlette(routes=routes), http=Impatient, log_config=None, lifespan="off"))
    with bind(0) as listener:
        running = asyncio.create_task(server.serve(sockets=[listener]))
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            yield reader, writer
        finally:
            writer.close()
            server.should_exit = True
            await running


def run(scene: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[None, None, T]]) -> T:
    async def limited() -> T:
        async with asyncio.timeout(30), connected() as (reader, writer):
            return await scene(reader, writer)

    return asyncio.run(limited())


@pytest.mark.parametrize("begun", [b"", HEAD[:20]], ids=["nothing", "half-a-head"])
def test_a_client_that_does_not_come_to_the_end_of_its_head_is_let_go(begun: bytes) -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        writer.write(begun)
        return await reader.read()

    assert run(scene) == b""


def test_bytes_that_trickle_in_prolong_nothing() -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes:
        async def trickle() -> None:
            writer.write(b"GET / HTTP/1.1\r\nx: ")
            while True:
                writer.write(b"a")
                await asyncio.sleep(Impatient.head_s / 10)

        trickling = asyncio.create_task(trickle())
        with suppress(ConnectionError):  # a byte that comes too late is answered with a reset
            await reader.read()
        trickling.cancel()
        return b"let go"

    assert run(scene) == b"let go"


def test_an_answer_may_take_its_time_and_the_next_request_has_its_own() -> None:
    async def scene(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[bytes]:
        answers = []
        for _ in range(2):
            writer.write(HEAD)
            answers.append((await reader.readuntil(b"hello")).splitlines()[0])
        writer.write(HEAD[:20])
        answers.append(await reader.read())
        return answers

    assert run(scene) == [b"HTTP/1.1 200 OK", b"HTTP/1.1 200 OK", b""]
