"""Ollama's chat API as typed structs: what clients send and what a server answers (facts/ollama-api.md F.4).

Every other field is ignored on the way in. Old servers and look-alikes leave fields out, so nearly all have a default.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import Raw

from agentlaunch.core.wire.base import ToolName

EMPTY = Raw(b"")

Number: TypeAlias = int | float | None


class CalledFunction(msgspec.Struct):
    """The function of a call; `arguments` is a JSON object, a string of JSON from servers that follow OpenAI."""

    name: str | None = None
    arguments: Raw = EMPTY


class ToolCall(msgspec.Struct):
    """A whole call. Servers before 0.12 send no id. Some peers put the function's own fields here."""

    function: CalledFunction | None = None
    id: str | int | None = None
    name: str | None = None
    arguments: Raw = EMPTY

    def called(self) -> CalledFunction | None:
        """The function, wherever its fields stand; None where none is named."""
        return self.function or (CalledFunction(self.name, self.arguments) if self.name else None)


class ImageUrl(msgspec.Struct):
    """An image's address, in OpenAI's form."""

    url: str = ""


class ContentPart(msgspec.Struct):
    """An element of a content array, which Ollama itself refuses and OpenAI's clients send."""

    type: str = "text"
    text: str | None = None
    image_url: ImageUrl | str | None = None


class ChatMessage(msgspec.Struct):
    """A message, of a conversation or of an answer."""

    role: str = ""
    content: str | list[ContentPart] | None = None
    thinking: str | None = None
    images: list[str] | None = None
    tool_calls: list[ToolCall] | None = None
    tool_name: str | None = None
    name: str | None = None
    tool_call_id: str | int | None = None


# --- a client's request ------------------------------------------------------------------------------------------


class FunctionDefinition(msgspec.Struct):
    """A tool's function; `input_schema` is Anthropic's name for its `parameters`."""

    name: ToolName
    description: str | None = None
    parameters: Raw = EMPTY
    input_schema: Raw = EMPTY


class ToolDefinition(msgspec.Struct):
    """An element of `tools`. With a `name` the function's own fields stand here, as in other vendors' forms."""

    type: str = "function"
    name: str = ""
    function: FunctionDefinition | None = None


class Options(msgspec.Struct):
    """The `options` that the representation has a place for."""

    num_predict: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class RequestBody(msgspec.Struct):
    """A body of `POST /api/chat`."""

    model: str
    messages: list[ChatMessage] | None = None
    tools: list[Raw] | None = None
    stream: bool | None = None
    format: Raw = EMPTY
    options: Options | None = None
    think: bool | str | None = None


# --- a server's answer -------------------------------------------------------------------------------------------


class ChatLine(msgspec.Struct):
    """A line of a stream, or the one document of an answer that is not streamed."""

    model: str | None = None
    created_at: str | None = None
    message: ChatMessage | None = None
    done: bool = False
    done_reason: str | None = None
    prompt_eval_count: Number = None
    eval_count: Number = None
