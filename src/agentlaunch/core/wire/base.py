"""What a wire is: the four pieces that each API package provides, and the table of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from typing import Annotated, Literal, Protocol, TypeVar

import msgspec

from agentlaunch.core.ir import Answer, ChatEvent, ChatFault, ChatRequest, ErrorKind
from agentlaunch.core.wire.json_text import mended_json
from agentlaunch.core.wire.loose_json import Unfit, fitted, standard_json

T = TypeVar("T")

Framing = Literal["sse", "ndjson"]
"""How a wire's stream is cut into frames: `core.sse` or `core.ndjson`."""

NewId = Callable[[str], str]
"""Makes a fresh id with the prefix it is given, as in `new_id("msg_")`."""


ToolName = Annotated[str, msgspec.Meta(min_length=1)]
"""What a request calls a tool that it offers; no vendor takes an empty name, and no call could name it."""

CUT_OFF = ChatFault(ErrorKind.UNAVAILABLE, "the upstream's stream ended before its answer was whole")
"""What a stream without its end has come to, on every wire."""


class ProtocolError(ValueError):
    """Bytes that are not of the wire; the message names the field. The only exception that decoding may raise."""


class Frame(msgspec.Struct, frozen=True):
    """One server-sent event: its `event` name, empty for none, and its `data` without line breaks of its own."""

    data: bytes
    event: str = ""


class Reply(msgspec.Struct, frozen=True):
    """A whole HTTP answer: used for errors and for answers that are not streamed."""

    status: int
    body: bytes
    headers: Mapping[str, str] = {}


def error_headers(retry_after_s: float | None) -> dict[str, str]:
    """The headers of an error answer. `retry-after` is in whole seconds, rounded up (RFC 9110, 10.2.3); 1 at least,
    since agents ask again at once after a 0."""
    headers = {"content-type": "application/json"}
    if retry_after_s is not None:
        headers["retry-after"] = str(max(math.ceil(retry_after_s), 1))
    return headers


class AnswerContext(msgspec.Struct, frozen=True):
    """What an encoder needs beside the events: the request being answered, fresh ids, the time in Unix seconds."""

    request: ChatRequest
    new_id: NewId
    created_at: int


class EventDecoder(Protocol):
    """Upstream frames to events, one instance a response. Raises only `ProtocolError`."""

    def feed(self, frame: Frame) -> Iterator[ChatEvent]:
        """Translate one frame."""
        ...

    def finish(self) -> Iterator[ChatEvent]:
        """The upstream's stream has ended: close what is open; `Failed` when it ended too early."""
        ...


class EventEncoder(Protocol):
    """Events to client frames, one instance a response. Total: every event in the grammar has its frames."""

    def feed(self, event: ChatEvent) -> Iterator[Frame]:
        """Translate one event."""
        ...

    def finish(self) -> Iterator[Frame]:
        """Close whatever is still open; yields nothing when `Finished` or `Failed` was fed."""
        ...


class Wire(Protocol):
    """One API format, in both directions."""

    name: str
    path: str
    """The endpoint below the base URL, such as `/v1/messages`."""

    def decode_request(self, body: bytes) -> ChatRequest:
        """A client's body to the representation. Raises ProtocolError naming the field."""
        ...

    def encode_request(self, request: ChatRequest) -> bytes:
        """The representation to an upstream's body; always streamed upstream when `request.stream`."""
        ...

    def event_decoder(self) -> EventDecoder:
        """A decoder for one upstream response."""
        ...

    def event_encoder(self, context: AnswerContext) -> EventEncoder:
        """An encoder for one answer to a client."""
        ...

    def encode_answer(self, answer: Answer, context: AnswerContext) -> bytes:
        """The body of an answer that is not streamed."""
        ...

    def decode_answer(self, body: bytes) -> list[ChatEvent]:
        """The events of an upstream's answer that is one JSON document, though a stream was asked for.

        `Failed` ends them where the document tells an error. Raises ProtocolError for one that is no answer.
        """
        ...

    def encode_fault(self, fault: ChatFault) -> Reply:
        """A failure before the first byte: status, headers and body that make the agent do the right thing."""
        ...

    def decode_fault(self, status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
        """An upstream's error answer. Total: junk becomes a fault of the status's kind. Never echoes keys."""
        ...


WIRES: dict[str, str] = {
    "anthropic_messages": "agentlaunch.core.wire.anthropic_messages:AnthropicMessages",
    "ollama_chat": "agentlaunch.core.wire.ollama_chat:OllamaChat",
    "openai_chat": "agentlaunch.core.wire.openai_chat:OpenAIChat",
    "openai_responses": "agentlaunch.core.wire.openai_responses:OpenAIResponses",
}


def load_wire(name: str) -> Wire:
    """The wire called `name`. Raises KeyError for a name that is not in `WIRES`."""
    module, _, attribute = WIRES[name].partition(":")
    wire: Wire = getattr(import_module(module), attribute)()
    return wire


def decode_json(body: bytes, decoder: msgspec.json.Decoder[T], *, is_answer: bool = False) -> T:
    """Decode a body; lone surrogates and bytes that are not UTF-8 become U+FFFD, in what stays `Raw`, too.

    What the decoder refuses is read once more by `loose_json`, which leaves out what is beside an answer's content.
    Raises ProtocolError, naming the field where the decoder does.
    """
    mended = mended_json(body)
    try:
        return decoder.decode(mended)
    except msgspec.ValidationError as error:
        refusal = ProtocolError(str(error))
    except msgspec.DecodeError as error:
        refusal = ProtocolError(f"the body is not JSON: {error}")
        try:
            mended = standard_json(mended)
        except (ValueError, RecursionError):
            raise refusal from error
    except RecursionError as error:
        raise ProtocolError("the body is nested too deeply") from error
    try:
        return decoder.decode(fitted(mended, decoder.type, is_answer=is_answer))
    except (Unfit, msgspec.MsgspecError, RecursionError) as error:
        raise refusal from error
