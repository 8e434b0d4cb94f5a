"""Items put together to messages: one assistant message a turn, one of results."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from agentlaunch.core.ir import Message, Part, Role, ThinkingPart

_JOINED = (Role.ASSISTANT, Role.TOOL)


def joined(pieces: Iterable[tuple[Role, tuple[Part, ...]]]) -> list[Message]:
    """Runs of assistant items as one message, runs of results as one; the rest as they are (field report B041)."""
    messages: list[Message] = []
    parts: list[Part] = []
    role: Role | None = None
    for next_role, next_parts in pieces:
        if role is not next_role or role not in _JOINED:
            _close(messages, role, parts)
            role, parts = next_role, []
        parts += [part for part in next_parts if not _repeated(part, parts)]
    _close(messages, role, parts)
    return messages


def _close(messages: list[Message], role: Role | None, parts: list[Part]) -> None:
    if role is not None and parts:
        messages.append(Message(role, tuple(parts)))


def _repeated(part: Part, parts: Sequence[Part]) -> bool:
    """Whether a client has put the same reasoning on two items of one turn (field report B014)."""
    if not isinstance(part, ThinkingPart) or not part.text:
        return False
    return any(
        isinstance(other, ThinkingPart) and (other.text, other.encrypted) == (part.text, part.encrypted)
        for other in parts
    )
