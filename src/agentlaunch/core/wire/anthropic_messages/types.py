"""The Messages wire as msgspec structs: what a client sends, and what an upstream streams back.

Source: the vendor's Messages API reference and facts/agents.md 2.1. Fields that are not named here are ignored when a
body is decoded; docs/wire/anthropic_messages.md lists what becomes of each.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

from agentlaunch.core.wire.anthropic_messages.tool_change_types import ToolChangeBlock

EMPTY_OBJECT = msgspec.Raw(b"{}")
ABSENT = msgspec.Raw(b"")  # the field is not there


class CacheControl(msgspec.Struct, frozen=True):
    """A cache breakpoint; that it is there is all that is kept of it."""

    type: str = "ephemeral"


# --- blocks of a message ------------------------------------------------------------------------------------------


class TextBlock(msgspec.Struct, frozen=True, tag="text", tag_field="type", omit_defaults=True):
    """Plain text."""

    text: str
    cache_control: CacheControl | None = None


class Base64Source(msgspec.Struct, frozen=True, tag="base64", tag_field="type"):
    """Bytes in the body."""

    media_type: str
    data: str


class UrlSource(msgspec.Struct, frozen=True, tag="url", tag_field="type"):
    """Bytes elsewhere."""

    url: str


class PlainTextSource(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    """A document that is text."""

    data: str
    media_type: str = "text/plain"


class ImageBlock(msgspec.Struct, frozen=True, tag="image", tag_field="type", omit_defaults=True):
    """An image. A `file` source needs the vendor's Files API, so decoding refuses it by name."""

    source: Base64Source | UrlSource
    cache_control: CacheControl | None = None


class ContentSource(msgspec.Struct, frozen=True, tag="content", tag_field="type"):
    """A document made of blocks."""

    content: str | list[TextBlock | ImageBlock]


class DocumentBlock(msgspec.Struct, frozen=True, tag="document", tag_field="type", omit_defaults=True):
    """A document; `context` is what the client says about it."""

    source: Base64Source | UrlSource | PlainTextSource | ContentSource
    title: str | None = None
    context: str | None = None
    cache_control: CacheControl | None = None


class SearchResultBlock(msgspec.Struct, frozen=True, tag="search_result", tag_field="type"):
    """A passage that the client found, with where it is from."""

    source: str
    title: str
    content: list[TextBlock]
    cache_control: CacheControl | None = None


class ToolReferenceBlock(msgspec.Struct, frozen=True, tag="tool_reference", tag_field="type"):
    """Inside a tool result: a deferred tool that was found."""

    tool_name: str


ResultBlock: TypeAlias = TextBlock | ImageBlock | DocumentBlock | SearchResultBlock | ToolReferenceBlock


class ThinkingBlock(msgspec.Struct, frozen=True, tag="thinking", tag_field="type"):
    """Reasoning; a missing signature is tolerated, as Claude Code's own is (facts/agents.md 2.1)."""

    thinking: str
    signature: str = ""


class RedactedThinkingBlock(msgspec.Struct, frozen=True, tag="redacted_thinking", tag_field="type"):
    """Reasoning that only the vendor can read."""

    data: str


class ToolUseBlock(msgspec.Struct, frozen=True, tag="tool_use", tag_field="type", omit_defaults=True):
    """A call. `input` is written even when it is empty: the wire requires it."""

    id: str
    name: str
    input: msgspec.Raw
    cache_control: CacheControl | None = None


class ToolResultBlock(msgspec.Struct, frozen=True, tag="tool_result", tag_field="type", omit_defaults=True):
    """The client's answer to a call."""

    tool_use_id: str
    content: str | list[ResultBlock] | None = None
    is_error: bool | None = None
    cache_control: CacheControl | None = None


class ServerToolUseBlock(msgspec.Struct, frozen=True, tag="server_tool_use", tag_field="type"):
    """A call that the vendor's server ran."""

    id: str
    name: str
    input: msgspec.Raw = EMPTY_OBJECT


class McpToolUseBlock(msgspec.Struct, frozen=True, tag="mcp_tool_use", tag_field="type"):
    """A call that the vendor's server sent to an MCP server."""

    id: str
    name: str
    input: msgspec.Raw = EMPTY_OBJECT


class WebSearchResultBlock(msgspec.Struct, frozen=True, tag="web_search_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT


class WebFetchResultBlock(msgspec.Struct, frozen=True, tag="web_fetch_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT


class CodeExecutionResultBlock(msgspec.Struct, frozen=True, tag="code_execution_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT


class BashResultBlock(msgspec.Struct, frozen=True, tag="bash_code_execution_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT


class EditorResultBlock(msgspec.Struct, frozen=True, tag="text_editor_code_execution_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT


class McpResultBlock(msgspec.Struct, frozen=True, tag="mcp_tool_result", tag_field="type"):
    """What a vendor-run call returned."""

    tool_use_id: str
    content: msgspec.Raw = EMPTY_OBJECT
    is_error: bool = False


class ToolSearchFindings(msgspec.Struct, frozen=True):
    """The content of a tool search's result; without references it is an error."""

    tool_references: list[ToolReferenceBlock] = []


class ToolSearchResultBlock(msgspec.Struct, frozen=True, tag="tool_search_tool_result", tag_field="type"):
    """What the vendor's own tool search found."""

    tool_use_id: str
    content: ToolSearchFindings


ServerCallBlock: TypeAlias = ServerToolUseBlock | McpToolUseBlock
ServerResultBlock: TypeAlias = (
    WebSearchResultBlock
    | WebFetchResultBlock
    | CodeExecutionResultBlock
    | BashResultBlock
    | EditorResultBlock
    | McpResultBlock
    | ToolSearchResultBlock
)
Block: TypeAlias = (
    ResultBlock
    | ThinkingBlock
    | RedactedThinkingBlock
    | ToolUseBlock
    | ToolResultBlock
    | ServerCallBlock
    | ServerResultBlock
    | ToolChangeBlock
)


class WireMessage(msgspec.Struct, frozen=True):
    """One turn. Claude Code 2.1.154 puts `system` here (facts/agents.md 2.1); `developer` is OpenAI's word for it."""

    role: Literal["user", "assistant", "system", "developer"]
    content: str | list[Block]


class UnparsedInput(msgspec.Struct, frozen=True):
    """How Claude Code keeps a call whose arguments were not JSON (facts/agents.md 5)."""

    raw: str
    len: int = 0


class UnparsedCall(msgspec.Struct, frozen=True, rename={"unparsed": "__unparsedToolInput"}):
    """The `input` around an `UnparsedInput`."""

    unparsed: UnparsedInput


# --- the request --------------------------------------------------------------------------------------------------


class ToolDefinition(msgspec.Struct, frozen=True, omit_defaults=True):
    """A tool that the client runs; with a `type` other than `custom` it is one that the vendor defined.

    `function` and `parameters` are OpenAI's words, in whose form some clients send tools here.
    """

    name: str = ""
    function: ToolDefinition | None = None
    parameters: msgspec.Raw = ABSENT
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = ABSENT
    defer_loading: bool | None = None
    strict: bool | None = None
    cache_control: CacheControl | None = None


class WireToolChoice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which tool the model may call; `required` and `function` are OpenAI's words."""

    type: Literal["auto", "any", "tool", "none", "required", "function"]
    name: str = ""
    disable_parallel_tool_use: bool | None = None
    function: ToolDefinition | None = None


class Thinking(msgspec.Struct, frozen=True, omit_defaults=True):
    """How much the model should think. `display` is not kept."""

    type: Literal["enabled", "adaptive", "between_tools", "disabled"]
    budget_tokens: int | None = None


class OutputFormat(msgspec.Struct, frozen=True):
    """Structured output."""

    type: Literal["json_schema"]
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct, frozen=True, omit_defaults=True):
    """Effort and format of the answer."""

    effort: str | None = None
    format: OutputFormat | None = None


class Metadata(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who asks."""

    user_id: str | None = None


class MessagesRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of `POST /v1/messages` and of `/v1/messages/count_tokens`."""

    messages: list[WireMessage]
    model: str = ""
    system: str | list[TextBlock] | None = None
    tools: list[msgspec.Raw] | None = None
    tool_choice: WireToolChoice | None = None
    metadata: Metadata | None = None
    max_tokens: int | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    stop_sequences: list[str] | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stream: bool | None = None


# --- the answer ---------------------------------------------------------------------------------------------------


class OutputTokensDetails(msgspec.Struct, frozen=True):
    """The part of the output that was reasoning."""

    thinking_tokens: int = 0


class WireUsage(msgspec.Struct, frozen=True, omit_defaults=True):
    """Tokens; `input_tokens` leaves out what came from, or went into, the cache."""

    input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    output_tokens: int | None = None
    output_tokens_details: OutputTokensDetails | None = None


class WireAnswer(msgspec.Struct, frozen=True, tag="message", tag_field="type"):
    """A whole answer."""

    id: str
    role: str
    model: str
    content: list[Block]
    stop_reason: str | None
    stop_sequence: str | None
    usage: WireUsage


class StartedMessage(msgspec.Struct, frozen=True):
    """The `message` of `message_start`."""

    id: str = ""
    model: str = ""
    usage: WireUsage | None = None


class StartedBlock(msgspec.Struct, frozen=True):
    """The `content_block` of `content_block_start`, of whatever type: upstreams vary in what they send."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    data: str = ""
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = ABSENT


class BlockDelta(msgspec.Struct, frozen=True):
    """The `delta` of `content_block_delta` and of `message_delta`."""

    type: str = ""
    text: str = ""
    thinking: str = ""
    signature: str = ""
    partial_json: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class StreamEvent(msgspec.Struct, frozen=True):
    """One event of the stream, of whatever type: the vendor may add types, and those are ignored."""

    type: str = ""
    index: int = 0
    message: StartedMessage | None = None
    content_block: StartedBlock | None = None
    delta: BlockDelta | None = None
    usage: WireUsage | None = None


class WholeMessage(msgspec.Struct, frozen=True):
    """An upstream's answer that is not streamed, of which no more than that is sure; see `StartedBlock`."""

    type: str = ""
    id: str = ""
    model: str = ""
    content: list[StartedBlock] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: WireUsage | None = None
