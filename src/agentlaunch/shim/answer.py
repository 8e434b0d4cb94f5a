"""The client's side of one answer: when it is opened, in which form it goes out, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, TypeAlias

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
    ThinkingSignature,
    ToolCallDelta,
    ToolCallStart,
    UsageReport,
)
from agentlaunch.core.ndjson import encode_line
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext, Frame, Framing, Reply, Wire
from agentlaunch.core.wire.options import framing_of
from agentlaunch.shim.upstream import MAX_WHOLE_BYTES

_log = logging.getLogger(__name__)

KEEPALIVE_AFTER_S = 10.0
"""How long an answer is held back so that an upstream's error keeps its status; agents give up on silence before the
headers after 302 s at the earliest (facts/agents.md 4.6)."""
KEEPALIVE_EVERY_S = 10.0
"""Between signs of life in an open stream; real events, since Codex does not count comments (facts/agents.md 4.6)."""

WHOLE_KEEPALIVE_AFTER_S = 120.0
"""The same for an answer that is not streamed. Later than in a stream, since a failure cannot be told behind a sign of
life; Node's fetch waits 300 s for headers and for each piece of a body, the SDKs in Python 600 s for each."""

_MOST_HELD_BYTES = 2**20
"""Of an upstream's own bytes, which are held back until one of them tells something."""

_PART_BYTES = 100
"""What a part of an answer takes beside its text, about."""

_TOO_BIG = Failed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's answer is too big to be given as a whole"))


@dataclass(frozen=True)
class _StreamForm:
    """How a stream is spelled: its media type, and the bytes of a frame."""

    media_type: bytes
    spell: Callable[[Frame], bytes]

    def headers(self) -> list[tuple[bytes, bytes]]:
        """The headers of a stream that nobody on the way may keep or hold back."""
        return [(b"content-type", self.media_type), (b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


_STREAM_FORMS: dict[Framing, _StreamForm] = {
    "sse": _StreamForm(b"text/event-stream; charset=utf-8", encode_frame),
    "ndjson": _StreamForm(b"application/x-ndjson", encode_line),
}


@dataclass(frozen=True)
class KeepAlive:
    """When a silent answer shows signs of life, in seconds; `whole_after_s` is for one that is not streamed."""

    after_s: float = KEEPALIVE_AFTER_S
    every_s: float = KEEPALIVE_EVERY_S
    whole_after_s: float = WHOLE_KEEPALIVE_AFTER_S


class Stage(Enum):
    """How far an answer has come: HELD nothing was sent, ALIVE signs of life alone, OPEN a part of it, CLOSED all."""

    HELD = auto()
    ALIVE = auto()
    OPEN = auto()
    CLOSED = auto()


class ClientAnswer(Protocol):
    """One answer on its way to the client."""

    stage: Stage
    headers: dict[str, str]
    """Beside the wire's own; what is put there before the first byte is sent with it."""

    def is_committed(self) -> bool:
        """Whether the client has got a part of the answer, so that another upstream's cannot take its place."""
        ...

    def restart(self) -> None:
        """Forget what an attempt has said that has failed before anything of it went out."""
        ...

    def patience_s(self) -> float:
        """How long silence may last from now on before `keep_alive` is due."""
        ...

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Pass events on; the last event of the grammar closes the answer."""
        ...

    async def forward(self, data: bytes, events: Sequence[ChatEvent]) -> None:
        """Pass the upstream's own bytes on, which are of the client's wire and say `events`."""
        ...

    async def keep_alive(self) -> None:
        """Show the client that we are still here."""
        ...


_Untelling: TypeAlias = Started | Ping | UsageReport
"""Events after which the client has nothing of the answer yet."""


def first_content(events: Sequence[ChatEvent]) -> int | None:
    """The place of the first event that gives the client a part of the answer; None where there is none."""
    for place, event in enumerate(events):
        if not isinstance(event, _Untelling | Failed):
            return place
    return None


def _encoded(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in headers.items()]


async def send_reply(send: Send, reply: Reply, more: Mapping[str, str] | None = None) -> None:
    """A whole HTTP answer; `more` headers stand beside the reply's own."""
    headers = {
        "content-type": "application/json",
        **(more or {}),
        **reply.headers,
        "content-length": str(len(reply.body)),
    }
    await send({"type": "http.response.start", "status": reply.status, "headers": _encoded(headers)})
    await send({"type": "http.response.body", "body": reply.body})


class StreamedAnswer:
    """A stream, framed as the wire is. Nothing is sent before an event that tells something, so a first failure has its
    status."""

    def __init__(self, wire: Wire, context: AnswerContext, send: Send, keep_alive: KeepAlive) -> None:
        self.stage = Stage.HELD
        self._wire = wire
        self._form = _STREAM_FORMS[framing_of(wire)]
        self._encoder = wire.event_encoder(context)
        self._send = send
        self._keep_alive = keep_alive
        self.headers: dict[str, str] = {}
        self._held: dict[type[ChatEvent], ChatEvent] = {}
        self._held_bytes: list[bytes] = []
        self._held_size_bytes = 0
        self._is_verbatim = False
        self._quiet_since = asyncio.get_running_loop().time()

    def is_committed(self) -> bool:
        """See ClientAnswer."""
        return self.stage is Stage.OPEN or self.stage is Stage.CLOSED

    def restart(self) -> None:
        """See ClientAnswer."""
        self._held.clear()
        self._held_bytes.clear()
        self._held_size_bytes = 0

    def patience_s(self) -> float:
        """Until the next sign of life is due."""
        limit_s = self._keep_alive.after_s if self.stage is Stage.HELD else self._keep_alive.every_s
        return max(0.0, self._quiet_since + limit_s - asyncio.get_running_loop().time())

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Encode a batch and send it as one piece."""
        if self._is_verbatim:
            await self._end_verbatim(events)
        elif self.stage is Stage.OPEN:
            await self._pass(events)
        elif self.stage is Stage.HELD:
            await self._hold(list(events))
        elif self.stage is Stage.ALIVE:
            batch = list(events)
            if not all(isinstance(event, _Untelling) for event in batch):
                self.stage = Stage.OPEN
            await self._pass(batch)

    async def forward(self, data: bytes, events: Sequence[ChatEvent]) -> None:
        """See ClientAnswer. A stream is the upstream's own from its first byte to its last, or all ours."""
        if self.stage is Stage.ALIVE or (events and isinstance(events[-1], Failed)):
            await self.feed(events)
            return
        self._held_bytes.append(data)
        self._held_size_bytes += len(data)
        has_content = first_content(events) is not None
        if self.stage is Stage.HELD and (has_content or self._held_size_bytes > _MOST_HELD_BYTES):
            self.stage, self._is_verbatim = Stage.OPEN, True
            headers = [*self._form.headers(), *_encoded(self.headers)]
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        if self.stage is Stage.OPEN:
            body = b"".join(self._held_bytes)
            self._held_bytes.clear()
            if any(isinstance(event, Finished) for event in events):
                self.stage = Stage.CLOSED
            await self._send({"type": "http.response.body", "body": body, "more_body": self.stage is Stage.OPEN})
            self._quiet_since = asyncio.get_running_loop().time()

    async def keep_alive(self) -> None:
        """Open the stream if it is not open, and ping; the upstream's own bytes may have stopped inside a frame."""
        if self._is_verbatim:
            self._quiet_since = asyncio.get_running_loop().time()
        elif self.stage is Stage.HELD:
            await self._open([*self._held.values(), Ping()])
            self.stage = Stage.ALIVE
        elif self.stage is not Stage.CLOSED:
            await self._pass([Ping()])

    async def _end_verbatim(self, events: Iterable[ChatEvent]) -> None:
        """The upstream's own stream has ended: well, or in the middle, which our encoder tells."""
        self._frames([Started()])
        frames = [frame for event in events if isinstance(event, Failed) for frame in self._frames([event])]
        self.stage = Stage.CLOSED
        body = b"\n\n" + b"".join(map(self._form.spell, frames)) if frames else b""
        await self._send({"type": "http.response.body", "body": body, "more_body": False})

    async def _hold(self, events: list[ChatEvent]) -> None:
        """Open on the first event that tells something; answer a failure that comes first with its own status.

        Of what tells nothing the last of each kind is kept, which replaces those before it, and no ping: an upstream
        may send them without end.
        """
        for event in events:
            if isinstance(event, Failed):
                self.stage = Stage.CLOSED
                await send_reply(self._send, self._wire.encode_fault(event.fault), self.headers)
                return
            if not isinstance(event, _Untelling):
                await self._open([*self._held.values(), *events])
                return
        self._held |= {type(event): event for event in events if not isinstance(event, Ping)}

    async def _open(self, events: list[ChatEvent]) -> None:
        self.stage = Stage.OPEN
        frames = self._frames(events if isinstance(events[0], Started) else [Started(), *events])
        headers = [*self._form.headers(), *_encoded(self.headers)]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
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
        body = b"".join(map(self._form.spell, frames))
        await self._send({"type": "http.response.body", "body": body, "more_body": not is_last})
        self._quiet_since = asyncio.get_running_loop().time()


class WholeAnswer:
    """One JSON document, sent when the upstream's stream is whole.

    A long wait is broken by blanks, which may lead a JSON text (RFC 8259, 2) and which the vendors' clients read over.
    The status is 200 from then on, and no wire has a place for an error in a 200 that is not streamed: the clients
    would take it for an answer without content. So the connection is cut instead, which all of them take for what it
    is and ask again.
    """

    def __init__(
        self,
        wire: Wire,
        context: AnswerContext,
        send: Send,
        limit_bytes: int = MAX_WHOLE_BYTES,
        keep_alive: KeepAlive | None = None,
    ) -> None:
        self.stage = Stage.HELD
        self._keep_alive = keep_alive or KeepAlive()
        self._quiet_since = asyncio.get_running_loop().time()
        self.headers: dict[str, str] = {}
        self._limit_bytes = limit_bytes
        self._room_bytes = limit_bytes
        self._wire = wire
        self._context = context
        self._send = send
        self._assembler = Assembler()

    def is_committed(self) -> bool:
        """See ClientAnswer: nothing but blanks goes out before all of it does."""
        return self.stage is Stage.CLOSED

    def restart(self) -> None:
        """See ClientAnswer."""
        self._assembler = Assembler()
        self._room_bytes = self._limit_bytes

    def patience_s(self) -> float:
        """Until the next sign of life is due."""
        limit_s = self._keep_alive.whole_after_s if self.stage is Stage.HELD else self._keep_alive.every_s
        return max(0.0, self._quiet_since + limit_s - asyncio.get_running_loop().time())

    async def feed(self, events: Iterable[ChatEvent]) -> None:
        """Collect; the last event sends the answer, and one that never ends is given up."""
        for each in events:
            self._room_bytes -= _size_bytes(each)
            event = each if self._room_bytes >= 0 else _TOO_BIG
            self._assembler.feed(event)
            if isinstance(event, Finished | Failed):
                await self._close()
                return

    async def forward(self, data: bytes, events: Sequence[ChatEvent]) -> None:  # noqa: ARG002 - no stream to pass on
        """See ClientAnswer: what is told whole is always assembled by us."""
        await self.feed(events)

    async def keep_alive(self) -> None:
        """A blank, behind the headers of an answer that will come."""
        if self.stage is Stage.HELD:
            self.stage = Stage.ALIVE
            headers = _encoded({"content-type": "application/json", **self.headers})
            await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": b" ", "more_body": True})
        self._quiet_since = asyncio.get_running_loop().time()

    async def _close(self) -> None:
        is_begun = self.stage is Stage.ALIVE
        self.stage = Stage.CLOSED
        match self._assembler.result():
            case Answer() as answer if is_begun:
                body = self._wire.encode_answer(answer, self._context)
                await self._send({"type": "http.response.body", "body": body})
            case Answer() as answer:
                reply = Reply(200, self._wire.encode_answer(answer, self._context))
                await send_reply(self._send, reply, self.headers)
            case ChatFault(kind) if is_begun:
                # The body is left without its end, and the server then closes the connection.
                _log.warning("an answer has failed behind its signs of life (%s): its connection is cut", kind)
            case ChatFault() as fault:
                await send_reply(self._send, self._wire.encode_fault(fault), self.headers)


def _size_bytes(event: ChatEvent) -> int:
    """What an event adds to the memory that an answer takes."""
    match event:
        case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text) | ToolCallDelta(text):
            return len(text.encode("utf-8", "replace"))
        case ToolCallStart(id_, name):
            return len(id_) + len(name) + _PART_BYTES
        case ThinkingSignature(signature, encrypted):
            return len(signature) + len(encrypted) + _PART_BYTES
        case _:
            return 0


def make_answer(wire: Wire, context: AnswerContext, send: Send, keep_alive: KeepAlive) -> ClientAnswer:
    """The answer in the form that the request asks for."""
    if context.request.stream:
        return StreamedAnswer(wire, context, send, keep_alive)
    return WholeAnswer(wire, context, send, keep_alive=keep_alive)
