"""The structs of the Responses wire: items and bodies that are read, items and bodies that are written.

Fields that are not named are ignored when read (docs/wire/openai_responses.md). Source: OpenAI's API reference for
Responses, and facts/agents.md 2.2 for what the Codex CLI really sends.
"""

from __future__ import annotations

from typing import TypeAlias

from msgspec import UNSET, Raw, Struct, UnsetType, json

# --- read: request ------------------------------------------------------------------------------------------------


class ImageUrl(Struct, frozen=True):
    """The Chat form of an image address, which some clients send here."""

    url: str = ""


class ContentPart(Struct, frozen=True):
    """Any part of a message's or an output's content; `type` says which fields count."""

    type: str = ""
    text: str | None = None
    refusal: str | None = None
    image_url: str | ImageUrl | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    file_id: str | None = None


Content: TypeAlias = str | list[ContentPart] | None


class Head(Struct, frozen=True):
    """The first look at an item, where a missing `type` means a message, and at a tool, where it means a function."""

    type: str = "message"


class MessageItem(Struct, frozen=True):
    """A turn of the user, the assistant, or the system."""

    role: str
    content: Content = None


class FunctionCallItem(Struct, frozen=True):
    """A call with JSON arguments, kept as the text it is."""

    name: str
    arguments: str = ""
    call_id: str = ""
    id: str | None = None
    namespace: str | None = None


class CustomCallItem(Struct, frozen=True):
    """A call with free text."""

    name: str
    input: str = ""
    call_id: str = ""
    id: str | None = None
    namespace: str | None = None


class OutputObject(Struct, frozen=True):
    """The output form of older Codex versions; an object without `content` is a tool's own, and kept as its JSON."""

    content: Content
    success: bool | None = None


class OutputItem(Struct, frozen=True):
    """The result of a function call."""

    output: str | list[ContentPart] | OutputObject | None = None
    call_id: str = ""
    id: str | None = None


class CustomOutputItem(OutputItem, frozen=True):
    """The result of a custom tool call."""


class ShellAction(Struct, frozen=True):
    """What a local shell call runs."""

    command: list[str] = []


class ShellCallItem(Struct, frozen=True):
    """A call of the vendor's `local_shell` tool, which the client runs."""

    action: ShellAction
    call_id: str | None = None
    id: str | None = None


class TextPiece(Struct, frozen=True):
    """One piece of a reasoning item."""

    text: str = ""


class ReasoningItem(Struct, frozen=True):
    """The model's reasoning of an earlier turn."""

    id: str | None = None
    summary: list[TextPiece] | None = None
    content: list[TextPiece] | None = None
    encrypted_content: str | None = None


class ToolsItem(Struct, frozen=True):
    """Tools that join the request midway (`additional_tools`, `tool_search_output`)."""

    tools: list[Raw] | None = None


class DroppedItem(Struct, frozen=True):
    """An item of a known type that carries nothing a model can read."""


class LooseItem(Struct, frozen=True):
    """An item of another type: whatever text it carries."""

    text: str | None = None
    content: Content = None
    summary: Content = None
    output: Content = None


Item: TypeAlias = (
    MessageItem
    | FunctionCallItem
    | CustomCallItem
    | OutputItem
    | CustomOutputItem
    | ShellCallItem
    | ReasoningItem
    | ToolsItem
    | DroppedItem
    | LooseItem
)


class ToolDefinition(Struct, frozen=True):
    """A tool: `function`, `custom`, or `namespace` with `tools`; `function` and `input_schema` are others' forms."""

    name: str = ""
    function: ToolDefinition | None = None
    description: str | None = None
    parameters: Raw = Raw(b"null")
    input_schema: Raw = Raw(b"null")
    strict: bool | None = None
    format: Raw = Raw(b"null")
    tools: list[Raw] = []


class ToolChoiceObject(Struct, frozen=True):
    """A tool choice that is not a word; `function` names the tool in the Chat form."""

    type: str
    name: str = ""
    mode: str = ""
    function: ToolDefinition | None = None


class ReasoningOptions(Struct, frozen=True, omit_defaults=True):
    """How much to think. `summary` is how much of it to tell."""

    effort: str | None = None
    summary: str | None = None


class TextFormat(Struct, frozen=True):
    """`text`, `json_object` or `json_schema`, whose fields stand in `json_schema` in the Chat form."""

    type: str = "json_schema"
    json_schema: TextFormat | None = None
    name: str = ""
    schema: Raw = Raw(b"")
    strict: bool | None = None


class TextOptions(Struct, frozen=True):
    """How the answer's text is to look."""

    format: TextFormat | None = None


class Body(Struct, frozen=True):
    """A request for an answer."""

    model: str = ""
    input: str | list[Raw] | None = None
    instructions: str | None = None
    tools: list[Raw] | None = None
    tool_choice: str | ToolChoiceObject | None = None
    parallel_tool_calls: bool | None = None
    reasoning: ReasoningOptions | None = None
    text: TextOptions | None = None
    max_output_tokens: int | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    prompt_cache_key: str | None = None
    user: str | None = None
    stream: bool | None = None
    previous_response_id: str | None = None
    conversation: Raw = Raw(b"null")


# --- written: items, in requests and in answers -------------------------------------------------------------------


class InputText(Struct, frozen=True, tag_field="type", tag="input_text"):
    """Text that the model reads."""

    text: str


class InputImage(Struct, frozen=True, tag_field="type", tag="input_image"):
    """An image, as a data URL or an address."""

    image_url: str
    detail: str = "auto"


class InputFile(Struct, frozen=True, tag_field="type", tag="input_file", omit_defaults=True):
    """A document, as a data URL or an address."""

    filename: str = ""
    file_data: str = ""
    file_url: str = ""


class OutputText(Struct, frozen=True, tag_field="type", tag="output_text"):
    """Text that the model wrote."""

    text: str
    annotations: tuple[()] = ()
    logprobs: tuple[()] = ()


class Refusal(Struct, frozen=True, tag_field="type", tag="refusal"):
    """The model's refusal."""

    refusal: str


class SummaryText(Struct, frozen=True, tag_field="type", tag="summary_text"):
    """Reasoning that may be shown."""

    text: str


class ReasoningText(Struct, frozen=True, tag_field="type", tag="reasoning_text"):
    """Reasoning as the model wrote it."""

    text: str


WrittenInput: TypeAlias = InputText | InputImage | InputFile
WrittenOutput: TypeAlias = OutputText | Refusal


class Message(Struct, frozen=True, tag_field="type", tag="message", omit_defaults=True):
    """A message item."""

    role: str
    content: tuple[WrittenInput | WrittenOutput, ...] | list[WrittenOutput]
    id: str = ""
    status: str = ""


class Reasoning(Struct, frozen=True, tag_field="type", tag="reasoning"):
    """A reasoning item. `summary` is always there: without it Codex loses the item (field report B097)."""

    id: str | UnsetType
    summary: tuple[SummaryText, ...]
    content: tuple[ReasoningText, ...] | UnsetType = UNSET
    encrypted_content: str | UnsetType = UNSET


class FunctionCall(Struct, frozen=True, tag_field="type", tag="function_call", omit_defaults=True):
    """A function call. `namespace` is left out when empty: Codex joins it to the name (field report B033)."""

    call_id: str
    name: str
    arguments: str
    namespace: str = ""
    id: str = ""
    status: str = ""


class CustomToolCall(Struct, frozen=True, tag_field="type", tag="custom_tool_call", omit_defaults=True):
    """A custom tool call."""

    call_id: str
    name: str
    input: str
    namespace: str = ""
    id: str = ""
    status: str = ""


class FunctionCallOutput(Struct, frozen=True, tag_field="type", tag="function_call_output"):
    """The result of a function call."""

    call_id: str
    output: str | tuple[WrittenInput, ...]


class CustomToolCallOutput(Struct, frozen=True, tag_field="type", tag="custom_tool_call_output"):
    """The result of a custom tool call."""

    call_id: str
    output: str | tuple[WrittenInput, ...]


OutputItemOut: TypeAlias = Message | Reasoning | FunctionCall | CustomToolCall
InputItemOut: TypeAlias = OutputItemOut | FunctionCallOutput | CustomToolCallOutput


class WrittenFunction(Struct, frozen=True, tag_field="type", tag="function"):
    """A function tool. `strict` is always said: left out, the vendor tries to make the schema strict."""

    name: str
    description: str
    parameters: Raw
    strict: bool


class WrittenCustom(Struct, frozen=True, tag_field="type", tag="custom"):
    """A custom tool."""

    name: str
    description: str
    format: Raw | UnsetType = UNSET


class WrittenNamespace(Struct, frozen=True, tag_field="type", tag="namespace"):
    """A group of tools."""

    name: str
    description: str
    tools: list[WrittenFunction | WrittenCustom]


WrittenTool: TypeAlias = WrittenFunction | WrittenCustom | WrittenNamespace | Raw


class WrittenChoice(Struct, frozen=True):
    """A tool choice that names its tool."""

    type: str
    name: str | UnsetType = UNSET


class WrittenFormat(Struct, frozen=True, omit_defaults=True):
    """The form of the answer's text."""

    type: str
    name: str | UnsetType = UNSET
    schema: Raw | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class WrittenText(Struct, frozen=True):
    """Holds the form."""

    format: WrittenFormat


class WrittenBody(Struct, frozen=True):
    """A request for an upstream. `store` is always false: the shim sends whole conversations."""

    model: str
    input: list[InputItemOut]
    store: bool
    stream: bool
    tools: list[WrittenTool] | UnsetType = UNSET
    tool_choice: str | WrittenChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning: ReasoningOptions | UnsetType = UNSET
    include: tuple[str, ...] | UnsetType = UNSET
    text: WrittenText | UnsetType = UNSET
    max_output_tokens: int | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    prompt_cache_key: str | UnsetType = UNSET


encode = json.Encoder().encode
