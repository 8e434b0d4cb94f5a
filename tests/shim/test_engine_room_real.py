"""Two scripted models on a machine with a stated, small room: the second waits for nobody and unloads nobody."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, MemoryPlan
from agentlaunch.core.scripted_gguf import Script, Turn
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.shim.control import OpenBody, decode_open
from agentlaunch.shim.engine_use import EngineUse

MIB = 2**20
ROOM = 100 * MIB


class Users(set[EngineSpec]):
    """Whose engines the test says are used."""

    def uses(self, spec: EngineSpec) -> bool:
        return spec in self

    def move(self, spec: EngineSpec, endpoint: Endpoint) -> None:
        pass


def planned(path: Path, name: str, mib: int) -> EngineSpec:
    return EngineSpec(str(path), name, 2048, memory=MemoryPlan(0, mib * MIB, 0, ROOM))


def test_what_a_model_takes_reaches_the_shim_with_its_launch() -> None:
    spec = planned(Path("/models/a.gguf"), "a", 60)
    wanted = decode_open(msgspec.json.encode(OpenBody("claude", "a", 2048, 512, engine=spec)))
    assert isinstance(wanted.target, EngineSpec)
    assert wanted.target.memory == MemoryPlan(0, 60 * MIB, 0, ROOM)


@pytest.mark.real
def test_the_second_of_two_is_refused_until_the_first_is_released(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    first = planned(scripted_model(Script(final=Turn(text="one"))), "first", 60)
    second = planned(scripted_model(Script(final=Turn(text="two"))), "second", 60)

    async def play() -> tuple[str, list[str], list[str]]:
        host, users = LlamaCppHost(tmp_path, os.environ), Users({first, second})
        engines = EngineUse(host, users)
        try:
            await engines.reach(first)
            with pytest.raises(MachineError) as caught:
                await engines.reach(second)
            during = [status.alias for status in host.running()]
            users.remove(first)
            await engines.reach(second)
            return caught.value.message, during, [status.alias for status in host.running()]
        finally:
            await host.close()

    message, during, after = asyncio.run(asyncio.wait_for(play(), 120))
    assert message == "`second` needs 0.1 GiB of memory, and `first` of other sessions holds 0.1 GiB of 0.1 GiB"
    assert (during, after) == (["first"], ["second"])
