"""Events to the frames of a streamed answer."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import assert_never

import msgspec

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.anthropic_messages.calls import wire_name
from agentlaunch.core.wire.anthropic_messages.faults import error_body
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.anthropic_messages.usage import wire_stop_reason, wire_usage
from agentlaunch.core.wire.base import CUT_OFF, AnswerContext, Frame
from agentlaunch.core.wire.call_ids import plain_id
from agentlaunch.core.wire.json_text import json_string

_ENCODER = msgspec.json.Encoder()
_PING = Frame(b'{"type":"ping"}', "ping")
_MESSAGE_STOP = Frame(b'{"type":"message_stop"}', "message_stop")


class _Phase(Enum):
    WAITING = auto()
    STREAMING = auto()
    DONE = auto()


class _Open(Enum):
    """The block that is open."""

    NOTHING = auto()
    TEXT = auto()
    THINKING = auto()
    CALL = auto()
    EMPTY_CALL = auto()
    FREE_TEXT_CALL = auto()


class MessagesEventEncoder:
    """One streamed answer. Blocks open with their first content and close once, in order."""

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._phase = _Phase.WAITING
        self._open = _Open.NOTHING
        self._index = -1
        self._calls = 0
        self._usage = Usage()
        self._delta = b""
        """What stands before the text in a delta of the open block."""

    def feed(self, event: ChatEvent) -> Iterator[Frame]:
        """Translate one event; after the last one, nothing."""
        if self._phase is _Phase.STREAMING:
            if type(event) is TextDelta and self._open is _Open.TEXT:  # nearly every event of a long answer
                return iter((Frame(self._delta + json_string(event.text) + b"}}", "content_block_delta"),))
            return self._translate(event)
        return self._before(event) if self._phase is _Phase.WAITING else iter(())

    def finish(self) -> Iterator[Frame]:
        """The events have ended: an answer without an end of its own is told as an error."""
        return iter(()) if self._phase is _Phase.DONE else self._failed(CUT_OFF)

    def _before(self, event: ChatEvent) -> Iterator[Frame]:
        """Nothing was said yet: the message opens first, unless there is to be none."""
        if not isinstance(event, Failed | Ping):
            self._phase = _Phase.STREAMING
            yield self._message_start()
        yield from self._translate(event)

    def _translate(self, event: ChatEvent) -> Iterator[Frame]:
        match event:
            case TextDelta(text=text) | RefusalDelta(text=text):
                yield from self._text(text)
            case ThinkingDelta(text=text):
                yield from self._thinking(text)
            case ThinkingSignature():
                yield from self._signature(event)
            case ToolCallStart() | ToolCallDelta() | ToolCallEnd():
                yield from self._call(event)
            case Ping():
                yield _PING
            case UsageReport(usage=usage):
                self._usage = usage
            case Finished():
                yield from self._finished(event)
            case Failed(fault=fault):
                yield from self._failed(fault)
            case Started():
                pass
            case _:
                assert_never(event)

    def _message_start(self) -> Frame:
        """Sent at once, with zeros for counts that are not known yet: `message_delta` carries the true ones."""
        request_id = _ENCODER.encode(self._context.new_id("msg_"))
        return Frame(
            b'{"type":"message_start","message":{"id":%b,"type":"message","role":"assistant","model":%b,"content":[],'
            b'"stop_reason":null,"stop_sequence":null,"usage":%b}}'
            % (request_id, json_string(self._context.request.model), _ENCODER.encode(wire_usage(self._usage))),
            "message_start",
        )

    def _text(self, text: str) -> Iterator[Frame]:
        if self._open is not _Open.TEXT:
            yield from self._close()
            yield self._start(_Open.TEXT, b'{"type":"text","text":""}')
            self._delta = self._delta_of("text_delta", "text")
        yield Frame(self._delta + json_string(text) + b"}}", "content_block_delta")

    def _thinking(self, text: str) -> Iterator[Frame]:
        if self._open is not _Open.THINKING:
            yield from self._close()
            yield self._start_thinking()
        yield Frame(self._delta + json_string(text) + b"}}", "content_block_delta")

    def _start_thinking(self) -> Frame:
        frame = self._start(_Open.THINKING, b'{"type":"thinking","thinking":"","signature":""}')
        self._delta = self._delta_of("thinking_delta", "thinking")
        return frame

    def _signature(self, event: ThinkingSignature) -> Iterator[Frame]:
        """Closes the reasoning. A signature without text before it has a block of its own, as the vendor sends it."""
        if event.signature and self._open is not _Open.THINKING:
            yield from self._close()
            yield self._start_thinking()
        if self._open is _Open.THINKING:
            yield from self._close(event.signature or UNSIGNED)
        if event.encrypted:
            yield from self._close()
            yield self._start(_Open.TEXT, b'{"type":"redacted_thinking","data":%b}' % json_string(event.encrypted))
            yield self._stop()

    def _call(self, event: ToolCallStart | ToolCallDelta | ToolCallEnd) -> Iterator[Frame]:
        match event:
            case ToolCallStart():
                yield from self._close()
                yield self._start_call(event)
                if event.kind == "custom":
                    yield self._partial(b'{\\"input\\":\\"')
            case ToolCallDelta(arguments=text) if self._open is _Open.FREE_TEXT_CALL:
                yield self._partial(json_string(json_string(text)[1:-1].decode())[1:-1])
            case ToolCallDelta(arguments=text):
                self._open = _Open.CALL
                yield Frame(self._delta + json_string(text) + b"}}", "content_block_delta")
            case ToolCallEnd():
                if self._open is _Open.FREE_TEXT_CALL:
                    yield self._partial(b'\\"}')
                elif self._open is _Open.EMPTY_CALL:  # so that the pieces always add up to a JSON object
                    yield self._partial(b"{}")
                yield from self._close()
            case _:
                assert_never(event)

    def _start_call(self, event: ToolCallStart) -> Frame:
        self._calls += 1
        frame = self._start(
            _Open.FREE_TEXT_CALL if event.kind == "custom" else _Open.EMPTY_CALL,
            b'{"type":"tool_use","id":%b,"name":%b,"input":{}}'
            % (json_string(plain_id(event.id)), json_string(wire_name(event.name, event.namespace))),
        )
        self._delta = self._delta_of("input_json_delta", "partial_json")
        return frame

    def _partial(self, escaped: bytes) -> Frame:
        return Frame(b'%b"%b"}}' % (self._delta, escaped), "content_block_delta")

    def _delta_of(self, kind: str, field: str) -> bytes:
        return f'{{"type":"content_block_delta","index":{self._index},"delta":{{"type":"{kind}","{field}":'.encode()

    def _start(self, kind: _Open, block: bytes) -> Frame:
        self._index += 1
        self._open = kind
        return Frame(
            b'{"type":"content_block_start","index":%d,"content_block":%b}' % (self._index, block),
            "content_block_start",
        )

    def _close(self, signature: str = UNSIGNED) -> Iterator[Frame]:
        """Close the open block, if any; a thinking block never without a signature."""
        if self._open is _Open.NOTHING:
            return
        if self._open is _Open.THINKING:
            yield Frame(
                self._delta_of("signature_delta", "signature") + json_string(signature) + b"}}", "content_block_delta"
            )
        yield self._stop()

    def _stop(self) -> Frame:
        self._open = _Open.NOTHING
        return Frame(b'{"type":"content_block_stop","index":%d}' % self._index, "content_block_stop")

    def _finished(self, event: Finished) -> Iterator[Frame]:
        yield from self._close()
        reason = wire_stop_reason(event.reason, self._calls)
        named = event.stop_sequence if reason == "stop_sequence" else ""
        yield Frame(
            b'{"type":"message_delta","delta":{"stop_reason":"%b","stop_sequence":%b},"usage":%b}'
            % (reason.encode(), json_string(named) if named else b"null", _ENCODER.encode(wire_usage(self._usage))),
            "message_delta",
        )
        yield _MESSAGE_STOP
        self._phase = _Phase.DONE

    def _failed(self, fault: ChatFault) -> Iterator[Frame]:
        yield from self._close()
        yield Frame(error_body(fault), "error")
        self._phase = _Phase.DONE
