"""Tools in the one form that every server takes, and the model's calls back in the client's forms."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import is_not
from typing import assert_never

import msgspec

from agentlaunch.core.filters.client_tools import client_tool
from agentlaunch.core.filters.custom_input import unwrapped, wrapped
from agentlaunch.core.filters.history import now_available
from agentlaunch.core.filters.tool_names import FlatNames, ToolKey
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    CustomTool,
    Failed,
    FunctionTool,
    HostedTool,
    Message,
    Part,
    Ping,
    ResultContent,
    TextPart,
    Tool,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)

_DELTAS_A_PING = 32
"""A patch is written for minutes on a slow machine, and Codex gives up after 300 s of silence (facts/agents.md 4.6)."""

_CUSTOM_PARAMETERS = msgspec.Raw(
    msgspec.json.encode(
        {
            "type": "object",
            "properties": {"input": {"type": "string", "description": "The whole text for the tool, unchanged."}},
            "required": ["input"],
            "additionalProperties": False,
        }
    )
)
_CUSTOM_GUIDANCE = "Call this tool with a JSON object whose one string `input` holds the whole text."


@dataclass(frozen=True)
class ToolForms:
    """How the tools of one request were lowered."""

    names: FlatNames
    custom: frozenset[ToolKey]

    def restore(self) -> CallRestorer:
        """A filter for the events of one answer to the lowered request."""
        return CallRestorer(self)


def lower(request: ChatRequest) -> tuple[ChatRequest, ToolForms]:
    """The same request for a server that knows plain functions only.

    Custom tools become functions of one string, namespaces part of the name, hosted tools are left out unless the
    client runs them, deferred tools appear when a result has referred to them, behind all others in the order of the
    first reference. The history is lowered alike. What does not change is the same object.
    """
    names = FlatNames((_key(tool) for tool in _callable(request.tools)), _mentioned(request.messages))
    custom = frozenset(_key(tool) for tool in request.tools if isinstance(tool, CustomTool))
    forms = ToolForms(names, custom)
    tools = tuple(_lowered_tool(tool, names) for tool in _shown(request))
    lowered = msgspec.structs.replace(
        request,
        messages=tuple(_lowered_message(message, names) for message in request.messages),
        tools=tools,
        tool_choice=_lowered_choice(request.tool_choice, tools, forms),
        parallel_tool_calls=request.parallel_tool_calls if tools else None,
    )
    return lowered, forms


# --- tools ------------------------------------------------------------------------------------------------------


def _callable(tools: Iterable[Tool]) -> Iterator[FunctionTool | CustomTool]:
    for tool in tools:
        own = client_tool(tool) if isinstance(tool, HostedTool) else tool
        if own is not None:
            yield own


def _key(tool: FunctionTool | CustomTool | ToolCallPart) -> ToolKey:
    return tool.namespace, tool.name


def _shown(request: ChatRequest) -> list[FunctionTool | CustomTool]:
    """The tools that the model sees: those of the start first, whatever is revealed later behind them, each name once,
    since servers refuse a name that two tools have."""
    tools = list(_callable(request.tools))
    shown = [tool for tool in tools if not _is_deferred(tool)]
    deferred = {tool.name: tool for tool in tools if _is_deferred(tool)}
    revealed = (deferred.get(name) for name in dict.fromkeys(_referred(request.messages)))
    once: dict[ToolKey, FunctionTool | CustomTool] = {}
    for tool in (*shown, *(tool for tool in revealed if tool is not None)):
        once.setdefault(_key(tool), tool)
    return list(once.values())


def _is_deferred(tool: FunctionTool | CustomTool) -> bool:
    return isinstance(tool, FunctionTool) and tool.deferred


def _referred(messages: Iterable[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolResultPart):
                yield from (piece.tool_name for piece in part.content if isinstance(piece, ToolReferencePart))


def _lowered_tool(tool: FunctionTool | CustomTool, names: FlatNames) -> FunctionTool:
    flat = names.flat(tool.namespace, tool.name)
    match tool:
        case FunctionTool(namespace="", deferred=False) if flat == tool.name:
            return tool
        case FunctionTool():
            return msgspec.structs.replace(tool, name=flat, namespace="", deferred=False)
        case CustomTool():
            return FunctionTool(flat, _described(tool), _CUSTOM_PARAMETERS)
        case _:
            assert_never(tool)


class _Format(msgspec.Struct, frozen=True):
    """The grammar in a custom tool's `format`, as OpenAI's API reference has it."""

    syntax: str = ""
    definition: str = ""


_FORMAT = msgspec.json.Decoder(_Format | None)


def _described(tool: CustomTool) -> str:
    """The description with what a function needs said; it comes last, because Codex's own forbids JSON."""
    try:
        form = _FORMAT.decode(tool.format)
    except msgspec.DecodeError:
        form = None
    grammar = f"The text follows this {form.syntax} grammar:\n{form.definition}" if form and form.definition else ""
    return "\n\n".join(filter(None, (tool.description, grammar.strip(), _CUSTOM_GUIDANCE)))


def _lowered_choice(choice: ToolChoice | None, tools: Sequence[FunctionTool], forms: ToolForms) -> ToolChoice | None:
    """A choice that names a tool which is not shown becomes `auto`; without tools there is no choice."""
    if choice is None or not tools:
        return None
    if choice.mode != "named":
        return choice
    shown = {tool.name for tool in tools}
    for key in (("", choice.name), forms.names.key(choice.name)):
        if forms.names.knows(key) and forms.names.flat(*key) in shown:
            return ToolChoice("named", forms.names.flat(*key))
    return ToolChoice()


# --- history ----------------------------------------------------------------------------------------------------


def _mentioned(messages: Iterable[Message]) -> Iterator[ToolKey]:
    for message in messages:
        for part in message.parts:
            if isinstance(part, ToolCallPart):
                yield _key(part)


def _lowered_message(message: Message, names: FlatNames) -> Message:
    parts = tuple(_lowered_part(part, names) for part in message.parts)
    changed = any(map(is_not, parts, message.parts))
    return Message(message.role, parts) if changed else message


def _lowered_part(part: Part, names: FlatNames) -> Part:
    match part:
        case ToolCallPart():
            flat = names.flat(part.namespace, part.name)
            if part.kind == "custom":
                arguments = wrapped(part.arguments)
                return msgspec.structs.replace(
                    part, name=flat, namespace="", kind="function", arguments=arguments, item_id=""
                )
            if part.namespace or flat != part.name:
                return msgspec.structs.replace(part, name=flat, namespace="")
            return part
        case ToolResultPart():
            if part.kind != "custom" and not any(isinstance(piece, ToolReferencePart) for piece in part.content):
                return part
            content = tuple(_lowered_content(piece) for piece in part.content)
            return msgspec.structs.replace(part, kind="function", content=content)
        case _:
            return part


def _lowered_content(piece: ResultContent) -> ResultContent:
    if isinstance(piece, ToolReferencePart):
        return TextPart(now_available(piece))
    return piece


# --- the answer -------------------------------------------------------------------------------------------------


class CallRestorer:
    """Calls of an answer in the client's forms. The text of a custom call is told when it is whole.

    Only then is it known whether the model sent JSON, broken JSON or the text itself; meanwhile there are Pings.
    """

    def __init__(self, forms: ToolForms) -> None:
        self._forms = forms
        self._held: ToolCallStart | None = None
        self._chunks: list[str] = []

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case ToolCallStart():
                yield from self._start(event)
            case ToolCallDelta() if self._held is not None:
                self._chunks.append(event.arguments)
                if len(self._chunks) % _DELTAS_A_PING == 0:
                    yield Ping()
            case ToolCallEnd() if self._held is not None:
                yield from self._whole(self._held)
            case Failed():
                self._held = None
                yield event
            case _:
                yield event

    def finish(self) -> Iterator[ChatEvent]:
        """The answer is over; a call that has not ended is not told."""
        self._held = None
        yield from ()

    def _start(self, event: ToolCallStart) -> Iterator[ChatEvent]:
        namespace, name = key = self._forms.names.key(event.name)
        if key in self._forms.custom:
            self._held = ToolCallStart(event.id, name, "custom", namespace)
            self._chunks.clear()
        elif (namespace, name) == (event.namespace, event.name):
            yield event
        else:
            yield ToolCallStart(event.id, name, event.kind, namespace)

    def _whole(self, start: ToolCallStart) -> Iterator[ChatEvent]:
        self._held = None
        yield start
        text = unwrapped("".join(self._chunks))
        if text:
            yield ToolCallDelta(text)
        yield ToolCallEnd()
