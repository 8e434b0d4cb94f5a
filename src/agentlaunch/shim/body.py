"""A request's body: read to its end within a limit, and unpacked when the client has compressed it."""

from __future__ import annotations

import zlib
from collections.abc import Callable

import msgspec
from starlette.datastructures import Headers
from starlette.types import Receive

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Reply, Wire

MAX_BODY_BYTES = 64 * 2**20
"""Larger than any context window's text; images of a long conversation are what comes near it."""

_ANY_ZLIB_OR_GZIP = 47
_RAW_DEFLATE = -15
_ZSTD_STEP_BYTES = 2**10
"""Packed bytes to take at once: a block of 128 KiB may be packed into four bytes (RFC 8878, 3.1.1.2), and its unpacker
knows no limit, so that a step makes 32 MiB at most."""
_BROTLI_STEP_BYTES = 2**20
_MOST_ENCODINGS = 3
"""A body is packed once, perhaps twice by a proxy; more is somebody's game."""


class ClientLeft(Exception):
    """The client closed its connection before its request was whole."""


class BodyRefused(Exception):
    """The body is not read: `fault` and the HTTP `status` say why, None the status that the wire has for the fault."""

    def __init__(self, fault: ChatFault, status: int | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.status = status

    def reply(self, wire: Wire) -> Reply:
        """The refusal in the wire's form."""
        reply = wire.encode_fault(self.fault)
        return reply if self.status is None else msgspec.structs.replace(reply, status=self.status)


async def read_body(headers: Headers, receive: Receive, limit_bytes: int = MAX_BODY_BYTES) -> bytes:
    """The whole body, unpacked, at most `limit_bytes` long. Raises ClientLeft and BodyRefused."""
    if _declared_bytes(headers) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    size_bytes = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        piece: bytes = message.get("body", b"")
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        more = message.get("more_body", False)
    return _unpack(b"".join(pieces), headers.get("content-encoding", ""), limit_bytes)


async def drain_body(headers: Headers, receive: Receive, limit_bytes: int = MAX_BODY_BYTES) -> None:
    """Read a body that nobody wants: a client that is still writing it would miss our refusal. Raises ClientLeft."""
    left_bytes = limit_bytes - _declared_bytes(headers)
    while left_bytes >= 0:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        if not message.get("more_body", False):
            return
        left_bytes -= 0 if "content-length" in headers else len(message.get("body", b""))


def _declared_bytes(headers: Headers) -> int:
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else 0


def _unpack(body: bytes, encodings: str, limit_bytes: int) -> bytes:
    """The body without its encodings, which are named in the order in which they were applied (RFC 9110, 8.4)."""
    names = [name for part in encodings.split(",") if (name := part.strip().lower()) not in ("", "identity")]
    if len(names) > _MOST_ENCODINGS:
        raise _unsupported(encodings)
    for name in reversed(names):
        unpack = _UNPACKERS.get(name)
        if unpack is None:
            raise _unsupported(name)
        body = unpack(body, limit_bytes)
    return body


def _gunzip(body: bytes, limit_bytes: int) -> bytes:
    return _inflate(body, _ANY_ZLIB_OR_GZIP, limit_bytes)


def _undeflate(body: bytes, limit_bytes: int) -> bytes:
    """ "deflate" is zlib's format by the standard and raw deflate by long custom (RFC 9110, 8.4.1.2)."""
    is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
    return _inflate(body, _ANY_ZLIB_OR_GZIP if is_zlib else _RAW_DEFLATE, limit_bytes)


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    """One or more packed streams, one behind the other (RFC 1952, 2.2)."""
    pieces: list[bytes] = []
    room_bytes = limit_bytes + 1
    while body or not pieces:
        unpacker = zlib.decompressobj(window_bits)
        try:
            piece = unpacker.decompress(body, room_bytes)
        except zlib.error as error:
            raise _damaged() from error
        pieces.append(piece)
        room_bytes -= len(piece)
        if room_bytes <= 0:
            raise _too_large(limit_bytes)
        if not unpacker.eof:
            raise _cut_off()
        body = unpacker.unused_data
    return b"".join(pieces)


def _unzstd(body: bytes, limit_bytes: int) -> bytes:
    """Codex packs its bodies so (report B039)."""
    import zstandard

    pieces: list[bytes] = []
    room_bytes = limit_bytes + 1
    while body or not pieces:
        frame = zstandard.ZstdDecompressor(max_window_size=MAX_BODY_BYTES).decompressobj()
        try:
            for start in range(0, len(body), _ZSTD_STEP_BYTES):
                piece = frame.decompress(body[start : start + _ZSTD_STEP_BYTES])
                pieces.append(piece)
                room_bytes -= len(piece)
                if room_bytes <= 0:
                    raise _too_large(limit_bytes)
                if frame.eof:
                    break
        except zstandard.ZstdError as error:
            raise _damaged() from error
        if not frame.eof:
            raise _cut_off()
        body = frame.unused_data + body[start + _ZSTD_STEP_BYTES :]
    return b"".join(pieces)


def _unbrotli(body: bytes, limit_bytes: int) -> bytes:
    import brotli

    pieces: list[bytes] = []
    room_bytes = limit_bytes + 1
    unpacker = brotli.Decompressor()
    while not unpacker.is_finished():
        try:
            piece = unpacker.process(body, output_buffer_limit=min(room_bytes, _BROTLI_STEP_BYTES))
        except brotli.error as error:
            raise _damaged() from error
        if not (piece or unpacker.is_finished()):
            raise _cut_off()
        pieces.append(piece)
        room_bytes -= len(piece)
        if room_bytes <= 0:
            raise _too_large(limit_bytes)
        body = b""
    return b"".join(pieces)


_UNPACKERS: dict[str, Callable[[bytes, int], bytes]] = {
    "gzip": _gunzip,
    "x-gzip": _gunzip,
    "deflate": _undeflate,
    "zstd": _unzstd,
    "br": _unbrotli,
}


def _unsupported(name: str) -> BodyRefused:
    what = f"the content-encoding `{name[:40]}` is not supported: use gzip, deflate, zstd, br or none"
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, what), 415)


def _damaged() -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is damaged"))


def _cut_off() -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is cut off"))


def _too_large(limit_bytes: int) -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.TOO_LARGE, f"the request's body is over {limit_bytes // 2**20} MiB"))
