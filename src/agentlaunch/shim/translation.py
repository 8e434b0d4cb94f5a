"""An upstream's bytes to events, every filter applied: pure, one instance a response."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Protocol

import msgspec

from agentlaunch.core.ir import ChatEvent, ChatFault, ErrorKind, Failed, Finished
from agentlaunch.core.ndjson import NdjsonParser
from agentlaunch.core.sse import SseParser, is_stream
from agentlaunch.core.wire.base import Frame, ProtocolError, Wire
from agentlaunch.core.wire.options import framing_of

_SIGN_OF_LIFE = re.compile(
    rb'(?:null|true|""|ping|pong|heartbeat|keep-?alive|"?\[done\]"?|\d{4}-\d\d-\d\d[T ][\d:.]+Z?)', re.IGNORECASE
)
"""What servers and proxies send in place of a comment while a model thinks."""
_END = b"[DONE]"
"""The Chat wire's end; other wires read over it. Misspelt it counts where nothing follows."""
_MISSPELT_ENDS = (b"[done]", b'"[done]"')
_LONGEST_SIGN = 40


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
        self._has_misspelt_end = False
        self._unread: bytes | None = b""
        """The last frame's data while the decoder has made nothing of any; None once it has."""

    def feed(self, data: bytes) -> list[ChatEvent]:
        """The events that these bytes complete; nothing follows `Finished` or `Failed`."""
        events: list[ChatEvent] = []
        try:
            for frame in self._parser.feed(data):
                events.extend(self._decoded(frame))
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
                events.extend(self._decoded(frame))
        try:
            for event in self._rest():
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
        """The events of an answer that came as one JSON document in place of a stream; or as a stream all the same, its
        lines with `data:` or without."""
        if is_stream(body):
            return self._streamed(body)
        try:
            told = self._wire.decode_answer(body)
        except ProtocolError as error:
            lines = self._streamed(body)
            is_whole = isinstance(lines[-1], Finished)
            return lines if is_whole else [self._broken(f"sent what is not of its API: {error}")]
        events: list[ChatEvent] = []
        try:
            for event in told:
                events.extend(self._restorer.feed(event))
            events.extend(self._restorer.finish())
        except ProtocolError as error:
            return [self._broken(f"sent what is not of its API: {error}")]
        return events

    def _streamed(self, body: bytes) -> list[ChatEvent]:
        streamed = self.feed(body)
        return streamed if _is_over(streamed) else [*streamed, *self.finish()]

    def _decoded(self, frame: Frame) -> Iterator[ChatEvent]:
        """What a frame says, every filter applied."""
        meant = frame if frame.data.startswith(b"{") and frame.event != "error" else _meant(frame)
        self._has_misspelt_end = meant is None and frame.data.strip().lower() in _MISSPELT_ENDS
        if meant is None:
            return
        for event in self._decoder.feed(meant):
            self._unread = None
            yield from self._restorer.feed(event)
        if self._unread is not None:
            self._unread = meant.data

    def _rest(self) -> Iterator[ChatEvent]:
        """What is left at the end: a server that cannot stream has sent its whole answer in one frame."""
        if self._unread:
            with suppress(ProtocolError):
                yield from self._wire.decode_answer(self._unread)
                return
        if self._has_misspelt_end:
            yield from self._decoder.feed(Frame(_END))
        yield from self._decoder.finish()

    def _broken(self, what: str) -> Failed:
        return Failed(ChatFault(ErrorKind.UNAVAILABLE, f"the upstream `{self._upstream_name}` {what}"))


def _meant(frame: Frame) -> Frame | None:
    """A frame that is no JSON object as it was meant; None for one that is empty or a sign of life in words. An error
    may be plain text."""
    data = frame.data.strip()
    while data.startswith(b"data:"):  # a proxy has wrapped each line once more
        data = data.removeprefix(b"data:").lstrip()
    if not data or (len(data) <= _LONGEST_SIGN and data != _END and _SIGN_OF_LIFE.fullmatch(data)):
        return None
    if frame.event == "error" and not data.startswith(b"{"):
        data = msgspec.json.encode({"error": {"message": data.decode("utf-8", "replace")}})
    return Frame(data, frame.event)


def _is_over(events: list[ChatEvent]) -> bool:
    return bool(events) and isinstance(events[-1], Finished | Failed)
