"""The items of an answer and the response object that holds them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import assert_never

from msgspec import UNSET

from agentlaunch.core.ir import (
    Answer,
    ChatFault,
    RefusalPart,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolCallStart,
    Usage,
)
from agentlaunch.core.wire.base import AnswerContext, NewId
from agentlaunch.core.wire.openai_responses import event_types, faults, types
from agentlaunch.core.wire.openai_responses.sealed_reasoning import seal


def encode_answer(answer: Answer, context: AnswerContext) -> bytes:
    """The body of an answer that is not streamed."""
    ending = ending_of(
        answer.reason,
        refused=any(isinstance(part, RefusalPart) for part in answer.parts),
        called=any(isinstance(part, ToolCallPart) for part in answer.parts),
    )
    items = list(_items(answer, context.new_id))
    return types.encode(response_object(context, context.new_id("resp_"), ending, items, answer.usage))


class Ending:
    """How a response ends: its status, and why when it is not completed."""

    __slots__ = ("error", "incomplete", "status")

    def __init__(self, status: str, incomplete: str = "", error: ChatFault | None = None) -> None:
        self.status = status
        self.incomplete = incomplete
        self.error = error


IN_PROGRESS = Ending("in_progress")


def ending_of(reason: StopReason, *, refused: bool, called: bool) -> Ending:
    """Completed, or incomplete for the two reasons that the wire has.

    A refusal that the model has put into words is a completed response; one without is the content filter's. A limit
    that was hit behind a call leaves a completed response: Codex 0.169 runs the call and then, measured, gives its
    turn up at `response.incomplete` without asking the model again, exit code 1. An answer of text alone that was cut
    ends the turn in any case, and the exit code then tells that half of it is missing.
    """
    match reason:
        case StopReason.MAX_TOKENS | StopReason.CONTEXT_FULL if called:
            return Ending("completed")
        case StopReason.MAX_TOKENS | StopReason.CONTEXT_FULL:
            return Ending("incomplete", "max_output_tokens")
        case StopReason.REFUSAL if not refused:
            return Ending("incomplete", "content_filter")
        case _:
            return Ending("completed")


def response_object(
    context: AnswerContext, response_id: str, ending: Ending, items: list[types.OutputItemOut], usage: Usage | None
) -> event_types.ResponseObject:
    """The response as a whole."""
    request = context.request
    error = ending.error
    return event_types.ResponseObject(
        id=response_id,
        created_at=context.created_at,
        status=ending.status,
        model=request.model,
        output=items,
        parallel_tool_calls=request.parallel_tool_calls is not False,
        error=event_types.ErrorOut(error.code or faults.CODES[error.kind], faults.told(error)) if error else None,
        incomplete_details=event_types.IncompleteDetails(ending.incomplete) if ending.incomplete else None,
        temperature=request.sampling.temperature,
        top_p=request.sampling.top_p,
        max_output_tokens=request.max_output_tokens,
        usage=_usage(usage) if usage else None,
    )


def reasoning_item(item_id: str, text: str, signature: str, encrypted: str) -> types.Reasoning:
    """A finished reasoning item: the text as its summary, and everything sealed for the next turn."""
    summary = (types.SummaryText(text),) if text else ()
    return types.Reasoning(item_id, summary, encrypted_content=seal(text, signature, encrypted) or UNSET)


def call_item(
    item_id: str, call: ToolCallStart | ToolCallPart, arguments: str, status: str
) -> types.FunctionCall | types.CustomToolCall:
    """A call of either kind."""
    if call.kind == "custom":
        return types.CustomToolCall(call.id, call.name, arguments, call.namespace, item_id, status)
    return types.FunctionCall(call.id, call.name, arguments, call.namespace, item_id, status)


def _usage(usage: Usage) -> event_types.WireUsage:
    return event_types.WireUsage(
        usage.input_tokens,
        event_types.InputTokensDetails(usage.cached_tokens),
        usage.output_tokens,
        event_types.OutputTokensDetails(usage.reasoning_tokens),
        usage.input_tokens + usage.output_tokens,
    )


def _items(answer: Answer, new_id: NewId) -> Iterator[types.OutputItemOut]:
    """One message item for a run of text and refusals, one item for every other part."""
    for written, run in groupby(answer.parts, lambda part: isinstance(part, TextPart | RefusalPart)):
        if written:
            content = [_content(part) for part in run if isinstance(part, TextPart | RefusalPart)]
            yield types.Message("assistant", content, new_id("msg_"), "completed")
            continue
        for part in run:
            match part:
                case ThinkingPart():
                    yield reasoning_item(part.id or new_id("rs_"), part.text, part.signature, part.encrypted)
                case ToolCallPart():
                    prefix = "ctc_" if part.kind == "custom" else "fc_"
                    yield call_item(part.item_id or new_id(prefix), part, part.arguments, "completed")
                case _:
                    raise TypeError(f"an answer holds no `{type(part).__name__}`")


def _content(part: TextPart | RefusalPart) -> types.WrittenOutput:
    match part:
        case TextPart():
            return types.OutputText(part.text)
        case RefusalPart():
            return types.Refusal(part.text)
        case _:
            assert_never(part)
