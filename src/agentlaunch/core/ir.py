"""The internal representation: what every wire is decoded to and encoded from.

A request is a `ChatRequest`. An answer is a sequence of `ChatEvent`s in this grammar, which every event decoder
guarantees and every event encoder may rely on:

    Started (TextDelta | ThinkingDelta | ThinkingSignature | RefusalDelta | Ping
             | ToolCallStart ToolCallDelta* ToolCallEnd)* UsageReport* (Finished | Failed)

Tool calls never interleave: a call that the upstream interleaves is held back until the one before it has ended.
Every `ToolCallStart` carries a non-empty string id and name. Nothing follows `Finished` or `Failed`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal, TypeAlias

import msgspec

# --- parts of a message ------------------------------------------------------------------------------------------


class TextPart(msgspec.Struct, frozen=True, tag="text"):
    """Plain text. `cache_hint` is the client's wish that the prefix up to here be cached (Anthropic cache_control)."""

    text: str
    cache_hint: bool = False


class ImagePart(msgspec.Struct, frozen=True, tag="image"):
    """An image: base64 `data` with its `media_type`, or a `url` (then `data` is empty)."""

    media_type: str = ""
    data: str = ""
    url: str = ""
    cache_hint: bool = False


class DocumentPart(msgspec.Struct, frozen=True, tag="document"):
    """A document: base64 `data` (PDF and the like), or `text` when its source is plain text, or a `url`."""

    media_type: str = ""
    data: str = ""
    text: str = ""
    url: str = ""
    title: str = ""
    cache_hint: bool = False


class ThinkingPart(msgspec.Struct, frozen=True, tag="thinking"):
    """Reasoning of an earlier turn. `signature` and `encrypted` are opaque and go back as they came; `id` too."""

    text: str
    signature: str = ""
    encrypted: str = ""
    id: str = ""


class RefusalPart(msgspec.Struct, frozen=True, tag="refusal"):
    """The model's refusal, where the wire tells it apart from text."""

    text: str


class ToolReferencePart(msgspec.Struct, frozen=True, tag="tool_reference"):
    """Inside a tool result: a deferred tool that the client's tool search has found (Claude Code's ToolSearch)."""

    tool_name: str


ToolKind: TypeAlias = Literal["function", "custom"]


class ToolCallPart(msgspec.Struct, frozen=True, tag="tool_call"):
    """A call the model made. `arguments` is JSON text for a function, the raw input text for a custom tool.

    `namespace` is Codex's group of tools (`multi_agent_v1`), empty for none. `item_id` is the Responses item's own
    id, which is not the `id` that the result names.
    """

    id: str
    name: str
    arguments: str
    kind: ToolKind = "function"
    namespace: str = ""
    item_id: str = ""
    cache_hint: bool = False


ResultContent: TypeAlias = TextPart | ImagePart | DocumentPart | ToolReferencePart


class ToolResultPart(msgspec.Struct, frozen=True, tag="tool_result"):
    """The client's answer to the call `call_id`, in a message of role `tool`."""

    call_id: str
    content: tuple[ResultContent, ...] = ()
    is_error: bool = False
    kind: ToolKind = "function"
    cache_hint: bool = False


Part: TypeAlias = TextPart | ImagePart | DocumentPart | ThinkingPart | RefusalPart | ToolCallPart | ToolResultPart


class Role(StrEnum):
    """Who speaks. Leading `system` messages are the system prompt; later ones are mid-conversation notices."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"
    TOOL = "tool"


class Message(msgspec.Struct, frozen=True):
    """One turn. A `tool` message holds only `ToolResultPart`s; `ToolCallPart`s stand only in `assistant` messages."""

    role: Role
    parts: tuple[Part, ...]


# --- tools ------------------------------------------------------------------------------------------------------


NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')
"""The schema of a function that takes nothing, for a client that wrote none."""


class FunctionTool(msgspec.Struct, frozen=True, tag_field="tag", tag="function"):
    """A tool called with JSON arguments. `parameters` is the JSON Schema exactly as the client wrote it.

    `deferred` tools are not shown to the model until a `ToolReferencePart` names them.
    """

    name: str
    description: str = ""
    parameters: msgspec.Raw = NO_PARAMETERS
    namespace: str = ""
    deferred: bool = False
    strict: bool | None = None
    cache_hint: bool = False


class CustomTool(msgspec.Struct, frozen=True, tag_field="tag", tag="custom"):
    """A tool called with free text, perhaps held to a grammar (`format`, as the client wrote it): apply_patch."""

    name: str
    description: str = ""
    format: msgspec.Raw = msgspec.Raw(b"null")
    namespace: str = ""


class HostedTool(msgspec.Struct, frozen=True, tag_field="tag", tag="hosted"):
    """A tool that the vendor's server runs (web_search, ...); no local model has it. `definition` is as written."""

    type: str
    definition: msgspec.Raw


Tool: TypeAlias = FunctionTool | CustomTool | HostedTool


class ToolChoice(msgspec.Struct, frozen=True):
    """Which tool the model may call; `name` only with `named`. No wire names a tool's namespace here."""

    mode: Literal["auto", "none", "required", "named"] = "auto"
    name: str = ""


# --- the request ------------------------------------------------------------------------------------------------


class Sampling(msgspec.Struct, frozen=True):
    """Sampling parameters; None means the server's default."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None


class Reasoning(msgspec.Struct, frozen=True):
    """How much the model should think. `enabled` None: the model's own default."""

    enabled: bool | None = None
    effort: str = ""
    budget_tokens: int | None = None


class JsonFormat(msgspec.Struct, frozen=True):
    """Structured output: the answer must be JSON, of `schema` when there is one (`schema` empty: any object)."""

    schema: msgspec.Raw = msgspec.Raw(b"")
    name: str = ""
    strict: bool | None = None


class ChatRequest(msgspec.Struct, frozen=True):
    """One request for an answer, in no wire's own terms."""

    model: str
    messages: tuple[Message, ...]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_output_tokens: int | None = None
    stop: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    reasoning: Reasoning | None = None
    json_format: JsonFormat | None = None
    stream: bool = False
    user: str = ""
    cache_key: str = ""
    include_usage: bool = True
    """Whether a streamed answer tells its token counts; false only for a Chat client that did not ask for them."""


# --- the answer -------------------------------------------------------------------------------------------------


class StopReason(StrEnum):
    """Why the model stopped."""

    END_TURN = "end_turn"
    MAX_TOKENS = "max_tokens"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_CALLS = "tool_calls"
    REFUSAL = "refusal"
    CONTEXT_FULL = "context_full"


class Usage(msgspec.Struct, frozen=True):
    """Tokens. `input_tokens` counts the whole prompt, `cached_tokens` the part of it that came from a cache.

    `cost_usd` is what the upstream says that it charges, in US dollars; None where it says nothing.
    """

    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_usd: float | None = None


class ErrorKind(StrEnum):
    """What went wrong upstream, in no wire's own terms; each wire has its status and form for each kind."""

    BAD_REQUEST = "bad_request"
    AUTHENTICATION = "authentication"
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    CONTEXT_OVERFLOW = "context_overflow"
    RATE_LIMITED = "rate_limited"
    OVERLOADED = "overloaded"
    UNAVAILABLE = "unavailable"
    TIMEOUT = "timeout"
    INTERNAL = "internal"


class ChatFault(msgspec.Struct, frozen=True):
    """A failure as told to the client. `prompt_tokens` and `context_window` only with `CONTEXT_OVERFLOW`, if known.

    `code` says more than the kind does, on the wires that have codes; empty means the kind's own.
    """

    kind: ErrorKind
    message: str
    prompt_tokens: int | None = None
    context_window: int | None = None
    retry_after_s: float | None = None
    code: str = ""


class Started(msgspec.Struct, frozen=True, tag="started"):
    """The upstream has begun to answer; `id` and `model` as the upstream names them, perhaps empty."""

    id: str = ""
    model: str = ""


class TextDelta(msgspec.Struct, frozen=True, tag="text_delta"):
    """A non-empty piece of the visible answer."""

    text: str


class ThinkingDelta(msgspec.Struct, frozen=True, tag="thinking_delta"):
    """A non-empty piece of the model's reasoning."""

    text: str


class ThinkingSignature(msgspec.Struct, frozen=True, tag="thinking_signature"):
    """Closes the reasoning before it; `signature` and `encrypted` are opaque and replayed by the client."""

    signature: str = ""
    encrypted: str = ""


class RefusalDelta(msgspec.Struct, frozen=True, tag="refusal_delta"):
    """A non-empty piece of a refusal."""

    text: str


class ToolCallStart(msgspec.Struct, frozen=True, tag="tool_call_start"):
    """A call opens; `id` and `name` are never empty."""

    id: str
    name: str
    kind: ToolKind = "function"
    namespace: str = ""


class ToolCallDelta(msgspec.Struct, frozen=True, tag="tool_call_delta"):
    """A non-empty piece of the open call's arguments."""

    arguments: str


class ToolCallEnd(msgspec.Struct, frozen=True, tag="tool_call_end"):
    """The open call is whole."""


class Ping(msgspec.Struct, frozen=True, tag="ping"):
    """A sign of life that carries nothing (long prefill)."""


class UsageReport(msgspec.Struct, frozen=True, tag="usage"):
    """Token counts so far; a later report replaces an earlier one."""

    usage: Usage


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The answer is whole."""

    reason: StopReason
    stop_sequence: str = ""


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The answer broke off."""

    fault: ChatFault


ChatEvent: TypeAlias = (
    Started
    | TextDelta
    | ThinkingDelta
    | ThinkingSignature
    | RefusalDelta
    | ToolCallStart
    | ToolCallDelta
    | ToolCallEnd
    | Ping
    | UsageReport
    | Finished
    | Failed
)


class Answer(msgspec.Struct, frozen=True):
    """A finished answer: what the events add up to. `parts` are text, thinking, refusal and tool calls, in order."""

    parts: tuple[Part, ...]
    reason: StopReason
    stop_sequence: str = ""
    usage: Usage = Usage()
