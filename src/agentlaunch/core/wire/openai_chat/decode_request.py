"""A client's body on the Chat wire to a request."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, assert_never

import msgspec

from agentlaunch.core.ir import (
    NO_PARAMETERS,
    ChatRequest,
    CustomTool,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    Message,
    Part,
    RefusalPart,
    ResultContent,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.loose_json import bare_schema
from agentlaunch.core.wire.openai_chat.arguments import arguments_text
from agentlaunch.core.wire.openai_chat.read_content import content_of
from agentlaunch.core.wire.openai_chat.read_format import json_format_of
from agentlaunch.core.wire.openai_chat.reasoning import reasoning_of
from agentlaunch.core.wire.openai_chat.types import (
    ChatMessage,
    ChosenTool,
    FunctionDefinition,
    RequestBody,
    ToolCall,
    ToolDefinition,
)

_bodies = msgspec.json.Decoder(RequestBody)
_tools = msgspec.json.Decoder(ToolDefinition)
_functions = msgspec.json.Decoder(FunctionDefinition)

_RESULT_ROLES = ("tool", "function")


def decode_request(body: bytes) -> ChatRequest:
    """The request. Raises ProtocolError naming the field; fields that are not known are ignored (B064, B090)."""
    wire = decode_json(body, _bodies)
    tools = (
        *(_tool(raw, place) for place, raw in enumerate(wire.tools or ()) if _is_given(raw)),
        *map(_function, wire.functions or ()),
    )
    limit = wire.max_tokens if wire.max_completion_tokens is None else wire.max_completion_tokens
    stop = (wire.stop,) if isinstance(wire.stop, str) else wire.stop or ()
    options = wire.stream_options
    return ChatRequest(
        model=wire.model or "",
        messages=tuple(_Conversation().messages(wire.messages)),
        tools=tools,
        tool_choice=_tool_choice(wire.tool_choice, tools),
        parallel_tool_calls=wire.parallel_tool_calls,
        max_output_tokens=limit if limit is None or limit > 0 else None,  # -1 and 0 mean without end (LM Studio)
        stop=tuple(filter(None, stop)),
        sampling=Sampling(
            wire.temperature, wire.top_p, wire.top_k, wire.seed, wire.presence_penalty, wire.frequency_penalty
        ),
        reasoning=reasoning_of(wire),
        json_format=json_format_of(wire.response_format),
        stream=bool(wire.stream),
        user=wire.user or "",
        cache_key=wire.prompt_cache_key or "",
        include_usage=not wire.stream or bool(options and options.include_usage),
    )


class _Conversation:
    """Messages with an id for every call. Some clients name none, and a result's tool, or nothing, in its place."""

    def __init__(self) -> None:
        self._unanswered: list[tuple[str, str]] = []
        self._calls = 0

    def messages(self, messages: list[ChatMessage]) -> Iterator[Message]:
        """The messages; neighbouring tool messages are the results of one turn."""
        results: list[ToolResultPart] = []
        for place, message in enumerate(messages):
            where = f"messages[{place}]"
            if message.role in _RESULT_ROLES:
                results.append(self._result(message, where))
                continue
            if results:
                yield Message(Role.TOOL, tuple(results))
                results = []
            yield self._message(message, where)
        if results:
            yield Message(Role.TOOL, tuple(results))

    def _message(self, message: ChatMessage, where: str) -> Message:
        match message.role:
            case "system" | "developer":
                return Message(
                    Role.SYSTEM, tuple(content_of(message.content, where, is_result=message.role in _RESULT_ROLES))
                )
            case "user":
                return Message(
                    Role.USER, tuple(content_of(message.content, where, is_result=message.role in _RESULT_ROLES))
                )
            case "assistant":
                return Message(Role.ASSISTANT, tuple(self._assistant(message, where)))
            case _:
                raise ProtocolError(f"`{where}.role` is `{message.role}`, which this API does not know")

    def _assistant(self, message: ChatMessage, where: str) -> Iterator[Part]:
        thinking = message.reasoning_content or message.reasoning
        if thinking:
            yield ThinkingPart(thinking)
        yield from content_of(message.content, where, is_result=message.role in _RESULT_ROLES)
        if message.refusal:
            yield RefusalPart(message.refusal)
        calls = message.tool_calls or ([ToolCall(function=message.function_call)] if message.function_call else [])
        for place, call in enumerate(calls):
            yield self._call(call, f"{where}.tool_calls[{place}]")

    def _call(self, call: ToolCall, where: str) -> ToolCallPart:
        self._calls += 1
        id_ = f"call_{self._calls}" if call.id in (None, "") else str(call.id)
        if call.custom is not None:
            part = ToolCallPart(id_, call.custom.name or "", call.custom.input or "", "custom")
        elif (function := call.called()) is not None:
            part = ToolCallPart(id_, function.name or "", arguments_text(function.arguments))
        else:
            raise ProtocolError(f"`{where}.function` is missing")
        self._unanswered.append((part.id, part.name))
        return part

    def _result(self, message: ChatMessage, where: str) -> ToolResultPart:
        content: list[ResultContent] = []
        for part in content_of(message.content, where, is_result=message.role in _RESULT_ROLES):
            match part:
                case TextPart() | ImagePart() | DocumentPart():
                    content.append(part)
                case _:
                    raise ProtocolError(f"`{where}.content` holds a part that no tool result has")
        call_id = "" if message.tool_call_id is None else str(message.tool_call_id)
        call_id = call_id or self._oldest(message.name or "")
        self._unanswered = [call for call in self._unanswered if call[0] != call_id]
        return ToolResultPart(call_id, tuple(content))

    def _oldest(self, name: str) -> str:
        """The first call without a result, of this tool where one is named; empty for none."""
        return next((id_ for id_, called in self._unanswered if name in ("", called)), "")


def _tool(raw: msgspec.Raw, place: int) -> Tool:
    tool = decode_json(bytes(raw), _tools)
    where = f"tools[{place}]"
    match tool.type:
        case "function":
            if tool.function is None and not tool.name:
                raise ProtocolError(f"`{where}.function` is missing")
            function = tool.function or decode_json(bytes(raw), _functions)
            return _function(function, cache_hint=_is_given(tool.cache_control))
        case "custom":
            if tool.custom is None:
                raise ProtocolError(f"`{where}.custom` is missing")
            return CustomTool(tool.custom.name, tool.custom.description or "", tool.custom.format)
        case _:
            return HostedTool(tool.type, raw)


def _function(function: FunctionDefinition, *, cache_hint: bool = False) -> FunctionTool:
    return FunctionTool(
        function.name,
        function.description or "",
        _schema(function),
        strict=function.strict,
        cache_hint=cache_hint,
    )


def _schema(function: FunctionDefinition) -> msgspec.Raw:
    """The parameters' schema, under each of its names, and where it was written as a text."""
    names = (function.parameters, function.input_schema, function.mcp_schema)
    return bare_schema(next(filter(_is_given, names), NO_PARAMETERS))


def _is_given(raw: msgspec.Raw) -> bool:
    """Whether the client wrote the field with something in it."""
    return bytes(raw) not in (b"", b"null")


_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's word
}


def _tool_choice(choice: str | ChosenTool | None, tools: tuple[Tool, ...]) -> ToolChoice | None:
    match choice:
        case None | "":
            return None
        case str() if any(not isinstance(tool, HostedTool) and tool.name == choice for tool in tools):
            return ToolChoice("named", choice)
        case str():
            return _mode(choice)
        case ChosenTool(allowed_tools=allowed) if allowed is not None:
            return _mode(allowed.mode)
        case ChosenTool(type=word, function=None, custom=None, name="") if word in _MODES:
            return _mode(word)
        case ChosenTool():
            named = choice.function or choice.custom
            name = named.name if named else choice.name
            if not name:
                raise ProtocolError(f"`tool_choice` of type `{choice.type}` names no tool")
            return ToolChoice("named", name)
        case _:
            assert_never(choice)


def _mode(word: str) -> ToolChoice:
    if word not in _MODES:
        raise ProtocolError(f"`tool_choice` is `{word}`, not one of auto, none, required")
    return ToolChoice(_MODES[word])
