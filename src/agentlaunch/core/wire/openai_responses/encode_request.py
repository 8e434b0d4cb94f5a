"""The representation to a Responses request, for an upstream that speaks this wire."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from msgspec import UNSET, Raw, UnsetType

from agentlaunch.core import ir
from agentlaunch.core.filters.history import now_available, paired
from agentlaunch.core.filters.plain_text import text_of
from agentlaunch.core.media import data_url, is_readable, vendors_type
from agentlaunch.core.wire.call_ids import RESPONSES_ID_LENGTH, short_id
from agentlaunch.core.wire.json_text import mended_arguments, unset_if_none
from agentlaunch.core.wire.openai_responses import types
from agentlaunch.core.wire.openai_responses.sealed_reasoning import seal
from agentlaunch.core.wire.schema_names import schema_name

_ENCRYPTED = ("reasoning.encrypted_content",)


def encode_request(request: ir.ChatRequest) -> bytes:
    """The body for an upstream. docs/wire/openai_responses.md lists what this wire has no room for."""
    thinks = request.reasoning is not None or any(_is_encrypted(part) for m in request.messages for part in m.parts)
    body = types.WrittenBody(
        model=request.model,
        input=[item for message in paired(request.messages) for item in _items(message)],
        store=False,
        stream=request.stream,
        tools=list(_tools(request.tools)) or UNSET,
        tool_choice=_choice(request),
        parallel_tool_calls=unset_if_none(request.parallel_tool_calls),
        reasoning=_reasoning(request.reasoning),
        include=_ENCRYPTED if thinks else UNSET,
        text=_text(request.json_format),
        max_output_tokens=unset_if_none(request.max_output_tokens),
        temperature=unset_if_none(request.sampling.temperature),
        top_p=unset_if_none(request.sampling.top_p),
        prompt_cache_key=request.cache_key or UNSET,
    )
    return types.encode(body)


def _is_encrypted(part: ir.Part) -> bool:
    return isinstance(part, ir.ThinkingPart) and bool(part.encrypted)


def _items(message: ir.Message) -> Iterator[types.InputItemOut]:
    """The items of one message; its content parts are one item up to the next call or reasoning."""
    role = "developer" if message.role is ir.Role.SYSTEM else str(message.role)
    content: list[types.WrittenInput | types.WrittenOutput] = []
    for part in message.parts:
        if isinstance(part, ir.ThinkingPart | ir.ToolCallPart | ir.ToolResultPart):
            if content:
                yield types.Message(role, tuple(content))
                content = []
            yield _item(part)
        else:
            content.append(_content(part, message.role))
    if content:
        yield types.Message(role, tuple(content))


def _content(
    part: ir.TextPart | ir.ImagePart | ir.DocumentPart | ir.RefusalPart, role: ir.Role
) -> types.WrittenInput | types.WrittenOutput:
    match part:
        case ir.TextPart():
            return types.OutputText(part.text) if role is ir.Role.ASSISTANT else types.InputText(part.text)
        case ir.RefusalPart():
            return types.Refusal(part.text)
        case ir.ImagePart():
            return _image(part)
        case ir.DocumentPart():
            return _document(part)
        case _:
            assert_never(part)


def _image(part: ir.ImagePart) -> types.WrittenInput:
    """The image, or a note for one of a type that fails this request and every later one (report B105)."""
    if not part.url and not is_readable(part.media_type):
        return types.InputText(text_of(part))
    return types.InputImage(part.url or data_url(vendors_type(part.media_type), part.data))


def _document(part: ir.DocumentPart) -> types.WrittenInput:
    """A document of plain text goes as text: the wire takes files as base64 only, and `core` reads no files."""
    if part.text:
        return types.InputText(f"{part.title}\n\n{part.text}" if part.title else part.text)
    if part.url:
        return types.InputFile(part.title, file_url=part.url)
    return types.InputFile(part.title, data_url(part.media_type, part.data))


def _item(part: ir.ThinkingPart | ir.ToolCallPart | ir.ToolResultPart) -> types.InputItemOut:
    match part:
        case ir.ThinkingPart():
            return _thinking(part)
        case ir.ToolCallPart(kind="custom"):
            return types.CustomToolCall(_call_id(part.id), part.name, part.arguments, part.namespace, part.item_id)
        case ir.ToolCallPart():
            return types.FunctionCall(
                _call_id(part.id), part.name, mended_arguments(part.arguments), part.namespace, part.item_id
            )
        case ir.ToolResultPart(kind="custom"):
            return types.CustomToolCallOutput(_call_id(part.call_id), _output(part))
        case ir.ToolResultPart():
            return types.FunctionCallOutput(_call_id(part.call_id), _output(part))
        case _:
            assert_never(part)


def _call_id(call_id: str) -> str:
    return short_id(call_id, RESPONSES_ID_LENGTH)


def _thinking(part: ir.ThinkingPart) -> types.Reasoning:
    """Encrypted reasoning with its summary; plain reasoning as content, which is what open servers read back."""
    item_id = part.id or UNSET
    if part.encrypted or part.signature:
        told = (types.SummaryText(part.text),) if part.text else ()
        return types.Reasoning(item_id, told, encrypted_content=seal(part.text, part.signature, part.encrypted))
    return types.Reasoning(item_id, (), (types.ReasoningText(part.text),))


def _output(part: ir.ToolResultPart) -> str | tuple[types.WrittenInput, ...]:
    """One text as a string, anything else as content. An error is said in words: the wire has no flag for it."""
    marked = (ir.TextPart("Error:"), *part.content) if part.is_error else part.content
    content = tuple(_result_content(piece) for piece in marked)
    match content:
        case ():
            return ""
        case (types.InputText(text=text),):
            return text
        case _:
            return content


def _result_content(part: ir.ResultContent) -> types.WrittenInput:
    match part:
        case ir.TextPart():
            return types.InputText(part.text)
        case ir.ImagePart():
            return _image(part)
        case ir.DocumentPart():
            return _document(part)
        case ir.ToolReferencePart():
            return types.InputText(now_available(part))
        case _:
            assert_never(part)


def _tools(tools: Iterable[ir.Tool]) -> Iterator[types.WrittenTool]:
    """The tools in order; those of one namespace together, where its first one stands."""
    groups: dict[str, types.WrittenNamespace] = {}
    for tool in tools:
        if isinstance(tool, ir.HostedTool):
            yield tool.definition
        elif not tool.namespace:
            yield _tool(tool)
        elif tool.namespace in groups:
            groups[tool.namespace].tools.append(_tool(tool))
        else:
            members = [_tool(tool)]
            groups[tool.namespace] = types.WrittenNamespace(tool.namespace, tool.namespace, members)
            yield groups[tool.namespace]


def _tool(tool: ir.FunctionTool | ir.CustomTool) -> types.WrittenFunction | types.WrittenCustom:
    match tool:
        case ir.FunctionTool():
            return types.WrittenFunction(tool.name, tool.description, tool.parameters, bool(tool.strict))
        case ir.CustomTool():
            form = tool.format if bytes(tool.format) != b"null" else UNSET
            return types.WrittenCustom(tool.name, tool.description, form)
        case _:
            assert_never(tool)


def _choice(request: ir.ChatRequest) -> str | types.WrittenChoice | UnsetType:
    choice = request.tool_choice
    if choice is None:
        return UNSET
    if choice.mode != "named":
        return choice.mode
    for tool in request.tools:
        match tool:
            case ir.HostedTool(type=choice.name):
                return types.WrittenChoice(tool.type)
            case ir.CustomTool(name=choice.name):
                return types.WrittenChoice("custom", tool.name)
            case _:
                continue
    return types.WrittenChoice("function", choice.name)


def _reasoning(reasoning: ir.Reasoning | None) -> types.ReasoningOptions | UnsetType:
    """Effort as a word. A budget in tokens has no counterpart; `enabled` False is the effort `none`."""
    if reasoning is None:
        return UNSET
    effort = "none" if reasoning.enabled is False else reasoning.effort or None
    return types.ReasoningOptions(effort, "auto")


def _text(form: ir.JsonFormat | None) -> types.WrittenText | UnsetType:
    if form is None:
        return UNSET
    if not bytes(form.schema):
        return types.WrittenText(types.WrittenFormat("json_object"))
    schema = Raw(bytes(form.schema))
    return types.WrittenText(
        types.WrittenFormat("json_schema", schema_name(form.name), schema, unset_if_none(form.strict))
    )
