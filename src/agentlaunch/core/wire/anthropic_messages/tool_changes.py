"""Tools that come and go in mid-conversation: which ones the model has in the end, and what it is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import assert_never

import msgspec

from agentlaunch.core.filters.history import now_available
from agentlaunch.core.ir import FunctionTool, HostedTool, TextPart, Tool, ToolReferencePart
from agentlaunch.core.wire.anthropic_messages.tool_change_types import (
    NO_DEFINITION,
    ChangedTool,
    ToolAdditionBlock,
    ToolChangeBlock,
    ToolRemovalBlock,
)
from agentlaunch.core.wire.anthropic_messages.types import ToolDefinition, WireMessage
from agentlaunch.core.wire.base import decode_json

_DEFINITION = msgspec.json.Decoder(ToolDefinition)

ReadTool = Callable[[msgspec.Raw], Tool]
"""A tool of its definition."""


def told(block: ToolChangeBlock) -> TextPart:
    """What the model reads where the change stands: local models know tools only by their list."""
    match block:
        case ToolAdditionBlock():
            return TextPart(now_available(ToolReferencePart(_name(block.tool))))
        case ToolRemovalBlock():
            return TextPart(f"The tool `{_name(block.tool)}` is no longer available.")
        case _:
            assert_never(block)


def with_changes(tools: tuple[Tool, ...], messages: Iterable[WireMessage], read: ReadTool) -> tuple[Tool, ...]:
    """The tools after every change in the messages: what was added stands behind all others in the order of the
    changes, so that the prefix before them stays; what was removed is gone. Without changes the same object."""
    added: dict[str, Tool | None] = {}
    for block in _changes(messages):
        name = _name(block.tool)
        if isinstance(block, ToolRemovalBlock):
            added[name] = None
            continue
        definition = block.tool.definition
        tool = read(definition) if definition != NO_DEFINITION else _hidden(tools, name, added)
        if tool is not None:
            added.pop(name, None)
            added[name] = tool
    if not added:
        return tools
    kept = (tool for tool in tools if isinstance(tool, HostedTool) or tool.name not in added)
    return (*kept, *(_shown(tool) for tool in added.values() if tool is not None))


def _changes(messages: Iterable[WireMessage]) -> Iterator[ToolChangeBlock]:
    """The changes in order; they stand only in messages of role `system`."""
    for message in messages:
        if message.role in ("system", "developer") and not isinstance(message.content, str):
            for block in message.content:
                if isinstance(block, ToolAdditionBlock | ToolRemovalBlock):
                    yield block


def _name(tool: ChangedTool) -> str:
    if tool.definition == NO_DEFINITION:
        return tool.name or tool.tool_name
    definition = decode_json(bytes(tool.definition), _DEFINITION)
    return (definition.function or definition).name


def _hidden(tools: Iterable[Tool], name: str, added: Mapping[str, Tool | None]) -> Tool | None:
    """The tool that an addition by its name shows; None where the model has it already, or nobody knows it."""
    for tool in tools:
        if isinstance(tool, FunctionTool) and tool.name == name and (tool.deferred or name in added):
            return tool
    return None


def _shown(tool: Tool) -> Tool:
    return msgspec.structs.replace(tool, deferred=False) if isinstance(tool, FunctionTool) else tool
