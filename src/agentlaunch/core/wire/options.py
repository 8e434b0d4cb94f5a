"""What only some wires have: options that come with the endpoint and the request, and streams that are not SSE."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatRequest
from agentlaunch.core.wire.base import Framing, Wire
from agentlaunch.core.wire.endpoint_wire import EndpointWire


@runtime_checkable
class CallWire(Protocol):
    """A wire whose bodies depend on the endpoint (Ollama's context window stands in every request)."""

    def for_call(self, endpoint: Endpoint, request: ChatRequest) -> Wire:
        """The same wire with the options of this endpoint, for this one request and its answer."""
        ...


@runtime_checkable
class FramedWire(Protocol):
    """A wire that says how its streams are framed."""

    framing: Framing


def wire_for_call(wire: Wire, endpoint: Endpoint, request: ChatRequest) -> Wire:
    """`wire` with the options of one call, where it has any, and as `endpoint` wants its bodies."""
    called = wire.for_call(endpoint, request) if isinstance(wire, CallWire) else wire
    takes_images = endpoint.takes_images is not False
    if takes_images and not endpoint.body_fields:
        return called
    return EndpointWire(called, endpoint.body_fields, framing_of(called), takes_images=takes_images)


def framing_of(wire: Wire) -> Framing:
    """How the wire's streams are framed; server-sent events unless it says otherwise."""
    return wire.framing if isinstance(wire, FramedWire) else "sse"
