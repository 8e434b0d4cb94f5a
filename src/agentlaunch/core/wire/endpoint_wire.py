"""A wire as one endpoint wants it: fields of the user's own in every body, and no images for a model without eyes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec

from agentlaunch.core.filters.images import without_images
from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.base import AnswerContext, EventDecoder, EventEncoder, Framing, ProtocolError, Reply, Wire

OURS = frozenset({"model", "messages", "input", "system", "instructions", "tools", "stream"})
"""What makes a request the session's: fields of the user's never take their place."""

_objects = msgspec.json.Decoder(dict[str, msgspec.Raw])


class EndpointWire:
    """`wire`, its requests changed and everything else as it is.

    `body_fields` is the text of a JSON object, empty for none (`core.endpoint.Endpoint`).
    """

    def __init__(self, wire: Wire, body_fields: str, framing: Framing, *, takes_images: bool) -> None:
        self.name = wire.name
        self.path = wire.path
        self.framing = framing
        self._wire = wire
        self._body_fields = body_fields
        self._takes_images = takes_images

    def decode_request(self, body: bytes) -> ChatRequest:
        """As the wire does."""
        return self._wire.decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """The wire's body and the user's fields. Raises ProtocolError, also for fields that are no JSON object."""
        body = self._wire.encode_request(request if self._takes_images else without_images(request))
        return with_fields(body, self._body_fields) if self._body_fields else body

    def event_decoder(self) -> EventDecoder:
        """As the wire does."""
        return self._wire.event_decoder()

    def event_encoder(self, context: AnswerContext) -> EventEncoder:
        """As the wire does."""
        return self._wire.event_encoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """As the wire does."""
        return self._wire.encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """As the wire does."""
        return self._wire.decode_answer(body)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """As the wire does."""
        return self._wire.encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """As the wire does."""
        return self._wire.decode_fault(status, headers, body)


def with_fields(body: bytes, fields: str) -> bytes:
    """A body with the fields of the JSON object `fields` in it, theirs before the request's, `OURS` left alone.

    The order of the body's own fields stays, new ones come behind. Raises ProtocolError for what is no JSON object.
    """
    own = _objects.decode(body)
    return msgspec.json.encode({**own, **{key: raw for key, raw in _parsed(fields).items() if key not in OURS}})


@lru_cache(maxsize=16)
def _parsed(fields: str) -> dict[str, msgspec.Raw]:
    try:
        return _objects.decode(fields)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ProtocolError(f"the upstream's `body_fields` are not a JSON object: {error}") from error
