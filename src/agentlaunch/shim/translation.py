"""An upstream's bytes to events, every filter applied: pure, one instance a response."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

from agentlaunch.core.ir import ChatEvent, ChatFault, ErrorKind, Failed, Finished
from agentlaunch.core.ndjson import NdjsonParser
from agentlaunch.core.sse import SseParser
from agentlaunch.core.wire.base import ProtocolError, Wire
from agentlaunch.core.wire.options import framing_of


class EventFilter(Protocol):
    """Events to events, one instance a response; keeps the grammar of `core.ir`."""

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        ...

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended: give what is held back."""
        ...


class Translation:
    """What an upstream's stream says. Whatever the upstream does, the events end with `Finished` or `Failed`.

    `feed` and `finish` never raise for what the upstream sent: bytes that are not of its wire become `Failed`.
    """

    def __init__(self, wire: Wire, upstream_name: str, restorer: EventFilter) -> None:
        self._wire = wire
        self._upstream_name = upstream_name
        self._parser = NdjsonParser() if framing_of(wire) == "ndjson" else SseParser()
        self._decoder = wire.event_decoder()
        self._restorer = restorer

    def feed(self, data: bytes) -> list[ChatEvent]:
        """The events that these bytes complete; nothing follows `Finished` or `Failed`."""
        events: list[ChatEvent] = []
        try:
            for frame in self._parser.feed(data):
                for event in self._decoder.feed(frame):
                    events.extend(self._restorer.feed(event))
                if _is_over(events):  # by a filter, perhaps: what the upstream goes on to say is nobody's concern
                    break
        except ProtocolError as error:
            if not _is_over(events):
                events.append(self._broken(f"sent what is not of its API: {error}"))
        return events

    def finish(self, fault: ChatFault | None = None) -> list[ChatEvent]:
        """The stream has ended, perhaps because of `fault`: close what is open."""
        events: list[ChatEvent] = []
        # A last frame that was cut in its middle is part of a cut stream: the decoder knows what is missing without it.
        with suppress(ProtocolError):
            for frame in self._parser.finish():
                for event in self._decoder.feed(frame):
                    events.extend(self._restorer.feed(event))
        try:
            for event in self._decoder.finish():
                events.extend(self._restorer.feed(event))
            events.extend(self._restorer.finish())
        except ProtocolError as error:
            events.append(self._broken(f"sent what is not of its API: {error}"))
        if fault is not None:
            # The connection's own fault says more than the decoder's "ended too early".
            events = [Failed(fault) if isinstance(event, Failed) else event for event in events]
        if not _is_over(events):
            events.append(Failed(fault) if fault else self._broken("ended its stream before its answer was whole"))
        return events

    def refused(self, fault: ChatFault) -> list[ChatEvent]:
        """The upstream answered with an error, which may hold an answer that its own parser could not read."""
        return [*self._restorer.feed(Failed(fault)), *self._restorer.finish()]

    def whole(self, body: bytes) -> list[ChatEvent]:
        """The events of an answer that came as one JSON document in place of a stream."""
        events: list[ChatEvent] = []
        try:
            for event in self._wire.decode_answer(body):
                events.extend(self._restorer.feed(event))
            events.extend(self._restorer.finish())
        except ProtocolError as error:
            return [self._broken(f"sent what is not of its API: {error}")]
        return events

    def _broken(self, what: str) -> Failed:
        return Failed(ChatFault(ErrorKind.UNAVAILABLE, f"the upstream `{self._upstream_name}` {what}"))


def _is_over(events: list[ChatEvent]) -> bool:
    return bool(events) and isinstance(events[-1], Finished | Failed)
