"""A call's arguments as text: what servers and clients send in their place, and what a template can parse."""

from __future__ import annotations

import msgspec

from agentlaunch.core.wire.base import decode_json
from agentlaunch.core.wire.json_text import mended_arguments

_strings = msgspec.json.Decoder(str)
_json_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])

RAW_ARGUMENTS = "raw_arguments"
"""The one key of the object that stands for arguments which are no JSON object."""


def is_json_object(text: str) -> bool:
    """Whether `text` is one whole JSON object."""
    try:
        _json_objects.decode(text)
    except (ValueError, RecursionError):
        return False
    return True


def arguments_text(raw: msgspec.Raw) -> str:
    """The text of `arguments`: a string's content, an object's own JSON (Ollama, report B007), empty for null.

    Raises ProtocolError.
    """
    data = bytes(raw)
    if not data or data == b"null":
        return ""
    if not data.startswith(b'"'):
        return data.decode("utf-8", "replace")
    return decode_json(data, _strings)


def as_json_object(arguments: str) -> str:
    """Arguments of an earlier turn as a JSON object, unchanged where they are one.

    llama.cpp's templates parse them and fail the turn otherwise (reports B057, B095). What is none is kept as text.
    """
    if is_json_object(arguments):
        return mended_arguments(arguments)
    if not arguments.strip():
        return "{}"
    return msgspec.json.encode({RAW_ARGUMENTS: arguments}).decode()
