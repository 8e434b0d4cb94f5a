"""The tools of a request, and the choice among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

import msgspec

from agentlaunch.core.ir import NO_PARAMETERS, CustomTool, FunctionTool, HostedTool, Tool, ToolChoice
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.loose_json import bare_schema
from agentlaunch.core.wire.openai_responses.types import Head, ToolChoiceObject, ToolDefinition

_HEAD = msgspec.json.Decoder(Head)
_DEFINITION = msgspec.json.Decoder(ToolDefinition)


def decode_tools(raws: Iterable[msgspec.Raw]) -> Iterator[Tool]:
    """The tools in order, those of a namespace in its place. Raises ProtocolError naming the tool and the field."""
    for index, raw in enumerate(raws):
        try:
            yield from _tool(raw, "")
        except ProtocolError as error:
            raise ProtocolError(f"tools[{index}]: {error}") from error


def without_doubles(tools: Iterable[Tool]) -> tuple[Tool, ...]:
    """The first of each name: tools that join midway may stand in `tools` already."""
    kept: dict[tuple[str, str] | int, Tool] = {}
    for number, tool in enumerate(tools):
        key = number if isinstance(tool, HostedTool) else (tool.namespace, tool.name)
        kept.setdefault(key, tool)
    return tuple(kept.values())


def _tool(raw: msgspec.Raw, namespace: str) -> Iterator[Tool]:
    body = bytes(raw)
    kind = decode_json(body, _HEAD).type
    if kind == "message":  # none is said
        kind = "function"
    if kind not in ("function", "custom", "namespace"):
        yield HostedTool(kind, raw.copy())
        return
    definition = decode_json(body, _DEFINITION)
    definition = definition.function or definition
    if not definition.name:
        raise ProtocolError("a tool needs a name - at `$.name`")
    description = definition.description or ""
    if kind == "namespace":
        for nested in definition.tools:
            yield from _tool(nested, definition.name)
    elif kind == "custom":
        yield CustomTool(definition.name, description, definition.format.copy(), namespace)
    else:
        given = (raw for raw in (definition.parameters, definition.input_schema) if bytes(raw) != b"null")
        parameters = bare_schema(next(given, NO_PARAMETERS).copy())
        yield FunctionTool(definition.name, description, parameters, namespace, strict=definition.strict)


def decode_tool_choice(choice: str | ToolChoiceObject | None) -> ToolChoice | None:
    """`auto`, `none`, `required`, or a tool by name. Raises ProtocolError for another word."""
    match choice:
        case None:
            return None
        case "auto" | "none" | "required":
            return ToolChoice(choice)
        case "any":  # Mistral's and Anthropic's word
            return ToolChoice("required")
        case str():
            raise ProtocolError(f"unknown choice `{choice}` - at `$.tool_choice`")
        case ToolChoiceObject(type="allowed_tools"):
            return ToolChoice("required" if choice.mode == "required" else "auto")
        case ToolChoiceObject(type="auto" | "none" | "required" | "any" as word, name=""):
            return decode_tool_choice(word)
        case ToolChoiceObject(function=ToolDefinition(name=name)):
            return ToolChoice("named", name)
        case ToolChoiceObject():
            return ToolChoice("named", choice.name or choice.type)
        case _:
            assert_never(choice)
