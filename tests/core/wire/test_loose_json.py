"""Bodies in other spellings than the wire's own: clients' and servers' that are understood, and those that are not."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.core.wire.test_wires import decoded

from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    Finished,
    FunctionTool,
    ImagePart,
    Message,
    Part,
    Role,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolResultPart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import Frame, ProtocolError, load_wire
from agentlaunch.core.wire.loose_json import bare_schema

Json = dict[str, object]
HI: Json = {"role": "user", "content": "hi"}
USER_HI = Message(Role.USER, (TextPart("hi"),))


def asked(name: str, **fields: object) -> ChatRequest:
    own: Json = {"model": "m"} if name == "openai_responses" else {"model": "m", "messages": [HI]}
    return load_wire(name).decode_request(json.dumps({**own, **fields}).encode())


def block(**fields: object) -> tuple[Part, ...]:
    """The parts of an assistant's message with one such block."""
    message = {"role": "assistant", "content": [fields]}
    return tuple(part for each in asked("anthropic_messages", messages=[message]).messages for part in each.parts)


def result(content: object, **fields: object) -> tuple[Part, ...]:
    """The one result of a tool, on the Messages wire."""
    inner = {"type": "tool_result", "tool_use_id": "t", "content": content, **fields}
    (message,) = asked("anthropic_messages", messages=[{"role": "user", "content": [inner]}]).messages
    return message.parts


# --- what clients ask ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        {"type": "text", "text": "hi"},
        ["hi"],
        [{"text": "hi"}],
        ["hi", {"type": "text", "text": None}, None],
        [{"type": "text", "text": "hi", "cache_control": "ephemeral"}],
    ],
)
def test_text_content_is_understood_in_every_shape(content: object) -> None:
    assert asked("anthropic_messages", messages=[{"role": "user", "content": content}]).messages == (USER_HI,)


@pytest.mark.parametrize("system", ["S", ["S"], {"type": "text", "text": "S"}, [{"text": "S"}]])
def test_a_system_prompt_is_understood_in_every_shape(system: object) -> None:
    assert asked("anthropic_messages", system=system).messages == (Message(Role.SYSTEM, (TextPart("S"),)), USER_HI)


def test_a_turn_of_null_is_an_empty_one() -> None:
    turns = [HI, {"role": "assistant", "content": None}]
    assert asked("anthropic_messages", messages=turns).messages == (USER_HI,)


@pytest.mark.parametrize("fields", [{}, {"input": None}, {"input": "{}"}])
def test_a_call_without_an_input_object_has_no_arguments(fields: Json) -> None:
    assert block(type="tool_use", id="t", name="A", **fields) == (ToolCallPart("t", "A", "{}"),)


@pytest.mark.parametrize("signature", [None, ""])
def test_reasoning_without_a_signature_is_reasoning(signature: str | None) -> None:
    (part,) = block(type="thinking", thinking="hm", signature=signature)
    assert part == block(type="thinking", thinking="hm")[0]


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (["a", "b"], ("a", "b")),
        ({"type": "text", "text": "a"}, ("a",)),
        ({"a": 1}, ('{"a": 1}',)),
        (42, ("42",)),
        (True, ("true",)),
        ([{"type": "resource", "resource": {"uri": "file:///x", "text": "body"}}], ("body",)),
        ([{"type": "note", "text": "a"}], ("a",)),
        ([{"type": "audio", "data": "AAAA"}], ("[content of type `audio` left out]",)),
        ([{"type": "image", "url": "x"}], ("[content of type `image` left out]",)),
        ([{"type": "resource_link", "uri": "file:///a"}], ("[content of type `resource_link` left out: file:///a]",)),
        ([{"uri": "x"}], ("[content of type `unknown` left out: x]",)),
    ],
)
def test_whatever_a_tool_returns_is_told_or_named(content: object, text: tuple[str, ...]) -> None:
    assert result(content) == (ToolResultPart("t", tuple(map(TextPart, text))),)


@pytest.mark.parametrize(("fields", "media_type"), [({"mimeType": "image/png"}, "image/png"), ({}, "")])
def test_an_image_in_the_form_of_mcp_is_an_image(fields: Json, media_type: str) -> None:
    image = ImagePart(media_type, "AAAA")
    assert result([{"type": "image", "data": "AAAA", **fields}]) == (ToolResultPart("t", (image,)),)


def test_a_tools_error_mark_may_stand_in_quotes() -> None:
    assert result("x", is_error="true") == (ToolResultPart("t", (TextPart("x"),), is_error=True),)


def test_a_block_of_a_new_type_that_carries_text_is_that_text() -> None:
    assert block(type="compaction", content="summary") == (TextPart("summary"),)


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [
        ("anthropic_messages", {"max_tokens": "100"}, {"max_output_tokens": 100}),
        ("anthropic_messages", {"max_tokens": 100.0}, {"max_output_tokens": 100}),
        ("anthropic_messages", {"stop_sequences": "END"}, {"stop": ("END",)}),
        ("anthropic_messages", {"stream": "true"}, {"stream": True}),
        ("anthropic_messages", {"metadata": {"user_id": {"a": 1}}}, {}),
        ("openai_chat", {"stop": ["a", None]}, {"stop": ("a",)}),
        ("openai_chat", {"user": 7}, {"user": "7"}),
    ],
)
def test_values_in_another_spelling_are_read(name: str, fields: Json, expected: Json) -> None:
    assert asked(name, **fields) == ChatRequest("m", (USER_HI,), **expected)  # type: ignore[arg-type]


def test_a_choice_that_is_a_word_is_the_choice_of_that_type() -> None:
    tools = [{"name": "A", "input_schema": {"type": "object"}}]
    words = asked("anthropic_messages", tools=tools, tool_choice="any")
    assert words == asked("anthropic_messages", tools=tools, tool_choice={"type": "any"})


def test_arguments_and_outputs_of_another_shape_are_kept_as_json() -> None:
    call = {"type": "function_call", "call_id": 7, "id": None, "name": "f", "arguments": {"a": 1}}
    output = {"type": "function_call_output", "call_id": 7, "output": 42}
    assert asked("openai_responses", input=[call, output]).messages == (
        Message(Role.ASSISTANT, (ToolCallPart("7", "f", '{"a": 1}'),)),
        Message(Role.TOOL, (ToolResultPart("7", (TextPart("42"),)),)),
    )


def test_what_is_kept_as_written_keeps_its_bytes() -> None:
    body = b'{"model":"m","max_tokens":"9","tools":[{"name":"A","input_schema":{"type" : "object"}}],"messages":[]}'
    (tool,) = (
        load_wire("anthropic_messages").decode_request(body.replace(b"[]", b'[{"role":"user","content":"x"}]')).tools
    )
    assert tool == FunctionTool("A", parameters=msgspec.Raw(b'{"type" : "object"}'))


@pytest.mark.parametrize(
    ("name", "fields", "named"),
    [
        ("anthropic_messages", {"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "hologram"),
        ("anthropic_messages", {"messages": [{"role": "user", "content": [7]}]}, "content"),
        ("anthropic_messages", {"thinking": True}, "thinking"),
        ("anthropic_messages", {"thinking": "sideways"}, "thinking"),
        ("anthropic_messages", {"thinking": {"type": 7}}, "thinking"),
        ("anthropic_messages", {"model": 3}, "model"),
        ("anthropic_messages", {"max_tokens": "many"}, "max_tokens"),
        ("openai_chat", {"temperature": "warm"}, "temperature"),
        ("openai_chat", {"stream": "perhaps"}, "stream"),
        ("openai_chat", {"stop": 5}, "stop"),
        ("openai_chat", {"tools": 5}, "tools"),
        ("openai_chat", {"messages": ["hi"]}, "messages"),
        ("openai_responses", {"input": [{"type": "reasoning", "summary": 5}]}, "summary"),
        (
            "ollama_chat",
            {"messages": [{"role": "user", "images": [{"a": 1}], "tool_calls": ["x"]}]},
            "tool_calls|images",
        ),
        ("openai_chat", {"model": 3}, "model"),
        ("openai_chat", {"messages": {"a": 1}}, "messages"),
    ],
)
def test_what_has_no_clear_meaning_is_refused_by_name(name: str, fields: Json, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        asked(name, **fields)


DEEP = json.dumps('{"a":' * 5000 + "1" + "}" * 5000).encode()


@pytest.mark.parametrize(
    ("written", "schema"),
    [
        (b'{"type":"object"}', b'{"type":"object"}'),
        (rb'"{\"type\":\"object\"}"', b'{"type":"object"}'),
        (b'"text"', b'"text"'),
        (b'"{broken"', b'"{broken"'),
        (DEEP, DEEP),
        (b"", b""),
    ],
)
def test_a_schema_in_a_string_is_the_schema_and_anything_else_stays(written: bytes, schema: bytes) -> None:
    assert bare_schema(msgspec.Raw(written)) == msgspec.Raw(schema)


# --- what servers answer ------------------------------------------------------------------------------------------


def said(*choices: Json, **fields: object) -> list[ChatEvent]:
    """The events of a Chat stream with a chunk for each of `choices`, the last with `fields` beside it."""
    chunks = [{"id": "r", "choices": [choice]} for choice in choices]
    chunks[-1] |= fields
    return decoded("openai_chat", [*(Frame(json.dumps(chunk).encode()) for chunk in chunks), Frame(b"[DONE]")])


WHOLE = [Started("r"), TextDelta("a"), Finished(StopReason.END_TURN)]
A = {"delta": {"content": "a"}, "finish_reason": "stop"}


@pytest.mark.parametrize(
    ("choice", "fields"),
    [
        (A, {"created": "2024-01-01"}),
        (A, {"usage": []}),
        (A, {"timings": 5}),
        ({**A, "index": "0"}, {}),
        ({**A, "index": 0.0}, {}),
        ({**A, "finish_reason": {"type": "stop"}}, {}),
        ({"delta": {"content": "a", "refusal": False, "tool_calls": ""}, "finish_reason": "stop"}, {}),
        ({"delta": {"content": {"text": "a"}}, "finish_reason": "stop"}, {}),
        ({"delta": {"content": ["a"]}, "finish_reason": "stop"}, {}),
    ],
)
def test_what_stands_oddly_beside_the_content_costs_nothing(choice: Json, fields: Json) -> None:
    assert said(choice, **fields) == WHOLE


def test_numbers_in_quotes_are_counts_and_details_of_another_shape_are_none() -> None:
    usage = {"prompt_tokens": "10", "completion_tokens": "2", "prompt_tokens_details": 0}
    assert said(A, usage=usage) == [*WHOLE[:2], UsageReport(Usage(10, 0, 2)), WHOLE[2]]


def test_a_call_that_stands_alone_or_with_an_index_in_quotes_is_a_call() -> None:
    call = {"index": "0", "id": 7, "function": {"name": "f", "arguments": "{}"}}
    events = [
        Started("r"),
        ToolCallStart("7", "f"),
        ToolCallDelta("{}"),
        ToolCallEnd(),
        Finished(StopReason.TOOL_CALLS),
    ]
    assert said({"delta": {"tool_calls": call}, "finish_reason": "tool_calls"}) == events
    assert said({"delta": {"tool_calls": [None, call]}, "finish_reason": "tool_calls"}) == events


def test_reasoning_in_an_object_is_its_text() -> None:
    delta = {"reasoning": {"text": "hm"}, "content": "a"}
    assert said({"delta": delta, "finish_reason": "stop"}) == [WHOLE[0], ThinkingDelta("hm"), *WHOLE[1:]]


def test_reasoning_in_a_list_is_its_texts_and_content_that_is_false_is_none() -> None:
    delta = {"reasoning": [{"text": "h"}, "m"], "content": False}
    assert said({"delta": delta}, A, {"delta": {}, "finish_reason": "stop"})[:3] == [
        WHOLE[0],
        ThinkingDelta("hm"),
        TextDelta("a"),
    ]


def test_control_characters_and_nan_are_understood() -> None:
    chunk = b'{"id":"r","choices":[{"delta":{"content":"a\tb"},"logprobs":NaN,"finish_reason":"stop"}]}'
    assert decoded("openai_chat", [Frame(chunk), Frame(b"[DONE]")]) == [WHOLE[0], TextDelta("a\tb"), WHOLE[2]]


def test_content_of_another_shape_is_told_as_json() -> None:
    assert said({"delta": {"content": {"a": 1}}}, A)[:2] == [WHOLE[0], TextDelta('{"a": 1}')]


def test_texts_in_place_of_parts_are_told_on_every_wire() -> None:
    reasoning = {"type": "reasoning", "summary": "hm"}
    answer = {"status": "completed", "output": [reasoning, {"type": "message", "content": "a"}]}
    assert load_wire("openai_responses").decode_answer(json.dumps(answer).encode()) == [
        Started(),
        ThinkingDelta("hm"),
        TextDelta("a"),
        Finished(StopReason.END_TURN),
    ]
    body = b'{"type":"message","content":"a"}'
    assert load_wire("anthropic_messages").decode_answer(body) == [
        Started(),
        TextDelta("a"),
        Finished(StopReason.END_TURN),
    ]


@pytest.mark.parametrize("delta", [{"content": [7]}, {"reasoning": [7]}, {"reasoning": {"a": {"b": 1}}}, "x"])
def test_content_that_is_not_understood_is_never_left_out(delta: object) -> None:
    with pytest.raises(ProtocolError, match="delta"):
        said({"delta": delta, "finish_reason": "stop"})
