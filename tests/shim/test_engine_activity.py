"""What engines do, as llama.cpp's /slots tells it: asked once a second at most, and never waited for long."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest
from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer
from tests.shim.traffic_doubles import TurnedClock

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.shim.engine_activity import EngineActivities
from agentlaunch.shim.live_status import EngineActivity

IDLE = {"id": 0, "n_ctx": 8192, "speculative": False, "is_processing": False}
PREFILL = {
    "id": 1,
    "n_ctx": 8192,
    "is_processing": True,
    "n_prompt_tokens": 4031,
    "n_prompt_tokens_processed": 2048,
    "n_prompt_tokens_cache": 100,
    "next_token": [{"has_next_token": True, "n_remain": 60, "n_decoded": 0}],
}
DECODE = {
    **PREFILL,
    "id": 2,
    "n_prompt_tokens": 4040,
    "n_prompt_tokens_processed": 4031,
    "n_prompt_tokens_cache": 0,
    "next_token": [{"n_decoded": 9}],
}
SEEN = (
    EngineActivity("llamacpp", 0, "idle", 0, 0, 0, 8192),
    EngineActivity("llamacpp", 1, "prefill", 4031, 2148, 0, 8192),
    EngineActivity("llamacpp", 2, "decode", 4031, 4031, 9, 8192),
)


class Slots:
    """An engine that tells these slots to who has its key."""

    def __init__(self) -> None:
        self.asked = 0
        self.body: object = [IDLE, PREFILL, DECODE]
        self.answers = asyncio.Event()
        self.is_slow = False

    async def handle(self, request: HttpRequest) -> HttpReply:
        assert (request.method, request.path) == ("GET", "/slots")
        assert request.headers["authorization"] == "Bearer engine-key"
        self.asked += 1
        while self.is_slow:  # noqa: ASYNC110 - set by the test's thread
            await asyncio.sleep(0.01)
        return HttpReply(body=json.dumps(self.body).encode())


Looking = Callable[[EngineActivities, tuple[Endpoint, ...], TurnedClock, Slots], Awaitable[None]]


def looked_at(slots: Slots, test: Looking) -> None:
    with HttpServer(slots.handle).running() as server:
        endpoint = Endpoint("llamacpp", "openai_chat", server.url, "m", key="engine-key")

        async def run() -> None:
            clock = TurnedClock()
            activities = EngineActivities(clock.monotonic)
            try:
                await test(activities, (endpoint,), clock, slots)
            finally:
                await activities.aclose()

        asyncio.run(asyncio.wait_for(run(), 30))


def test_slots_are_told_as_idle_reading_and_answering() -> None:
    async def test(seen: EngineActivities, at: tuple[Endpoint, ...], clock: TurnedClock, slots: Slots) -> None:
        while not (found := await seen.look(at)):
            pass
        assert found == SEEN

    looked_at(Slots(), test)


def test_an_engine_is_asked_once_a_second_however_many_watch() -> None:
    async def test(seen: EngineActivities, at: tuple[Endpoint, ...], clock: TurnedClock, slots: Slots) -> None:
        while not await seen.look(at):
            pass
        for _ in range(20):
            assert await seen.look(at) == SEEN
        assert slots.asked == 1
        clock.passed = 1.5
        slots.body = [IDLE]
        while await seen.look(at) != SEEN[:1]:
            pass
        assert slots.asked == 2

    looked_at(Slots(), test)


def test_a_watcher_of_a_slow_engine_gets_the_last_figures_and_does_not_wait_for_it() -> None:
    async def test(seen: EngineActivities, at: tuple[Endpoint, ...], clock: TurnedClock, slots: Slots) -> None:
        while not await seen.look(at):
            pass
        slots.is_slow = True
        clock.passed = 2.0
        assert await seen.look(at) == SEEN
        assert await seen.look(at) == SEEN
        assert slots.asked == 2
        slots.is_slow = False

    looked_at(Slots(), test)


def test_without_an_engine_that_works_nobody_is_asked() -> None:
    async def test(seen: EngineActivities, at: tuple[Endpoint, ...], clock: TurnedClock, slots: Slots) -> None:
        while not await seen.look(at):
            pass
        clock.passed = 5.0
        assert await seen.look(()) == ()
        assert slots.asked == 1

    looked_at(Slots(), test)


@pytest.mark.parametrize("body", [{"error": "no"}, [{"no_id": 1}], "text"])
def test_an_engine_that_tells_something_else_shows_nothing(body: object) -> None:
    async def test(seen: EngineActivities, at: tuple[Endpoint, ...], clock: TurnedClock, slots: Slots) -> None:
        slots.body = body
        assert await seen.look(at) == ()
        while slots.asked == 0 or seen._looking is not None:  # noqa: ASYNC110 - the look is its own task
            await asyncio.sleep(0.01)
        assert await seen.look(at) == ()

    looked_at(Slots(), test)


def test_an_engine_that_is_gone_shows_nothing() -> None:
    async def run() -> None:
        activities = EngineActivities(TurnedClock().monotonic)
        assert await activities.look((Endpoint("gone", "openai_chat", "http://127.0.0.1:9", "m"),)) == ()
        await activities.aclose()

    asyncio.run(run())
