"""Call ids as Mistral's models take them: nine letters and digits, the same for a call and its result."""

from __future__ import annotations

import hashlib
import re
import string

import msgspec

from agentlaunch.core.ir import ChatRequest, Message, Part, ToolCallPart, ToolResultPart

_MISTRAL = re.compile(r"(?:mis|mix|minis|codes|devs|magis|pix|leans|vox)tral", re.IGNORECASE)
"""Names of the models whose templates, and whose vendor's own API, refuse other ids (report B043)."""

_FITS = re.compile(r"[A-Za-z0-9]{9}")
_LETTERS = string.ascii_letters + string.digits


def wants_short_ids(model: str) -> bool:
    """Whether the model's template demands ids of nine letters and digits."""
    return _MISTRAL.search(model) is not None


def with_short_ids(request: ChatRequest) -> ChatRequest:
    """The request with ids that fit. An id that fits stays; any other gives the same one in every request, so that
    the prompt's cached prefix stays good."""
    return msgspec.structs.replace(request, messages=tuple(map(_message, request.messages)))


def _message(message: Message) -> Message:
    return Message(message.role, tuple(map(_part, message.parts)))


def _part(part: Part) -> Part:
    match part:
        case ToolCallPart(id=call_id):
            return msgspec.structs.replace(part, id=short_id(call_id))
        case ToolResultPart(call_id=call_id):
            return msgspec.structs.replace(part, call_id=short_id(call_id))
        case _:
            return part


def short_id(call_id: str) -> str:
    """Nine letters and digits for `call_id`; itself where it is that already."""
    if _FITS.fullmatch(call_id):
        return call_id
    number = int.from_bytes(hashlib.sha256(call_id.encode("utf-8", "replace")).digest())
    letters = []
    for _ in range(9):
        number, place = divmod(number, len(_LETTERS))
        letters.append(_LETTERS[place])
    return "".join(letters)
