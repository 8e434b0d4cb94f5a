"""The conversation as Ollama's templates can render it: one system message, roles that alternate, no orphans.

What is sent for a turn depends only on that turn and on what stands right beside it, so a longer conversation keeps
the prefix that the server has cached (facts/ollama-api.md G.11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import assert_never

from msgspec import UNSET

from agentlaunch.core.filters.history import paired
from agentlaunch.core.ir import Message, Part, Role, TextPart, ToolCallPart, ToolResultPart
from agentlaunch.core.wire.ollama_chat.arguments import arguments_object
from agentlaunch.core.wire.ollama_chat.content import images_of, result_images, result_text, texts, thinking_of
from agentlaunch.core.wire.ollama_chat.written_types import OutFunction, OutMessage, OutToolCall

Turn = tuple[Role, tuple[Part, ...]]


def out_messages(messages: Sequence[Message]) -> list[OutMessage]:
    """The messages to send, system prompt first."""
    leading = 0
    while leading < len(messages) and messages[leading].role is Role.SYSTEM:
        leading += 1
    prompts = [text for message in messages[:leading] for text in texts(message.parts)]
    sent = [OutMessage("system", "\n\n".join(prompts))] if prompts else []
    names: dict[str, str] = {}
    for role, parts in _alternating(_turns(messages[leading:])):
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


def _alternating(turns: Iterable[Turn]) -> list[Turn]:
    """Neighbours of one role as one turn: strict templates (Gemma, Mistral) raise when roles do not alternate."""
    return [
        (role, tuple(part for _, parts in group for part in parts))
        for role, group in groupby(turns, key=lambda turn: turn[0])
    ]


def _turns(messages: Sequence[Message]) -> Iterator[Turn]:
    """What each message says; behind results a turn of the user with the images that they cannot hold (B048)."""
    for message in paired(messages):
        match message.role:
            case Role.SYSTEM:
                yield from _notice(message.parts)
            case Role.USER:
                yield Role.USER, message.parts
            case Role.ASSISTANT:
                yield from _answer(message.parts)
            case Role.TOOL:
                yield Role.TOOL, message.parts
                results = (part for part in message.parts if isinstance(part, ToolResultPart))
                images = tuple(image for result in results for image in result_images(result))
                if images:
                    yield Role.USER, images
            case _:
                assert_never(message.role)


def _notice(parts: Sequence[Part]) -> list[Turn]:
    """A system message in mid-conversation, said by the user: Qwen's templates raise on it (reports B018, B058).

    It stays where it stands, since moving it would change the prompt's cached prefix. An empty one vanishes (B079).
    """
    text = "\n\n".join(texts(parts))
    if not text:
        return []
    if not text.lstrip().startswith("<system-reminder>"):
        text = f"<system-reminder>\n{text}\n</system-reminder>"
    return [(Role.USER, (TextPart(text),))]


def _answer(parts: tuple[Part, ...]) -> list[Turn]:
    """An earlier answer, unless there is nothing in it to send (report B095)."""
    said = any(isinstance(part, ToolCallPart) for part in parts) or texts(parts) or thinking_of(parts)
    return [(Role.ASSISTANT, parts)] if said else []


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
    return OutMessage("tool", result_text(result), tool_name=name or UNSET, tool_call_id=result.call_id or UNSET)
