"""The conversation as Ollama's templates can render it: the turns of `plain_turns` as Ollama's messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from msgspec import UNSET

from agentlaunch.core.filters.plain_text import result_text, thinking_of
from agentlaunch.core.filters.plain_turns import plain_turns
from agentlaunch.core.ir import Message, Part, Role, ToolCallPart, ToolResultPart
from agentlaunch.core.wire.ollama_chat.arguments import arguments_object
from agentlaunch.core.wire.ollama_chat.content import images_of, shows, texts
from agentlaunch.core.wire.ollama_chat.written_types import OutFunction, OutMessage, OutToolCall


def out_messages(messages: Sequence[Message]) -> list[OutMessage]:
    """The messages to send, system prompt first."""
    prompt, turns = plain_turns(messages, shows)
    sent = [OutMessage("system", prompt)] if prompt else []
    names: dict[str, str] = {}
    for role, parts in turns:
        match role:
            case Role.ASSISTANT:
                names |= {part.id: part.name for part in parts if isinstance(part, ToolCallPart)}
                sent.append(_assistant(parts))
            case Role.TOOL:
                sent += [_result(part, names) for part in parts if isinstance(part, ToolResultPart)]
            case Role.USER | Role.SYSTEM:
                sent.append(OutMessage("user", "\n".join(texts(parts)), images=images_of(parts) or UNSET))
            case _:
                assert_never(role)
    return sent


def _assistant(parts: Sequence[Part]) -> OutMessage:
    calls = [
        OutToolCall(part.id or UNSET, OutFunction(part.name, arguments_object(part.arguments)))
        for part in parts
        if isinstance(part, ToolCallPart)
    ]
    return OutMessage(
        "assistant", "\n".join(texts(parts)), thinking=thinking_of(parts) or UNSET, tool_calls=calls or UNSET
    )


def _result(result: ToolResultPart, names: dict[str, str]) -> OutMessage:
    """A result by its tool's name, which is what most of Ollama's templates show, and by its call's id."""
    name = names.get(result.call_id, "")
    return OutMessage("tool", result_text(result, shows), tool_name=name or UNSET, tool_call_id=result.call_id or UNSET)
