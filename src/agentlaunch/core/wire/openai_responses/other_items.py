"""Calls and results of types that have no struct of their own, as calls and results of functions."""

from __future__ import annotations

from typing import TypeAlias, assert_never

import msgspec

from agentlaunch.core.ir import Part, Role, TextPart, ToolCallPart, ToolResultPart
from agentlaunch.core.wire.base import ProtocolError, decode_json
from agentlaunch.core.wire.openai_responses.other_item_types import OtherCallItem, OtherOutputItem

Piece: TypeAlias = tuple[Role, tuple[Part, ...]]
"""Who says what."""

_CALL = msgspec.json.Decoder(OtherCallItem)
_OUTPUT = msgspec.json.Decoder(OtherOutputItem)
_ANYTHING = msgspec.json.Decoder(object)
_NOTHING = (b"", b"null")


def other_item(body: bytes, kind: str) -> OtherCallItem | OtherOutputItem | None:
    """A call (`NAME_call`) or the result of one (`NAME_call_output`); None for anything else, and without an id."""
    item: OtherCallItem | OtherOutputItem
    try:
        if kind.endswith("_call"):
            item = decode_json(body, _CALL)
        elif kind.endswith("_call_output"):
            item = decode_json(body, _OUTPUT)
        else:
            return None
    except ProtocolError:
        return None
    return item if item.call_id or item.id else None


def other_piece(item: OtherCallItem | OtherOutputItem) -> Piece:
    """The call of a function that is named as the type is, or its result."""
    call_id = item.call_id or item.id or ""
    match item:
        case OtherCallItem():
            given = (item.arguments, item.input, item.action, item.operation, item.code)
            arguments = next((_arguments(raw) for raw in given if bytes(raw) not in _NOTHING), "{}")
            call = ToolCallPart(call_id, item.name or item.type.removesuffix("_call"), arguments)
            return Role.ASSISTANT, (call,)
        case OtherOutputItem():
            text = _text(item.output) or _text(item.result) or item.status or ""
            return Role.TOOL, (ToolResultPart(call_id, (TextPart(text),) if text else ()),)
        case _:
            assert_never(item)


def _arguments(raw: msgspec.Raw) -> str:
    """The arguments as an object: a bare text becomes the one `input` of it."""
    text = _text(raw)
    return text if text.startswith("{") else msgspec.json.encode({"input": text}).decode()


def _text(raw: msgspec.Raw) -> str:
    """A text as it is, anything else as its JSON; null is nothing."""
    if bytes(raw) in _NOTHING:
        return ""
    value = _ANYTHING.decode(raw)
    return value if isinstance(value, str) else bytes(raw).decode()
