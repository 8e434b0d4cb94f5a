"""Reports of the field on calls and context whose cure lies in more than one module: each claim on every wire."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    FunctionTool,
    Message,
    Role,
    TextPart,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import WIRES, AnswerContext, Frame, Wire, load_wire

Json = Any

BROKEN = ['{"content": """doc', '{"path": "a', "not json", "[1, 2]", '"text"', "null", "", "5", '{"a": NaN}']


def history(arguments: str) -> ChatRequest:
    return ChatRequest(
        "m",
        (
            Message(Role.USER, (TextPart("go"),)),
            Message(Role.ASSISTANT, (TextPart("I will."), ToolCallPart("call_1", "Write", arguments))),
            Message(Role.TOOL, (ToolResultPart("call_1", (TextPart("done"),)),)),
            Message(Role.USER, (TextPart("and now?"),)),
        ),
        tools=(FunctionTool("Write"),),
        max_output_tokens=10,
    )


def arguments_in(node: Json) -> list[Json]:
    """What stands under the calls' arguments, anywhere in a body."""
    if isinstance(node, list):
        return [found for part in node for found in arguments_in(part)]
    if not isinstance(node, dict):
        return []
    own = [node[key] for key in ("arguments",) if key in node]
    own += [node["input"]] if node.get("type") == "tool_use" else []
    return own + [found for part in node.values() for found in arguments_in(part)]


@pytest.fixture(params=WIRES)
def wire(request: pytest.FixtureRequest) -> Wire:
    return load_wire(request.param)


@pytest.mark.report("B123")
@pytest.mark.parametrize("arguments", BROKEN)
@pytest.mark.parametrize("name", sorted(WIRES.keys() - {"openai_responses"}))
def test_a_replayed_calls_arguments_are_a_json_object_where_templates_parse_them(name: str, arguments: str) -> None:
    body = json.loads(load_wire(name).encode_request(history(arguments)))
    [found] = arguments_in(body)
    value = json.loads(found) if isinstance(found, str) else found
    assert isinstance(value, dict)


@pytest.mark.report("B152")
def test_an_earlier_call_goes_to_the_server_as_a_call_and_never_as_prose(wire: Wire) -> None:
    body = json.loads(wire.encode_request(history('{"path": "a"}')))
    [found] = arguments_in(body)
    assert (json.loads(found) if isinstance(found, str) else found) == {"path": "a"}
    texts = json.dumps(body).lower()
    assert not any(words in texts for words in ("[calling tool", "tool call:", "<tool_call>", "called the tool"))


@pytest.mark.report("B139")
def test_a_server_without_a_tool_parser_is_told_with_the_flags_that_it_lacks() -> None:
    message = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
    body = json.dumps({"object": "error", "message": message, "type": "BadRequestError", "code": 400}).encode()
    for name in WIRES:
        assert message in load_wire(name).decode_fault(400, {}, body).message


@pytest.mark.report("B172")
def test_claude_code_is_told_the_whole_prompt_with_what_came_from_the_cache() -> None:
    messages = load_wire("anthropic_messages")
    encoder = messages.event_encoder(AnswerContext(history("{}"), lambda prefix: f"{prefix}1", 0))
    events: list[ChatEvent] = []
    chain = FilterChain(answer_filters(history("{}")))
    decoder = load_wire("openai_chat").event_decoder()
    chunk = {"choices": [{"delta": {"content": "a"}, "finish_reason": "stop"}]}
    usage = {"usage": {"prompt_tokens": 100, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 80}}}
    for data in (json.dumps(chunk | usage).encode(), b"[DONE]"):
        events += [out for event in decoder.feed(Frame(data)) for out in chain.feed(event)]
    frames = [json.loads(frame.data) for event in events for frame in encoder.feed(event)]
    [told] = [frame["usage"] for frame in frames if frame["type"] == "message_delta"]
    assert told["input_tokens"] + told["cache_read_input_tokens"] == 100
    assert told["output_tokens"] == 5


def chat_calls(*calls: list[Json]) -> list[ChatEvent]:
    """The events of a Chat stream with these `tool_calls` deltas."""
    decoder = load_wire("openai_chat").event_decoder()
    chunks: list[Json] = [{"choices": [{"delta": {"tool_calls": deltas}}]} for deltas in calls]
    chunks.append({"choices": [{"delta": {}, "finish_reason": "tool_calls"}]})
    datas = [*(json.dumps(chunk).encode() for chunk in chunks), b"[DONE]"]
    chain = FilterChain(
        answer_filters(ChatRequest("m", (), tools=(FunctionTool("run_in_terminal"), FunctionTool("run_in"))))
    )
    return [out for data in datas for event in decoder.feed(Frame(data)) for out in chain.feed(event)]


def piece(name: str = "", arguments: str = "", call_id: str | None = None) -> Json:
    return {"index": 0, "id": call_id, "function": {"name": name, "arguments": arguments}}


@pytest.mark.report("B143")
@pytest.mark.parametrize(
    "names",
    [
        ["run_in", "_terminal"],
        ["run_in_terminal", "run_in_terminal"],
        ["run_in_terminal", ""],
        ["run", "_in", "_terminal"],
    ],
    ids=["two pieces", "whole each time", "whole", "three pieces"],
)
def test_a_name_in_pieces_is_one_name_and_a_whole_one_is_not_doubled(names: list[str]) -> None:
    deltas = [[piece(name, call_id="c1" if number == 0 else None)] for number, name in enumerate(names)]
    events = chat_calls(*deltas, [piece(arguments="{}")])
    assert [event.name for event in events if isinstance(event, ToolCallStart)] == ["run_in_terminal"]
    assert sum(isinstance(event, ToolCallEnd) for event in events) == 1
