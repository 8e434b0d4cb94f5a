"""One fuzzed request: a client's body, damaged, decoded, encoded for every upstream, and answered with a call."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

import msgspec
from tests.core.grammar import grammar_error

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.estimate import prompt_characters
from agentlaunch.core.filters import prefix
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.schema_for_engine import for_engine
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.ir import (
    Answer,
    ChatRequest,
    Finished,
    FunctionTool,
    Started,
    StopReason,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import WIRES, AnswerContext, ProtocolError, Wire, load_wire
from agentlaunch.core.wire.options import wire_for_call
from fuzzing.mutations import mutated_bytes, mutated_document, spelled
from fuzzing.oracles import READERS, Malformed, strict_object
from fuzzing.streams import encoded

_WIRES = {name: load_wire(name) for name in sorted(WIRES)}

_SCHEMA = {
    "type": "object",
    "properties": {
        "path": {"type": "string", "pattern": "^(?=a).*", "maxLength": 9000},
        "lines": {"type": ["array", "null"], "items": {"$ref": "#/$defs/line"}},
    },
    "required": ["path"],
    "$defs": {"line": {"anyOf": [{"type": "integer"}, True]}},
}
_PIXEL = "iVBORw0KGgo="

_DOCUMENTS: dict[str, list[object]] = {
    "anthropic_messages": [
        {
            "model": "m", "max_tokens": 9, "stream": True, "system": [{"type": "text", "text": "s",
            "cache_control": {"type": "ephemeral"}}], "tool_choice": {"type": "auto"}, "stop_sequences": ["x"],
            "thinking": {"type": "adaptive"}, "tools": [{"name": "Read", "description": "d", "input_schema": _SCHEMA}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "hi"}, {"type": "image", "source":
                    {"type": "base64", "media_type": "image/png", "data": _PIXEL}}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"},
                    {"type": "tool_use", "id": "t1", "name": "Read", "input": {"path": "a"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t1", "is_error": True,
                    "content": [{"type": "text", "text": "no"}]}]},
            ],
        },
    ],
    "openai_chat": [
        {
            "model": "m", "max_tokens": 9, "stream": True, "stream_options": {"include_usage": True}, "stop": "x",
            "tools": [{"type": "function", "function": {"name": "read", "parameters": _SCHEMA}}],
            "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": _SCHEMA}},
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": [{"type": "text", "text": "hi"},
                    {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{_PIXEL}"}}]},
                {"role": "assistant", "content": None, "reasoning_content": "r", "tool_calls": [{"id": "c1",
                    "type": "function", "function": {"name": "read", "arguments": "{\"path\":"}}]},
                {"role": "tool", "tool_call_id": "c1", "content": "no"},
            ],
        },
    ],
    "openai_responses": [
        {
            "model": "m", "stream": True, "store": False, "instructions": "i", "max_output_tokens": 9,
            "parallel_tool_calls": True, "reasoning": {"effort": "high", "summary": "auto"},
            "tools": [{"type": "function", "name": "shell", "parameters": _SCHEMA, "strict": False},
                {"type": "custom", "name": "apply_patch", "format": {"type": "grammar", "syntax": "lark",
                    "definition": "start: x"}}, {"type": "web_search"}],
            "input": [
                {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "d"}]},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"},
                    {"type": "input_image", "image_url": f"data:image/png;base64,{_PIXEL}"}]},
                {"type": "reasoning", "id": "r1", "summary": [], "encrypted_content": "e"},
                {"type": "function_call", "call_id": "c1", "name": "shell", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "ok"},
                {"type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "*** Begin Patch"},
                {"type": "custom_tool_call_output", "call_id": "c2", "output": "ok"},
            ],
        },
    ],
    "ollama_chat": [
        {
            "model": "m", "stream": True, "think": True, "format": _SCHEMA, "keep_alive": "5m",
            "options": {"num_ctx": 4096, "temperature": 0.5, "stop": ["x"]},
            "tools": [{"type": "function", "function": {"name": "read", "parameters": _SCHEMA}}],
            "messages": [
                {"role": "system", "content": "s"},
                {"role": "user", "content": "hi", "images": [_PIXEL]},
                {"role": "assistant", "content": "", "thinking": "t", "tool_calls": [{"function":
                    {"name": "read", "arguments": {"path": "a"}}}]},
                {"role": "tool", "tool_name": "read", "content": "no"},
            ],
        },
    ],
}  # fmt: skip


_ARGUMENTS = ('{"path": "a", "lines": "[1]"}', '{"path": 5}', "{'path': 'a', }", "null", '"{}"', "[1", "")
"""What a model calls the request's first tool with."""


@dataclass(frozen=True)
class RequestCase:
    """A body of a client that speaks `wire`, and the arguments of the call that answers it."""

    wire: str
    data: bytes
    arguments: str = ""
    takes_images: bool = True

    def smaller(self, data: bytes) -> RequestCase:
        """The case with another body."""
        return replace(self, data=data)

    def shown(self) -> str:
        """Everything that the case needs to be tried again."""
        return f"wire={self.wire!r} arguments={self.arguments!r} takes_images={self.takes_images}\ndata={self.data!r}"


def make_request(rng: Random) -> RequestCase:
    """A body with one to four damages, now and then in its bytes."""
    wire = rng.choice(list(_WIRES))
    document = rng.choice(_DOCUMENTS[wire])
    for _ in range(rng.choice((1, 1, 2, 4))):
        document = mutated_document(rng, document)
    data = spelled(rng, document)
    damaged = mutated_bytes(rng, data) if rng.random() < 0.2 else data
    return RequestCase(wire, damaged, rng.choice(_ARGUMENTS), rng.random() < 0.8)


# --- the claims ---------------------------------------------------------------------------------------------------


def check_request(case: RequestCase) -> None:
    """Raises for a claim that does not hold: what is decoded can be asked of every upstream, and answered."""
    try:
        request = _WIRES[case.wire].decode_request(case.data)
    except ProtocolError:
        return
    lowered, forms = lower(request)
    prompt_characters(lowered)
    for name, wire in _WIRES.items():
        _check_upstream(name, wire, lowered, takes_images=case.takes_images)
    _check_answer(case, request, FilterChain(answer_filters(lowered), forms.restore()), lowered)


def _check_upstream(name: str, wire: Wire, lowered: ChatRequest, *, takes_images: bool) -> None:
    """The body is JSON of the wire, in which every result follows its call; or the wire says that it cannot say it."""
    endpoint = Endpoint("engine", name, "http://127.0.0.1:9", "m", context_window=4096, takes_images=takes_images)
    outgoing = msgspec.structs.replace(prefix.stable(lowered), model="m", max_output_tokens=9, stream=True)
    asked = for_engine(outgoing, endpoint)
    try:
        body = wire_for_call(wire, endpoint, asked).encode_request(asked)
    except ProtocolError:
        return
    strict_object(body)
    try:
        again = wire.decode_request(body)
    except ProtocolError:  # a client's own nonsense inside what is passed on as written: a schema that is a string
        return
    called: set[str] = set()
    for message in again.messages:
        for part in message.parts:
            match part:
                case ToolCallPart():
                    called.add(part.id)
                case ToolResultPart() if part.call_id not in called:
                    raise Malformed(f"to {name}: a result without its call")


def _check_answer(case: RequestCase, request: ChatRequest, chain: FilterChain, lowered: ChatRequest) -> None:
    """A call of the request's first tool keeps the grammar, and the client is told of it, streamed and whole."""
    name = next((tool.name for tool in lowered.tools if isinstance(tool, FunctionTool) and tool.name), "none")
    pieces = [ToolCallDelta(case.arguments)] if case.arguments else []
    answer = [Started(), ToolCallStart("c1", name), *pieces, ToolCallEnd(), Finished(StopReason.TOOL_CALLS)]
    events = [*(out for event in answer for out in chain.feed(event)), *chain.finish()]
    problem = grammar_error(events)
    if problem:
        raise Malformed(f"not in the grammar: {problem}")
    READERS[case.wire](encoded(case.wire, request, events))
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    whole = assembler.result()
    if isinstance(whole, Answer):
        strict_object(_WIRES[case.wire].encode_answer(whole, AnswerContext(request, lambda start: f"{start}1", 1)))
