"""The thirteen probes that Ollama's own layer fails (facts/ollama-api.md G), against ours: bytes in, bytes out.

G.12 (signs of life in silence) is tests/shim/test_relay.py and test_ollama_client.py, G.13 (a launch that a hostile
environment cannot lead elsewhere) tests/agents/test_plans.py.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.ndjson import encode_line
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext, Frame, load_wire
from agentlaunch.core.wire.options import framing_of, wire_for_call
from agentlaunch.shim.translation import Translation

Json = dict[str, object]

MESSAGES, RESPONSES, CHAT, OLLAMA = "anthropic_messages", "openai_responses", "openai_chat", "ollama_chat"
SCHEMA: Json = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}


def asked(client: str, **extra: object) -> bytes:
    """A client's streamed request with the tool Write."""
    body: Json = {"model": "m", "stream": True}
    match client:
        case "anthropic_messages":
            body |= {"max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]}
            body["tools"] = [{"name": "Write", "input_schema": SCHEMA}]
        case "openai_responses":
            body |= {"input": "hi", "tools": [{"type": "function", "name": "Write", "parameters": SCHEMA}]}
        case _:
            body["messages"] = [{"role": "user", "content": "hi"}]
            body["tools"] = [{"type": "function", "function": {"name": "Write", "parameters": SCHEMA}}]
    return json.dumps({**body, **extra}).encode()


def sent(client: str, upstream: str, body: bytes) -> Json:
    """The body that the upstream gets for the client's."""
    request, _ = tool_forms.lower(load_wire(client).decode_request(body))
    endpoint = Endpoint("double", upstream, "http://127.0.0.1:1", "m", context_window=8192)
    told: Json = json.loads(wire_for_call(load_wire(upstream), endpoint, request).encode_request(request))
    return told


def answered(client: str, upstream: str, frames: list[bytes], body: bytes | None = None) -> list[Frame]:
    """What the client's stream says after the upstream's."""
    wire, source = load_wire(client), load_wire(upstream)
    request = wire.decode_request(body or asked(client))
    lowered, forms = tool_forms.lower(request)
    translation = Translation(source, "double", FilterChain(answer_filters(lowered), forms.restore()))
    spell = encode_line if framing_of(source) == "ndjson" else encode_frame
    events = [event for frame in frames for event in translation.feed(spell(Frame(frame)))]
    numbers = count(1)
    encoder = wire.event_encoder(AnswerContext(request, lambda prefix: f"{prefix}{next(numbers)}", 1_764_000_000))
    return [frame for event in (*events, *translation.finish()) for frame in encoder.feed(event)] + [*encoder.finish()]


def said(frames: list[Frame]) -> Iterator[Json]:
    for frame in frames:
        if frame.data != b"[DONE]":
            yield json.loads(frame.data)


def line(message: Json, *, done: bool = False, **extra: object) -> bytes:
    """A line of Ollama's."""
    whole = {"model": "m", "message": {"role": "assistant", "content": "", **message}, "done": done, **extra}
    return json.dumps(whole).encode()


DONE = line({}, done=True, done_reason="stop", prompt_eval_count=7, eval_count=2)


def output_of(frames: list[Frame]) -> list[Json]:
    """The items of a Responses stream's last event."""
    response = list(said(frames))[-1]["response"]
    assert isinstance(response, dict)
    return list(response["output"])


# --- answers ------------------------------------------------------------------------------------------------------


def test_g1_an_error_line_after_text_ends_the_stream_as_an_error() -> None:
    frames = [line({"content": "Hel"}), b'{"error":"boom"}']
    last = answered(MESSAGES, OLLAMA, frames)[-1]
    assert (last.event, json.loads(last.data)["error"]["message"]) == ("error", "boom")
    failed = list(said(answered(RESPONSES, OLLAMA, frames)))[-1]
    assert failed["type"] == "response.failed"
    assert "boom" in json.dumps(failed["response"])


CALL = {"tool_calls": [{"id": "call_1", "function": {"name": "Write", "arguments": {"path": "a"}}}]}


def test_g2_thinking_after_text_does_not_vanish() -> None:
    frames = [line({"thinking": "one"}), line({"content": "text"}), line({"thinking": "two"}), line(CALL), DONE]
    starts = [event["content_block"] for event in said(answered(MESSAGES, OLLAMA, frames)) if "content_block" in event]
    assert [block["type"] for block in starts if isinstance(block, dict)] == [
        "thinking",
        "text",
        "thinking",
        "tool_use",
    ]
    assert "two" in json.dumps(output_of(answered(RESPONSES, OLLAMA, frames))[2])


def test_g3_text_and_then_a_call_are_two_items_in_order() -> None:
    frames = answered(RESPONSES, OLLAMA, [line({"content": "text"}), line(CALL), DONE])
    assert [item["type"] for item in output_of(frames)] == ["message", "function_call"]
    ends = [(event["output_index"], event["type"]) for event in said(frames) if "output_item" in str(event["type"])]
    assert ends == [(place, f"response.output_item.{word}") for place in (0, 1) for word in ("added", "done")]


@pytest.mark.report("B099")
def test_what_a_stream_has_told_stands_in_its_last_event_and_an_empty_one_upstream_takes_nothing_away() -> None:
    item = {"type": "message", "id": "m1", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
    call = {"type": "function_call", "id": "f1", "call_id": "c1", "name": "Write", "arguments": '{"path":"a"}'}
    frames = [
        json.dumps(event).encode()
        for event in (
            {"type": "response.created", "response": {"id": "r1"}},
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {"type": "response.output_item.done", "output_index": 1, "item": call},
            {"type": "response.completed", "response": {"id": "r1", "status": "completed", "output": []}},
        )
    ]
    items = output_of(answered(RESPONSES, RESPONSES, frames))
    assert [each["type"] for each in items] == ["message", "function_call"]
    assert "Hello" in json.dumps(items[0])
    assert items[1]["arguments"] == '{"path":"a"}'


G7 = {
    "no closing tag": "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</function>\n",
    "no opening tag": "Sure.\n<function=Write>\n<parameter=path>\na\n</parameter>\n</function>\n</tool_call>",
    "no closing parameter": "<tool_call>\n<function=Write>\n<parameter=path>\na\n</function>\n</tool_call>",
    "markup in a value": (
        "<tool_call>\n<function=Write>\n<parameter=path>\nx</parameter>y\n</parameter>\n</function>\n</tool_call>"
    ),
    "JSON inside": '<tool_call>\n{"name": "Write", "arguments": {"path": "a"}}\n</tool_call>',
}


@pytest.mark.parametrize("text", G7.values(), ids=G7)
def test_g7_a_call_written_as_text_is_one_call(text: str) -> None:
    frames = answered(MESSAGES, OLLAMA, [*(line({"content": letter}) for letter in text), DONE])
    blocks = [event["content_block"] for event in said(frames) if "content_block" in event]
    assert [block["name"] for block in blocks if isinstance(block, dict) and block["type"] == "tool_use"] == ["Write"]
    assert b"parameter=" not in b"".join(frame.data for frame in frames)


def test_g8_json_that_only_mentions_a_tool_stays_text() -> None:
    text = '{"foo":"Write is a tool","x":{"y":1}}'
    frames = answered(CHAT, OLLAMA, [line({"content": text}), DONE])
    deltas = [event["choices"][0]["delta"] for event in said(frames) if event.get("choices")]  # type: ignore[index]
    assert "".join(delta.get("content", "") for delta in deltas) == text
    assert not any("tool_calls" in delta for delta in deltas)


# --- requests -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("upstream", [CHAT, OLLAMA, MESSAGES, RESPONSES])
def test_g4_odd_items_of_codex_are_taken(upstream: str) -> None:
    items = [
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        {"type": "custom_tool_call", "call_id": "c1", "name": "apply_patch", "input": "*** Begin Patch"},
        {"type": "local_shell_call", "call_id": "c2", "action": {"type": "exec", "command": ["ls"]}},
        {"type": "item_reference", "id": "x"},
        {"type": "compaction", "encrypted_content": "x"},
        {"type": "agent_message", "text": "from another agent"},
        {"type": "message", "role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        {"type": "function_call", "call_id": "c3", "name": "Write", "arguments": "{bad"},
        {"type": "function_call_output", "call_id": "c3", "output": "no"},
    ]
    told = json.dumps(sent(RESPONSES, upstream, asked(RESPONSES, input=items)))
    assert all(word in told for word in ("*** Begin Patch", "ls", "from another agent", "No.", "bad"))


@pytest.mark.parametrize("upstream", [CHAT, OLLAMA, MESSAGES, RESPONSES])
@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"x": True}},
        {"type": ["object", "null"], "properties": {"x": {"type": "string"}}},
        {"type": "object", "oneOf": [{"required": ["x"]}], "properties": {"x": {"const": 1, "default": 1}}},
        {"type": "object", "properties": {}, "additionalProperties": {"type": "string"}},
    ],
)
def test_g5_a_tools_schema_goes_on_as_it_is(schema: Json, upstream: str) -> None:
    told = sent(MESSAGES, upstream, asked(MESSAGES, tools=[{"name": "Write", "input_schema": schema}]))
    (tool,) = told["tools"]  # type: ignore[misc]
    definition = tool.get("function", tool)
    assert definition.get("parameters", definition.get("input_schema")) == schema


@pytest.mark.parametrize("upstream", [CHAT, OLLAMA])
def test_g6_system_blocks_failed_tools_and_documents_are_told_to_the_model(upstream: str) -> None:
    document = {
        "type": "document",
        "title": "Notes",
        "source": {"type": "text", "media_type": "text/plain", "data": "D"},
    }
    messages = [
        {"role": "user", "content": [document, {"type": "text", "text": "go"}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "Write", "input": {"path": "a"}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "t1", "content": "disk full", "is_error": True}],
        },
    ]
    system = [{"type": "text", "text": "A"}, {"type": "text", "text": "B"}]
    told = sent(MESSAGES, upstream, asked(MESSAGES, system=system, messages=messages))["messages"]
    assert isinstance(told, list)
    assert [message["content"] for message in told if message["role"] != "assistant"] == [
        "A\n\nB",
        '[document "Notes"]\nD\ngo',
        "Error: disk full",
    ]


@pytest.mark.parametrize("upstream", [CHAT, OLLAMA, MESSAGES, RESPONSES])
def test_g9_empty_arguments_null_content_and_results_in_parts_are_taken_with_their_ids(upstream: str) -> None:
    messages = [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_9", "type": "function", "function": {"name": "Write", "arguments": ""}}],
        },
        {"role": "tool", "tool_call_id": "call_9", "content": [{"type": "text", "text": "a"}]},
    ]
    told = json.dumps(sent(CHAT, upstream, asked(CHAT, messages=messages)))
    assert told.count("call_9") == 2


OVERFLOWS = {
    "Ollama's own words": (400, b'{"error":"input length exceeds the context length"}'),
    "llama.cpp's JSON": (
        400,
        json.dumps(
            {
                "error": json.dumps(
                    {
                        "error": {
                            "code": 400,
                            "message": "the request exceeds the available context size",
                            "type": "exceed_context_size_error",
                            "n_prompt_tokens": 9000,
                            "n_ctx": 8192,
                        }
                    }
                )
            }
        ).encode(),
    ),
    "every user's message dropped": (500, b'{"error":"no user query found in messages"}'),
}


@pytest.mark.parametrize(("status", "body"), OVERFLOWS.values(), ids=OVERFLOWS)
def test_g10_every_overflow_is_the_one_form_that_each_agent_compacts_on(status: int, body: bytes) -> None:
    fault = load_wire(OLLAMA).decode_fault(status, {}, body)
    assert fault.kind is ErrorKind.CONTEXT_OVERFLOW
    messages, chat = load_wire(MESSAGES).encode_fault(fault), load_wire(CHAT).encode_fault(fault)
    assert (messages.status, "prompt is too long" in json.loads(messages.body)["error"]["message"]) == (400, True)
    assert (chat.status, json.loads(chat.body)["error"]["code"]) == (400, "context_length_exceeded")


def test_g10_a_prompt_that_was_cut_without_a_word_is_an_overflow_too() -> None:
    body = asked(MESSAGES, messages=[{"role": "user", "content": "word " * 12_000}])
    request = load_wire(MESSAGES).decode_request(body)
    endpoint = Endpoint("ollama", OLLAMA, "http://127.0.0.1:1", "m", context_window=8192)
    decoder = wire_for_call(load_wire(OLLAMA), endpoint, request).event_decoder()
    last = line({}, done=True, done_reason="stop", prompt_eval_count=8192 // 2 + 2, eval_count=3)
    events = [event for frame in (line({"content": "Hel"}), last) for event in decoder.feed(Frame(frame))]
    fault = getattr(events[-1], "fault", None)
    assert isinstance(fault, ChatFault)
    assert fault.kind is ErrorKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize("upstream", [CHAT, OLLAMA, MESSAGES, RESPONSES])
@pytest.mark.parametrize("client", [MESSAGES, CHAT, RESPONSES, OLLAMA])
def test_g11_equal_conversations_are_equal_bytes_and_a_longer_one_begins_with_the_shorter(
    client: str, upstream: str
) -> None:
    key = "input" if client == RESPONSES else "messages"
    turns = [{"role": "user", "content": f"turn {number}"} for number in range(3)]
    answers = [{"role": "assistant", "content": f"answer {number}"} for number in range(3)]
    mixed = [turn for pair in zip(turns, answers, strict=True) for turn in pair]
    told = [sent(client, upstream, asked(client, **{key: mixed[: 2 * size + 1]})) for size in (1, 1, 2)]
    assert json.dumps(told[0]) == json.dumps(told[1])
    place = "input" if upstream == RESPONSES else "messages"
    short, long = told[1][place], told[2][place]
    assert isinstance(short, list)
    assert isinstance(long, list)
    assert long[: len(short)] == short
