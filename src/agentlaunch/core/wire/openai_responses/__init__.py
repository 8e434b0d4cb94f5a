"""The OpenAI Responses wire (`POST /v1/responses`), in both directions; what the Codex CLI speaks."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.base import AnswerContext, EventDecoder, EventEncoder, Reply
from agentlaunch.core.wire.openai_responses import decode_request, encode_answer, encode_request, faults
from agentlaunch.core.wire.openai_responses.decode_events import ResponsesEventDecoder, decode_answer
from agentlaunch.core.wire.openai_responses.encode_events import ResponsesEventEncoder
from agentlaunch.core.wire.upstream_faults import decode_fault


class OpenAIResponses:
    """The Responses API as `base.Wire`. docs/wire/openai_responses.md says what becomes of every field."""

    name = "openai_responses"
    path = "/v1/responses"

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body to the representation. Raises ProtocolError naming the field."""
        return decode_request.decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """The representation to an upstream's body."""
        return encode_request.encode_request(request)

    def event_decoder(self) -> EventDecoder:
        """A decoder for one upstream response."""
        return ResponsesEventDecoder()

    def event_encoder(self, context: AnswerContext) -> EventEncoder:
        """An encoder for one answer to a client."""
        return ResponsesEventEncoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The response object of an answer that is not streamed."""
        return encode_answer.encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is not streamed. Raises ProtocolError."""
        return decode_answer(body)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """A failure before the first byte, in OpenAI's error form."""
        return faults.encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer. Total."""
        return decode_fault(status, headers, body)


__all__ = ["OpenAIResponses"]
