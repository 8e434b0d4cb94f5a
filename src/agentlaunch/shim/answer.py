"""The client's side of one answer: when it is opened, in which form it goes out, and how it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol

from starlette.types import Send

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    UsageReport,
)
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext, Frame, Reply, Wire
from agentlaunch.shim.upstream import MAX_WHOLE_BYTES

KEEPALIVE_AFTER_S = 10.0
"""How long an answer is held back so that an upstream's error keeps its status; agents give up on silence before the
headers after 302 s at the earliest (facts/agents.md 4.6)."""
KEEPALIVE_EVERY_S = 10.0
"""Between signs of life in an open stream; real events, since Codex does not count comments (facts/agents.md 4.6)."""

_TOO_BIG = Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's answer is too big to be given as a whole"))

_STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


@dataclass(frozen=True)
class KeepAlive:
    """When a silent stream shows signs of life, in seconds."""

    after_s: float = KEEPALIVE_AFTER_S
    every_s: float = KEEPALIVE_EVERY_S


class Stage(Enum):
    """How far an answer has come."""

    HELD = auto()
    OPEN = auto()
    CLOSED = auto()


class ClientAnswer(Protocol):
    """One answer on its way to the client."""

    stage: Stage

    def patience_s(self) -> float | None:
        """How long silence may last from now on before `keep_alive` is due; None: for ever."""
        ...

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Pass events on; the last event of the grammar closes the answer."""
        ...

    async def keep_alive(self) -> None:
        """Show the client that we are still here."""
        ...


async def send_reply(send: Send, reply: Reply) -> None:
    """A whole HTTP answer."""
    headers = {"content-type": "application/json", **reply.headers, "content-length": str(len(reply.body))}
    encoded = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": encoded})
    await send({"type": "http.response.body", "body": reply.body})


class StreamedAnswer:
    """Server-sent events. Nothing is sent before an event that tells something, so a first failure has its status."""

    def __init__(self, wire: Wire, context: AnswerContext, send: Send, keep_alive: KeepAlive) -> None:
        self.stage = Stage.HELD
        self._wire = wire
        self._encoder = wire.event_encoder(context)
        self._send = send
        self._keep_alive = keep_alive
        self._held: list[ChatEvent] = []
        self._quiet_since = asyncio.get_running_loop().time()

    def patience_s(self) -> float | None:
        """Until the next sign of life is due."""
        limit_s = self._keep_alive.after_s if self.stage is Stage.HELD else self._keep_alive.every_s
        return max(0.0, self._quiet_since + limit_s - asyncio.get_running_loop().time())

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Encode a batch and send it as one piece."""
        if self.stage is Stage.OPEN:
            await self._pass(events)
        elif self.stage is Stage.HELD:
            self._held.extend(events)
            await self._judge()

    async def keep_alive(self) -> None:
        """Open the stream if it is not open, and ping."""
        if self.stage is Stage.HELD:
            await self._open([*self._held, Ping()] if self._held else [Started(), Ping()])
        elif self.stage is Stage.OPEN:
            await self._pass([Ping()])

    async def _judge(self) -> None:
        """Open on the first event that tells something; answer a failure that comes first with its own status."""
        for event in self._held:
            match event:
                case Started() | Ping() | UsageReport():
                    continue
                case Failed(fault):
                    self.stage = Stage.CLOSED
                    await send_reply(self._send, self._wire.encode_fault(fault))
                    return
                case _:
                    await self._open(self._held)
                    return

    async def _open(self, events: list[ChatEvent]) -> None:
        self.stage = Stage.OPEN
        frames = self._frames(events if isinstance(events[0], Started) else [Started(), *events])
        await self._send({"type": "http.response.start", "status": 200, "headers": _STREAM_HEADERS})
        await self._send_frames(frames)

    async def _pass(self, events: Iterable[ChatEvent]) -> None:
        # A stream that a sign of life has opened has had its Started.
        await self._send_frames(self._frames(event for event in events if type(event) is not Started))

    def _frames(self, events: Iterable[ChatEvent]) -> list[Frame]:
        frames: list[Frame] = []
        feed = self._encoder.feed
        for event in events:
            frames.extend(feed(event))
            if type(event) is Finished or type(event) is Failed:
                frames.extend(self._encoder.finish())
                self.stage = Stage.CLOSED
                break
        return frames

    async def _send_frames(self, frames: list[Frame]) -> None:
        is_last = self.stage is Stage.CLOSED
        if not frames and not is_last:
            return
        body = b"".join(map(encode_frame, frames))
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})
        self._quiet_since = asyncio.get_running_loop().time()


class WholeAnswer:
    """One JSON document, sent when the upstream's stream is whole."""

    def __init__(self, wire: Wire, context: AnswerContext, send: Send, limit_bytes: int = MAX_WHOLE_BYTES) -> None:
        self.stage = Stage.HELD
        self._room_bytes = limit_bytes
        self._wire = wire
        self._context = context
        self._send = send
        self._assembler = Assembler()

    def patience_s(self) -> float | None:
        """For ever: there is nothing to send in between."""
        return None

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Collect; the last event sends the answer, and one that never ends is given up."""
        for each in events:
            self._room_bytes -= _size_bytes(each)
            event = each if self._room_bytes >= 0 else _TOO_BIG
            self._assembler.feed(event)
            if isinstance(event, Finished | Failed):
                await self._close()
                return

    async def keep_alive(self) -> None:
        """Nothing: an answer that is not streamed has no signs of life."""

    async def _close(self) -> None:
        match self._assembler.result():
            case Answer() as answer:
                reply = Reply(200, self._wire.encode_answer(answer, self._context))
            case ChatFault() as fault:
                reply = self._wire.encode_fault(fault)
        self.stage = Stage.CLOSED
        await send_reply(self._send, reply)


def _size_bytes(event: ChatEvent) -> int:
    """What an event adds to the memory that an answer takes."""
    match event:
        case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text) | ToolCallDelta(text):
            return len(text.encode("utf-8", "replace"))
        case _:
            return 0


def make_answer(wire: Wire, context: AnswerContext, send: Send, keep_alive: KeepAlive) -> ClientAnswer:
    """The answer in the form that the request asks for."""
    if context.request.stream:
        return StreamedAnswer(wire, context, send, keep_alive)
    return WholeAnswer(wire, context, send)
