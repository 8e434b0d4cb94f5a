"""Passthrough: the client's own bytes for its vendor, where both speak one wire and nothing is to be mended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.schema_for_engine import takes_every_schema
from agentlaunch.core.ir import ChatRequest, ThinkingPart

FORWARDED_HEADERS = ("anthropic-beta", "anthropic-version", "openai-beta")
"""What tells a vendor how to read the body: fields of a beta are refused without its header (Anthropic API reference,
"Beta headers")."""

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
    model's: a vendor refuses reasoning that it has not signed.
    """
    is_one_wire = original.wire == endpoint.wire and takes_every_schema(endpoint)
    is_changed = endpoint.body_fields or endpoint.takes_images is False
    if not is_one_wire or is_changed or not request.stream or _has_foreign_reasoning(request):
        return None
    try:
        fields = _fields.decode(original.body)
    except msgspec.MsgspecError:  # read with repairs (core.wire.json_text): the vendor would refuse it
        return None
    return msgspec.json.encode({**fields, "model": endpoint.model})


def _has_foreign_reasoning(request: ChatRequest) -> bool:
    return any(
        isinstance(part, ThinkingPart) and not (part.signature or part.encrypted)
        for message in request.messages
        for part in message.parts
    )
