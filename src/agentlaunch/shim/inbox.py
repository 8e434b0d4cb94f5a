"""Where one request's two peers meet: pieces of the upstream's answer, the client's leaving, and silence."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

from agentlaunch.core.ir import ChatFault

HIGH_WATER_BYTES = 2**20
"""How much may wait for a slow client before the upstream is no longer read."""


@dataclass(frozen=True)
class Piece:
    """Bytes of the upstream's stream: everything that has come since the last look."""

    data: bytes


@dataclass(frozen=True)
class Ended:
    """The upstream's stream is over; `fault` says why when it broke off."""

    fault: ChatFault | None = None


@dataclass(frozen=True)
class Whole:
    """The upstream answered with one JSON document in place of a stream."""

    body: bytes


@dataclass(frozen=True)
class Refused:
    """The upstream answered with an error, or could not be asked: then `is_lost`."""

    fault: ChatFault
    is_lost: bool = False


@dataclass(frozen=True)
class Silence:
    """Nothing has come within the time that was given."""


@dataclass(frozen=True)
class ClientGone:
    """The client has closed its connection: nobody waits for an answer."""


Outcome: TypeAlias = Ended | Whole | Refused | ClientGone
Arrival: TypeAlias = Piece | Silence | Outcome


class Inbox:
    """One reader takes, others put; every wait of the reader ends at once when the client leaves.

    Pieces that come between two looks are given as one, so a burst costs the reader one wake-up and one send.
    """

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._outcome: Outcome | None = None
        self._is_closed = False
        self._waiter: asyncio.Future[None] | None = None
        self._room = asyncio.Event()
        self._room.set()

    @property
    def is_full(self) -> bool:
        """Whether the writer should wait for `room`."""
        return self._held_bytes >= HIGH_WATER_BYTES

    def put(self, piece: bytes) -> None:
        """Add bytes of the stream. What comes after the outcome is not given to anybody, and still fills the inbox."""
        if self._outcome is None:
            self._pieces.append(piece)
        self._held_bytes += len(piece)
        if self.is_full:
            self._room.clear()
        self._wake()

    def end(self, outcome: Outcome) -> None:
        """Nothing more will come from this attempt."""
        if self._outcome is None:
            self._outcome = outcome
        self._room.set()
        self._wake()

    def close(self, outcome: Outcome) -> None:
        """Nothing more will come from any attempt: the client has left, which beats what came before, or we stop."""
        self._is_closed = True
        if isinstance(outcome, ClientGone):
            self._pieces.clear()
            self._outcome = outcome
        self.end(outcome)

    def restart(self) -> bool:
        """Empty it for the next attempt, once the writer of the one before has ended; False when it was closed."""
        if self._is_closed:
            return False
        self._pieces.clear()
        self._held_bytes = 0
        self._outcome = None
        self._room.set()
        return True

    async def room(self) -> None:
        """Wait until the reader has taken what lies here."""
        await self._room.wait()

    async def take(self, timeout_s: float | None) -> Arrival:
        """What has come; waits at most `timeout_s` seconds for it (None: as long as it takes)."""
        if not self._pieces and self._outcome is None:
            await self._wait(timeout_s)
        if self._pieces:
            data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
            self._pieces.clear()
            self._held_bytes = 0
            self._room.set()
            return Piece(data)
        return Silence() if self._outcome is None else self._outcome

    async def _wait(self, timeout_s: float | None) -> None:
        loop = asyncio.get_running_loop()
        self._waiter = loop.create_future()
        alarm = None if timeout_s is None else loop.call_later(timeout_s, self._wake)
        try:
            await self._waiter
        finally:
            self._waiter = None
            if alarm is not None:
                alarm.cancel()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


class RunningInboxes:
    """The inboxes of all running requests, so that the server's end ends each answer in its wire's own form."""

    def __init__(self) -> None:
        self._inboxes: set[Inbox] = set()
        self._fault: ChatFault | None = None

    @contextmanager
    def holding(self, inbox: Inbox) -> Iterator[None]:
        """Count `inbox` among the running ones while the block runs; one that comes too late ends at once."""
        self._inboxes.add(inbox)
        if self._fault is not None:
            inbox.close(Ended(self._fault))
        try:
            yield
        finally:
            self._inboxes.discard(inbox)

    def end_all(self, fault: ChatFault) -> None:
        """End what runs and whatever comes with `fault`."""
        self._fault = fault
        for inbox in self._inboxes:
            inbox.close(Ended(fault))
