"""Events to a client of `/api/chat`: lines of a stream, or the one object of an answer that is not streamed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import assert_never

import msgspec
from msgspec import UNSET

from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    Failed,
    Finished,
    Part,
    Ping,
    RefusalDelta,
    RefusalPart,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolKind,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import CUT_OFF, AnswerContext, Frame
from agentlaunch.core.wire.ollama_chat.arguments import arguments_object
from agentlaunch.core.wire.ollama_chat.faults import error_json
from agentlaunch.core.wire.ollama_chat.written_types import OutFunction, OutLine, OutMessage, OutToolCall

_encode = msgspec.json.encode

_DONE_REASONS = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.TOOL_CALLS: "stop",
    StopReason.REFUSAL: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_FULL: "length",
}
"""`done_reason` stays `stop` with tool calls (facts/ollama-api.md F.4)."""

_ROLE = "assistant"


class OllamaEncoder:
    """Events to lines, one instance a response. A call is told when it is whole, as Ollama itself does."""

    def __init__(self, context: AnswerContext) -> None:
        self._model = context.request.model
        self._created_at = _timestamp(context.created_at)
        self._usage: Usage | None = None
        self._call = ToolCallStart("", "")
        self._arguments: list[str] = []
        self._end: Finished | Failed | None = None

    def feed(self, event: ChatEvent) -> Iterator[Frame]:
        """Translate one event."""
        match event:
            case TextDelta(text) | RefusalDelta(text):
                yield self._line(OutMessage(_ROLE, text))
            case ThinkingDelta(text):
                yield self._line(OutMessage(_ROLE, "", thinking=text))
            case ToolCallStart():
                self._call, self._arguments = event, []
            case ToolCallDelta(arguments):
                self._arguments.append(arguments)
            case ToolCallEnd():
                yield self._line(OutMessage(_ROLE, "", tool_calls=[self._whole_call()]))
            case Ping():
                yield self._line(OutMessage(_ROLE, ""))
            case UsageReport(usage):
                self._usage = usage
            case Started() | ThinkingSignature():
                pass
            case Finished() | Failed():
                self._end = event
                yield self._last(event)
            case _:
                assert_never(event)

    def finish(self) -> Iterator[Frame]:
        """Close an answer that nobody finished: it failed."""
        if self._end is None:
            yield from self.feed(Failed(CUT_OFF))

    def _line(self, message: OutMessage) -> Frame:
        return Frame(_encode(OutLine(self._model, self._created_at, message, done=False)))

    def _whole_call(self) -> OutToolCall:
        call = self._call
        return _tool_call(call.id, call.name, "".join(self._arguments), call.kind)

    def _last(self, end: Finished | Failed) -> Frame:
        match end:
            case Finished(reason):
                message = OutMessage(_ROLE, "")
                return Frame(_encode(_done(self._model, self._created_at, message, reason, self._usage)))
            case Failed(fault):
                return Frame(error_json(fault))
            case _:
                assert_never(end)


def encode_answer(answer: Answer, context: AnswerContext) -> bytes:
    """The body of an answer that is not streamed."""
    message = OutMessage(
        _ROLE,
        "".join(part.text for part in answer.parts if isinstance(part, TextPart | RefusalPart)),
        thinking="".join(part.text for part in answer.parts if isinstance(part, ThinkingPart)) or UNSET,
        tool_calls=_tool_calls(answer.parts) or UNSET,
    )
    created_at = _timestamp(context.created_at)
    return _encode(_done(context.request.model, created_at, message, answer.reason, answer.usage))


def _done(model: str, created_at: str, message: OutMessage, reason: StopReason, usage: Usage | None) -> OutLine:
    """The last line; counts of 0 are left out, as Ollama does."""
    counts = usage or Usage()
    return OutLine(
        model,
        created_at,
        message,
        done=True,
        done_reason=_DONE_REASONS[reason],
        prompt_eval_count=counts.input_tokens or UNSET,
        eval_count=counts.output_tokens or UNSET,
    )


def _tool_calls(parts: tuple[Part, ...]) -> list[OutToolCall]:
    return [
        _tool_call(part.id, part.name, part.arguments, part.kind) for part in parts if isinstance(part, ToolCallPart)
    ]


def _tool_call(id_: str, name: str, arguments: str, kind: ToolKind) -> OutToolCall:
    """A custom tool's free text has no place but in an object (the wire knows functions only)."""
    text = _encode({"input": arguments}).decode() if kind == "custom" else arguments
    return OutToolCall(id_, OutFunction(name, arguments_object(text)))


def _timestamp(created_at: int) -> str:
    return datetime.fromtimestamp(created_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
