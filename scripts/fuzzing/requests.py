"""One fuzzed request: a client's body, damaged, decoded, rewritten for an engine, encoded for every upstream."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters import prefix
from agentlaunch.core.filters.pipeline import answer_filters
from agentlaunch.core.filters.schema_for_engine import for_engine
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.wire.base import WIRES, ProtocolError, load_wire
from fuzzing.mutations import mutated_bytes, mutated_document, spelled
from fuzzing.oracles import strict_object

_WIRES = {name: load_wire(name) for name in sorted(WIRES)}
_ENGINE = Endpoint("engine", "openai_chat", "http://127.0.0.1:9", "m")

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


@dataclass(frozen=True)
class RequestCase:
    """A body of a client that speaks `wire`."""

    wire: str
    data: bytes

    def smaller(self, data: bytes) -> RequestCase:
        """The case with another body."""
        return RequestCase(self.wire, data)

    def shown(self) -> str:
        """Everything that the case needs to be tried again."""
        return f"wire={self.wire!r}\ndata={self.data!r}"


def make_request(rng: Random) -> RequestCase:
    """A body with one to four damages, now and then in its bytes."""
    wire = rng.choice(list(_WIRES))
    document = rng.choice(_DOCUMENTS[wire])
    for _ in range(rng.choice((1, 1, 2, 4))):
        document = mutated_document(rng, document)
    data = spelled(rng, document)
    return RequestCase(wire, mutated_bytes(rng, data) if rng.random() < 0.2 else data)


def check_request(case: RequestCase) -> None:
    """Raises for a claim that does not hold: decoding and encoding fail with ProtocolError alone, and write JSON."""
    try:
        request = _WIRES[case.wire].decode_request(case.data)
    except ProtocolError:
        return
    lowered, _ = lower(request)
    answer_filters(lowered)
    for wire in _WIRES.values():
        asked = for_engine(prefix.stable(lowered), _ENGINE)
        try:
            body = wire.encode_request(msgspec.structs.replace(asked, model="m", max_output_tokens=9, stream=True))
        except ProtocolError:
            continue
        strict_object(body)
        json.dumps(json.loads(body))
