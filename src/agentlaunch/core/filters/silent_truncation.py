"""Holds an answer back until the upstream's count tells that it read the whole prompt, where it may have cut it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from agentlaunch.core.context import Expectation
from agentlaunch.core.filters.tool_calls import DELTAS_A_PING
from agentlaunch.core.ir import ChatEvent, Failed, Finished, Ping, Started, UsageReport

_NOTHING: Mapping[str, int] = MappingProxyType({})


class SilentTruncation:
    """An answer to a prompt that was cut becomes an overflow, on which agents compact (reports B165, B176).

    Only where the prompt nearly fills the window and the server is not known to refuse: everything else passes at
    once. While the answer is held there are Pings. An upstream that never counts tells nothing, and is believed.
    """

    def __init__(self, expected: Expectation) -> None:
        self._expected = expected
        self._held: list[ChatEvent] | None = [] if expected.may_be_cut else None
        self._was_cut = False

    @property
    def mended(self) -> Mapping[str, int]:
        """Nothing: an overflow is told, not mended."""
        return _NOTHING

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        if self._held is None:
            if not self._was_cut:
                yield event
            return
        match event:
            case Started() | Ping():
                yield event
            case UsageReport(usage) if usage.input_tokens:
                self._was_cut = self._expected.was_cut(usage.input_tokens)
                yield from [Failed(self._expected.fault())] if self._was_cut else [*self._held, event]
                self._held = None
            case Finished() | Failed():
                yield from [*self._held, event]
                self._held = None
            case _:
                self._held.append(event)
                if len(self._held) % DELTAS_A_PING == 0:
                    yield Ping()

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended before its end: give what was held."""
        held, self._held = self._held or [], None
        yield from held
