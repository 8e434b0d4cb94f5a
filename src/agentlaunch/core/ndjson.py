"""Newline-delimited JSON: the incremental parser and the line encoder; the only place that spells it."""

from __future__ import annotations

from collections.abc import Iterator

from agentlaunch.core.wire.base import Frame, ProtocolError

MAX_LINE_BYTES = 64 * 2**20
"""The most that one line may hold before the stream is refused: a peer without line ends must not fill the memory."""


class NdjsonParser:
    """Bytes in any cut to frames, one a line that is not blank. The same interface as `core.sse.SseParser`.

    A last line without its line end is still given by `finish()`. Raises ProtocolError for a line of more than
    `max_line_bytes`.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self._max_line_bytes = max_line_bytes
        self._tail: list[bytes] = []
        self._tail_bytes = 0

    def feed(self, chunk: bytes) -> Iterator[Frame]:
        """The frames that `chunk` completes; it must be consumed before the next call."""
        *whole, rest = chunk.split(b"\n")
        for line in whole:
            self._hold(line)
            yield from self.finish()
        self._hold(rest)

    def finish(self) -> Iterator[Frame]:
        """The stream has ended: what the server left unterminated counts as whole."""
        line = b"".join(self._tail).strip()
        self._tail.clear()
        self._tail_bytes = 0
        if line:
            yield Frame(line)

    def _hold(self, piece: bytes) -> None:
        if not piece:
            return
        self._tail.append(piece)
        self._tail_bytes += len(piece)
        if self._tail_bytes > self._max_line_bytes:
            raise ProtocolError(f"a line of the stream is bigger than `{self._max_line_bytes}` bytes")


def encode_line(frame: Frame) -> bytes:
    """The frame's data as a line. JSON as our encoders write it has no line breaks of its own."""
    return frame.data + b"\n"
