"""One load for all who wait, called off when the last of them leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus, MemoryPlan
from agentlaunch.errors import MachineError
from agentlaunch.shim.engine_use import EngineUse

SPEC = EngineSpec("/models/a.gguf", "a", 8192)
ENDPOINT = Endpoint("llamacpp", "openai_chat", "http://127.0.0.1:1", "a")


class ScriptedHost:
    """An EngineHost whose loads end when the test says so; `told` is everything that it was asked for."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.may_load = asyncio.Event()
        self.failure: MachineError | None = None

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        self.told.append("ensure")
        try:
            await self.may_load.wait()
        except asyncio.CancelledError:
            self.told.append("cancelled")
            raise
        if self.failure is not None:
            raise self.failure
        return ENDPOINT

    async def release(self, spec: EngineSpec) -> None:
        self.told.append("release")

    def running(self) -> tuple[EngineStatus, ...]:
        return ()

    async def close(self) -> None:
        self.told.append("close")


class Users(set[EngineSpec]):
    """Whose engines the test says are used."""

    def uses(self, spec: EngineSpec) -> bool:
        return spec in self

    def move(self, spec: EngineSpec, endpoint: Endpoint) -> None:
        pass


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def play(scene: Callable[[ScriptedHost, EngineUse, Users, Clock], Awaitable[None]]) -> list[str]:
    async def run() -> list[str]:
        host, used, clock = ScriptedHost(), Users(), Clock()
        await asyncio.wait_for(scene(host, EngineUse(host, used, clock), used, clock), 30)
        return host.told

    return asyncio.run(run())


async def pause() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_all_who_wait_share_one_load() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        waiting = [asyncio.create_task(engines.reach(SPEC)) for _ in range(3)]
        await pause()
        host.may_load.set()
        assert await asyncio.gather(*waiting) == [ENDPOINT] * 3
        assert engines.known() == {SPEC}

    assert play(scene) == ["ensure"]


def test_one_who_leaves_does_not_take_the_load_from_the_others() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        used.add(SPEC)
        first, second = (asyncio.create_task(engines.reach(SPEC)) for _ in range(2))
        await pause()
        first.cancel()
        await asyncio.wait({first})
        engines.release(SPEC)
        host.may_load.set()
        assert await second == ENDPOINT

    assert play(scene) == ["ensure"]


def test_the_last_one_to_leave_calls_the_load_off_and_releases_the_engine() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        waiting = asyncio.create_task(engines.reach(SPEC))
        await pause()
        waiting.cancel()
        await asyncio.wait({waiting})
        engines.release(SPEC)
        await engines.settle()
        assert engines.known() == set()

    assert play(scene) == ["ensure", "cancelled", "release"]


def test_who_waits_for_a_load_that_is_called_off_is_told_so() -> None:
    """A request whose session was closed waits for its crashed engine: it is not itself called off, and would wait for
    ever."""

    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        waiting = asyncio.create_task(engines.reach(SPEC))
        await pause()
        engines.release(SPEC)
        with pytest.raises(MachineError, match="the engine of `a` has been ended: no session uses it any more"):
            await waiting
        assert not waiting.cancelled()

    assert play(scene) == ["ensure", "cancelled", "release"]


def test_who_comes_while_an_engine_ends_waits_and_gets_a_new_one() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        await engines.reach(SPEC)
        engines.release(SPEC)
        engines.release(SPEC)
        assert await engines.reach(SPEC) == ENDPOINT
        assert engines.known() == {SPEC}

    assert play(scene) == ["ensure", "release", "ensure"]


def test_a_failed_load_is_forgotten_and_the_next_wish_tries_again() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        host.failure = MachineError("engine-failed", "no memory")
        with pytest.raises(MachineError, match="no memory"):
            await engines.reach(SPEC)
        await pause()
        engines.release(SPEC)
        host.failure = None
        assert await engines.reach(SPEC) == ENDPOINT

    assert play(scene) == ["ensure", "ensure"]


def test_a_used_engine_that_crashed_is_started_again_with_a_rest_after_a_failure() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        engines.mend(SPEC)
        used.add(SPEC)
        await engines.reach(SPEC)
        await pause()
        host.failure = MachineError("engine-crashed", "no memory")
        for clock.now in (1.0, 2.0, 30.0, 31.0, 32.0):
            engines.mend(SPEC)
            await pause()
        host.told.append("launch")
        with pytest.raises(MachineError, match="no memory"):
            await engines.reach(SPEC)

    assert play(scene) == ["ensure", "ensure", "ensure", "launch", "ensure"]


GIB = 2**30
BUDGET = 24 * GIB


def planned(name: str, gib: int) -> EngineSpec:
    """A model of so many GiB on a machine whose GPU has room for 24."""
    return EngineSpec(f"/models/{name}.gguf", name, 8192, memory=MemoryPlan(gib * GIB, GIB, BUDGET, 8 * GIB))


def test_two_that_do_not_fit_together_are_refused_and_the_first_stays_loaded() -> None:
    first, second = planned("first", 16), planned("second", 16)

    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        used.update({first, second})
        await engines.reach(first)
        with pytest.raises(MachineError) as caught:
            await engines.reach(second)
        error = caught.value
        assert error.code == "models-do-not-fit"
        assert error.message == (
            "`second` needs 16.0 GiB of GPU memory, and `first` of other sessions holds 16.0 GiB of 24.0 GiB"
        )
        assert error.hint.startswith("use what is loaded: --model first; ")
        assert engines.known() == {first}

    assert play(scene) == ["ensure"]


def test_a_load_that_has_only_begun_counts_too() -> None:
    first, second = planned("first", 16), planned("second", 16)

    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        used.update({first, second})
        loading = asyncio.create_task(engines.reach(first))
        await pause()
        with pytest.raises(MachineError, match=r"needs 16\.0 GiB"):
            await engines.reach(second)
        host.may_load.set()
        assert await loading == ENDPOINT

    assert play(scene) == ["ensure"]


def test_what_fits_beside_it_is_loaded() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        used.update({planned("first", 16), planned("second", 8)})
        await engines.reach(planned("first", 16))
        await engines.reach(planned("second", 8))

    assert play(scene) == ["ensure", "ensure"]


def test_one_that_nobody_uses_makes_room_and_is_gone_before_the_next_loads() -> None:
    first, second = planned("first", 16), planned("second", 16)

    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        used.add(second)
        await engines.reach(first)
        assert await engines.reach(second) == ENDPOINT
        assert engines.known() == {second}

    assert play(scene) == ["ensure", "release", "ensure"]


def test_one_whose_need_is_unknown_or_forced_is_not_refused() -> None:
    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        used.update({planned("first", 16), SPEC})
        await engines.reach(planned("first", 16))
        await engines.reach(SPEC)

    assert play(scene) == ["ensure", "ensure"]


def test_many_who_wait_for_room_at_once_get_one_load() -> None:
    first, second = planned("first", 16), planned("second", 16)

    async def scene(host: ScriptedHost, engines: EngineUse, used: Users, clock: Clock) -> None:
        host.may_load.set()
        used.add(second)
        await engines.reach(first)
        assert await asyncio.gather(*(engines.reach(second) for _ in range(3))) == [ENDPOINT] * 3

    assert play(scene) == ["ensure", "release", "ensure"]
