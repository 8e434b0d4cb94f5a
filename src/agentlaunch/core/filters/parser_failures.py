"""Answers that the engine's own parser or grammar gave up: what of them is saved, and what is worth asking again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping

import msgspec

from agentlaunch.core.context import fitting_output
from agentlaunch.core.filters.arguments import mended
from agentlaunch.core.filters.json_repair import Json, Unrepairable, repaired
from agentlaunch.core.filters.mending import Mend, MendCount
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.simple_schema import with_types_alone
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    FunctionTool,
    JsonFormat,
    Message,
    Role,
    Started,
    StopReason,
    TextDelta,
    ThinkingPart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)

_UNPARSED = re.compile(
    r"does not match the expected [\w.-]+ format"  # llama.cpp since the peg parsers (#27025, #27733)
    r"|failed to parse input at pos \d+"  # llama.cpp before them
    r"|error parsing tool call|failed to parse tool call"  # Ollama's gpt-oss, LM Studio
    r"|xml syntax error on line \d+|element <[\w=.-]*> closed by </",  # Ollama's qwen3-coder (#12380, #14834)
    re.IGNORECASE,
)
_GRAMMAR = re.compile(
    r"failed to parse grammar|failed to initialize samplers|json schema (?:error|conversion failed)"  # llama.cpp
    r"|automatic parser generation failed|(?:min|max)_value"
    r"|not supported by xgrammar|invalid (?:grammar|json schema)|grammar (?:error|compil)",  # vLLM, SGLang
    re.IGNORECASE,
)
_RAW_CALL = re.compile(r"error parsing tool call: raw='(.*)', err=", re.IGNORECASE | re.DOTALL)
_REST = re.compile(r"failed to parse input at pos \d+: (.+)", re.IGNORECASE | re.DOTALL)

_LACKS_THOUGHT = re.compile(r"reasoning_content\W.{0,80}(?:must be passed back|is missing)", re.IGNORECASE | re.DOTALL)
"""DeepSeek's and Kimi's words for an answer of the history without its reasoning (openclaw #73417, OmniRoute #3308)."""
_NO_THOUGHT = ThinkingPart(" ")

_NOT_THE_SAME_AGAIN = 0.3
"""The least temperature of a second try: at 0 the model would say the very same."""


def is_unparsed(fault: ChatFault) -> bool:
    """Whether the engine could not read what its model had said (reports B113, B116): no fault of the request."""
    return fault.kind is not ErrorKind.CONTEXT_OVERFLOW and _UNPARSED.search(fault.message) is not None


def second_try(request: ChatRequest, fault: ChatFault) -> ChatRequest | None:
    """What to ask instead, once, as long as nothing was told to the client; None when that would not help.

    After an answer that could not be parsed, the same again, at another temperature than 0: the prompt is in the
    engine's cache. After a grammar that could not be made, the same with schemas of types alone (report B021). After
    an answer that was to be too long, the same with a shorter one (report B177). After a history that lacks reasoning,
    which its client has not kept, the same with a word for it.
    """
    room = fitting_output(request.max_output_tokens, fault)
    if room is not None:
        return msgspec.structs.replace(request, max_output_tokens=room)
    if is_unparsed(fault):
        temperature = request.sampling.temperature
        if temperature is None or temperature >= _NOT_THE_SAME_AGAIN:
            return request
        sampling = msgspec.structs.replace(request.sampling, temperature=_NOT_THE_SAME_AGAIN, seed=None)
        return msgspec.structs.replace(request, sampling=sampling)
    if _LACKS_THOUGHT.search(fault.message):
        thoughtful = msgspec.structs.replace(request, messages=tuple(map(_with_thought, request.messages)))
        return None if thoughtful == request else thoughtful
    if fault.kind is ErrorKind.CONTEXT_OVERFLOW or _GRAMMAR.search(fault.message) is None:
        return None
    bare = _with_bare_schemas(request)
    return None if bare == request else bare


def _with_thought(message: Message) -> Message:
    if message.role is not Role.ASSISTANT or any(isinstance(part, ThinkingPart) for part in message.parts):
        return message
    return Message(message.role, (_NO_THOUGHT, *message.parts))


def _with_bare_schemas(request: ChatRequest) -> ChatRequest:
    tools = tuple(
        msgspec.structs.replace(tool, parameters=with_types_alone(tool.parameters))
        if isinstance(tool, FunctionTool)
        else tool
        for tool in request.tools
    )
    json_format = JsonFormat(name=request.json_format.name) if request.json_format is not None else None
    return msgspec.structs.replace(request, tools=tools, json_format=json_format)


class ParserFailures:
    """Saves what an answer holds whose end is an error of the engine's parser; stands before all other filters.

    Calls that were whole are kept. One that was open is ended as one that a limit cut, so it is never run half. The
    text that the error carries is read like any other of the model's. Without all that, the failure stays one.
    """

    def __init__(self, request: ChatRequest, offered: OfferedTools) -> None:
        self._offered = offered
        self._seed = str(len(request.messages))
        self._count = MendCount()
        self._has_started = False
        self._in_call = False
        self._calls = 0
        self._said: list[str] = []

    @property
    def mended(self) -> Mapping[str, int]:
        """What was mended so far, by kind."""
        return self._count.snapshot()

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        match event:
            case TextDelta(text):
                self._said.append(text)
            case Started():
                self._has_started = True
            case ToolCallStart():
                self._in_call = True
            case ToolCallEnd():
                self._in_call = False
                self._calls += 1
            case Failed(fault) if is_unparsed(fault):
                yield from self._saved(event)
                return
            case _:
                pass
        yield event

    def finish(self) -> Iterator[ChatEvent]:
        """Nothing is held back."""
        yield from ()

    def _saved(self, failed: Failed) -> Iterator[ChatEvent]:
        events = self._rebuilt(failed.fault.message)
        if not events:
            yield failed
            return
        self._count.add([Mend.UNPARSED])
        if not self._has_started:
            yield Started()
        yield from events

    def _rebuilt(self, message: str) -> list[ChatEvent]:
        if self._in_call:
            return [ToolCallEnd(), Finished(StopReason.MAX_TOKENS)]
        if self._calls:
            return [Finished(StopReason.TOOL_CALLS)]
        if (raw := _RAW_CALL.search(message)) is not None:
            return self._call(raw[1])
        rest = _REST.search(message)
        text = rest[1].removeprefix("".join(self._said)) if rest is not None else ""
        return [TextDelta(text), Finished(StopReason.END_TURN)] if text.strip() else []

    def _call(self, raw: str) -> list[ChatEvent]:
        """The call whose arguments are `raw`: Ollama's error has no name, but often only one tool takes such keys."""
        value = _value(raw)
        if not isinstance(value, dict):
            return []
        if any(isinstance(value.get(key), str) and self._offered.find(str(value[key])) for key in ("name", "tool")):
            return [TextDelta(raw), Finished(StopReason.END_TURN)]
        names = self._offered.taking(value.keys())
        if len(names) != 1 or not mended(raw, self._offered.schema(names[0])).whole:
            return []
        # By the turn and the call: no other call of the conversation has this id.
        digest = hashlib.blake2s(f"{self._seed}\0{raw}".encode("utf-8", "replace"), digest_size=12).hexdigest()
        start = ToolCallStart(f"call_{digest}", names[0])
        return [start, ToolCallDelta(raw), ToolCallEnd(), Finished(StopReason.TOOL_CALLS)]


def _value(raw: str) -> Json:
    """The value in broken JSON, of a list of one that one; None when there is none."""
    try:
        value = repaired(raw).value
    except Unrepairable:
        return None
    return value[0] if isinstance(value, list) and len(value) == 1 else value
