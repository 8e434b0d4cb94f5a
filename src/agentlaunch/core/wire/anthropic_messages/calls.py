"""A call's arguments between the JSON object of the wire and the text of the representation."""

from __future__ import annotations

import msgspec

from agentlaunch.core.wire.anthropic_messages.types import EMPTY_OBJECT, UnparsedCall, UnparsedInput
from agentlaunch.core.wire.json_text import mended_arguments

_UNPARSED = msgspec.json.Decoder(UnparsedCall)
_TEXT = msgspec.json.Decoder(str)
_RAW = msgspec.json.Decoder(msgspec.Raw)

FREE_TEXT_SCHEMA = msgspec.Raw(b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}')
"""The schema under which a tool called with free text is shown to an upstream that knows only JSON arguments."""


def arguments_of(block_input: msgspec.Raw) -> str:
    """The arguments as text: as the client wrote them, or the model's own text where that was not JSON.

    Claude Code keeps such text as `{"__unparsedToolInput": {"raw", "len"}}` (facts/agents.md 5). Others put the
    arguments into a string, or null for none.
    """
    raw = bytes(block_input)
    if raw.startswith(b'"'):
        return _TEXT.decode(raw) or "{}"
    if raw == b"null":
        return "{}"
    if b"__unparsedToolInput" in raw:
        try:
            return _UNPARSED.decode(raw).unparsed.raw
        except msgspec.DecodeError:  # a call about that very word
            pass
    return raw.decode()


def input_of(arguments: str) -> msgspec.Raw:
    """The `input` object for `arguments`; text that is no JSON object goes the way Claude Code sends it."""
    if not arguments.strip():
        return EMPTY_OBJECT
    if arguments.lstrip()[0] == "{":
        try:
            return _RAW.decode(mended_arguments(arguments))
        except (msgspec.DecodeError, RecursionError):
            pass
    length = len(arguments.encode("utf-16-le")) // 2  # JavaScript's `length`
    return msgspec.Raw(msgspec.json.encode(UnparsedCall(UnparsedInput(arguments, length))))


def free_text_input(text: str) -> msgspec.Raw:
    """The `input` object for a tool called with free text."""
    return msgspec.Raw(msgspec.json.encode({"input": text}))


def wire_name(name: str, namespace: str) -> str:
    """One name for a tool in a group of tools: the wire has no groups."""
    return f"{namespace}__{name}" if namespace else name
