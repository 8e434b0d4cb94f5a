"""A call's arguments: a JSON object on this wire, text in the representation."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from agentlaunch.core.wire.base import decode_json
from agentlaunch.core.wire.json_text import mended_arguments

RAW_ARGUMENTS = "raw_arguments"
"""The one key of the object that stands for arguments which are no JSON object."""

_strings = msgspec.json.Decoder(str)
_objects = msgspec.json.Decoder(dict[str, Raw])


def arguments_text(raw: Raw) -> str:
    """The text of `arguments` as a server or a client sent them; `{}` for none. Raises ProtocolError."""
    data = bytes(raw)
    if data.startswith(b'"'):
        return decode_json(data, _strings) or "{}"
    return data.decode("utf-8", "replace") if data and data != b"null" else "{}"


def arguments_object(text: str) -> Raw:
    """Arguments as the object that Ollama demands, the bytes unchanged where they are one.

    It answers a string with a 400. What is no object is kept as text in one (reports B057, B095).
    """
    mended = mended_arguments(text)
    try:
        _objects.decode(mended)
    except (ValueError, RecursionError):
        kept = {RAW_ARGUMENTS: mended} if mended.strip() else {}
        return Raw(msgspec.json.encode(kept))
    return Raw(mended.encode())
