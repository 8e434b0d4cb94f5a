"""Streams as the vendors' servers write them, and random answers for our own encoders to write more."""

from __future__ import annotations

import json
from itertools import count
from random import Random

from tests.core.filters.answers import REQUEST
from tests.core.filters.test_text_calls import NOTATIONS

from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.ndjson import encode_line
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext, Frame, load_wire
from agentlaunch.core.wire.options import framing_of

_TEXTS = (
    "Hello",
    " wörld 🙂",
    "\n\n",
    "a < b",
    "<think>hm</think>",
    "<thi",
    "nk>",
    "</think>",
    "`x`",
    "```json\n",
    '{"name": "bash"',
    "[TOOL_CALLS]",
    "<|channel|>analysis<|message|>",
    "<|python_tag|>",
    "data: [DONE]",
    "\x00\u2028\r",
    *(text for text, _ in NOTATIONS.values()),
)
_ARGUMENTS = (
    '{"path": "a", "content": "b\\n"}',
    '{"command": "ls"}',
    '{"command": "ls", "timeout": "5"',
    '"{\\"command\\": \\"ls\\"}"',
    "{'n': 5, }",
    "null",
    "",
    "[1",
    '{"n": "7", "a": "[1]", "o": {"k": [true]}, "s": 7}',
    '{"input": "*** Begin Patch\\n"}',
)
_NAMES = ("bash", "Write", "write", "f", "list_files", "apply_patch", "no_such_tool", "functions.bash", "名")


def random_answer(rng: Random) -> list[ChatEvent]:
    """A whole answer in the grammar of `core.ir`."""
    events: list[ChatEvent] = [Started("r", "m")]
    for number in range(rng.randrange(5)):
        match rng.randrange(8):
            case 0 | 1 | 2:
                events += map(TextDelta, _pieces(rng, rng.choice(_TEXTS)))
            case 3:
                events += map(ThinkingDelta, _pieces(rng, rng.choice(_TEXTS)))
            case 4:
                events.append(rng.choice((Ping(), ThinkingSignature("sig", "enc"), RefusalDelta("no"))))
            case _:
                call_id = rng.choice((f"call_{number}", f"c{number}"))
                events += [ToolCallStart(call_id, rng.choice(_NAMES))]
                events += [*map(ToolCallDelta, _pieces(rng, rng.choice(_ARGUMENTS))), ToolCallEnd()]
    if rng.random() < 0.8:
        events.append(UsageReport(Usage(rng.randrange(100), 0, rng.randrange(2_000))))
    if rng.random() < 0.1:
        return [*events, Failed(ChatFault(rng.choice(list(ErrorKind)), "boom", retry_after_s=1.5))]
    return [*events, Finished(rng.choice(list(StopReason)))]


def _pieces(rng: Random, text: str) -> list[str]:
    size = rng.choice((max(len(text) // 8, 1), 9, 40, 500))
    return [text[at : at + size] for at in range(0, len(text), size)]


def written(wire_name: str, events: list[ChatEvent]) -> list[bytes]:
    """The answer's frames, as our own encoder of the wire spells them."""
    numbers = count(1)
    wire = load_wire(wire_name)
    encoder = wire.event_encoder(AnswerContext(REQUEST, lambda prefix: f"{prefix}{next(numbers)}", 1))
    frames = [frame for event in events for frame in encoder.feed(event)]
    spell = encode_line if framing_of(wire) == "ndjson" else encode_frame
    return [spell(frame) for frame in [*frames, *encoder.finish()]]


def vendor_streams(wire_name: str) -> list[list[bytes]]:
    """What real servers of the wire say that our encoder never does, each stream a list of spelled frames."""
    return [[_spelled(wire_name, document) for document in stream] for stream in _VENDORS[wire_name]]


def _spelled(wire_name: str, document: object) -> bytes:
    if isinstance(document, bytes):
        return document
    data = json.dumps(document, ensure_ascii=False).encode()
    if wire_name == "ollama_chat":
        return data + b"\n"
    named = wire_name != "openai_chat" and isinstance(document, dict)
    return encode_frame(Frame(data, str(document["type"]) if named and isinstance(document, dict) else ""))


def _chunk(delta: object, finish: str | None = None, **more: object) -> dict[str, object]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish, "logprobs": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **more}


def _call(index: int | None, **fields: object) -> dict[str, object]:
    return {"tool_calls": [{**({} if index is None else {"index": index}), **fields}]}


_DONE = b"data: [DONE]\n\n"
_USAGE = {"prompt_tokens": 9, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.01}
_CHAT: list[list[object]] = [
    [
        b": OPENROUTER PROCESSING\n\n",
        _chunk({"role": "assistant", "content": None, "reasoning": "hm", "reasoning_details": [{"type": "x"}]}),
        _chunk(_call(0, id="a", type="function", function={"name": "bash", "arguments": ""})),
        _chunk(_call(1, id="b", type="function", function={"name": "f", "arguments": '{"n":'})),
        _chunk(_call(0, function={"arguments": '{"command": "ls"}'})),
        _chunk(_call(1, function={"arguments": "1}"})),
        _chunk({}, "tool_calls", native_finish_reason="tool_calls"),
        {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": _USAGE},
        _DONE,
    ],
    [
        _chunk({"role": "assistant"}),
        _chunk(_call(None, function={"name": "bash", "arguments": {"command": "ls"}})),
        _chunk(_call(0, id=None, function={"name": "", "arguments": "x"})),
        _chunk({"function_call": {"name": "bash", "arguments": "{}"}}),
        _chunk({"content": [{"type": "text", "text": "parts"}]}, "stop", usage=_USAGE, timings={"predicted_n": 3}),
    ],
    [_chunk({"content": "Hel"}), b'error: {"code":500,"message":"boom","type":"server_error"}\n\n'],
    [_chunk({"content": "Hel"}), b'data: {"error":{"message":"boom","code":503}}\r\n\r\n', _DONE],
    [_chunk({"content": "a", "refusal": "no"}), _chunk({}, "content_filter"), _chunk({}, "stop", usage=None), _DONE],
]
_MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}}


def _block(index: int, block: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": block}


def _delta(index: int, kind: str, **fields: object) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, **fields}}


_MESSAGES: list[list[object]] = [
    [
        {"type": "message_start", "message": {**_MESSAGE, "usage": {"input_tokens": 5, "cache_read_input_tokens": 3}}},
        {"type": "ping"},
        _block(0, {"type": "thinking", "thinking": "", "signature": ""}),
        _delta(0, "thinking_delta", thinking="hm", estimated_tokens=2),
        _delta(0, "signature_delta", signature="c2ln"),
        {"type": "content_block_stop", "index": 0},
        _block(1, {"type": "redacted_thinking", "data": "xyz"}),
        {"type": "content_block_stop", "index": 1},
        _block(2, {"type": "text", "text": "", "citations": []}),
        _delta(2, "text_delta", text="Hi"),
        _delta(2, "citations_delta", citation={"type": "char_location"}),
        {"type": "content_block_stop", "index": 2},
        _block(3, {"type": "tool_use", "id": "t", "name": "bash", "input": {}, "caller": {"type": "direct"}}),
        _delta(3, "input_json_delta", partial_json=""),
        _delta(3, "input_json_delta", partial_json='{"command": "ls"}'),
        {"type": "content_block_stop", "index": 3},
        _block(4, {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        {"type": "content_block_stop", "index": 4},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ],
    [
        {"type": "message_start", "message": _MESSAGE},
        _block(0, {"type": "tool_use", "id": "t", "name": "f", "input": {"n": 5}}),
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
    ],
]


def _response(status: str, output: object = (), **more: object) -> dict[str, object]:
    return {"id": "resp_1", "object": "response", "status": status, "model": "m", "output": output, **more}


def _item(kind: str, index: int, item: object) -> dict[str, object]:
    return {"type": f"response.output_item.{kind}", "output_index": index, "item": item}


_FUNCTION = {"type": "function_call", "id": "fc", "call_id": "c", "name": "bash", "arguments": "", "status": "x"}
_WHOLE_CALL = {**_FUNCTION, "arguments": '{"command":"ls"}', "status": "completed"}
_SAID = {"type": "message", "id": "m", "role": "assistant", "content": [{"type": "output_text", "text": "Hi"}]}
_AT = {"item_id": "x", "output_index": 0, "content_index": 0}
_RESPONSES: list[list[object]] = [
    [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "response.queued", "response": _response("queued")},
        _item("added", 0, {"type": "reasoning", "id": "rs", "summary": []}),
        {"type": "response.reasoning_text.delta", **_AT, "delta": "hm"},
        {"type": "response.reasoning_summary_text.delta", **_AT, "summary_index": 0, "delta": "so"},
        _item("done", 0, {"type": "reasoning", "id": "rs", "summary": [], "encrypted_content": "enc"}),
        _item("added", 1, {**_SAID, "content": []}),
        {"type": "response.content_part.added", **_AT, "part": {"type": "output_text", "text": ""}},
        {"type": "response.output_text.delta", **_AT, "delta": "Hi", "logprobs": []},
        {"type": "response.output_text.annotation.added", **_AT, "annotation": {}},
        {"type": "response.output_text.done", **_AT, "text": "Hi"},
        _item("done", 1, _SAID),
        _item("added", 2, _FUNCTION),
        {"type": "response.function_call_arguments.delta", **_AT, "delta": '{"command":"ls"}'},
        _item("done", 2, _WHOLE_CALL),
        _item("added", 3, {"type": "web_search_call", "id": "ws", "status": "in_progress"}),
        _item("done", 3, {"type": "custom_tool_call", "id": "ct", "call_id": "d", "name": "apply_patch", "input": "*"}),
        {"type": "response.completed", "response": _response("completed", [_SAID], usage={"input_tokens": 4})},
        _DONE,
    ],
    [_item("done", 0, _SAID), _item("done", 0, _WHOLE_CALL), {"type": "response.incomplete", "response": {}}],
    [
        {"type": "response.created", "response": _response("in_progress")},
        {"type": "error", "code": "rate_limit_exceeded", "message": "slow", "param": None},
    ],
    [{"type": "response.failed", "response": _response("failed", error={"code": "server_error", "message": "x"})}],
]


def _line(message: object, *, done: bool = False, **more: object) -> dict[str, object]:
    return {"model": "m", "created_at": "2026-11-24T00:00:00.5Z", "message": message, "done": done, **more}


_OLLAMA: list[list[object]] = [
    [
        _line({"role": "assistant", "content": "", "thinking": "hm"}),
        _line({"role": "assistant", "content": "Hi"}),
        _line({"role": "assistant", "tool_calls": [{"function": {"name": "bash", "arguments": {"command": "ls"}}}]}),
        _line({"tool_calls": [{"id": "i", "function": {"index": 1, "name": "f", "arguments": {"n": 1}}}] * 2}),
        _line({"role": "assistant", "content": ""}, done=True, done_reason="stop", prompt_eval_count=9, eval_count=3),
    ],
    [_line({"content": "Hi"}), {"error": "an error was encountered while running the model: boom"}],
    [{"error": "overloaded", "status_code": 503}],
    [_line({"content": "Hi"}), b"\r\n", _line({}, done=True, done_reason="length", eval_count=0)],
]
_VENDORS = {
    "anthropic_messages": _MESSAGES,
    "ollama_chat": _OLLAMA,
    "openai_chat": _CHAT,
    "openai_responses": _RESPONSES,
}
