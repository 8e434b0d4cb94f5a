"""A ChatRequest to an upstream's body."""

from __future__ import annotations

import re
from typing import assert_never

import msgspec

from agentlaunch.core.filters.history import paired
from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    FunctionTool,
    HostedTool,
    JsonFormat,
    Message,
    Reasoning,
    Role,
    Tool,
    ToolChoice,
)
from agentlaunch.core.wire.anthropic_messages.calls import FREE_TEXT_SCHEMA, wire_name
from agentlaunch.core.wire.anthropic_messages.encode_blocks import mark, sent_blocks_of
from agentlaunch.core.wire.anthropic_messages.types import (
    Block,
    MessagesRequest,
    Metadata,
    OutputConfig,
    OutputFormat,
    TextBlock,
    Thinking,
    ToolDefinition,
    WireMessage,
    WireToolChoice,
)
from agentlaunch.core.wire.base import ProtocolError

_ENCODER = msgspec.json.Encoder()
_VENDOR_TOOL = re.compile(r".+_\d{8}|mcp_toolset")
"""The types under which the vendor defines tools carry the date of their version."""

DEFAULT_MAX_TOKENS = 32_000
"""For a request without a limit, where the wire requires one: what Claude Code asks for (facts/agents.md 1.1)."""


def encode_request(request: ChatRequest) -> bytes:
    """The body for an upstream. What the wire cannot say is left out; docs/wire/anthropic_messages.md names it.

    Raises ProtocolError for a conversation of which nothing is left then: the vendor wants at least one message.
    """
    messages = paired(request.messages)
    leading = _leading_system(messages)
    turns = _turns(messages[leading:])
    if not turns:
        raise ProtocolError("the conversation has no message that is not blank, and this API wants one")
    limit = request.max_output_tokens
    tools = [raw for tool in request.tools if (raw := _tool(tool)) is not None]
    return _ENCODER.encode(
        MessagesRequest(
            model=request.model,
            messages=turns,
            system=_system(messages[:leading]) or None,
            tools=tools or None,
            tool_choice=_tool_choice(request.tool_choice, request.parallel_tool_calls) if tools else None,
            metadata=Metadata(request.user) if request.user else None,
            max_tokens=DEFAULT_MAX_TOKENS if limit is None else limit,
            thinking=_thinking(request.reasoning),
            output_config=_output_config(request.reasoning, request.json_format),
            stop_sequences=list(request.stop) or None,
            temperature=request.sampling.temperature,
            top_p=request.sampling.top_p,
            top_k=request.sampling.top_k,
            stream=request.stream or None,
        )
    )


def _leading_system(messages: tuple[Message, ...]) -> int:
    return next((index for index, message in enumerate(messages) if message.role is not Role.SYSTEM), len(messages))


def _system(messages: tuple[Message, ...]) -> list[TextBlock]:
    blocks = (block for message in messages for block in sent_blocks_of(message.parts))
    return [block for block in blocks if isinstance(block, TextBlock)]


def _turns(messages: tuple[Message, ...]) -> list[WireMessage]:
    """The conversation: tool results, and what the user says right after them, are one message of the user.

    The vendor wants every result of a turn in the message after it, before anything else.
    """
    turns: list[WireMessage] = []
    previous: Role | None = None
    for message in messages:
        blocks = sent_blocks_of(message.parts)
        if not blocks:
            continue
        if previous is Role.TOOL and message.role in (Role.TOOL, Role.USER):
            turns[-1] = WireMessage("user", [*turns[-1].content, *blocks])
        else:
            turns.append(_turn(message.role, blocks))
        previous = message.role
    return turns


def _turn(role: Role, blocks: list[Block]) -> WireMessage:
    match role:
        case Role.SYSTEM:
            return WireMessage("system", blocks)
        case Role.ASSISTANT:
            return WireMessage("assistant", blocks)
        case Role.USER | Role.TOOL:
            return WireMessage("user", blocks)
        case _:
            assert_never(role)


def _tool(tool: Tool) -> msgspec.Raw | None:
    """A tool's definition; another vendor's hosted tool has none here."""
    match tool:
        case FunctionTool():
            definition = ToolDefinition(
                name=wire_name(tool.name, tool.namespace),
                description=tool.description or None,
                input_schema=tool.parameters,
                defer_loading=tool.deferred or None,
                strict=tool.strict,
                cache_control=mark(tool.cache_hint),
            )
        case CustomTool():
            definition = ToolDefinition(
                name=wire_name(tool.name, tool.namespace),
                description=tool.description or None,
                input_schema=FREE_TEXT_SCHEMA,
            )
        case HostedTool():
            return tool.definition if _VENDOR_TOOL.fullmatch(tool.type) else None
        case _:
            assert_never(tool)
    return msgspec.Raw(_ENCODER.encode(definition))


def _tool_choice(choice: ToolChoice | None, parallel: bool | None) -> WireToolChoice | None:
    """The choice; that calls must not be parallel is said beside it, for which `auto` is spelled out if need be."""
    if choice is None:
        return None if parallel is not False else WireToolChoice("auto", disable_parallel_tool_use=True)
    single = None if parallel is None else not parallel
    match choice.mode:
        case "auto":
            return WireToolChoice("auto", disable_parallel_tool_use=single)
        case "required":
            return WireToolChoice("any", disable_parallel_tool_use=single)
        case "named":
            return WireToolChoice("tool", choice.name, single)
        case "none":
            return WireToolChoice("none")
        case _:
            assert_never(choice.mode)


def _thinking(reasoning: Reasoning | None) -> Thinking | None:
    if reasoning is None or reasoning.enabled is None:
        return None
    if not reasoning.enabled:
        return Thinking("disabled")
    if reasoning.budget_tokens is None:
        return Thinking("adaptive")
    return Thinking("enabled", reasoning.budget_tokens)


def _output_config(reasoning: Reasoning | None, form: JsonFormat | None) -> OutputConfig | None:
    """Effort and format; any object is asked for with the schema of any object."""
    effort = (reasoning.effort or None) if reasoning else None
    schema = (bytes(form.schema) or b'{"type":"object"}') if form else b""
    wire_form = OutputFormat("json_schema", msgspec.Raw(schema)) if schema else None
    return OutputConfig(effort, wire_form) if effort or wire_form else None
