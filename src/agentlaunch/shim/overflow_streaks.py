"""Ends the loop of an agent that compacts for ever: overflows in a row on one session, and what the third is told."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from agentlaunch.core.context import LoopRisk, overflow_told_plainly
from agentlaunch.core.ir import ChatEvent, ErrorKind, Failed, Finished


class OverflowStreaks:
    """How many requests of each session have overflowed since its last success; one instance for the shim's life."""

    def __init__(self) -> None:
        self._lengths: dict[str, int] = {}

    def streak(self, session_id: str, context_window: int, *, risk: LoopRisk) -> Streak:
        """The view of one request; `context_window` in tokens is told where the fault has none."""
        return Streak(self._lengths, session_id, context_window, risk)


class Streak:
    """One request's place in its session's streak; its events pass through `judged`."""

    def __init__(self, lengths: dict[str, int], session_id: str, context_window: int, risk: LoopRisk) -> None:
        self._lengths = lengths
        self._session_id = session_id
        self._context_window = context_window
        self._risk = risk

    def judged(self, events: Iterable[ChatEvent]) -> list[ChatEvent]:
        """The same events; an overflow that follows too many others is told in words that no agent compacts at."""
        return [self._judge(event) for event in events]

    def _judge(self, event: ChatEvent) -> ChatEvent:
        match event:
            case Finished() if self._risk.counts_as_success:
                self._lengths.pop(self._session_id, None)
            case Failed(fault) if fault.kind is ErrorKind.CONTEXT_OVERFLOW:
                before = self._lengths.get(self._session_id, 0)
                self._lengths[self._session_id] = before + 1
                if fault.context_window is None:
                    fault = msgspec.structs.replace(fault, context_window=self._context_window)
                return Failed(overflow_told_plainly(fault) if self._risk.is_hopeless_after(before) else fault)
            case _:
                pass
        return event
