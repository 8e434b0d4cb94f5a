"""A request to an upstream's body on the Chat wire, in the narrow form that every local server takes."""

from __future__ import annotations

from typing import assert_never

import msgspec
from msgspec import UNSET, UnsetType

from agentlaunch.core.endpoint import OutputLimitField
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
from agentlaunch.core.wire.openai_chat.conversation import out_messages
from agentlaunch.core.wire.openai_chat.types import StreamOptions
from agentlaunch.core.wire.openai_chat.written_types import (
    OutFunctionDefinition,
    OutJsonSchema,
    OutRequest,
    OutResponseFormat,
    OutTool,
)
from agentlaunch.core.wire.schema_names import schema_name

_encoder = msgspec.json.Encoder()

_EFFORTS = {
    "minimal": "low",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "high",
    "max": "high",
}
"""The three efforts that every server with `reasoning_effort` takes; vLLM answers any other with a 400."""


def encode_request(request: ChatRequest, output_limit_field: OutputLimitField, *, has_switch: bool) -> bytes:
    """The body. Equal requests give equal bytes, and a longer conversation begins with the shorter one's messages.

    With `has_switch` the server's template can be told not to think. Raises ProtocolError for a tool that no filter has
    turned into a function.
    """
    tools, choice = _chosen([_function(tool) for tool in request.tools], request.tool_choice)
    sampling = request.sampling
    limit = unset_if_none(request.max_output_tokens)
    body = OutRequest(
        model=request.model,
        messages=out_messages(request.messages),
        tools=[_tool(tool) for tool in tools] or UNSET,
        tool_choice=choice,
        parallel_tool_calls=unset_if_none(request.parallel_tool_calls) if tools else UNSET,
        # llama.cpp, vLLM, LM Studio, Ollama and OpenRouter all read max_tokens; OpenAI's reasoning models refuse it.
        max_tokens=limit if output_limit_field == "max_tokens" else UNSET,
        max_completion_tokens=limit if output_limit_field == "max_completion_tokens" else UNSET,
        stop=request.stop or UNSET,
        temperature=unset_if_none(sampling.temperature),
        top_p=unset_if_none(sampling.top_p),
        top_k=unset_if_none(sampling.top_k),
        seed=unset_if_none(sampling.seed),
        presence_penalty=unset_if_none(sampling.presence_penalty),
        frequency_penalty=unset_if_none(sampling.frequency_penalty),
        reasoning_effort=_effort(request.reasoning),
        chat_template_kwargs={"enable_thinking": False} if has_switch and _is_off(request.reasoning) else UNSET,
        response_format=_response_format(request.json_format),
        stream=request.stream,
        stream_options=StreamOptions(include_usage=True) if request.stream else UNSET,
    )
    return _encoder.encode(body)


def _function(tool: Tool) -> FunctionTool:
    match tool:
        case FunctionTool():
            return tool
        case CustomTool():
            raise ProtocolError(f"the Chat wire has no custom tool: `{tool.name}` should have become a function")
        case HostedTool():
            raise ProtocolError(f"the Chat wire has no hosted tool: `{tool.type}` should have been taken out")
        case _:
            assert_never(tool)


def _chosen(tools: list[FunctionTool], choice: ToolChoice | None) -> tuple[list[FunctionTool], str | UnsetType]:
    """The tools and the word for `tool_choice`.

    One named tool is asked for by leaving only that tool and requiring a call: LM Studio refuses the object form
    (report B022) and llama.cpp takes it for `auto`.
    """
    if choice is None or not tools:
        return tools, UNSET
    if choice.mode != "named":
        return tools, choice.mode
    named = [tool for tool in tools if tool.name == choice.name]
    return (named, "required") if named else (tools, "auto")


def _tool(tool: FunctionTool) -> OutTool:
    return OutTool(
        OutFunctionDefinition(tool.name, tool.description or UNSET, tool.parameters, unset_if_none(tool.strict))
    )


def _effort(reasoning: Reasoning | None) -> str | UnsetType:
    """Absent unless the client named one: Ollama answers it with a 400 for a model that cannot think (report B026)."""
    if reasoning is None or _is_off(reasoning):
        return UNSET
    return _EFFORTS.get(reasoning.effort, UNSET)


def _is_off(reasoning: Reasoning | None) -> bool:
    return reasoning is not None and reasoning.enabled is False


def _response_format(json_format: JsonFormat | None) -> OutResponseFormat | UnsetType:
    if json_format is None:
        return UNSET
    if not bytes(json_format.schema):
        return OutResponseFormat("json_object")
    schema = OutJsonSchema(schema_name(json_format.name), json_format.schema, unset_if_none(json_format.strict))
    return OutResponseFormat("json_schema", schema)
