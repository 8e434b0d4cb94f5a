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
    JsonFormat,
    Message,
    Part,
    Reasoning,
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
from agentlaunch.core.wire.media import split_data_url
from agentlaunch.core.wire.openai_chat.arguments import arguments_text
from agentlaunch.core.wire.openai_chat.types import (
    ChatMessage,
    ChosenTool,
    ContentPart,
    RequestBody,
    ResponseFormat,
    ToolCall,
    ToolDefinition,
)

_bodies = msgspec.json.Decoder(RequestBody)
_tools = msgspec.json.Decoder(ToolDefinition)


def decode_request(body: bytes) -> ChatRequest:
    """The request. Raises ProtocolError naming the field; fields that are not known are ignored (B064, B090)."""
    wire = decode_json(body, _bodies)
    limit = wire.max_tokens if wire.max_completion_tokens is None else wire.max_completion_tokens
    stop = (wire.stop,) if isinstance(wire.stop, str) else tuple(wire.stop or ())
    options = wire.stream_options
    return ChatRequest(
        model=wire.model,
        messages=tuple(_messages(wire.messages)),
        tools=tuple(_tool(raw, place) for place, raw in enumerate(wire.tools or ())),
        tool_choice=_tool_choice(wire.tool_choice),
        parallel_tool_calls=wire.parallel_tool_calls,
        max_output_tokens=limit,
        stop=stop,
        sampling=Sampling(
            wire.temperature, wire.top_p, wire.top_k, wire.seed, wire.presence_penalty, wire.frequency_penalty
        ),
        reasoning=_reasoning(wire),
        json_format=_json_format(wire.response_format),
        stream=bool(wire.stream),
        user=wire.user or "",
        cache_key=wire.prompt_cache_key or "",
        include_usage=not wire.stream or bool(options and options.include_usage),
    )


def _messages(messages: list[ChatMessage]) -> Iterator[Message]:
    """The messages; neighbouring tool messages are the results of one turn."""
    results: list[ToolResultPart] = []
    for place, message in enumerate(messages):
        where = f"messages[{place}]"
        if message.role in ("tool", "function"):
            results.append(_result(message, where))
            continue
        if results:
            yield Message(Role.TOOL, tuple(results))
            results = []
        yield _message(message, where)
    if results:
        yield Message(Role.TOOL, tuple(results))


def _message(message: ChatMessage, where: str) -> Message:
    match message.role:
        case "system" | "developer":
            return Message(Role.SYSTEM, tuple(_content(message, where)))
        case "user":
            return Message(Role.USER, tuple(_content(message, where)))
        case "assistant":
            return Message(Role.ASSISTANT, tuple(_assistant(message, where)))
        case _:
            raise ProtocolError(f"`{where}.role` is `{message.role}`, which this API does not know")


def _assistant(message: ChatMessage, where: str) -> Iterator[Part]:
    thinking = message.reasoning_content or message.reasoning
    if thinking:
        yield ThinkingPart(thinking)
    yield from _content(message, where)
    if message.refusal:
        yield RefusalPart(message.refusal)
    for place, call in enumerate(message.tool_calls or ()):
        yield _call(call, f"{where}.tool_calls[{place}]")


def _call(call: ToolCall, where: str) -> ToolCallPart:
    id_ = "" if call.id is None else str(call.id)
    if call.custom is not None:
        return ToolCallPart(id_, call.custom.name or "", call.custom.input or "", "custom")
    if call.function is None:
        raise ProtocolError(f"`{where}.function` is missing")
    return ToolCallPart(id_, call.function.name or "", arguments_text(call.function.arguments))


def _result(message: ChatMessage, where: str) -> ToolResultPart:
    content: list[ResultContent] = []
    for part in _content(message, where):
        match part:
            case TextPart() | ImagePart() | DocumentPart():
                content.append(part)
            case _:
                raise ProtocolError(f"`{where}.content` holds a part that no tool result has")
    call_id = "" if message.tool_call_id is None else str(message.tool_call_id)
    return ToolResultPart(call_id, tuple(content))


def _content(message: ChatMessage, where: str) -> Iterator[Part]:
    content = message.content
    if isinstance(content, str):
        if content:
            yield TextPart(content)
        return
    for place, part in enumerate(content or ()):
        yield from _part(part, f"{where}.content[{place}]")


def _part(part: ContentPart, where: str) -> Iterator[Part]:
    hint = _is_given(part.cache_control)
    match part.type:
        case "text" | "input_text" | "output_text":
            if part.text:
                yield TextPart(part.text, hint)
        case "refusal":
            if part.refusal:
                yield RefusalPart(part.refusal)
        case "image_url":
            yield _image(part, where, hint=hint)
        case "file":
            yield _file(part, where, hint=hint)
        case _:
            raise ProtocolError(f"`{where}.type` is `{part.type}`, which no upstream of ours can take")


def _image(part: ContentPart, where: str, *, hint: bool) -> ImagePart:
    if part.image_url is None:
        raise ProtocolError(f"`{where}.image_url` is missing")
    url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
    data_url = split_data_url(url)
    if data_url is None:
        return ImagePart(url=url, cache_hint=hint)
    media_type, data = data_url
    return ImagePart(media_type, data, cache_hint=hint)


def _file(part: ContentPart, where: str, *, hint: bool) -> DocumentPart:
    if part.file is None:
        raise ProtocolError(f"`{where}.file` is missing")
    title = part.file.filename or part.file.file_id or ""
    data_url = split_data_url(part.file.file_data or "")
    if data_url is None:
        return DocumentPart(data=part.file.file_data or "", title=title, cache_hint=hint)
    media_type, data = data_url
    return DocumentPart(media_type, data, title=title, cache_hint=hint)


def _tool(raw: msgspec.Raw, place: int) -> Tool:
    tool = decode_json(bytes(raw), _tools)
    where = f"tools[{place}]"
    match tool.type:
        case "function":
            if tool.function is None:
                raise ProtocolError(f"`{where}.function` is missing")
            function = tool.function
            return FunctionTool(
                function.name,
                function.description or "",
                function.parameters if _is_given(function.parameters) else NO_PARAMETERS,
                strict=function.strict,
                cache_hint=_is_given(tool.cache_control),
            )
        case "custom":
            if tool.custom is None:
                raise ProtocolError(f"`{where}.custom` is missing")
            return CustomTool(tool.custom.name, tool.custom.description or "", tool.custom.format)
        case _:
            return HostedTool(tool.type, raw)


def _is_given(raw: msgspec.Raw) -> bool:
    """Whether the client wrote the field with something in it."""
    return bytes(raw) not in (b"", b"null")


_MODES: dict[str, Literal["auto", "none", "required"]] = {
    "auto": "auto",
    "none": "none",
    "required": "required",
    "any": "required",  # Mistral's word
}


def _tool_choice(choice: str | ChosenTool | None) -> ToolChoice | None:
    match choice:
        case None:
            return None
        case str():
            return _mode(choice)
        case ChosenTool(allowed_tools=allowed) if allowed is not None:
            return _mode(allowed.mode)
        case ChosenTool():
            named = choice.function or choice.custom
            if named is None:
                raise ProtocolError(f"`tool_choice` of type `{choice.type}` names no tool")
            return ToolChoice("named", named.name)
        case _:
            assert_never(choice)


def _mode(word: str) -> ToolChoice:
    if word not in _MODES:
        raise ProtocolError(f"`tool_choice` is `{word}`, not one of auto, none, required")
    return ToolChoice(_MODES[word])


def _reasoning(wire: RequestBody) -> Reasoning | None:
    """`reasoning_effort`, or OpenRouter's object; the effort `none` turns reasoning off."""
    if wire.reasoning_effort:
        return Reasoning(enabled=False) if wire.reasoning_effort == "none" else Reasoning(effort=wire.reasoning_effort)
    if wire.reasoning is None:
        return None
    return Reasoning(wire.reasoning.enabled, wire.reasoning.effort or "", wire.reasoning.max_tokens)


def _json_format(response_format: ResponseFormat | None) -> JsonFormat | None:
    if response_format is None or response_format.type == "text":
        return None
    if response_format.type == "json_object":
        return JsonFormat()
    schema = response_format.json_schema
    if response_format.type != "json_schema" or schema is None:
        raise ProtocolError(
            f"`response_format.type` is `{response_format.type}`, not one of text, json_object, json_schema"
        )
    return JsonFormat(schema.schema, schema.name, schema.strict)
