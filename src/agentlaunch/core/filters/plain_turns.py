"""The conversation as a local chat template can render it: one system prompt, roles that alternate, no orphans.

What is sent for a turn depends only on that turn and on what stands right beside it, so a longer conversation keeps
the prefix that the server has cached (facts/ollama-api.md G.11).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias, assert_never

from agentlaunch.core.filters.history import paired
from agentlaunch.core.filters.plain_text import Shows, result_images, texts, thinking_of
from agentlaunch.core.ir import Message, Part, Role, TextPart, ToolCallPart, ToolResultPart

Turn: TypeAlias = tuple[Role, tuple[Part, ...]]
"""Who speaks, and what: `user`, `assistant`, or `tool` with the results of all calls of the turn before."""


def plain_turns(messages: Sequence[Message], shows: Shows) -> tuple[str, list[Turn]]:
    """The system prompt (empty for none) and the turns behind it; a prompt alone is the user's turn.

    Neighbours of one role are one turn: strict templates (Gemma, Mistral) raise when roles do not alternate.
    """
    leading = 0
    while leading < len(messages) and messages[leading].role is Role.SYSTEM:
        leading += 1
    prompt = "\n\n".join(text for message in messages[:leading] for text in texts(message.parts))
    turns = _alternating(_turns(messages[leading:], shows))
    if prompt and not turns:
        # Ollama asks no model then, and Qwen's templates raise: what a client has nobody say, its user says.
        return "", [(Role.USER, (TextPart(prompt),))]
    return prompt, turns


def _alternating(turns: Iterable[Turn]) -> list[Turn]:
    return [
        (role, tuple(part for _, parts in group for part in parts))
        for role, group in groupby(turns, key=lambda turn: turn[0])
    ]


def _turns(messages: Sequence[Message], shows: Shows) -> Iterator[Turn]:
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
                images = tuple(image for result in results for image in result_images(result, shows))
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
    return [(Role.USER, (TextPart(as_notice(text)),))]


def as_notice(text: str) -> str:
    """The text in the mark that Claude Code itself puts around its notices."""
    return text if text.lstrip().startswith("<system-reminder>") else f"<system-reminder>\n{text}\n</system-reminder>"


def _answer(parts: tuple[Part, ...]) -> list[Turn]:
    """An earlier answer, unless there is nothing in it to send (report B095)."""
    said = any(isinstance(part, ToolCallPart) for part in parts) or texts(parts) or thinking_of(parts)
    return [(Role.ASSISTANT, parts)] if said else []
