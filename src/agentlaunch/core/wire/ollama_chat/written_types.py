"""Ollama's chat API as typed structs: what we write, in the order in which it is written (facts/ollama-api.md F.4)."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

Think: TypeAlias = bool | Literal["low", "medium", "high"]


class OutFunction(msgspec.Struct):
    """A call's function; `arguments` is a JSON object, never a string."""

    name: str
    arguments: Raw


class OutToolCall(msgspec.Struct):
    """A whole call."""

    id: str | UnsetType
    function: OutFunction


class OutMessage(msgspec.Struct):
    """A message of a request or of an answer; `images` are bare base64."""

    role: str
    content: str
    thinking: str | UnsetType = UNSET
    images: list[str] | UnsetType = UNSET
    tool_calls: list[OutToolCall] | UnsetType = UNSET
    tool_name: str | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET


class OutFunctionDefinition(msgspec.Struct):
    """A function as the server is told of it."""

    name: str
    description: str | UnsetType
    parameters: Raw


class OutTool(msgspec.Struct, tag_field="type", tag="function"):
    """A tool as the server is told of it."""

    function: OutFunctionDefinition


class OutOptions(msgspec.Struct):
    """`options`."""

    num_ctx: int | UnsetType
    num_predict: int | UnsetType
    stop: tuple[str, ...] | UnsetType
    temperature: float | UnsetType
    top_p: float | UnsetType
    top_k: int | UnsetType
    seed: int | UnsetType
    presence_penalty: float | UnsetType
    frequency_penalty: float | UnsetType


class OutRequest(msgspec.Struct):
    """A request's body, in the order in which it is written."""

    model: str
    messages: list[OutMessage]
    tools: list[OutTool] | UnsetType
    stream: bool
    format: Raw | UnsetType
    options: OutOptions
    think: Think | UnsetType
    keep_alive: str | UnsetType
    truncate: bool
    shift: bool


class OutLine(msgspec.Struct):
    """A line of a stream to a client, or an answer that is not streamed."""

    model: str
    created_at: str
    message: OutMessage
    done: bool
    done_reason: str | UnsetType = UNSET
    prompt_eval_count: int | UnsetType = UNSET
    eval_count: int | UnsetType = UNSET


class OutError(msgspec.Struct):
    """An error answer, and the line that tells an error inside a stream."""

    error: str
