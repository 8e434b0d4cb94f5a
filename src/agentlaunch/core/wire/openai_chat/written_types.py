"""The Chat Completions API's JSON as typed structs: what we write, in the order in which it is written."""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agentlaunch.core.wire.openai_chat.types import ImageUrl, StreamOptions


class OutFunction(msgspec.Struct):
    """A call's function."""

    name: str
    arguments: str


class OutCustom(msgspec.Struct):
    """A call's custom tool."""

    name: str
    input: str


class OutToolCall(msgspec.Struct, omit_defaults=True):
    """A whole call."""

    id: str
    type: str
    function: OutFunction | None = None
    custom: OutCustom | None = None


class OutText(msgspec.Struct, tag_field="type", tag="text"):
    """A text part."""

    text: str


class OutImage(msgspec.Struct, tag_field="type", tag="image_url"):
    """An image part."""

    image_url: ImageUrl


OutPart: TypeAlias = OutText | OutImage


class OutMessage(msgspec.Struct, frozen=True):
    """A message of a request or of an answer; a field left unset is not written."""

    role: str
    content: str | list[OutPart] | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    refusal: str | UnsetType = UNSET
    tool_calls: list[OutToolCall] | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class OutFunctionDefinition(msgspec.Struct):
    """A function as the upstream is told of it."""

    name: str
    description: str | UnsetType
    parameters: Raw
    strict: bool | UnsetType


class OutTool(msgspec.Struct, tag_field="type", tag="function"):
    """A tool as the upstream is told of it."""

    function: OutFunctionDefinition


class OutJsonSchema(msgspec.Struct):
    """A schema that the answer must keep to."""

    name: str
    schema: Raw
    strict: bool | UnsetType


class OutResponseFormat(msgspec.Struct):
    """`response_format`."""

    type: str
    json_schema: OutJsonSchema | UnsetType = UNSET


class OutRequest(msgspec.Struct):
    """A request's body, in the order in which it is written."""

    model: str
    messages: list[OutMessage]
    tools: list[OutTool] | UnsetType = UNSET
    tool_choice: str | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    max_tokens: int | UnsetType = UNSET
    max_completion_tokens: int | UnsetType = UNSET
    stop: tuple[str, ...] | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    seed: int | UnsetType = UNSET
    presence_penalty: float | UnsetType = UNSET
    frequency_penalty: float | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    chat_template_kwargs: dict[str, bool] | UnsetType = UNSET
    response_format: OutResponseFormat | UnsetType = UNSET
    stream: bool = False
    stream_options: StreamOptions | UnsetType = UNSET


class OutChoice(msgspec.Struct):
    """The one choice of a whole answer."""

    index: int
    message: OutMessage
    finish_reason: str


class OutPromptDetails(msgspec.Struct):
    """The prompt's share that came from a cache."""

    cached_tokens: int


class OutCompletionDetails(msgspec.Struct):
    """The output's share that was reasoning."""

    reasoning_tokens: int


class OutUsage(msgspec.Struct):
    """Token counts."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: OutPromptDetails
    completion_tokens_details: OutCompletionDetails


class OutAnswer(msgspec.Struct):
    """A whole answer."""

    id: str
    object: str
    created: int
    model: str
    choices: list[OutChoice]
    usage: OutUsage


class OutError(msgspec.Struct):
    """The inside of an error answer."""

    message: str
    type: str
    param: str | None
    code: str | None


class OutErrorBody(msgspec.Struct):
    """An error answer."""

    error: OutError
