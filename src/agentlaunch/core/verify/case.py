"""What a case is: a conversation, the tools it offers, and a judge that reads the answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import msgspec

from agentlaunch.core.ir import (
    Answer,
    ChatRequest,
    FunctionTool,
    JsonFormat,
    Message,
    Role,
    Sampling,
    StopReason,
    TextPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"

SEED = 1
"""Where a server takes a seed, two runs get one answer; temperature 0 does the most of it."""


@dataclass(frozen=True)
class Reading:
    """What a judge sees of an answer: its visible text, its calls in order, and why it ended."""

    text: str
    calls: tuple[ToolCallPart, ...]
    reason: StopReason


Judge = Callable[[Reading], str]
"""Empty for a good answer, else what is wrong with it, in one phrase."""


@dataclass(frozen=True)
class Case:
    """One question. `weight` is its share of the score, `wire` a name in `core.wire.base.WIRES`; empty: any will do."""

    name: str
    title: str
    weight: int
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...]
    judge: Judge
    wire: str = ""
    json_format: JsonFormat | None = None

    def request(self, model: str, max_output_tokens: int) -> ChatRequest:
        """The question to `model`, with an answer of at most `max_output_tokens` tokens; always streamed."""
        return ChatRequest(
            model=model,
            messages=self.messages,
            tools=self.tools,
            tool_choice=ToolChoice("auto") if self.tools else None,
            max_output_tokens=max_output_tokens,
            sampling=Sampling(temperature=0.0, seed=SEED),
            json_format=self.json_format,
            stream=True,
        )


def read_answer(answer: Answer) -> Reading:
    """The parts of an answer that count; its reasoning does not."""
    text = "".join(part.text for part in answer.parts if isinstance(part, TextPart))
    calls = tuple(part for part in answer.parts if isinstance(part, ToolCallPart))
    return Reading(text, calls, answer.reason)


def function(
    name: str, description: str, properties: Mapping[str, str | Mapping[str, Json]], *, optional: tuple[str, ...] = ()
) -> Tool:
    """A tool; `properties` are its arguments with what each is, or its whole schema. A description that starts with a
    type and a colon has that type (`integer: ...`, `number: ...`, `boolean: ...`), others are strings."""
    shapes = {key: _shape(text) if isinstance(text, str) else text for key, text in properties.items()}
    required = [key for key in properties if key not in optional]
    schema = {"type": "object", "properties": shapes, "required": required, "additionalProperties": False}
    return FunctionTool(name, description, msgspec.Raw(json.dumps(schema).encode()))


def _shape(text: str) -> dict[str, Json]:
    kind, separator, rest = text.partition(": ")
    if separator and kind in ("integer", "number", "boolean"):
        return {"type": kind, "description": rest}
    return {"type": "string", "description": text}


def system(text: str) -> Message:
    """The system prompt."""
    return Message(Role.SYSTEM, (TextPart(text),))


def user(text: str) -> Message:
    """What the user says."""
    return Message(Role.USER, (TextPart(text),))


def called(name: str, arguments: Mapping[str, Json], number: int = 1) -> Message:
    """An earlier turn of the model's: one call."""
    return Message(Role.ASSISTANT, (ToolCallPart(f"call_{number}", name, json.dumps(arguments, ensure_ascii=False)),))


def result(text: str, number: int = 1, *, is_error: bool = False) -> Message:
    """What the tool of that call said."""
    return Message(Role.TOOL, (ToolResultPart(f"call_{number}", (TextPart(text),), is_error=is_error),))
