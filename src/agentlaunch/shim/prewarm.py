"""Pre-warming: when a session opens, its upstream gets to compute what the agent is about to send."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from pathlib import Path

from agentlaunch.core.ir import ChatRequest
from agentlaunch.core.prefix_openings import Opening, may_warm, opening_name, opening_of
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.shim.engine_turns import EngineTurns
from agentlaunch.shim.prewarm_files import read_opening, write_opening
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

_LOOK_INTERVAL_S = 0.5
"""How often it is looked whether the session is still open: a user who has left needs no prompt."""

_log = logging.getLogger(__name__)

FindSession = Callable[[str], Session | None]
"""The open session with this id."""


class Prewarm:
    """Remembers what agents send first, and has it computed before the next session asks. One event loop only.

    `folder` None remembers nothing. A session without a `variant` is neither remembered nor warmed.
    """

    def __init__(self, folder: Path | None, upstream: UpstreamClient, find: FindSession) -> None:
        self.turns = EngineTurns(self._remember)
        self._folder = folder
        self._upstream = upstream
        self._find = find
        self._told: dict[str, None] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, session_id: str) -> None:
        """A session has just opened: begin with what its agent sent first the last time. Returns at once."""
        session = self._find(session_id)
        if self._folder is not None and session is not None and _is_warmed(session):
            self._start(self._warm(self._folder, session))

    @property
    def is_busy(self) -> bool:
        """Whether anything is being computed beforehand, or remembered."""
        return bool(self._tasks)

    async def aclose(self) -> None:
        """End what runs; what is being written is written."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _remember(self, session: Session, request: ChatRequest) -> None:
        """Keep a session's first opening; later ones are subagents'."""
        if self._folder is None or not _is_warmed(session) or session.id in self._told:
            return
        opening = opening_of(request)
        if opening is None:
            return
        self._told = {session.id: None, **dict(list(self._told.items())[:63])}
        self._start(self._write(self._folder, _name(session), Opening(session.endpoint.model, time.time(), opening)))

    async def _write(self, folder: Path, name: str, opening: Opening) -> None:
        await asyncio.to_thread(write_opening, folder, name, opening)

    async def _warm(self, folder: Path, session: Session) -> None:
        opening = await asyncio.to_thread(read_opening, folder, _name(session))
        if opening is None:
            return
        began = time.monotonic()
        warming = asyncio.create_task(self.turns.warm(session, opening.request, self._upstream))
        try:
            while not warming.done() and self._find(session.id) is not None:
                await asyncio.wait({warming}, timeout=_LOOK_INTERVAL_S)
        finally:
            warming.cancel()
            await asyncio.wait({warming})
        if warming.cancelled():
            return
        match warming.exception():
            case None:
                _log.info("session %s: warmed for %.2f s", session.id, time.monotonic() - began)
            case UpstreamFailed() | ProtocolError() as error:
                _log.info("session %s: not warmed: %s", session.id, error)
            case error:
                raise error

    def _start(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _is_warmed(session: Session) -> bool:
    return bool(session.variant) and may_warm(session.endpoint)


def _name(session: Session) -> str:
    return opening_name(session.variant, session.project, session.endpoint)
