"""A request to a body of Ollama's `/api/chat`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, assert_never

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agentlaunch.core.endpoint import Thinking
from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    FunctionTool,
    HostedTool,
    JsonFormat,
    Reasoning,
    Tool,
    ToolChoice,
)
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.json_text import unset_if_none
from agentlaunch.core.wire.ollama_chat.conversation import out_messages
from agentlaunch.core.wire.ollama_chat.written_types import (
    OutFunctionDefinition,
    OutOptions,
    OutRequest,
    OutTool,
    Think,
)

_encoder = msgspec.json.Encoder()

_LEVELS: dict[str, Literal["low", "medium", "high"]] = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""The levels that every version with levels takes; `max` came later (facts/ollama-api.md F.4)."""

_ANY_JSON = Raw(b'"json"')


@dataclass(frozen=True)
class ChatOptions:
    """What every request of a session says alike. Another `num_ctx` (tokens) reloads the weights (report B157).

    None leaves a field out, and the server decides. `thinking` is what the model can do about it.
    """

    num_ctx: int | None = None
    keep_alive: str | None = None
    thinking: Thinking = "unknown"


def encode_request(request: ChatRequest, options: ChatOptions) -> bytes:
    """The body. Equal requests give equal bytes, and a longer conversation begins with the shorter one's messages.

    Raises ProtocolError for a tool that no filter has turned into a function.
    """
    sampling = request.sampling
    tools = _offered([_function(tool) for tool in request.tools], request.tool_choice)
    body = OutRequest(
        model=request.model,
        messages=out_messages(request.messages),
        tools=[_tool(tool) for tool in tools] or UNSET,
        stream=request.stream,
        format=_format(request.json_format),
        options=OutOptions(
            num_ctx=unset_if_none(options.num_ctx),
            num_predict=unset_if_none(request.max_output_tokens),
            stop=request.stop or UNSET,
            temperature=unset_if_none(sampling.temperature),
            top_p=unset_if_none(sampling.top_p),
            top_k=unset_if_none(sampling.top_k),
            seed=unset_if_none(sampling.seed),
            presence_penalty=unset_if_none(sampling.presence_penalty),
            frequency_penalty=unset_if_none(sampling.frequency_penalty),
        ),
        think=_think(request.reasoning, options.thinking),
        keep_alive=unset_if_none(options.keep_alive),
        # A prompt that does not fit must be refused, so that the agent compacts it (facts/ollama-api.md F.5, G.10).
        truncate=False,
        shift=False,
    )
    return _encoder.encode(body)


def _function(tool: Tool) -> FunctionTool:
    match tool:
        case FunctionTool():
            return tool
        case CustomTool():
            raise ProtocolError(f"Ollama's wire has no custom tool: `{tool.name}` should have become a function")
        case HostedTool():
            raise ProtocolError(f"Ollama's wire has no hosted tool: `{tool.type}` should have been taken out")
        case _:
            assert_never(tool)


def _offered(tools: list[FunctionTool], choice: ToolChoice | None) -> list[FunctionTool]:
    """The tools that the model may call. Ollama has no `tool_choice`: `required` cannot be asked for."""
    match choice:
        case ToolChoice("none"):
            return []
        case ToolChoice("named", name):
            return [tool for tool in tools if tool.name == name] or tools
        case _:
            return tools


def _tool(tool: FunctionTool) -> OutTool:
    return OutTool(OutFunctionDefinition(tool.name, tool.description or UNSET, tool.parameters))


def _format(json_format: JsonFormat | None) -> Raw | UnsetType:
    if json_format is None:
        return UNSET
    return json_format.schema if bytes(json_format.schema) else _ANY_JSON


def _think(reasoning: Reasoning | None, thinking: Thinking) -> Think | UnsetType:
    """`think` as the model takes it: asked for where a model has none, it fails the request (report B026)."""
    if reasoning is None or thinking == "none":
        return UNSET
    if reasoning.enabled is False:
        return "low" if thinking == "levels" else False
    wanted = bool(reasoning.enabled or reasoning.effort)
    match thinking:
        case "unknown":
            return UNSET
        case "switch":
            return True if wanted else UNSET
        case "levels":
            return _LEVELS.get(reasoning.effort, UNSET)
        case _:
            assert_never(thinking)
