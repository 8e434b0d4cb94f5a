"""The OpenAI Chat Completions wire: what every upstream speaks, and what OpenCode and most other clients speak."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.endpoint import Endpoint, OutputLimitField
from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest
from agentlaunch.core.wire.base import AnswerContext, Reply
from agentlaunch.core.wire.openai_chat import faults
from agentlaunch.core.wire.openai_chat.call_ids import wants_short_ids, with_short_ids
from agentlaunch.core.wire.openai_chat.decode_events import ChatDecoder, decode_answer
from agentlaunch.core.wire.openai_chat.decode_request import decode_request
from agentlaunch.core.wire.openai_chat.encode_events import ChatEncoder, encode_answer
from agentlaunch.core.wire.openai_chat.encode_request import encode_request
from agentlaunch.core.wire.upstream_faults import decode_fault

__all__ = ["OpenAIChat"]


class OpenAIChat:
    """The wire (`agentlaunch.core.wire.base.Wire`); docs/wire-mapping.md lists what becomes of every field.

    `for_call` gives the wire of one request: `output_limit_field` as the endpoint wants it, `stop` so that an end at
    the one stop sequence is told as such, ids of calls as the model takes them, and whether its template can be told
    not to think (`has_switch`).
    """

    name = "openai_chat"
    path = "/v1/chat/completions"

    def __init__(
        self,
        output_limit_field: OutputLimitField = "max_tokens",
        stop: tuple[str, ...] = (),
        model: str = "",
        *,
        has_switch: bool = False,
    ) -> None:
        self._output_limit_field = output_limit_field
        self._stop = stop
        self._has_short_ids = wants_short_ids(model)
        self._has_switch = has_switch

    def for_call(self, endpoint: Endpoint, request: ChatRequest) -> OpenAIChat:
        """The wire for one request to `endpoint` and its answer."""
        # llama.cpp hands `chat_template_kwargs` to the template. Others refuse it: vLLM for Mistral's tokenizers.
        is_llama_cpp = endpoint.counting == "llama_cpp"
        return OpenAIChat(endpoint.output_limit_field, request.stop, endpoint.model, has_switch=is_llama_cpp)

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body to the representation. Raises ProtocolError naming the field."""
        return decode_request(body)

    def encode_request(self, request: ChatRequest) -> bytes:
        """The representation to an upstream's body. Raises ProtocolError for a tool that is no function."""
        fitting = with_short_ids(request) if self._has_short_ids else request
        return encode_request(fitting, self._output_limit_field, has_switch=self._has_switch)

    def event_decoder(self) -> ChatDecoder:
        """A decoder for one upstream response."""
        return ChatDecoder(self._stop)

    def event_encoder(self, context: AnswerContext) -> ChatEncoder:
        """An encoder for one answer to a client."""
        return ChatEncoder(context)

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The body of an answer that is not streamed."""
        return encode_answer(answer, context)

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is not streamed. Raises ProtocolError."""
        return decode_answer(body, self._stop)

    def encode_fault(self, fault: ChatFault) -> Reply:
        """A failure before the first byte, in OpenAI's form."""
        return faults.encode_fault(fault)

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer. Total."""
        return decode_fault(status, headers, body)
