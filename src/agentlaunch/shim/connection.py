"""A client's connection: one that never says a whole request head is closed, and costs no file for ever."""

from __future__ import annotations

import asyncio
from typing import ClassVar

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_S = 60.0
"""What a client has from connecting, or from a further request's first byte, until the head of its request is whole.
Clients connect some time before they ask; between two requests uvicorn lets go of them after 5 s of silence."""


class Connection(H11Protocol):
    """uvicorn's own, with the limit that it lacks: its timer runs between requests alone, and any byte ends it."""

    head_s: ClassVar[float] = HEAD_S
    _head_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """See asyncio.Protocol."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        super().data_received(data)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        self._forget_head()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        """Begin to wait for the rest of a head, or end that; what has come of one does not prolong it."""
        if self.cycle is not None and not self.cycle.response_complete:
            self._forget_head()
        elif self._head_due is None:
            self._head_due = self.loop.call_later(self.head_s, self.timeout_keep_alive_handler)

    def _forget_head(self) -> None:
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
