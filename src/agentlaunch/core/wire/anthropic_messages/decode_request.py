"""A client's body to a ChatRequest."""

from __future__ import annotations

import re
from typing import assert_never

import msgspec

from agentlaunch.core.ir import (
    NO_PARAMETERS,
    ChatRequest,
    FunctionTool,
    HostedTool,
    JsonFormat,
    Message,
    Reasoning,
    Role,
    Sampling,
    Tool,
    ToolChoice,
)
from agentlaunch.core.wire.anthropic_messages.decode_blocks import messages_of, system_parts
from agentlaunch.core.wire.anthropic_messages.tool_changes import with_changes
from agentlaunch.core.wire.anthropic_messages.types import (
    MessagesRequest,
    OutputConfig,
    Thinking,
    ToolDefinition,
    WireToolChoice,
)
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.loose_json import bare_schema

_REQUEST = msgspec.json.Decoder(MessagesRequest)
_TOOL = msgspec.json.Decoder(ToolDefinition)


def decode_request(body: bytes) -> ChatRequest:
    """The body of `POST /v1/messages`. Raises ProtocolError naming the field.

    `max_tokens`, which the vendor requires, may be missing: then the upstream's own limit holds.
    """
    request = decode_count_request(body)
    if not request.messages:
        raise ProtocolError("messages: at least one message with content is required")
    if request.max_output_tokens is not None and request.max_output_tokens < 1:
        raise ProtocolError("max_tokens: must be greater than or equal to 1")
    return request


def decode_count_request(body: bytes) -> ChatRequest:
    """The body of `POST /v1/messages/count_tokens`: the same, and the conversation may be empty."""
    wire = decode_json(body, _REQUEST)
    choice = wire.tool_choice
    tools = tuple(_tool(raw, f"tools[{index}]") for index, raw in enumerate(wire.tools or ()))
    tools = with_changes(tools, wire.messages, lambda raw: _tool(raw, "tool.definition"))
    return ChatRequest(
        model=wire.model,
        messages=_conversation(wire),
        tools=tools,
        tool_choice=_tool_choice(choice, tools),
        parallel_tool_calls=_parallel(choice),
        max_output_tokens=wire.max_tokens,
        stop=tuple(wire.stop_sequences or ()),
        sampling=Sampling(wire.temperature, wire.top_p, wire.top_k),
        reasoning=_reasoning(wire.thinking, wire.output_config),
        json_format=_json_format(wire),
        stream=bool(wire.stream),
        user=(wire.metadata.user_id or "") if wire.metadata else "",
    )


def _conversation(wire: MessagesRequest) -> tuple[Message, ...]:
    """The messages in order. The system prompt leads; a `tool` or leading `system` message takes in one like it that
    follows directly, so that equal conversations are equal however the client cut them."""
    prompt = system_parts(wire.system)
    messages = [Message(Role.SYSTEM, prompt)] if prompt else []
    for turn in wire.messages:
        for message in messages_of(turn):
            if messages and messages[-1].role is message.role and _joins(message.role, len(messages)):
                messages[-1] = Message(message.role, messages[-1].parts + message.parts)
            else:
                messages.append(message)
    return tuple(messages)


def _joins(role: Role, count: int) -> bool:
    return role is Role.TOOL or (role is Role.SYSTEM and count == 1)


def _tool(raw: msgspec.Raw, place: str) -> Tool:
    try:
        tool = _TOOL.decode(raw)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError(re.sub(r"`\$", f"`$.{place}", f"{place}: {error}")) from error
    if tool.type not in (None, "custom", "function"):
        return HostedTool(tool.type or "", raw)
    tool = tool.function or tool
    if not tool.name:
        raise ProtocolError(f"{place}.name: a tool needs a name")
    schema = bare_schema(tool.input_schema or tool.parameters)
    if bytes(schema) in (b"", b"null"):
        schema = NO_PARAMETERS
    elif bytes(schema)[:1] != b"{":
        raise ProtocolError(f"{place}.input_schema: expected an object")
    return FunctionTool(
        tool.name,
        tool.description or "",
        schema,
        deferred=tool.defer_loading or False,
        strict=tool.strict,
        cache_hint=tool.cache_control is not None,
    )


def _tool_choice(choice: WireToolChoice | None, tools: tuple[Tool, ...]) -> ToolChoice | None:
    if choice is None:
        return None
    match choice.type:
        case "auto":
            return ToolChoice("auto")
        case "any" | "required":
            return ToolChoice("required")
        case "none":
            return ToolChoice("none")
        case "tool" | "function":
            name = choice.name or (choice.function.name if choice.function else "")
            if not name:
                raise ProtocolError(f"tool_choice.name: required when tool_choice.type is `{choice.type}`")
            if name not in map(_name, tools):
                raise ProtocolError(f"tool_choice: Tool `{name}` not found in provided tools")
            return ToolChoice("named", name)
        case _:
            assert_never(choice.type)


def _name(tool: Tool) -> str:
    """The name that a choice calls the tool by; one that the vendor defined has it in its definition."""
    return _TOOL.decode(tool.definition).name if isinstance(tool, HostedTool) else tool.name


def _parallel(choice: WireToolChoice | None) -> bool | None:
    if choice is None or choice.disable_parallel_tool_use is None:
        return None
    return not choice.disable_parallel_tool_use


def _reasoning(thinking: Thinking | None, config: OutputConfig | None) -> Reasoning | None:
    """Thinking without a budget is `adaptive` on the wire; effort alone leaves thinking to the model's default."""
    effort = (config.effort or "") if config else ""
    if thinking is None:
        return Reasoning(effort=effort) if effort else None
    if thinking.type == "disabled":
        return Reasoning(False, effort)
    return Reasoning(True, effort, thinking.budget_tokens)


def _json_format(wire: MessagesRequest) -> JsonFormat | None:
    """`output_config.format`, or the top-level `output_format` of the beta before it."""
    form = (wire.output_config.format if wire.output_config else None) or wire.output_format
    if form is None:
        return None
    if bytes(form.schema)[:1] != b"{":
        raise ProtocolError("output_config.format.schema: expected an object")
    return JsonFormat(form.schema)
