"""A request's body: read to its end within a limit, and unpacked when the client has compressed it."""

from __future__ import annotations

import asyncio

import msgspec
from starlette.datastructures import Headers
from starlette.types import Message, Receive

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Reply, Wire
from agentlaunch.shim.unpacking import Damaged, UnknownEncoding, Unpacker, unpackers

MAX_BODY_BYTES = 64 * 2**20
"""Larger than any context window's text; images of a long conversation are what comes near it."""

SILENCE_S = 60.0
"""How long a client may send nothing of a body that it has begun: it is on this machine."""


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


async def read_body(
    headers: Headers, receive: Receive, limit_bytes: int = MAX_BODY_BYTES, silence_s: float = SILENCE_S
) -> bytes:
    """The whole body, unpacked, at most `limit_bytes` long. Raises ClientLeft and BodyRefused."""
    if _declared_bytes(headers) > limit_bytes:
        raise _too_large(limit_bytes)
    pieces: list[bytes] = []
    size_bytes = 0
    more = True
    while more:
        try:
            message = await _received(receive, silence_s)
        except TimeoutError:
            raise _stopped() from None
        piece: bytes = message.get("body", b"")
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > limit_bytes:
            raise _too_large(limit_bytes)
        more = message.get("more_body", False)
    return _unpack(b"".join(pieces), headers.get("content-encoding", ""), limit_bytes)


async def drain_body(
    headers: Headers, receive: Receive, limit_bytes: int = MAX_BODY_BYTES, silence_s: float = SILENCE_S
) -> None:
    """Read a body that nobody wants: a client that is still writing it would miss our refusal. Raises ClientLeft."""
    left_bytes = limit_bytes - _declared_bytes(headers)
    while left_bytes >= 0:
        try:
            message = await _received(receive, silence_s)
        except TimeoutError:
            return
        if not message.get("more_body", False):
            return
        left_bytes -= 0 if "content-length" in headers else len(message.get("body", b""))


async def _received(receive: Receive, silence_s: float) -> Message:
    """The next of the body. Raises ClientLeft, TimeoutError."""
    async with asyncio.timeout(silence_s):
        message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientLeft
    return message


def _declared_bytes(headers: Headers) -> int:
    value = headers.get("content-length", "")
    return int(value) if value.isascii() and value.isdigit() else 0


def _unpack(body: bytes, encodings: str, limit_bytes: int) -> bytes:
    """The body without its encodings."""
    try:
        for unpacker in unpackers(encodings):
            body = _unpacked(body, unpacker, limit_bytes)
    except UnknownEncoding as error:
        raise _unsupported(str(error)) from error
    except Damaged as error:
        raise _damaged() from error
    return body


def _unpacked(body: bytes, unpacker: Unpacker, limit_bytes: int) -> bytes:
    pieces: list[bytes] = []
    room_bytes = limit_bytes
    for piece in unpacker.feed(body):
        pieces.append(piece)
        room_bytes -= len(piece)
        if room_bytes < 0:
            raise _too_large(limit_bytes)
    if not unpacker.is_whole:
        raise _cut_off()
    return b"".join(pieces)


def _unsupported(name: str) -> BodyRefused:
    what = f"the content-encoding `{name}` is not supported: use gzip, deflate, zstd, br or none"
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, what), 415)


def _damaged() -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is damaged"))


def _cut_off() -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.BAD_REQUEST, "the compressed body is cut off"))


def _stopped() -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.TIMEOUT, "the request's body has stopped in its middle"), 408)


def _too_large(limit_bytes: int) -> BodyRefused:
    return BodyRefused(ChatFault(ErrorKind.TOO_LARGE, f"the request's body is over {limit_bytes // 2**20} MiB"))
