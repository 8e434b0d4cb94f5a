"""A Responses request to the representation."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from agentlaunch.core.filters.history import paired
from agentlaunch.core.ir import ChatRequest, JsonFormat, Message, Reasoning, Role, Sampling, TextPart, Tool
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.openai_responses.conversation import joined
from agentlaunch.core.wire.openai_responses.decode_items import Item, decode_item, pieces
from agentlaunch.core.wire.openai_responses.decode_tools import decode_tool_choice, decode_tools, without_doubles
from agentlaunch.core.wire.openai_responses.types import Body, ReasoningOptions, TextOptions, ToolsItem

_BODY = msgspec.json.Decoder(Body)


def decode_request(body: bytes) -> ChatRequest:
    """A client's body to the representation. Raises ProtocolError naming the field."""
    wire = decode_json(body, _BODY)
    if wire.previous_response_id or bytes(wire.conversation) != b"null":
        raise ProtocolError("previous_response_id and conversation need a server that stores: send the whole input")
    if wire.input is None:
        raise ProtocolError("input: missing - send the conversation, or a text")
    items = [] if isinstance(wire.input, str) else [decode_item(raw, index) for index, raw in enumerate(wire.input)]
    tools = tuple(_tools(wire, items))
    return ChatRequest(
        model=wire.model,
        messages=_messages(wire, items),
        tools=without_doubles(tools),
        tool_choice=decode_tool_choice(wire.tool_choice),
        parallel_tool_calls=wire.parallel_tool_calls,
        max_output_tokens=wire.max_tokens if wire.max_output_tokens is None else wire.max_output_tokens,
        sampling=Sampling(temperature=wire.temperature, top_p=wire.top_p),
        reasoning=_reasoning(wire.reasoning),
        json_format=_json_format(wire.text),
        stream=bool(wire.stream),
        user=wire.user or "",
        cache_key=wire.prompt_cache_key or "",
    )


def _tools(wire: Body, items: list[Item]) -> Iterator[Tool]:
    yield from decode_tools(wire.tools or ())
    for item in items:
        if isinstance(item, ToolsItem):
            yield from decode_tools(item.tools or ())


def _messages(wire: Body, items: list[Item]) -> tuple[Message, ...]:
    leading = [Message(Role.SYSTEM, (TextPart(wire.instructions),))] if wire.instructions else []
    if isinstance(wire.input, str):
        return (*leading, Message(Role.USER, (TextPart(wire.input),)))
    spoken = joined(piece for index, item in enumerate(items) for piece in pieces(item, index))
    return (*leading, *paired(spoken))


def _reasoning(options: ReasoningOptions | None) -> Reasoning | None:
    """`summary` alone (what Codex sends by default) leaves the effort to the model."""
    if options is None or not options.effort:
        return None
    return Reasoning(enabled=False) if options.effort == "none" else Reasoning(effort=options.effort)


def _json_format(text: TextOptions | None) -> JsonFormat | None:
    if text is None or text.format is None:
        return None
    match text.format.type:
        case "text":
            return None
        case "json_object":
            return JsonFormat()
        case "json_schema":
            form = text.format.json_schema or text.format
            return JsonFormat(form.schema.copy(), form.name, form.strict)
        case other:
            raise ProtocolError(f"unknown format `{other}` - at `$.text.format.type`")
