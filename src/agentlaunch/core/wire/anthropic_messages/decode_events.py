"""Frames of an upstream's stream to events in the grammar of `core.ir`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar, assert_never

import msgspec

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    Failed,
    Finished,
    Ping,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageReport,
)
from agentlaunch.core.wire.anthropic_messages.calls import arguments_of
from agentlaunch.core.wire.anthropic_messages.signature import known_signature
from agentlaunch.core.wire.anthropic_messages.types import (
    BlockDelta,
    StartedBlock,
    StartedMessage,
    StreamEvent,
    WholeMessage,
)
from agentlaunch.core.wire.anthropic_messages.usage import NO_USAGE, merged_usage, stop_reason_of, usage_of
from agentlaunch.core.wire.base import CUT_OFF, Frame, ProtocolError, decode_json
from agentlaunch.core.wire.call_ids import CallIds
from agentlaunch.core.wire.upstream_faults import decode_stream_fault, is_bare_error

T = TypeVar("T")

_EVENT = msgspec.json.Decoder(StreamEvent)
_WHOLE = msgspec.json.Decoder(WholeMessage)
_NOT_EVENTS = frozenset({b"", b"[DONE]"})
"""Some servers end this stream, too, in the manner of Chat Completions."""


class _Phase(Enum):
    WAITING = auto()
    STREAMING = auto()
    DONE = auto()


class _Kind(Enum):
    TEXT = auto()
    THINKING = auto()
    CALL = auto()
    VENDOR_RUN = auto()


_KINDS = {
    "text": _Kind.TEXT,
    "thinking": _Kind.THINKING,
    "redacted_thinking": _Kind.THINKING,
    "tool_use": _Kind.CALL,
    "server_tool_use": _Kind.VENDOR_RUN,
    "mcp_tool_use": _Kind.VENDOR_RUN,
}


@dataclass(eq=False)
class _Block:
    """A block of the answer. `held` are its events while a call before it is still open.

    `arguments` is what a call began with, for upstreams that stream no pieces of it; None once a piece has come.
    """

    kind: _Kind
    arguments: str | None = ""
    signature: str = ""
    ended: bool = False
    held: list[ChatEvent] = field(default_factory=list)


class MessagesEventDecoder:
    """One streamed answer. Raises ProtocolError for frames that are not of the wire; unknown event types are ignored,
    as the vendor asks of clients, and of a block of an unknown type only the text is told."""

    def __init__(self) -> None:
        self._phase = _Phase.WAITING
        self._message_id = ""
        self._blocks: dict[int, _Block] = {}
        self._queue: deque[_Block] = deque()
        """Blocks in the order in which they opened: the first one is passed on as it comes, the others are held."""
        self._calls = 0
        self._ids = CallIds()
        self._usage = NO_USAGE
        self._stop_reason: str | None = None
        self._stop_sequence = ""

    def feed(self, frame: Frame) -> Iterator[ChatEvent]:
        """Translate one frame."""
        if self._phase is _Phase.DONE or frame.data.strip() in _NOT_EVENTS:
            return
        typed = frame.data.startswith(b'{"type"')  # as all frames of the vendor do; spares them the second look
        if not typed and is_bare_error(frame.data):
            yield from self._failed(decode_stream_fault(frame.data))
            return
        event = decode_json(frame.data, _EVENT, is_answer=True)
        kind = event.type or frame.event
        if kind == "error":
            yield from self._failed(decode_stream_fault(frame.data))
        else:
            yield from self.translate(event, kind)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended. Without `message_stop` the answer is whole if a stop reason was given."""
        if self._phase is not _Phase.DONE:
            yield from self._failed(CUT_OFF) if self._stop_reason is None else self._finished()

    def translate(self, event: StreamEvent, kind: str) -> Iterator[ChatEvent]:
        """Translate one event that is no error; `kind` is its type, in the frame or beside it."""
        match kind:
            case "content_block_delta" | "content_block_start" | "content_block_stop":
                yield from self._started()
                yield from self._block(kind, event)
            case "message_start":
                yield from self._started(event.message)
            case "message_delta":
                yield from self._started()
                self._message_delta(event)
            case "message_stop":
                yield from self._finished()
            case "ping":
                yield from self._ping()
            case "":
                raise ProtocolError("type: missing")

    def _started(self, message: StartedMessage | None = None) -> Iterator[ChatEvent]:
        """`Started` comes first, and once, also when the upstream repeats or forgets its `message_start` (B056)."""
        if message and message.usage:
            self._usage = merged_usage(self._usage, message.usage)
        if self._phase is _Phase.WAITING:
            self._phase = _Phase.STREAMING
            self._message_id = message.id if message else ""
            yield Started(self._message_id, message.model if message else "")

    def _ping(self) -> Iterator[ChatEvent]:
        """A ping before the message opens, or inside a call, has no place in the grammar and is not needed."""
        if self._phase is _Phase.STREAMING and not self._call_is_open():
            yield Ping()

    def _call_is_open(self) -> bool:
        return bool(self._queue) and self._queue[0].kind is _Kind.CALL

    def _message_delta(self, event: StreamEvent) -> None:
        if event.usage:
            self._usage = merged_usage(self._usage, event.usage)
        if event.delta and event.delta.stop_reason:
            self._stop_reason = event.delta.stop_reason
            self._stop_sequence = event.delta.stop_sequence or ""

    # --- blocks -------------------------------------------------------------------------------------------------

    def _block(self, kind: str, event: StreamEvent) -> Iterator[ChatEvent]:
        if kind == "content_block_delta":
            yield from self._delta(event.index, _present(event.delta, "delta"))
        elif kind == "content_block_start":
            yield from self._block_start(event.index, _present(event.content_block, "content_block"))
        elif block := self._blocks.pop(event.index, None):
            yield from self._end(block)

    def _block_start(self, index: int, start: StartedBlock) -> Iterator[ChatEvent]:
        kind = _kind_of(start)
        if index in self._blocks:
            yield from self._end(self._blocks.pop(index))
        block = self._blocks[index] = _Block(kind)
        if kind is _Kind.VENDOR_RUN:
            return
        if self._queue and self._queue[-1].kind is not _Kind.CALL:  # its end was forgotten, or it is interleaved
            yield from self._end(self._queue[-1])
        self._queue.append(block)
        for event in self._opening(block, index, start):
            yield from self._emit(block, event)

    def _opening(self, block: _Block, index: int, start: StartedBlock) -> Iterator[ChatEvent]:
        if block.kind is _Kind.CALL:
            if not start.name:
                raise ProtocolError("content_block.name: a `tool_use` block needs a name")
            block.arguments = arguments_of(start.input)
            self._calls += 1
            yield ToolCallStart(self._ids.fresh(start.id or "", f"toolu_{self._message_id}", index), start.name)
        elif block.kind is _Kind.TEXT and start.text:
            yield TextDelta(start.text)
        elif start.type == "redacted_thinking":
            if start.data:
                yield ThinkingSignature(encrypted=start.data)
        elif block.kind is _Kind.THINKING:
            block.signature = start.signature or ""
            if start.thinking:
                yield ThinkingDelta(start.thinking)

    def _delta(self, index: int, delta: BlockDelta) -> Iterator[ChatEvent]:
        """A piece of a block. Text may come without its block having opened; citations carry no text of their own."""
        match delta.type or _type_of(delta):
            case "text_delta":
                if delta.text:
                    yield from self._content(index, _Kind.TEXT, TextDelta(delta.text))
            case "thinking_delta":
                if delta.thinking:
                    yield from self._content(index, _Kind.THINKING, ThinkingDelta(delta.thinking))
            case "input_json_delta":
                block = self._blocks.get(index)
                if block is None or block.kind not in (_Kind.CALL, _Kind.VENDOR_RUN) or block.ended:
                    raise ProtocolError(f"delta: `input_json_delta` for block {index}, which is no open call")
                if delta.partial_json and block.kind is _Kind.CALL:
                    block.arguments = None
                    yield from self._emit(block, ToolCallDelta(delta.partial_json))
            case "signature_delta":
                block = self._blocks.get(index)
                if block is not None:
                    block.signature = delta.signature

    def _content(self, index: int, kind: _Kind, event: ChatEvent) -> Iterator[ChatEvent]:
        block = self._blocks.get(index)
        if block is None or block.kind is not kind or block.ended:
            yield from self._block_start(index, StartedBlock("text" if kind is _Kind.TEXT else "thinking"))
            block = self._blocks[index]
        yield from self._emit(block, event)

    def _emit(self, block: _Block, event: ChatEvent) -> Iterator[ChatEvent]:
        if self._queue[0] is block:
            yield event
        else:
            block.held.append(event)

    def _end(self, block: _Block) -> Iterator[ChatEvent]:
        """Close `block`, and pass on what was held behind it."""
        if block.ended or block.kind is _Kind.VENDOR_RUN:
            return
        for event in _closing(block):
            yield from self._emit(block, event)
        block.ended = True
        while self._queue and self._queue[0].ended:
            self._queue.popleft()
            if self._queue:
                yield from self._queue[0].held

    # --- the end ------------------------------------------------------------------------------------------------

    def _finished(self) -> Iterator[ChatEvent]:
        yield from self._started()
        while self._queue:
            yield from self._end(self._queue[0])
        yield from self._usage_report()
        yield Finished(stop_reason_of(self._stop_reason, self._calls), self._stop_sequence)
        self._phase = _Phase.DONE

    def _failed(self, fault: ChatFault) -> Iterator[ChatEvent]:
        """What is open closes as it is; what was held behind it was never begun and is dropped."""
        yield from self._started()
        if self._call_is_open():
            yield ToolCallEnd()
        yield from self._usage_report()
        yield Failed(fault)
        self._phase = _Phase.DONE

    def _usage_report(self) -> Iterator[ChatEvent]:
        if self._usage != NO_USAGE:
            yield UsageReport(usage_of(self._usage))


def decode_answer(body: bytes) -> list[ChatEvent]:
    """The events of an answer that is one JSON document. Raises ProtocolError for one that is no answer."""
    decoder = MessagesEventDecoder()
    if is_bare_error(body):
        return [*decoder.feed(Frame(body, "error"))]
    whole = decode_json(body, _WHOLE, is_answer=True)
    if whole.type == "error":
        return [*decoder.feed(Frame(body, "error"))]
    if whole.content is None:
        raise ProtocolError("content: missing")
    ending = BlockDelta(stop_reason=whole.stop_reason or "end_turn", stop_sequence=whole.stop_sequence)
    frames = [StreamEvent("message_start", message=StartedMessage(whole.id, whole.model, whole.usage))]
    for index, block in enumerate(whole.content):
        frames.append(StreamEvent("content_block_start", index, content_block=block))
        frames.append(StreamEvent("content_block_stop", index))
    frames += [StreamEvent("message_delta", delta=ending), StreamEvent("message_stop")]
    return [event for frame in frames for event in decoder.translate(frame, frame.type)]


def _type_of(delta: BlockDelta) -> str:
    """The type of a delta that names none."""
    if delta.partial_json:
        return "input_json_delta"
    return "thinking_delta" if delta.thinking else "text_delta"


def _kind_of(start: StartedBlock) -> _Kind:
    """What a block is. One of an unknown type is the vendor's own business (`compaction`, `fallback`, the results of
    calls that it ran), unless it begins with text."""
    return _KINDS.get(start.type) or (_Kind.TEXT if start.text else _Kind.VENDOR_RUN)


def _closing(block: _Block) -> Iterator[ChatEvent]:
    """A call without arguments gets the empty object, since not every agent reads nothing as that."""
    match block.kind:
        case _Kind.CALL:
            if block.arguments is not None:
                yield ToolCallDelta(block.arguments if block.arguments.startswith("{") else "{}")
            yield ToolCallEnd()
        case _Kind.THINKING:
            if signature := known_signature(block.signature):
                yield ThinkingSignature(signature)
        case _Kind.TEXT | _Kind.VENDOR_RUN:
            pass
        case _:
            assert_never(block.kind)


def _present(value: T | None, name: str) -> T:
    if value is None:
        raise ProtocolError(f"{name}: missing")
    return value
