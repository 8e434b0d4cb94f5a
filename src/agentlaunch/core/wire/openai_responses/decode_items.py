"""What each input item is decoded to: who speaks, and the parts."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TypeAlias, assert_never

import msgspec

from agentlaunch.core.ir import (
    DocumentPart,
    ImagePart,
    Part,
    RefusalPart,
    ResultContent,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.openai_responses import types
from agentlaunch.core.wire.openai_responses.decode_content import content_parts, content_text
from agentlaunch.core.wire.openai_responses.other_item_types import OtherCallItem, OtherOutputItem
from agentlaunch.core.wire.openai_responses.other_items import Piece, other_item, other_piece
from agentlaunch.core.wire.openai_responses.sealed_reasoning import unseal

_HEAD = msgspec.json.Decoder(types.Head)

_DECODERS: dict[str, msgspec.json.Decoder[types.Item]] = {
    name: msgspec.json.Decoder(struct)
    for name, struct in {
        "message": types.MessageItem,
        "function_call": types.FunctionCallItem,
        "function_call_output": types.OutputItem,
        "custom_tool_call": types.CustomCallItem,
        "custom_tool_call_output": types.CustomOutputItem,
        "local_shell_call": types.ShellCallItem,
        "local_shell_call_output": types.OutputItem,
        "reasoning": types.ReasoningItem,
        "additional_tools": types.ToolsItem,
        "tool_search_output": types.ToolsItem,
    }.items()
}
_LOOSE: msgspec.json.Decoder[types.LooseItem] = msgspec.json.Decoder(types.LooseItem)

_DROPPED = frozenset(
    {
        "item_reference",
        "web_search_call",
        "file_search_call",
        "computer_call",
        "computer_call_output",
        "image_generation_call",
        "code_interpreter_call",
        "tool_search_call",
        "mcp_list_tools",
        "mcp_approval_request",
        "mcp_approval_response",
        "mcp_call",
        "compaction_trigger",
        "ghost_snapshot",
    }
)
"""Nothing in them is for a model to read, or a server that we are not has run them."""

_MAY_BE_EMPTY = frozenset(
    {"compaction", "compaction_summary", "context_compaction", "agent_message", "agent_reasoning"}
)
"""Known types whose text may be encrypted by the vendor: then nothing is left of them."""

_ROLES = {
    "user": Role.USER,
    "assistant": Role.ASSISTANT,
    "system": Role.SYSTEM,
    "developer": Role.SYSTEM,
}

Item: TypeAlias = types.Item | OtherCallItem | OtherOutputItem


def decode_item(raw: msgspec.Raw, index: int) -> Item:
    """The item at `index` of `input`. Raises ProtocolError naming the item and the field."""
    body = bytes(raw)
    try:
        kind = decode_json(body, _HEAD).type
        if kind in _DROPPED:
            return types.DroppedItem()
        decoder = _DECODERS.get(kind)
        return decode_json(body, decoder) if decoder else other_item(body, kind) or _loose(body, kind)
    except ProtocolError as error:
        raise ProtocolError(f"input[{index}]: {error}") from error


def _loose(body: bytes, kind: str) -> types.Item:
    """An item of any other type as its text. A word stands for one that has none: Codex has new types in each few
    versions, and sends them again in every later request."""
    try:
        item = decode_json(body, _LOOSE)
    except ProtocolError:
        item = types.LooseItem()
    if text := _loose_text(item):
        return types.ReasoningItem(content=[types.TextPiece(text)]) if kind == "agent_reasoning" else item
    return types.DroppedItem() if kind in _MAY_BE_EMPTY else types.LooseItem(f"[item of type `{kind}` left out]")


def _loose_text(item: types.LooseItem) -> str:
    return item.text or content_text(item.content) or content_text(item.summary) or content_text(item.output)


def pieces(item: Item, index: int) -> Iterator[Piece]:
    """Who says what in `item`. Raises ProtocolError naming the item and the field."""
    if isinstance(item, OtherCallItem | OtherOutputItem):
        yield other_piece(item)
        return
    try:
        yield from _pieces(item)
    except ProtocolError as error:
        raise ProtocolError(f"input[{index}]: {error}") from error


def _pieces(item: types.Item) -> Iterator[Piece]:
    match item:
        case types.MessageItem():
            yield _message(item)
        case types.FunctionCallItem():
            call_id = _call_id(item.call_id or item.id)
            yield (
                Role.ASSISTANT,
                (_call(ToolCallPart(call_id, item.name, item.arguments), item.namespace, item.id),),
            )
        case types.CustomCallItem():
            call_id = _call_id(item.call_id or item.id)
            call = ToolCallPart(call_id, item.name, item.input, "custom")
            yield Role.ASSISTANT, (_call(call, item.namespace, item.id),)
        case types.ShellCallItem():
            call_id = _call_id(item.call_id or item.id)
            arguments = msgspec.json.encode({"command": shlex.join(item.action.command)}).decode()
            yield Role.ASSISTANT, (ToolCallPart(call_id, "local_shell", arguments, item_id=item.id or ""),)
        case types.CustomOutputItem():
            yield Role.TOOL, (ToolResultPart(_call_id(item.call_id or item.id), _output(item), kind="custom"),)
        case types.OutputItem():
            yield Role.TOOL, (_result(item),)
        case types.ReasoningItem():
            yield Role.ASSISTANT, _thinking(item)
        case types.LooseItem():
            yield Role.USER, (TextPart(_loose_text(item)),)
        case types.ToolsItem() | types.DroppedItem():
            return
        case _:
            assert_never(item)


def _message(item: types.MessageItem) -> Piece:
    role = _ROLES.get(item.role)
    if role is None:
        raise ProtocolError(f"unknown role `{item.role}` - at `$.role`")
    parts: tuple[Part, ...] = tuple(content_parts(item.content))
    if role is Role.USER and not parts:
        return role, (TextPart(""),)
    return role, parts


def _call(call: ToolCallPart, namespace: str | None, item_id: str | None) -> ToolCallPart:
    if not namespace and not item_id:
        return call
    return msgspec.structs.replace(call, namespace=namespace or "", item_id=item_id or "")


def _call_id(call_id: str | None) -> str:
    if not call_id:
        raise ProtocolError("empty or missing - at `$.call_id`")
    return call_id


def _result(item: types.OutputItem) -> ToolResultPart:
    failed = isinstance(item.output, types.OutputObject) and item.output.success is False
    return ToolResultPart(_call_id(item.call_id or item.id), _output(item), is_error=failed)


def _output(item: types.OutputItem) -> tuple[ResultContent, ...]:
    output = item.output.content if isinstance(item.output, types.OutputObject) else item.output
    return tuple(_readable(part) for part in content_parts(output, is_result=True))


def _readable(part: TextPart | ImagePart | DocumentPart | RefusalPart) -> ResultContent:
    return TextPart(part.text) if isinstance(part, RefusalPart) else part


def _thinking(item: types.ReasoningItem) -> tuple[Part, ...]:
    sealed = unseal(item.encrypted_content or "")
    told = "".join(piece.text for piece in item.content or ()) or "\n\n".join(p.text for p in item.summary or ())
    if sealed is None:
        part = ThinkingPart(told, encrypted=item.encrypted_content or "", id=item.id or "")
    else:
        part = ThinkingPart(sealed.text or told, sealed.signature, sealed.encrypted, item.id or "")
    return (part,) if part.text or part.signature or part.encrypted else ()
