"""The conversation as messages of the wire."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import UNSET

from agentlaunch.core.filters.plain_text import result_text, texts, thinking_of
from agentlaunch.core.filters.plain_turns import plain_turns
from agentlaunch.core.ir import Message, Part, Role, ToolCallPart, ToolResultPart
from agentlaunch.core.wire.call_ids import CHAT_ID_LENGTH, short_id
from agentlaunch.core.wire.openai_chat.arguments import as_json_object
from agentlaunch.core.wire.openai_chat.content import content_of, is_shown
from agentlaunch.core.wire.openai_chat.written_types import OutFunction, OutMessage, OutToolCall


def out_messages(messages: Sequence[Message]) -> list[OutMessage]:
    """The messages to send, system prompt first."""
    prompt, turns = plain_turns(messages, is_shown)
    sent = [OutMessage("system", prompt)] if prompt else []
    for role, parts in turns:
        match role:
            case Role.ASSISTANT:
                sent.append(_assistant(parts))
            case Role.TOOL:
                sent += [
                    OutMessage("tool", result_text(part, is_shown), tool_call_id=short_id(part.call_id, CHAT_ID_LENGTH))
                    for part in parts
                    if isinstance(part, ToolResultPart)
                ]
            case _:
                sent.append(OutMessage("user", content_of(parts)))
    return sent


def _assistant(parts: Sequence[Part]) -> OutMessage:
    calls = [
        OutToolCall(
            short_id(part.id, CHAT_ID_LENGTH), "function", OutFunction(part.name, as_json_object(part.arguments))
        )
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
    text = "\n".join(texts(parts))
    return OutMessage(
        "assistant",
        content=None if calls and not text else text,
        reasoning_content=thinking_of(parts) or UNSET,
        tool_calls=calls or UNSET,
    )
