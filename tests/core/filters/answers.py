"""What the tests of the filters share: tools, a run of all filters over one answer, and what it came to."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec
from tests.core.grammar import grammar_error

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatRequest,
    Finished,
    FunctionTool,
    Ping,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    Usage,
    UsageReport,
)

LIMIT = 1_000
"""The request's output tokens."""


def tool(name: str, required: Sequence[str] = (), *, closed: bool = False, **properties: object) -> FunctionTool:
    """A tool; a property is the name of a type, or a schema."""
    schema: dict[str, object] = {
        "type": "object",
        "properties": {key: {"type": each} if isinstance(each, str) else each for key, each in properties.items()},
        "required": list(required),
    }
    if closed:
        schema["additionalProperties"] = False
    return FunctionTool(name, "", msgspec.Raw(json.dumps(schema).encode()))


TOOLS = (
    tool("Write", ("path",), path="string", content="string", mode="integer", flag="boolean"),
    tool("bash", ("command",), closed=True, command="string", timeout="number"),
    tool("list_files"),
    tool("read_file", ("path",), path="string"),
    tool("f", n="number", a="array", o={"type": "object"}, s="string"),
    tool("apply_patch", ("input",), closed=True, input="string"),
)
REQUEST = ChatRequest("m", (), tools=TOOLS, max_output_tokens=LIMIT)


@dataclass(frozen=True)
class Outcome:
    """What an answer came to. A call is a pair of its name and its arguments, parsed where they are JSON."""

    text: str = ""
    calls: tuple[tuple[str, object], ...] = ()
    thinking: str = ""
    reason: StopReason = StopReason.TOOL_CALLS


def filtered(
    pieces: Iterable[str | ChatEvent],
    reason: StopReason = StopReason.END_TURN,
    *,
    request: ChatRequest = REQUEST,
    output_tokens: int = 10,
) -> tuple[list[ChatEvent], Mapping[str, int]]:
    """The events of an answer behind all filters, and what was mended; strings are text deltas."""
    chain = FilterChain(answer_filters(request))
    body = [TextDelta(piece) if isinstance(piece, str) else piece for piece in pieces]
    given = [Started("r"), *body, UsageReport(Usage(1, 0, output_tokens)), Finished(reason)]
    events = [out for event in given for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(events) == ""
    return events, chain.mended


def answer(events: Iterable[ChatEvent]) -> Answer:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    result = assembler.result()
    assert isinstance(result, Answer)
    return result


def outcome(
    *pieces: str | ChatEvent,
    reason: StopReason = StopReason.END_TURN,
    request: ChatRequest = REQUEST,
    output_tokens: int = 10,
) -> Outcome:
    """What the answer of these pieces comes to."""
    result = answer(filtered(pieces, reason, request=request, output_tokens=output_tokens)[0])
    return Outcome(
        "".join(part.text for part in result.parts if isinstance(part, TextPart)),
        tuple((part.name, parsed(part.arguments)) for part in result.parts if isinstance(part, ToolCallPart)),
        "".join(part.text for part in result.parts if isinstance(part, ThinkingPart)),
        result.reason,
    )


def parsed(arguments: str) -> object:
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def call(arguments: str, name: str = "Write", call_id: str = "c1", size: int = 7) -> list[ChatEvent]:
    """The events of a structured call, in deltas of `size` characters."""
    pieces = [arguments[start : start + size] for start in range(0, len(arguments), size)]
    return [ToolCallStart(call_id, name), *map(ToolCallDelta, pieces), ToolCallEnd()]


def cut(text: str, size: int) -> list[str]:
    """`text` in pieces of `size` characters."""
    return [text[start : start + size] for start in range(0, len(text), size)]


def visible(events: Iterable[ChatEvent]) -> str:
    """The text that a user has seen."""
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def without_pings(events: Iterable[ChatEvent]) -> list[ChatEvent]:
    return [event for event in events if not isinstance(event, Ping)]


def thought(text: str) -> ThinkingDelta:
    return ThinkingDelta(text)
