"""The history of tool calls: every call with its result right behind it, whatever the client has cut or moved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from agentlaunch.core.ir import (
    DocumentPart,
    ImagePart,
    Message,
    ResultContent,
    Role,
    TextPart,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)

NO_RESULT = "No result: the call was interrupted."
"""Stands for a result that the client never sent; upstreams refuse a call without one (field report B013)."""


@dataclass
class _Call:
    """A call, and its result when there is one."""

    part: ToolCallPart
    result: ToolResultPart | None = None


@dataclass
class _Turn:
    """Neighbouring messages of the assistant, or one of anybody else, and the calls made in them."""

    messages: list[Message]
    calls: list[_Call] = field(default_factory=list)


def paired(messages: Sequence[Message]) -> tuple[Message, ...]:
    """The same conversation with the results of each turn in one `tool` message behind it, in the order of the calls.

    A call without a result gets `NO_RESULT`; a result without a call before it becomes a user's message. Ids may
    repeat, since small models number their calls anew in each turn: a result belongs to the newest turn with an
    unanswered call of its id, and there to the first. Pairing what is paired changes nothing.
    """
    turns: list[_Turn] = []
    unanswered: dict[str, list[_Turn]] = {}  # by the calls' id; a turn as often as it has such calls
    previous: Role | None = None
    for message in messages:
        if message.role is Role.TOOL:
            turns += [_Turn([orphan]) for orphan in _orphans(message, unanswered)]
        elif message.role is previous is Role.ASSISTANT:
            turns[-1].messages.append(message)
        else:
            turns.append(_Turn([message]))
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                unanswered.setdefault(part.id, []).append(turns[-1])
                turns[-1].calls.append(_Call(part))
        previous = message.role
    return tuple(message for turn in turns for message in _messages(turn))


def _orphans(message: Message, unanswered: dict[str, list[_Turn]]) -> Iterator[Message]:
    """Give each result to its call; the rest, as a user would report it."""
    for part in message.parts:
        if not isinstance(part, ToolResultPart):
            continue
        waiting = unanswered.get(part.call_id)
        if waiting:
            calls = waiting.pop().calls
            next(call for call in calls if call.part.id == part.call_id and call.result is None).result = part
        else:
            yield Message(Role.USER, (TextPart(_headline(part)), *map(_shown, part.content)))


def _headline(result: ToolResultPart) -> str:
    return f"Result of an earlier tool call ({result.call_id}){', which failed' if result.is_error else ''}:"


def _shown(piece: ResultContent) -> TextPart | ImagePart | DocumentPart:
    return TextPart(now_available(piece)) if isinstance(piece, ToolReferencePart) else piece


def now_available(reference: ToolReferencePart) -> str:
    """What a model is told where a deferred tool was found, on a wire that has no word for it."""
    return f"The tool `{reference.tool_name}` is now available."


def _messages(turn: _Turn) -> Iterator[Message]:
    yield from turn.messages
    if turn.calls:
        yield Message(Role.TOOL, tuple(call.result or _no_result(call.part) for call in turn.calls))


def _no_result(call: ToolCallPart) -> ToolResultPart:
    return ToolResultPart(call.id, (TextPart(NO_RESULT),), is_error=True, kind=call.kind)
