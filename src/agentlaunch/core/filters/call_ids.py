"""Ids of calls that no other call of the conversation has."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping

from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.ir import ChatEvent, ChatRequest, ToolCallPart, ToolCallStart


def another_id(call_id: str, number: int) -> str:
    """The id of call `number` where `call_id` is taken: the same every time, and nothing like it.

    Claude Code 2.1.331 keeps `ID_NUMBER` for its own uses: beside a call `a`, the result of a call `a_1` was sent back
    as "[Tool result missing due to internal error]" (measured).
    """
    return "call_" + hashlib.blake2s(f"{call_id}\0{number}".encode("utf-8", "replace"), digest_size=12).hexdigest()


class FreshCallIds:
    """Gives a call another id where an earlier call of the conversation or of the answer has its own.

    Some servers count from `call_0` in every answer. Claude Code 2.1.331 runs the second call of one id and then sends
    back "[Tool use interrupted]" in place of it and its result (measured: tests/e2e/test_faults.py).
    """

    def __init__(self, request: ChatRequest) -> None:
        parts = (part for message in request.messages for part in message.parts)
        self._taken = {part.id for part in parts if isinstance(part, ToolCallPart)}
        self._count = MendCount()

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        yield self._renamed(event) if isinstance(event, ToolCallStart) else event

    def finish(self) -> Iterator[ChatEvent]:
        """Nothing is held back."""
        yield from ()

    def _renamed(self, start: ToolCallStart) -> ToolCallStart:
        fresh, number = start.id, len(self._taken)
        while fresh in self._taken:
            fresh = another_id(start.id, number)
            number += 1
        self._taken.add(fresh)
        if fresh == start.id:
            return start
        self._count.add([Mend.ID])
        return ToolCallStart(fresh, start.name, start.kind, start.namespace)
