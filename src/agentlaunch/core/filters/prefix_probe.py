"""Which part of a request is the user's own: told by a second request that differs in nothing else."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from agentlaunch.core.ir import ChatRequest, Message, Part, Role, TextPart


def is_opening(request: ChatRequest) -> bool:
    """Whether nothing has been answered yet in this conversation."""
    return all(message.role in (Role.SYSTEM, Role.USER) for message in request.messages)


def other_words(request: ChatRequest, words: str = "") -> ChatRequest | None:
    """The same opening with other words of the user's, or with these; None when it has no words of theirs.

    What both render to the same text is what the next session begins with as well. Whatever stands behind the user's
    first words is left out: it may be words of theirs too, as after an interrupted first question.
    """
    if not is_opening(request):
        return None
    for at, message in enumerate(request.messages):
        if message.role is not Role.USER:
            continue
        for place, part in enumerate(message.parts):
            if not _is_context(part):
                changed = Message(Role.USER, (*message.parts[:place], TextPart(words or _other(part))))
                return msgspec.structs.replace(request, messages=(*request.messages[:at], changed))
    return None


def _is_context(part: Part) -> bool:
    """Whether an agent has put it there: reminders, Codex's `<environment_context>` and its AGENTS.md (2.1, 2.2).

    A user's own `<div>` is taken for context too: then a session's prefix is not kept, and nothing else is lost.
    """
    return isinstance(part, TextPart) and part.text.lstrip().startswith(("<", "# AGENTS.md instructions for "))


def _other(part: Part) -> str:
    """Words that differ from the part's in their first letter."""
    return "Zz" if isinstance(part, TextPart) and part.text.startswith("#") else "# 1"


def conversation_key(request: ChatRequest) -> bytes:
    """Equal for all requests of one conversation, different for a title, a subagent, another session's question.

    Made of what comes before the first answer, which stays as it is (facts/agents.md 3.1), and not of the tools: some
    appear later (ToolSearch), and Codex compacts without any (3.3).
    """
    digest = blake2b(digest_size=16)
    for message in request.messages:
        if message.role not in (Role.SYSTEM, Role.USER):
            break
        digest.update(msgspec.msgpack.encode(message))
    return digest.digest()
