"""Passthrough: the client's own bytes, or at least its headers, for its vendor, where both speak one wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.schema_for_engine import takes_every_schema
from agentlaunch.core.ir import ChatRequest, Role, TextPart, ThinkingPart

FORWARDED_HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")
"""What tells a vendor how to read the body: fields of a beta are refused without its header (Anthropic API reference,
"Beta headers"), and a beta may be all that makes a long window or a way of thinking."""

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


@dataclass(frozen=True)
class Original:
    """A client's request as it came: the name of its wire, the body, and those of FORWARDED_HEADERS that it had."""

    wire: str
    body: bytes = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


def verbatim_body(original: Original, request: ChatRequest, endpoint: Endpoint) -> bytes | None:
    """The client's own body with the endpoint's model; None where it has to be written anew.

    Only vendors' services get it, since everything else needs mending, and only while nothing in `request` is another
    model's: a vendor refuses reasoning that it has not signed. Of a blank conversation the wire tells what is wrong.
    """
    is_changed = endpoint.body_fields or endpoint.takes_images is False or _is_blank(request)
    if not _is_vendors(original, endpoint) or is_changed or not request.stream or _has_foreign_reasoning(request):
        return None
    try:
        fields = _fields.decode(original.body)
    except msgspec.MsgspecError:  # read with repairs (core.wire.json_text): the vendor would refuse it
        return None
    return msgspec.json.encode({**fields, "model": endpoint.model})


def vendor_headers(original: Original, endpoint: Endpoint) -> Mapping[str, str]:
    """The client's own word on how its vendor is to read what it asks, also where we have written the body anew.

    Nothing of ours contradicts it: a body of ours has no field that the client's had not.
    """
    return original.headers if _is_vendors(original, endpoint) else {}


def _is_vendors(original: Original, endpoint: Endpoint) -> bool:
    return original.wire == endpoint.wire and takes_every_schema(endpoint)


def _is_blank(request: ChatRequest) -> bool:
    parts = (part for message in request.messages if message.role is not Role.SYSTEM for part in message.parts)
    return all(isinstance(part, TextPart) and not part.text.strip() for part in parts)


def _has_foreign_reasoning(request: ChatRequest) -> bool:
    return any(
        isinstance(part, ThinkingPart) and not (part.signature or part.encrypted)
        for message in request.messages
        for part in message.parts
    )
