"""Compressed bytes to plain ones, a bounded piece at a time: ten gigabytes may be packed into a few thousand bytes."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from typing import Protocol

STEP_BYTES = 2**20
"""The most that one piece holds; of Brotli's nearly twice as much, of zstd's 32 MiB."""

_GZIP_STEP_BYTES = 2**12
"""Packed bytes to take at once: zlib copies what is behind each stream's end, and a stream of nothing takes 20."""

_ZSTD_STEP_BYTES = 2**10
"""Packed bytes to take at once: a block of 128 KiB may be packed into four bytes (RFC 8878, 3.1.1.2), and its unpacker
knows no limit, so that a step makes 32 MiB at most."""
_ZSTD_WINDOW_BYTES = 64 * 2**20

_ANY_ZLIB_OR_GZIP = 47
_RAW_DEFLATE = -15
_MOST_ENCODINGS = 3
"""A body is packed once, perhaps twice by a proxy; more is somebody's game."""


class Damaged(Exception):
    """The bytes are not packed as they say."""


class UnknownEncoding(Exception):
    """Nobody here can unpack this; the message is the encoding's name, cut to what can be shown."""


class Unpacker(Protocol):
    """One body's. Raises Damaged."""

    @property
    def is_whole(self) -> bool:
        """Whether what came so far is a packed body to its end."""
        ...

    def feed(self, data: bytes) -> Iterator[bytes]:
        """What `data` unpacks to, in bounded pieces; to be consumed before the next call."""
        ...


def unpackers(encodings: str) -> tuple[Unpacker, ...]:
    """Those for a Content-Encoding, in the order to apply them; it names them in the order of packing (RFC 9110, 8.4).

    Raises UnknownEncoding.
    """
    names = [name for part in encodings.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if len(names) > _MOST_ENCODINGS:
        raise UnknownEncoding(encodings[:40])
    return tuple(_make(name) for name in reversed(names))


def unpack(data: bytes, chain: tuple[Unpacker, ...]) -> Iterator[bytes]:
    """`data` through every unpacker of `chain`, in bounded pieces."""
    if not chain:
        yield data
        return
    first, *others = chain
    for piece in first.feed(data):
        yield from unpack(piece, tuple(others))


def _make(name: str) -> Unpacker:
    make = _UNPACKERS.get(name)
    if make is None:
        raise UnknownEncoding(name[:40])
    return make()


class _Gzip:
    """One or more packed streams, one behind the other (RFC 1952, 2.2)."""

    def __init__(self, window_bits: int = _ANY_ZLIB_OR_GZIP) -> None:
        self._window_bits = window_bits
        self._stream = zlib.decompressobj(window_bits)
        self.is_whole = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), _GZIP_STEP_BYTES):
            yield from self._fed(data[at : at + _GZIP_STEP_BYTES])

    def _fed(self, data: bytes) -> Iterator[bytes]:
        is_full = False  # then more may come out, though nothing goes in
        while data or is_full:
            if self.is_whole:
                self._stream, self.is_whole = zlib.decompressobj(self._window_bits), False
            try:
                piece = self._stream.decompress(data, STEP_BYTES)
            except zlib.error as error:
                raise Damaged from error
            if piece:
                yield piece
            self.is_whole = self._stream.eof
            is_full = len(piece) == STEP_BYTES and not self.is_whole
            data = self._stream.unused_data if self.is_whole else self._stream.unconsumed_tail


class _Deflate:
    """ "deflate" is zlib's format by the standard and raw deflate by long custom (RFC 9110, 8.4.1.2)."""

    def __init__(self) -> None:
        self._head = b""
        self._stream: _Gzip | None = None

    @property
    def is_whole(self) -> bool:
        return self._stream is not None and self._stream.is_whole

    def feed(self, data: bytes) -> Iterator[bytes]:
        if self._stream is None:
            data = self._head = self._head + data
            if len(data) < 2:
                return
            is_zlib = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
            self._stream = _Gzip(_ANY_ZLIB_OR_GZIP if is_zlib else _RAW_DEFLATE)
        yield from self._stream.feed(data)


class _Zstd:
    """One or more frames (RFC 8878, 3.1). Codex packs its bodies so (report B039)."""

    def __init__(self) -> None:
        import zstandard

        self._library = zstandard
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=_ZSTD_WINDOW_BYTES)
        self._frame = self._decompressor.decompressobj()
        self.is_whole = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            if self.is_whole:
                self._frame, self.is_whole = self._decompressor.decompressobj(), False
            step = data[at : at + _ZSTD_STEP_BYTES]
            try:
                piece = self._frame.decompress(step)
            except self._library.ZstdError as error:
                raise Damaged from error
            if piece:
                yield piece
            self.is_whole = self._frame.eof
            at += len(step) - len(self._frame.unused_data)


class _Brotli:
    """One stream."""

    def __init__(self) -> None:
        import brotli

        self._library = brotli
        self._stream = brotli.Decompressor()

    @property
    def is_whole(self) -> bool:
        finished: bool = self._stream.is_finished()
        return finished

    def feed(self, data: bytes) -> Iterator[bytes]:
        is_full = False  # then more may come out, though nothing goes in
        while data or is_full:
            try:
                piece = self._stream.process(data, output_buffer_limit=STEP_BYTES)
            except self._library.error as error:
                raise Damaged from error
            if piece:
                yield piece
            data, is_full = b"", len(piece) >= STEP_BYTES or not self._stream.can_accept_more_data()


_UNPACKERS: dict[str, Callable[[], Unpacker]] = {
    "gzip": _Gzip,
    "x-gzip": _Gzip,
    "deflate": _Deflate,
    "zstd": _Zstd,
    "br": _Brotli,
}
