"""Ollama's answer to events: a stream of lines, or one JSON object where it did not stream."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto

import msgspec

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import CUT_OFF, Frame, ProtocolError, decode_json
from agentlaunch.core.wire.call_ids import CallIds
from agentlaunch.core.wire.ollama_chat.arguments import arguments_text
from agentlaunch.core.wire.ollama_chat.faults import decode_line_fault
from agentlaunch.core.wire.ollama_chat.truncation import Expectation
from agentlaunch.core.wire.ollama_chat.types import ChatLine, ChatMessage, ToolCall
from agentlaunch.core.wire.stop_sequences import named_stop

_lines = msgspec.json.Decoder(ChatLine)
_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])
_UNNAMED = "unknown"
_LOADED = ChatFault(ErrorKind.UNAVAILABLE, "the upstream has loaded its model and answered nothing")
_NOT_ASKED = ("load", "unload")
"""What Ollama says when it has not asked the model; a request meets it by chance (oh-my-pi #7465, langchain #31482)."""


class _State(Enum):
    WAITING = auto()
    ANSWERING = auto()
    ENDED = auto()


class OllamaDecoder:
    """Lines to events, one instance a response. Raises only ProtocolError, for a line that is no JSON of this wire.

    Where the prompt may have been cut without a word, the answer is held back until its counts tell that it was not.
    """

    def __init__(self, expectation: Expectation | None = None, stop: tuple[str, ...] = ()) -> None:
        self._expectation = expectation
        self._stop = stop
        self._held: list[ChatEvent] | None = [] if expectation is not None and expectation.may_be_cut else None
        self._state = _State.WAITING
        self._id_prefix = "call"
        self._ids = CallIds()
        self._calls = 0
        self._told: set[tuple[str, str, str]] = set()
        self._has_said = False

    def feed(self, frame: Frame) -> Iterator[ChatEvent]:
        """Translate one line; what follows the end is ignored."""
        if self._state is _State.ENDED:
            return
        line = decode_json(frame.data, _lines, is_answer=True)
        yield from self._start(line)
        if line.message is None and not line.done and (fault := _fault_of(frame.data)):
            yield from self._end(Failed(fault))
            return
        said = self._said(line.message) if line.message is not None else iter(())
        if self._held is None:
            yield from said
        else:
            self._held.extend(said)
        if line.done:
            yield from self._done(line)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended. Without a line that is `done` before it, that is a failure."""
        if self._state is _State.ENDED:
            return
        yield from self._start(ChatLine())
        yield from self._end(Failed(CUT_OFF))

    def _start(self, line: ChatLine) -> Iterator[ChatEvent]:
        if self._state is _State.WAITING:
            self._state = _State.ANSWERING
            made = re.sub(r"[^0-9]", "", line.created_at or "")
            self._id_prefix = f"call_{made}" if made else "call"
            yield Started("", line.model or "")

    def _said(self, message: ChatMessage) -> Iterator[ChatEvent]:
        if message.thinking:
            self._has_said = True
            yield ThinkingDelta(message.thinking)
        content = message.content
        text = content if isinstance(content, str) else "".join(part.text or "" for part in content or ())
        if text:
            self._has_said = True
            yield TextDelta(text)
        for call in message.tool_calls or ():
            yield from self._call(call)

    def _call(self, call: ToolCall) -> Iterator[ChatEvent]:
        """Calls come whole, never as deltas (facts/ollama-api.md F.4); one that the last line repeats is told once."""
        function = call.called()
        if function is None:
            raise ProtocolError("`message.tool_calls[].function` is missing")
        wanted = "" if call.id is None else str(call.id)
        said = (wanted, function.name or _UNNAMED, arguments_text(function.arguments))
        if wanted and said in self._told:
            return
        self._told.add(said)
        yield ToolCallStart(self._ids.fresh(wanted, self._id_prefix, self._calls), said[1])
        yield ToolCallDelta(said[2])
        yield ToolCallEnd()
        self._calls += 1

    def _done(self, line: ChatLine) -> Iterator[ChatEvent]:
        if line.done_reason in _NOT_ASKED and not (self._has_said or self._calls):
            yield from self._end(Failed(_LOADED))
            return
        counted, answered = _count(line.prompt_eval_count), _count(line.eval_count)
        expected = self._expectation
        if expected is not None and expected.was_cut(counted):
            self._held = [] if self._held is not None else None
            yield from self._end(Failed(expected.fault()))
            return
        if not counted and expected is not None:
            # Left out where it is 0: old servers count only what was not cached, and agents compact by this number.
            counted = expected.prompt_tokens
        yield from self._release()
        if counted or answered:
            yield UsageReport(Usage(input_tokens=counted, output_tokens=answered))
        yield from self._end(named_stop(Finished(self._reason(line, counted + answered)), self._stop))

    def _reason(self, line: ChatLine, tokens: int) -> StopReason:
        """`done_reason` stays `stop` with calls, and `length` is also said when the window is full (report B007)."""
        if self._calls:
            return StopReason.TOOL_CALLS
        if line.done_reason != "length":
            return StopReason.END_TURN
        is_full = self._expectation is not None and tokens >= self._expectation.context_window
        return StopReason.CONTEXT_FULL if is_full else StopReason.MAX_TOKENS

    def _release(self) -> Iterator[ChatEvent]:
        held, self._held = self._held or [], None
        yield from held

    def _end(self, last: Finished | Failed) -> Iterator[ChatEvent]:
        yield from self._release()
        self._state = _State.ENDED
        yield last


def decode_answer(body: bytes, stop: tuple[str, ...] = ()) -> list[ChatEvent]:
    """The events of an answer that is one JSON document. Raises ProtocolError for one that is no answer."""
    decoder = OllamaDecoder(stop=stop)
    return [*decoder.feed(Frame(body)), *decoder.finish()]


def _fault_of(data: bytes) -> ChatFault | None:
    """The error that a line tells; also under a wrong key, as in `{"error parsing tool call": ...}` (report B151)."""
    fields = {key: raw for key, raw in decode_json(data, _objects).items() if bytes(raw) != b"null"}
    if "error" in fields or "detail" in fields:
        return decode_line_fault(data)
    for key, raw in fields.items():
        if "error" in key:
            return ChatFault(ErrorKind.INTERNAL, f"{key}: {bytes(raw)[:500].decode('utf-8', 'replace')}")
    return None


def _count(value: float | None) -> int:
    return 0 if value is None else max(0, int(value))
