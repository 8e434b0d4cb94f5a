"""The OpenAI Chat Completions wire: what every upstream speaks, and what OpenCode and most other clients speak."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.base import AnswerContext, Reply
from agentlaunch.core.wire.openai_chat import faults
from agentlaunch.core.wire.openai_chat.decode_events import ChatDecoder, decode_answer
from agentlaunch.core.wire.openai_chat.decode_request import decode_request
from agentlaunch.core.wire.openai_chat.encode_events import ChatEncoder, encode_answer
from agentlaunch.core.wire.openai_chat.encode_request import encode_request
from agentlaunch.core.wire.upstream_faults import decode_fault

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """The wire (`agentlaunch.core.wire.base.Wire`); docs/wire/openai_chat.md lists what becomes of every field."""

    name = "openai_chat"
    path = "/v1/chat/completions"

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body to the representation. Raises ProtocolError naming the field."""
        return decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """The representation to an upstream's body. Raises ProtocolError for a tool that is no function."""
        return encode_request(request)

    def event_decoder(self) -> ChatDecoder:
        """A decoder for one upstream response."""
        return ChatDecoder()

    def event_encoder(self, context: AnswerContext) -> ChatEncoder:
        """An encoder for one answer to a client."""
        return ChatEncoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The body of an answer that is not streamed."""
        return encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is not streamed. Raises ProtocolError."""
        return decode_answer(body)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """A failure before the first byte, in OpenAI's form."""
        return faults.encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer. Total."""
        return decode_fault(status, headers, body)
