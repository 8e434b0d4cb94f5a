"""The structs of the Responses wire's answers: the response object, and the events of its stream."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Raw, Struct

from agentlaunch.core.wire.openai_responses.types import OutputItemOut, SummaryText, WrittenOutput

# --- written ------------------------------------------------------------------------------------------------------


class InputTokensDetails(Struct, frozen=True):
    """Of the prompt's tokens."""

    cached_tokens: int = 0


class OutputTokensDetails(Struct, frozen=True):
    """Of the answer's tokens."""

    reasoning_tokens: int = 0


class WireUsage(Struct, frozen=True):
    """Token counts, read and written."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = None
    total_tokens: int = 0


class ErrorOut(Struct, frozen=True):
    """Why a response failed."""

    code: str
    message: str


class IncompleteDetails(Struct, frozen=True):
    """Why a response is incomplete."""

    reason: str = ""


class ResponseObject(Struct, frozen=True):
    """The response as a whole. The SDK wants the fields that no local server has, so they are there, empty."""

    id: str
    created_at: int
    status: str
    model: str
    output: list[OutputItemOut]
    parallel_tool_calls: bool
    object: str = "response"
    error: ErrorOut | None = None
    incomplete_details: IncompleteDetails | None = None
    instructions: None = None
    metadata: dict[str, str] = {}
    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    previous_response_id: None = None
    tool_choice: str = "auto"
    tools: tuple[()] = ()
    store: bool = False
    usage: WireUsage | None = None


class LifecycleEvent(Struct, frozen=True):
    """`response.created`, `.in_progress`, `.completed`, `.incomplete`, `.failed`."""

    type: str
    sequence_number: int
    response: ResponseObject


class ItemEvent(Struct, frozen=True):
    """`response.output_item.added` and `.done`."""

    type: str
    sequence_number: int
    output_index: int
    item: OutputItemOut


class PartEvent(Struct, frozen=True):
    """`response.content_part.added` and `.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    part: WrittenOutput


class TextDeltaEvent(Struct, frozen=True):
    """`response.output_text.delta`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str
    logprobs: tuple[()] = ()


class TextDoneEvent(Struct, frozen=True):
    """`response.output_text.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    text: str
    logprobs: tuple[()] = ()


class RefusalDeltaEvent(Struct, frozen=True):
    """`response.refusal.delta`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    delta: str


class RefusalDoneEvent(Struct, frozen=True):
    """`response.refusal.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    content_index: int
    refusal: str


class SummaryPartEvent(Struct, frozen=True):
    """`response.reasoning_summary_part.added` and `.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    part: SummaryText


class SummaryDeltaEvent(Struct, frozen=True):
    """`response.reasoning_summary_text.delta`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    delta: str


class SummaryDoneEvent(Struct, frozen=True):
    """`response.reasoning_summary_text.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    summary_index: int
    text: str


class CallDeltaEvent(Struct, frozen=True):
    """`response.function_call_arguments.delta` and `response.custom_tool_call_input.delta`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    delta: str


class ArgumentsDoneEvent(Struct, frozen=True):
    """`response.function_call_arguments.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    arguments: str
    name: str


class InputDoneEvent(Struct, frozen=True):
    """`response.custom_tool_call_input.done`."""

    type: str
    sequence_number: int
    item_id: str
    output_index: int
    input: str


class KeepaliveEvent(Struct, frozen=True):
    """A sign of life: Codex counts any event, and ignores the types it does not know (facts/agents.md 4.6)."""

    type: str
    sequence_number: int


WrittenEvent: TypeAlias = (
    LifecycleEvent
    | ItemEvent
    | PartEvent
    | TextDeltaEvent
    | TextDoneEvent
    | RefusalDeltaEvent
    | RefusalDoneEvent
    | SummaryPartEvent
    | SummaryDeltaEvent
    | SummaryDoneEvent
    | CallDeltaEvent
    | ArgumentsDoneEvent
    | InputDoneEvent
    | KeepaliveEvent
)

# --- read ---------------------------------------------------------------------------------------------------------


class EventHead(Struct, frozen=True):
    """The first look at an event. `error` and `detail` are how servers fail in the middle of a stream."""

    type: str = ""
    error: Raw = Raw(b"null")
    detail: Raw = Raw(b"null")
    object: str = ""


class ReadPart(Struct, frozen=True):
    """A piece of an item's content or summary."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None


class ReadItem(Struct, frozen=True):
    """An output item; `type` says which fields count."""

    type: str = ""
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    content: list[ReadPart] | None = None
    summary: list[ReadPart] | None = None
    encrypted_content: str | None = None


class ReadItemEvent(Struct, frozen=True):
    """`response.output_item.added` and `.done`."""

    item: ReadItem = ReadItem()
    output_index: int = 0


class ReadDelta(Struct, frozen=True):
    """Every event about a piece of an item: a delta, or the whole text in one of four fields."""

    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item_id: str | None = None
    delta: str | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | None = None
    input: str | None = None


class ReadResponse(Struct, frozen=True):
    """The response object as an upstream sends it."""

    id: str | None = None
    model: str | None = None
    output: list[ReadItem] | None = None
    usage: WireUsage | None = None
    status: str = ""
    error: Raw = Raw(b"null")
    incomplete_details: IncompleteDetails | None = None


class ReadLifecycle(Struct, frozen=True):
    """An event that carries the response object."""

    response: ReadResponse = ReadResponse()
