"""A finished answer to the body of a reply that is not streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import msgspec

from agentlaunch.core.ir import (
    Answer,
    DocumentPart,
    ImagePart,
    Part,
    RefusalPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.wire.anthropic_messages.encode_blocks import blocks_of, tool_use
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.anthropic_messages.types import Block, RedactedThinkingBlock, ThinkingBlock, WireAnswer
from agentlaunch.core.wire.anthropic_messages.usage import wire_stop_reason, wire_usage
from agentlaunch.core.wire.base import AnswerContext

_ENCODER = msgspec.json.Encoder()


def encode_answer(answer: Answer, context: AnswerContext) -> bytes:
    """The body of the reply."""
    reason = wire_stop_reason(answer.reason, sum(isinstance(part, ToolCallPart) for part in answer.parts))
    return _ENCODER.encode(
        WireAnswer(
            id=context.new_id("msg_"),
            role="assistant",
            model=context.request.model,
            content=[block for part in answer.parts for block in _blocks(part)],
            stop_reason=reason,
            stop_sequence=answer.stop_sequence or None if reason == "stop_sequence" else None,
            usage=wire_usage(answer.usage),
        )
    )


def _blocks(part: Part) -> Iterator[Block]:
    """Unlike in a request, reasoning without a signature is shown, with the stand-in for one."""
    match part:
        case ThinkingPart():
            if part.text or part.signature:
                yield ThinkingBlock(part.text, part.signature or UNSIGNED)
            if part.encrypted:
                yield RedactedThinkingBlock(part.encrypted)
        case ToolCallPart():
            yield tool_use(part)
        case TextPart() | RefusalPart() | ImagePart() | DocumentPart() | ToolResultPart():
            yield from blocks_of((part,))
        case _:
            assert_never(part)


def encode_count(input_tokens: int) -> bytes:
    """The body of the reply to `/v1/messages/count_tokens`."""
    return b'{"input_tokens":%d}' % input_tokens
