"""Waits for an engine of ours that has ended to come back, and the words for the client when it does not."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.errors import AgentlaunchError
from agentlaunch.shim.session import Session

Reach = Callable[[EngineSpec], Awaitable[Endpoint]]
"""The endpoint of the ready engine, which is started anew when it has crashed. Raises AgentlaunchError."""

SAME_PLACE_PAUSES_S = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6)
"""Its socket is gone a moment before its host knows that the engine is, and still gives the old endpoint."""


class EngineLost(Exception):
    """The engine does not come back, or not as it was; `fault` is what the client is told."""

    def __init__(self, fault: ChatFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


async def engine_back(session: Session, gone: Endpoint, reach: Reach | None) -> Endpoint | None:
    """Where the engine of `session` is reached after it was lost at `gone`; None where nothing else can be tried.

    A server that keeps its address, such as Ollama, is given back at the same place. Raises EngineLost; also for an
    engine that is back with a smaller window, where the agent is told so once, in an error that it tries again after.
    """
    if reach is None or session.engine is None:
        return None
    try:
        for pause_s in SAME_PLACE_PAUSES_S:
            found = await reach(session.engine)
            if found != gone:
                return _as_large(session, gone, found)
            await asyncio.sleep(pause_s)
    except AgentlaunchError as error:
        what = f"the engine of `{session.model}` has ended and does not start again: {error.message}"
        raise EngineLost(ChatFault(ErrorKind.UNAVAILABLE, what + _LOG)) from error
    return found


def _as_large(session: Session, gone: Endpoint, found: Endpoint) -> Endpoint:
    """The engine that is back. Raises EngineLost when memory has made its window smaller."""
    before, now = gone.context_window, found.context_window
    if before is None or now is None or now >= before:
        return found
    what = f"the engine of `{session.model}` ran out of memory and was restarted with a window of {now} tokens"
    raise EngineLost(ChatFault(ErrorKind.UNAVAILABLE, f"{what}, {before} before; try again"))


def engine_fault(session: Session, fault: ChatFault) -> ChatFault:
    """The same fault; one of a lost connection to an engine of ours names the model and the log that says why."""
    if session.engine is None or fault.kind is not ErrorKind.UNAVAILABLE:
        return fault
    return msgspec.structs.replace(fault, message=f"{fault.message}; the model is `{session.model}`{_LOG}")


_LOG = "; its log says more: agentlaunch logs engine"
