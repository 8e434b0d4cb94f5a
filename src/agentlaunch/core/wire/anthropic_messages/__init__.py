"""The Anthropic Messages wire, in both directions: what Claude Code speaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, assert_never
from urllib.parse import urlsplit

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.anthropic_messages.decode_events import MessagesEventDecoder, decode_answer
from agentlaunch.core.wire.anthropic_messages.decode_request import decode_count_request, decode_request
from agentlaunch.core.wire.anthropic_messages.encode_answer import encode_answer, encode_count
from agentlaunch.core.wire.anthropic_messages.encode_events import MessagesEventEncoder
from agentlaunch.core.wire.anthropic_messages.encode_request import DEFAULT_MAX_TOKENS, encode_request
from agentlaunch.core.wire.anthropic_messages.faults import encode_fault
from agentlaunch.core.wire.anthropic_messages.notices import told_by_the_user
from agentlaunch.core.wire.anthropic_messages.vendor_limits import within_limits
from agentlaunch.core.wire.base import AnswerContext, EventDecoder, EventEncoder, Reply
from agentlaunch.core.wire.upstream_faults import decode_fault

__all__ = ["AnthropicMessages", "decode_count_request", "encode_count"]

Server: TypeAlias = Literal["any", "vendor", "look_alike"]


class AnthropicMessages:
    """`POST /v1/messages`; a `base.Wire`.

    `for_call` gives the wire of one request. The vendor's own server has limits that others have not; LM Studio's and
    other look-alikes refuse messages of role `system` in mid-conversation (report B075), and are told by the user.
    """

    name = "anthropic_messages"
    path = "/v1/messages"

    def __init__(self, server: Server = "any") -> None:
        self._server = server

    def for_call(self, endpoint: Endpoint, request: ChatRequest) -> AnthropicMessages:  # noqa: ARG002 - CallWire's
        """The wire as `endpoint`'s server takes it."""
        return AnthropicMessages("vendor" if _is_the_vendors(endpoint.base_url) else "look_alike")

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body. Raises ProtocolError naming the field."""
        return decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """An upstream's body."""
        match self._server:
            case "any":
                return encode_request(request)
            case "vendor":
                return encode_request(within_limits(request, DEFAULT_MAX_TOKENS))
            case "look_alike":
                return encode_request(told_by_the_user(request))
            case _:
                assert_never(self._server)

    def event_decoder(self) -> EventDecoder:
        """A decoder for one upstream response."""
        return MessagesEventDecoder()

    def event_encoder(self, context: AnswerContext) -> EventEncoder:
        """An encoder for one answer to a client."""
        return MessagesEventEncoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The body of an answer that is not streamed."""
        return encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is not streamed. Raises ProtocolError."""
        return decode_answer(body)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """The reply for a failure before the first byte."""
        return encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer."""
        return decode_fault(status, headers, body)


def _is_the_vendors(url: str) -> bool:
    """Whether `url` is Anthropic's own API."""
    return f".{urlsplit(url).hostname or ''}".endswith(".anthropic.com")
