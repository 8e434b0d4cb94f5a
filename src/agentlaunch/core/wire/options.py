"""What only some wires have: options that come with the endpoint and the request, and streams that are not SSE."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatRequest
from agentlaunch.core.wire.base import Wire

Framing = Literal["sse", "ndjson"]
"""How a wire's stream is cut into frames: `core.sse` or `core.ndjson`."""


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
    """`wire` with the options of one call, where it has any."""
    return wire.for_call(endpoint, request) if isinstance(wire, CallWire) else wire


def framing_of(wire: Wire) -> Framing:
    """How the wire's streams are framed; server-sent events unless it says otherwise."""
    return wire.framing if isinstance(wire, FramedWire) else "sse"
