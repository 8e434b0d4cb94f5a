"""Which engines the sessions use: one load for all who wait for it, called off when the last of them leaves."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineHost, EngineSpec
from agentlaunch.core.engine_room import Shortage, find_shortage
from agentlaunch.errors import AgentlaunchError, MachineError

_log = logging.getLogger(__name__)


RETRY_S = 30.0
"""How long a crashed engine that does not come up again is left alone; a new launch tries at once."""


class EngineUsers(Protocol):
    """The sessions, as far as they concern engines."""

    def uses(self, spec: EngineSpec) -> bool:
        """Whether any session has this engine, open or being opened."""
        ...

    def move(self, spec: EngineSpec, endpoint: Endpoint) -> None:
        """The engine is reached at `endpoint` from now on."""
        ...


class EngineUse:
    """Engines by spec, over an EngineHost."""

    def __init__(self, host: EngineHost, users: EngineUsers, clock: Callable[[], float] = monotonic) -> None:
        self._host = host
        self._users = users
        self._clock = clock
        self._failed_at: dict[EngineSpec, float] = {}
        self._loads: dict[EngineSpec, asyncio.Task[Endpoint]] = {}
        self._endings: dict[EngineSpec, asyncio.Task[None]] = {}
        self._known: set[EngineSpec] = set()

    def known(self) -> frozenset[EngineSpec]:
        """Every engine that was asked for and is not ending."""
        return frozenset(self._known - self._endings.keys())

    async def reach(self, spec: EngineSpec) -> Endpoint:
        """The endpoint of the ready engine. Cancelling one waiter leaves the load to the others.

        One that has no room beside the engines of other sessions is refused, and nothing of theirs is unloaded for it:
        two models that take turns in one memory answer no one. An engine that nobody uses any more makes room.

        Raises the host's AgentlaunchError, MachineError `models-do-not-fit`, and `engine-released` when the load is
        called off, since the last session that used it was closed.
        """
        while (ending := self._endings.get(spec)) is not None:
            await asyncio.wait({ending})
        if spec not in self._known:
            await self._find_room(spec)
        load = self._loads.get(spec) or self._load(spec)
        await asyncio.wait({load})  # which, unlike awaiting it, neither cancels it with us nor us with it
        if load.cancelled():
            raise _ended(spec)
        return load.result()

    def mend(self, spec: EngineSpec) -> None:
        """Have an engine that sessions use started again if it has crashed; cheap while it runs."""
        rested = self._clock() - self._failed_at.get(spec, float("-inf")) >= RETRY_S
        if rested and spec in self._known and spec not in self._loads and spec not in self._endings:
            self._load(spec)

    def release(self, spec: EngineSpec) -> None:
        """Begin to end an engine, or its load; nothing happens while somebody uses it."""
        if spec in self._known and spec not in self._endings and not self._users.uses(spec):
            self._endings[spec] = asyncio.create_task(self._end(spec))

    async def settle(self) -> None:
        """Wait until every engine that is ending has ended."""
        if self._endings:
            await asyncio.wait(set(self._endings.values()))

    async def _find_room(self, spec: EngineSpec) -> None:
        """Return when `spec` fits beside what is loaded, with nothing awaited after the last look."""
        while spec.memory is not None and spec not in self._known:
            others = {other: other.memory for other in self._known if other.memory is not None}
            shortage = find_shortage(spec.memory, others.values())
            if shortage is None:
                return
            for other in others:
                self.release(other)
            if not self._endings:
                raise _no_room(spec, shortage, sorted(other.alias for other in others))
            await asyncio.wait(set(self._endings.values()), return_when=asyncio.FIRST_COMPLETED)

    def _load(self, spec: EngineSpec) -> asyncio.Task[Endpoint]:
        load = asyncio.create_task(self._host.ensure(spec))
        load.add_done_callback(lambda done: self._loaded(spec, done))
        self._loads[spec] = load
        self._known.add(spec)
        return load

    def _loaded(self, spec: EngineSpec, load: asyncio.Task[Endpoint]) -> None:
        del self._loads[spec]
        if load.cancelled():
            return  # by the ending that goes on to release the engine
        error = load.exception()
        if error is None:
            self._failed_at.pop(spec, None)
            self._users.move(spec, load.result())
            return
        _log.warning("engine %s does not come up: %s", spec.alias, error)
        self._failed_at[spec] = self._clock()
        if not self._users.uses(spec):
            self._known.discard(spec)

    async def _end(self, spec: EngineSpec) -> None:
        load = self._loads.get(spec)
        try:
            if load is not None:
                load.cancel()
                await asyncio.wait({load})
            await self._host.release(spec)
        except AgentlaunchError as error:
            _log.warning("engine %s does not end: %s", spec.alias, error.message)
        finally:
            self._known.discard(spec)
            del self._endings[spec]


def _ended(spec: EngineSpec) -> MachineError:
    return MachineError(
        "engine-released",
        f"the engine of `{spec.alias}` has been ended: no session uses it any more",
        "start the agent again",
    )


def _no_room(spec: EngineSpec, shortage: Shortage, holders: list[str]) -> MachineError:
    needed, held, capacity = (
        f"{size / 2**30:.1f} GiB" for size in (shortage.needed_bytes, shortage.held_bytes, shortage.capacity_bytes)
    )
    names = ", ".join(f"`{name}`" for name in holders)
    return MachineError(
        "models-do-not-fit",
        f"`{spec.alias}` needs {needed} of {shortage.place}, and {names} of other sessions holds {held} of {capacity}",
        f"use what is loaded: --model {holders[0]}; or end its sessions: agentlaunch status; or a smaller --context",
    )
