"""A request that finds its engine gone waits for it to come back, and is answered by the new one."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest
from tests.shim.doubles import (
    GENEROUS_S,
    KEY,
    PATHS,
    QUICK,
    SLOW,
    STARTED,
    Cut,
    ScriptedUpstream,
    answer,
    chunk,
    hello,
    read_events,
    request_body,
    serving,
)

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.ir import Failed, Finished, Ping, StopReason
from agentlaunch.errors import MachineError
from agentlaunch.shim.answer import KeepAlive
from agentlaunch.shim.application import build_application
from agentlaunch.shim.engine_use import EngineUse
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.shim.upstream import UpstreamClient

SPEC = EngineSpec("/models/a.gguf", "a", 8192)
TOKEN = "chosen"
wires = pytest.mark.parametrize("wire", PATHS)


def closed_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{found.getsockname()[1]}"


def engine_at(url: str) -> Endpoint:
    return Endpoint("llama_cpp", "openai_chat", url, "a", key=KEY)


class ScriptedHost:
    """An EngineHost that gives these endpoints or failures in order; loads wait for `may_load` after the first."""

    def __init__(self, *loads: Endpoint | MachineError) -> None:
        self.loads = list(loads)
        self.asked = 0
        self.may_load = asyncio.Event()
        self.may_load.set()
        self.is_loading = asyncio.Event()

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        assert spec == SPEC
        self.asked += 1
        if not self.may_load.is_set():
            self.is_loading.set()
        await self.may_load.wait()
        load = self.loads[min(self.asked, len(self.loads)) - 1]
        if isinstance(load, MachineError):
            raise load
        return load

    async def release(self, spec: EngineSpec) -> None:
        pass

    def running(self) -> tuple[EngineStatus, ...]:
        return ()

    async def close(self) -> None:
        pass


@asynccontextmanager
async def shim_over(
    host: ScriptedHost, keep_alive: KeepAlive = SLOW, table: SessionTable | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """The live application with one session on the host's engine; gives a client with its token."""
    table = SessionTable("http://shim", None) if table is None else table
    engines, upstream = EngineUse(host, table), UpstreamClient()
    session_id = table.begin(OpenSession("claude", "my-model", None, SPEC, 8192, 1024))
    table.finish(session_id, await engines.reach(SPEC), TOKEN)
    options = RelayOptions(tool_forms.lower, keep_alive, reach=engines.reach)
    headers = {"authorization": f"Bearer {TOKEN}"}
    try:
        async with (
            serving(build_application(table, upstream, options=options)) as url,
            httpx.AsyncClient(base_url=url, headers=headers, timeout=GENEROUS_S, trust_env=False) as client,
        ):
            yield client
    finally:
        await upstream.aclose()


async def ask(client: httpx.AsyncClient, wire: str, *, stream: bool = True) -> httpx.Response:
    return await client.post(PATHS[wire], json=request_body(wire, stream=stream))


@wires
@pytest.mark.parametrize("stream", [True, False])
def test_a_request_that_meets_a_dead_engine_is_answered_by_the_next_one(wire: str, stream: bool) -> None:
    async def run() -> tuple[list[int], int]:
        async with ScriptedUpstream([answer(hello()), answer(hello())]).running() as engine:
            gone = engine_at(closed_port())
            host = ScriptedHost(gone, gone, engine_at(engine.url))  # which does not notice at once
            async with shim_over(host) as client:
                statuses = [(await ask(client, wire, stream=stream)).status_code for _ in range(2)]
                return statuses, host.asked

    assert asyncio.run(run()) == ([200, 200], 3)


def test_an_engine_that_drops_the_request_before_it_answers_is_replaced_too() -> None:
    async def run() -> httpx.Response:
        async with (
            ScriptedUpstream([[Cut()], [Cut()]]).running() as dying,
            ScriptedUpstream([answer(hello())]).running() as engine,
            shim_over(ScriptedHost(engine_at(dying.url), engine_at(engine.url))) as client,
        ):
            return await ask(client, "openai_chat")

    assert read_events("openai_chat", asyncio.run(run()).content)[-1] == Finished(StopReason.END_TURN)


def test_pings_go_on_while_the_engine_loads() -> None:
    async def run() -> bytes:
        async with ScriptedUpstream([answer(hello())]).running() as engine:
            host = ScriptedHost(engine_at(closed_port()), engine_at(engine.url))
            async with shim_over(host, QUICK) as client:
                host.may_load.clear()
                body = request_body("anthropic_messages", stream=True)
                async with client.stream("POST", "/v1/messages", json=body) as response:
                    pieces: list[bytes] = []
                    async for piece in response.aiter_raw():
                        pieces.append(piece)
                        if b"".join(pieces).count(b"event: ping") == 2:
                            host.may_load.set()
                    return b"".join(pieces)

    events = read_events("anthropic_messages", asyncio.run(run()))
    assert sum(isinstance(event, Ping) for event in events) >= 2
    assert events[-1] == Finished(StopReason.END_TURN)


def test_an_engine_that_does_not_load_is_told_in_its_own_words_with_the_model_and_the_log() -> None:
    async def run() -> httpx.Response:
        async with shim_over(ScriptedHost(engine_at(closed_port()), MachineError("x", "no memory"))) as client:
            return await ask(client, "openai_chat")

    response = asyncio.run(run())
    assert (response.status_code, response.json()["error"]["message"]) == (
        503,
        (
            "the engine of `my-model` has ended and does not start again: no memory;"
            " its log says more: agentlaunch logs engine"
        ),
    )


def test_an_answer_that_breaks_off_in_its_middle_is_not_asked_for_again() -> None:
    async def run() -> tuple[bytes, int]:
        async with ScriptedUpstream([[*answer(STARTED, chunk({"content": "Hel"})), Cut()]]).running() as engine:
            host = ScriptedHost(engine_at(engine.url))
            async with shim_over(host) as client:
                return (await ask(client, "openai_chat")).content, host.asked

    said, asked = asyncio.run(run())
    last = read_events("openai_chat", said)[-1]
    assert isinstance(last, Failed)
    assert ("`my-model`" in last.fault.message, "agentlaunch logs engine" in last.fault.message, asked) == (
        True,
        True,
        1,
    )


def test_a_client_that_leaves_does_not_wait_for_the_engine() -> None:
    async def run() -> bool:
        async with ScriptedUpstream([]).running() as engine:
            host = ScriptedHost(engine_at(closed_port()), engine_at(engine.url))
            async with shim_over(host) as client:
                host.may_load.clear()
                asking = asyncio.create_task(ask(client, "openai_chat"))
                async with asyncio.timeout(GENEROUS_S):
                    await host.is_loading.wait()
                asking.cancel()
                await asyncio.wait({asking})
                await asyncio.sleep(0.2)
                host.may_load.set()
                await asyncio.sleep(0.2)
                return bool(engine.received)

    assert asyncio.run(run()) is False


@wires
def test_an_engine_that_is_back_with_less_is_told_once_and_serves_the_next_try(wire: str) -> None:
    async def run() -> tuple[list[httpx.Response], list[int]]:
        async with ScriptedUpstream([answer(hello())]).running() as engine:
            large = replace(engine_at(closed_port()), context_window=65_536)
            small = replace(engine_at(engine.url), context_window=4096)
            table = SessionTable("http://shim", None)
            async with shim_over(ScriptedHost(large, small), table=table) as client:
                windows = [session.context_window for session in table.statuses()]
                answers = [await ask(client, wire, stream=False) for _ in range(2)]
                return answers, [*windows, *(session.context_window for session in table.statuses())]

    answers, windows = asyncio.run(run())
    assert windows == [8192, 4096]
    assert ([response.status_code >= 500 for response in answers], answers[1].status_code) == ([True, False], 200)
    told = "the engine of `my-model` ran out of memory and was restarted with a window of 4096 tokens, 65536 before"
    assert told in answers[0].text
