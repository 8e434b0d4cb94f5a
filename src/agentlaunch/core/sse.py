"""Server-sent events: the incremental parser and the frame encoder; the only place that spells SSE."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agentlaunch.core.wire.base import Frame, ProtocolError

MAX_EVENT_BYTES = 64 * 2**20
"""The most that one event may hold before the stream is refused: a peer without line ends must not fill the memory."""

_MOST_LOOKS = 64
"""How often the lines of one event are looked at for a whole object: each look reads all of them, and they may be
many. Servers that leave blank lines out write an object into one line, or some dozens."""

_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:")
_STREAM_STARTS = (b"data:", b"event:", b"id:", b":")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class SseParser:
    """Bytes in any cut to frames, by the WHATWG rules for `text/event-stream`, with what servers need beyond them.

    An event without its last blank line, which real servers leave out, is still given by `finish()`. The line
    `error: {...}` of old llama.cpp, a field that the standard ignores, is a frame of the event `error` (report B008).
    A whole JSON object ends its event when another `data` line follows: some servers put one line end between events.
    Lines of JSON without `data:` are data: a server that fails early, or cannot stream, answers so under this type.
    Blanks before a field are skipped, as are ids, retry times and comments, which carry nothing for us.

    Raises ProtocolError for an event of more than `max_event_bytes`.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self._max_event_bytes = max_event_bytes
        self._tail: list[bytes] = []
        self._last_byte = b""
        self._mark = _BYTE_ORDER_MARK
        self._data: list[bytes] = []
        self._event = ""
        self._is_bare = False
        """Whether the data so far came without its field's name."""
        self._held_bytes = 0
        self._looks = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that `chunk` completes; it must be consumed before the next call."""
        if self._last_byte == b"\r" and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            self._last_byte = b""
        if not chunk:
            return
        self._last_byte = chunk[-1:]
        ends_a_line = b"\n" in chunk or b"\r" in chunk
        self._hold(chunk)
        if not ends_a_line:
            return
        block = b"".join(self._tail)
        lines = block.splitlines()
        self._tail = [] if self._last_byte in (b"\n", b"\r") else [lines.pop()]
        self._held_bytes -= len(block) - sum(map(len, self._tail))
        for line in lines:
            yield from self._line(line)

    def finish(self) -> Iterator[Frame]:
        """The stream has ended: what the server left unterminated counts as whole."""
        if self._tail:
            line = b"".join(self._tail)
            self._tail = []
            yield from self._line(line)
        yield from self._line(b"")

    def _hold(self, chunk: bytes) -> None:
        self._tail.append(chunk)
        self._held_bytes += len(chunk)
        if self._held_bytes > self._max_event_bytes and not (b"\n" in chunk or b"\r" in chunk):
            raise self._too_big()

    def _line(self, line: bytes) -> Iterator[Frame]:
        if self._mark:
            line = line.removeprefix(self._mark)
            self._mark = b""
        if not line:
            if self._data:
                yield from self._dispatch()
            self._event = ""
            return
        if self._is_bare and not line.startswith(_FIELDS):
            yield from self._bare(line)
            return
        field, _, value = line.partition(b":")
        match field:
            case b"data":
                if self._data:
                    yield from self._end_of_whole()
                self._append(value.removeprefix(b" "))
            case b"event":
                yield from self._end_of_whole()
                self._event = value.removeprefix(b" ").decode("utf-8", "replace")
            case b"error":
                self._event = "error"
                self._append(value.removeprefix(b" "))
            case _:
                yield from self._odd(line)

    def _odd(self, line: bytes) -> Iterator[Frame]:
        """A line that the standard ignores."""
        inner = line.lstrip()
        if inner.startswith(b"{"):
            yield from self._bare(line)
        elif inner is not line and inner.startswith(_FIELDS):
            yield from self._line(inner)

    def _bare(self, line: bytes) -> Iterator[Frame]:
        """A line of JSON, the first or a further one, that has no field's name."""
        if line.startswith(b"{"):
            yield from self._end_of_whole()
        self._is_bare = True
        self._append(line)

    def _end_of_whole(self) -> Iterator[Frame]:
        """Give the event whose data are a JSON object already: what comes now is another's."""
        self._is_bare = False
        data = self._data
        if self._looks == _MOST_LOOKS or not (data and data[0].lstrip().startswith(b"{") and data[-1].endswith(b"}")):
            return
        self._looks += 1
        if _is_object(b"\n".join(data)):
            yield from self._dispatch()

    def _dispatch(self) -> Iterator[Frame]:
        data, event = self._data, self._event
        self._data, self._event, self._is_bare, self._looks = [], "", False, 0
        self._held_bytes -= sum(map(len, data))
        yield Frame(data[0] if len(data) == 1 else b"\n".join(data), event)

    def _append(self, value: bytes) -> None:
        self._data.append(value)
        self._held_bytes += len(value)
        if self._held_bytes > self._max_event_bytes:
            raise self._too_big()

    def _too_big(self) -> ProtocolError:
        return ProtocolError(f"a server-sent event is bigger than `{self._max_event_bytes}` bytes")


def _is_object(data: bytes) -> bool:
    try:
        _objects.decode(data)
    except (ValueError, RecursionError):
        return False
    return True


def is_stream(body: bytes) -> bool:
    """Whether a body, whatever its media type says, is a stream of events."""
    return body.lstrip().startswith(_STREAM_STARTS)


def unframed(body: bytes) -> bytes:
    """What the first event says of a body that is a stream; any other body as it is."""
    if not is_stream(body):
        return body
    parser = SseParser(len(body))
    return next((frame.data for frame in (*parser.feed(body), *parser.finish()) if frame.data), body)


def encode_frame(frame: Frame) -> bytes:
    """The frame's bytes, its blank line included. A line break inside the data becomes a second `data` line."""
    head = b"event: " + frame.event.encode() + b"\n" if frame.event else b""
    data = frame.data
    if b"\n" in data or b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\ndata: ")
    return b"%bdata: %b\n\n" % (head, data)
