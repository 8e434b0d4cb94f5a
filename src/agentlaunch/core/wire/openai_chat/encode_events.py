"""Events to a client on the Chat wire: chunks of a stream, or the one body of an answer that is not streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import msgspec
from msgspec import UNSET

from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    Failed,
    Finished,
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
from agentlaunch.core.wire.openai_chat.faults import error_json
from agentlaunch.core.wire.openai_chat.written_types import (
    OutAnswer,
    OutChoice,
    OutCompletionDetails,
    OutCustom,
    OutFunction,
    OutMessage,
    OutPromptDetails,
    OutToolCall,
    OutUsage,
)

_encode = msgspec.json.encode

_FINISH_REASONS = {
    StopReason.END_TURN: "stop",
    StopReason.STOP_SEQUENCE: "stop",
    StopReason.MAX_TOKENS: "length",
    StopReason.CONTEXT_FULL: "length",
    StopReason.TOOL_CALLS: "tool_calls",
    StopReason.REFUSAL: "content_filter",
}
"""`finish_reason` of each reason (OpenAI's API reference, chat completion object)."""

_Said = Started | TextDelta | ThinkingDelta | RefusalDelta | ToolCallStart | ToolCallDelta | Ping


class ChatEncoder:
    """Events to chunks, one instance a response.

    Every answer that finishes has a chunk with its finish reason, since OpenCode asks again for ever without one
    (facts/agents.md 4.2), then its usage where the client asked for it, then `[DONE]`. One that fails ends with an
    error in place of these: the OpenAI SDK raises it, the AI SDK reports it.
    """

    def __init__(self, context: AnswerContext) -> None:
        request = context.request
        head = _encode(
            {
                "id": context.new_id("chatcmpl-"),
                "object": "chat.completion.chunk",
                "created": context.created_at,
                "model": request.model,
            }
        )
        self._head = head[:-1] + b',"choices":['
        self._delta_head = self._head + b'{"index":0,"delta":{'
        self._include_usage = request.include_usage
        self._usage: Usage | None = None
        self._call: ToolCallStart | None = None
        self._calls = 0
        self._end: Finished | Failed | None = None

    def feed(self, event: ChatEvent) -> Iterator[Frame]:
        """Translate one event."""
        match event:
            case ToolCallEnd():
                self._calls += 1
            case UsageReport(usage):
                self._usage = usage
            case ThinkingSignature():
                pass
            case Finished() | Failed():
                self._end = event
                yield from self._last(event)
            case _:
                yield self._delta(self._said(event))

    def finish(self) -> Iterator[Frame]:
        """Close an answer that nobody finished: it failed."""
        if self._end is None:
            yield from self.feed(Failed(CUT_OFF))

    def _said(self, event: _Said) -> bytes:
        """The inside of the delta that says `event`."""
        match event:
            case TextDelta(text):
                return b'"content":' + _encode(text)
            case ThinkingDelta(text):
                return b'"reasoning_content":' + _encode(text)
            case ToolCallDelta(arguments):
                return self._call_delta(arguments)
            case ToolCallStart():
                self._call = event
                return self._call_start(event)
            case Started():
                return b'"role":"assistant","content":""'
            case RefusalDelta(text):
                return b'"refusal":' + _encode(text)
            case Ping():
                return b""
            case _:
                assert_never(event)

    def _delta(self, delta: bytes, finish_reason: bytes = b"null") -> Frame:
        return Frame(b'%b%b},"finish_reason":%b}]}' % (self._delta_head, delta, finish_reason))

    def _call_start(self, call: ToolCallStart) -> bytes:
        made = _tool_call(call.id, call.name, "", call.kind)
        return b'"tool_calls":[{"index":%d,%b]' % (self._calls, _encode(made)[1:])

    def _call_delta(self, arguments: str) -> bytes:
        form = b'"tool_calls":[{"index":%d,"function":{"arguments":%b}}]'
        if self._call is not None and self._call.kind == "custom":
            form = b'"tool_calls":[{"index":%d,"custom":{"input":%b}}]'
        return form % (self._calls, _encode(arguments))

    def _last(self, end: Finished | Failed) -> Iterator[Frame]:
        match end:
            case Finished(reason):
                yield self._delta(b"", _encode(_finish_reason(reason, has_calls=self._calls > 0)))
                if self._include_usage and self._usage is not None:
                    yield Frame(b'%b],"usage":%b}' % (self._head, _encode(_usage(self._usage))))
                yield Frame(b"[DONE]")
            case Failed(fault):
                yield Frame(error_json(fault))
            case _:
                assert_never(end)


def encode_answer(answer: Answer, context: AnswerContext) -> bytes:
    """The body of an answer that is not streamed."""
    text, thinking, refusal, calls = [], [], [], []
    for part in answer.parts:
        match part:
            case TextPart():
                text.append(part.text)
            case ThinkingPart():
                thinking.append(part.text)
            case RefusalPart():
                refusal.append(part.text)
            case ToolCallPart():
                calls.append(_tool_call(part.id, part.name, part.arguments, part.kind))
            case _:
                raise TypeError(f"an answer holds no `{type(part).__name__}`")
    message = OutMessage(
        "assistant",
        content="".join(text) if text or not (calls or refusal) else None,
        reasoning_content="".join(thinking) or UNSET,
        refusal="".join(refusal) or UNSET,
        tool_calls=calls or UNSET,
    )
    reason = _finish_reason(answer.reason, has_calls=bool(calls))
    return _encode(
        OutAnswer(
            context.new_id("chatcmpl-"),
            "chat.completion",
            context.created_at,
            context.request.model,
            [OutChoice(0, message, reason)],
            _usage(answer.usage),
        )
    )


def _finish_reason(reason: StopReason, *, has_calls: bool) -> str:
    """The wire's word. An answer that ends with calls says so, or agents would not run them (report B007)."""
    if has_calls and reason in (StopReason.END_TURN, StopReason.STOP_SEQUENCE):
        return "tool_calls"
    return _FINISH_REASONS[reason]


def _tool_call(id_: str, name: str, arguments: str, kind: ToolKind) -> OutToolCall:
    if kind == "custom":
        return OutToolCall(id_, "custom", custom=OutCustom(name, arguments))
    return OutToolCall(id_, "function", function=OutFunction(name, arguments))


def _usage(usage: Usage) -> OutUsage:
    return OutUsage(
        usage.input_tokens,
        usage.output_tokens,
        usage.input_tokens + usage.output_tokens,
        OutPromptDetails(usage.cached_tokens),
        OutCompletionDetails(usage.reasoning_tokens),
    )
