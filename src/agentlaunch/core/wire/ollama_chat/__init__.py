"""Ollama's own chat wire, `/api/chat`: its `/v1` ignores the window and `think` (report B168), this one does not."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.base import AnswerContext, Framing, Reply
from agentlaunch.core.wire.ollama_chat import faults
from agentlaunch.core.wire.ollama_chat.decode_events import OllamaDecoder, decode_answer
from agentlaunch.core.wire.ollama_chat.decode_request import decode_request
from agentlaunch.core.wire.ollama_chat.encode_events import OllamaEncoder, encode_answer
from agentlaunch.core.wire.ollama_chat.encode_request import ChatOptions, encode_request
from agentlaunch.core.wire.ollama_chat.truncation import Expectation, estimate_prompt

__all__ = ["KEEP_ALIVE", "ChatOptions", "OllamaChat"]

KEEP_ALIVE = "30m"
"""How long the model stays loaded after a request: a developer reads and types between turns, and Ollama's own five
minutes would cost the weights and the cached prompt at every pause."""


class OllamaChat:
    """The wire (`agentlaunch.core.wire.base.Wire`); docs/wire/ollama_chat.md lists what becomes of every field.

    Without `options` it sends neither window nor keep-alive; `for_call` gives the wire of one request.
    """

    name = "ollama_chat"
    path = "/api/chat"
    framing: Framing = "ndjson"

    def __init__(
        self, options: ChatOptions | None = None, expectation: Expectation | None = None, stop: tuple[str, ...] = ()
    ) -> None:
        self._options = options or ChatOptions()
        self._expectation = expectation
        self._stop = stop

    def for_call(self, endpoint: Endpoint, request: ChatRequest) -> OllamaChat:
        """The wire with the endpoint's window in tokens, the same at every call, and what the prompt should count."""
        window = endpoint.context_window
        expectation = None
        if window is not None:
            expectation = Expectation(estimate_prompt(request), window, endpoint.overflow)
        return OllamaChat(ChatOptions(window, KEEP_ALIVE, endpoint.thinking), expectation, request.stop)

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body to the representation. Raises ProtocolError naming the field."""
        return decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """The representation to an upstream's body. Raises ProtocolError for a tool that is no function."""
        return encode_request(request, self._options)

    def event_decoder(self) -> OllamaDecoder:
        """A decoder for one upstream response."""
        return OllamaDecoder(self._expectation, self._stop)

    def event_encoder(self, context: AnswerContext) -> OllamaEncoder:
        """An encoder for one answer to a client."""
        return OllamaEncoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The body of an answer that is not streamed."""
        return encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is not streamed. Raises ProtocolError."""
        return decode_answer(body, self._stop)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """A failure before the first byte, in Ollama's form."""
        return faults.encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer. Total."""
        return faults.decode_fault(status, headers, body)
