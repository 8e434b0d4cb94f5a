"""A request's body: read to its end within a limit, and unpacked when the client has compressed it."""

from __future__ import annotations

import zlib

from starlette.datastructures import Headers
from starlette.types import Receive

from agentlaunch.core.ir import ChatFault, ErrorKind

MAX_BODY_BYTES = 64 * 2**20
"""Larger than any context window's text; images of a long conversation are what comes near it."""

_ANY_ZLIB_OR_GZIP = 47
_RAW_DEFLATE = -15


class ClientLeft(Exception):
    """The client closed its connection before its request was whole."""


class BodyRefused(Exception):
    """The body is not read: `fault` and the HTTP `status` say why, None the status that the wire has for the fault."""

    def __init__(self, fault: ChatFault, status: int | None = None) -> None:
        super().__init__(fault.message)
        self.fault = fault
        self.status = status


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


def _unpack(body: bytes, encoding: str, limit_bytes: int) -> bytes:
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, _ANY_ZLIB_OR_GZIP, limit_bytes)
        case "deflate":
            # "deflate" is zlib's format by the standard and raw deflate by long custom (RFC 9110, 8.4.1.2).
            is_zlib = len(body) >= 2 and body[0] & 0x0F == 8 and int.from_bytes(body[:2]) % 31 == 0
            return _inflate(body, _ANY_ZLIB_OR_GZIP if is_zlib else _RAW_DEFLATE, limit_bytes)
        case unknown:
            name = unknown[:40]
            fault = ChatFault(
                ErrorKind.BAD_REQUEST, f"the content-encoding `{name}` is not supported: use gzip or none"
            )
            raise BodyRefused(fault, 415)


def _inflate(body: bytes, window_bits: int, limit_bytes: int) -> bytes:
    unpacker = zlib.decompressobj(window_bits)
    try:
        unpacked = unpacker.decompress(body, limit_bytes + 1)
    except zlib.error as error:
        raise BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is damaged")) from error
    if len(unpacked) > limit_bytes:
        raise _too_large(limit_bytes)
    if not unpacker.eof:
        raise BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is cut off"))
    return unpacked


def _too_large(limit_bytes: int) -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.TOO_LARGE, f"the request's body is over {limit_bytes // 2**20} MiB"))
