"""The Chat Completions API's JSON as typed structs: what clients send and what upstreams answer.

Fields are those that docs/wire/openai_chat.md lists; every other field is ignored on the way in. Servers disagree on
types (an id may be a number, arguments an object), so the structs for reading take each form that was seen in the wild.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec
from msgspec import UNSET, Raw, UnsetType

from agentlaunch.core.wire.base import ToolName

EMPTY = Raw(b"")

# --- a client's request ------------------------------------------------------------------------------------------


class ImageUrl(msgspec.Struct):
    """An `image_url` part's address, often a data URL."""

    url: str


class FileContent(msgspec.Struct):
    """A `file` part: a data URL, or an id that only the vendor can resolve."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class Source(msgspec.Struct):
    """The source of an image or a document in Anthropic's form, which some clients send here."""

    type: str = ""
    media_type: str = ""
    data: str = ""
    url: str = ""


class Resource(msgspec.Struct):
    """The `resource` of a part in MCP's form, which tools return."""

    uri: str = ""
    text: str = ""


class ContentPart(msgspec.Struct):
    """One element of a content array; `type` says which of the fields counts.

    Those of the Messages and Responses wires are understood, too, and MCP's, in which agents hand on what tools return.
    """

    type: str
    text: str | None = None
    thinking: str | None = None
    image_url: ImageUrl | str | None = None
    image: str | None = None
    source: Source | None = None
    data: str | None = None
    mime_type: str | None = msgspec.field(name="mimeType", default=None)
    resource: Resource | None = None
    title: str | None = None
    file: FileContent | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    refusal: str | None = None
    cache_control: Raw = EMPTY


class CalledFunction(msgspec.Struct):
    """The function of a call. `arguments` should be a string of JSON; some send the object itself."""

    name: str | None = None
    arguments: Raw = EMPTY


class CalledCustom(msgspec.Struct):
    """The custom tool of a call; `input` is free text."""

    name: str | None = None
    input: str | None = None


class ToolCall(msgspec.Struct):
    """A call, whole (in a history) or in pieces (in a stream). Some peers put the function's own fields here."""

    id: str | int | None = None
    index: int | None = None
    type: str | None = None
    function: CalledFunction | None = None
    custom: CalledCustom | None = None
    name: str | None = None
    arguments: Raw = EMPTY

    def called(self) -> CalledFunction | None:
        """The function, wherever its fields stand; None where there is none."""
        is_flat = self.name is not None or bytes(self.arguments) != b""
        return self.function or (CalledFunction(self.name, self.arguments) if is_flat else None)


class ChatMessage(msgspec.Struct):
    """One message of the conversation."""

    role: str
    name: str | None = None
    content: str | list[ContentPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: CalledFunction | None = None
    tool_call_id: str | int | None = None


class FunctionDefinition(msgspec.Struct):
    """A tool called with JSON; `input_schema` is Anthropic's name for its `parameters`, `inputSchema` MCP's."""

    name: ToolName
    description: str | None = None
    parameters: Raw = EMPTY
    input_schema: Raw = EMPTY
    mcp_schema: Raw = msgspec.field(name="inputSchema", default=EMPTY)
    strict: bool | None = None


class CustomDefinition(msgspec.Struct):
    """A tool called with free text."""

    name: ToolName
    description: str | None = None
    format: Raw = Raw(b"null")


class ToolDefinition(msgspec.Struct):
    """An element of `tools`; a `type` that is not known is a hosted tool.

    In the forms of the Responses and Messages wires the function's own fields stand here (`FunctionDefinition`).
    """

    type: str = "function"
    name: str = ""
    function: FunctionDefinition | None = None
    custom: CustomDefinition | None = None
    cache_control: Raw = EMPTY


class Named(msgspec.Struct):
    """The one tool that `tool_choice` asks for."""

    name: str


class AllowedTools(msgspec.Struct):
    """`tool_choice` over a subset of the tools."""

    mode: str = "auto"


class ChosenTool(msgspec.Struct):
    """`tool_choice` as an object; `name` stands here in the forms of the Responses and Messages wires."""

    type: str = "function"
    name: str = ""
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchemaFormat(msgspec.Struct):
    """The `json_schema` of a response format."""

    name: str = ""
    schema: Raw = EMPTY
    strict: bool | None = None


class ResponseFormat(msgspec.Struct):
    """`response_format`: text, json_object or json_schema, whose fields some put here (llama.cpp, the Responses wire).

    `json_schema` is a `JsonSchemaFormat`, or the schema itself.
    """

    type: str = "text"
    name: str = ""
    schema: Raw = EMPTY
    strict: bool | None = None
    json_schema: Raw = EMPTY


class StreamOptions(msgspec.Struct):
    """`stream_options`."""

    include_usage: bool | None = None


class ReasoningOptions(msgspec.Struct):
    """OpenRouter's `reasoning` object, which some clients send in place of `reasoning_effort`."""

    enabled: bool | None = None
    effort: str | None = None
    max_tokens: int | None = None


class RequestBody(msgspec.Struct):
    """A body of `POST /v1/chat/completions`."""

    messages: list[ChatMessage]
    model: str | None = None
    tools: list[Raw] | None = None
    functions: list[FunctionDefinition] | None = None
    tool_choice: str | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    reasoning: ReasoningOptions | str | None = None
    thinking: Raw = EMPTY
    enable_thinking: Raw = EMPTY
    chat_template_kwargs: Raw = EMPTY
    response_format: ResponseFormat | str | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    user: str | None = None
    prompt_cache_key: str | None = None


# --- an upstream's answer ----------------------------------------------------------------------------------------

Number: TypeAlias = int | float | None


class PromptDetails(msgspec.Struct):
    """`usage.prompt_tokens_details`."""

    cached_tokens: Number = None


class CompletionDetails(msgspec.Struct):
    """`usage.completion_tokens_details`."""

    reasoning_tokens: Number = None


class TokenUsage(msgspec.Struct):
    """`usage`; `prompt_cache_hit_tokens` is DeepSeek's word for the cached part, `cost` OpenRouter's in US dollars,
    `input_tokens` and `output_tokens` are the other vendors' words, which gateways pass on.

    Others put objects into `cost`, so it is read as it comes.
    """

    prompt_tokens: Number = None
    completion_tokens: Number = None
    input_tokens: Number = None
    output_tokens: Number = None
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None
    prompt_cache_hit_tokens: Number = None
    cost: Raw = EMPTY


class Timings(msgspec.Struct):
    """llama.cpp's `timings`: `prompt_n` tokens were computed, `cache_n` came from its cache."""

    prompt_n: Number = None
    cache_n: Number = None
    predicted_n: Number = None


class ThinkingText(msgspec.Struct):
    """An element of Mistral's `thinking` array."""

    text: str = ""


class AnswerPart(msgspec.Struct):
    """An element of a content array in an answer (Mistral's reasoning models answer so)."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    thinking: str | list[ThinkingText] | None = None


class ReasoningDetail(msgspec.Struct):
    """An element of OpenRouter's `reasoning_details`."""

    text: str | None = None
    summary: str | None = None


class Delta(msgspec.Struct):
    """What a chunk adds, or a whole message where the answer was not streamed.

    `reasoning_text` is GitHub Copilot's name, `thinking` Ollama's. `reasoning_details` repeats a text that stands in
    the other fields too, where there are any.
    """

    content: str | list[AnswerPart] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_text: str | None = None
    thinking: str | None = None
    reasoning_details: list[ReasoningDetail] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: CalledFunction | None = None


class Choice(msgspec.Struct):
    """One of the answers; only the first is read. `text` is the answer of servers that complete texts (legacy API).

    Moonshot puts the `usage` here. The stop string that matched is vLLM's `stop_reason` and SGLang's `matched_stop`
    (a token, or null, at the model's own end) and llama.cpp's `stopping_word` (empty then).
    """

    index: int | None = None
    delta: Delta | None = None
    message: Delta | None = None
    text: str | None = None
    usage: TokenUsage | None = None
    error: Raw = EMPTY
    finish_reason: str | None = None
    stop_reason: str | int | UnsetType | None = UNSET
    matched_stop: str | int | UnsetType | None = UNSET
    stopping_word: str | UnsetType | None = UNSET


class Chunk(msgspec.Struct):
    """A chunk of a stream, or the whole answer. `error`, `detail` and `object: error` are failures inside a 200."""

    id: str | int | None = None
    created: Number = None
    model: str | None = None
    object: str | None = None
    choices: list[Choice] | None = None
    usage: TokenUsage | None = None
    timings: Timings | None = None
    error: Raw = EMPTY
    detail: Raw = EMPTY
    prompt_progress: Raw = EMPTY
