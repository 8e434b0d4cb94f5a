"""Forms of one vendor's API in a request on another's wire: agents and editors mix them, and what they ask is done."""

from __future__ import annotations

import json

import msgspec
import pytest

from agentlaunch.core.ir import (
    NO_PARAMETERS,
    ChatRequest,
    DocumentPart,
    Finished,
    FunctionTool,
    ImagePart,
    JsonFormat,
    Message,
    Part,
    RefusalPart,
    Role,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingPart,
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from agentlaunch.core.wire.base import ProtocolError, load_wire

Json = dict[str, object]
HI: Json = {"role": "user", "content": "hi"}
WIRES = ("anthropic_messages", "openai_chat", "openai_responses")
every_wire = pytest.mark.parametrize("name", WIRES)


def asked(name: str, **fields: object) -> ChatRequest:
    own: Json = {"input": "hi"} if name == "openai_responses" else {"messages": [HI]}
    body = json.dumps({"model": "m", **own, **fields}, separators=(",", ":"))
    return load_wire(name).decode_request(body.encode())


def chat(*messages: Json) -> tuple[Message, ...]:
    return asked("openai_chat", messages=list(messages)).messages


TOOL: tuple[Tool, ...] = (FunctionTool("read", "d", msgspec.Raw(b'{"type":"object"}')),)
SCHEMA: Json = {"type": "object"}


@every_wire
@pytest.mark.parametrize(
    "tool",
    [
        {"name": "read", "description": "d", "input_schema": SCHEMA},
        {"type": "function", "name": "read", "description": "d", "parameters": SCHEMA},
        {"type": "function", "function": {"name": "read", "description": "d", "parameters": SCHEMA}},
        {"type": "function", "name": "read", "description": "d", "parameters": '{"type":"object"}'},
    ],
)
def test_a_tool_in_the_form_of_any_vendor_is_the_tool(name: str, tool: Json) -> None:
    assert asked(name, tools=[tool]).tools == TOOL


@pytest.mark.parametrize("name", ["openai_chat", "openai_responses"])
@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("any", ToolChoice("required")),
        ({"type": "auto"}, ToolChoice("auto")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "required"}, ToolChoice("required")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "function", "name": "read"}, ToolChoice("named", "read")),
        ({"type": "function", "function": {"name": "read"}}, ToolChoice("named", "read")),
        ({"type": "tool", "name": "read"}, ToolChoice("named", "read")),
    ],
)
def test_a_choice_in_the_form_of_any_vendor_is_the_choice(name: str, choice: object, expected: ToolChoice) -> None:
    assert asked(name, tool_choice=choice).tool_choice == expected


IMAGE = ImagePart("image/png", "iVBORw0KGgo=")
URL = "data:image/png;base64,iVBORw0KGgo="


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_image", "image_url": URL}, IMAGE),
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}}, IMAGE),
        ({"type": "thinking", "thinking": "hm", "signature": "s"}, ThinkingPart("hm")),
        ({"type": "reasoning", "text": "hm"}, ThinkingPart("hm")),
        ({"type": "refusal", "refusal": "no"}, RefusalPart("no")),
    ],
)
def test_a_part_of_another_wire_is_the_same_part_on_the_chat_wire(part: Json, expected: Part) -> None:
    assert chat({"role": "assistant", "content": [part, {"type": "thinking"}]}) == (
        Message(Role.ASSISTANT, (expected,)),
    )


def test_what_a_tool_returns_of_an_unknown_type_is_named_in_its_result() -> None:
    audio = {"type": "input_audio", "input_audio": {"data": "A"}}
    named = (ToolResultPart("c", (TextPart("[content of type `input_audio` left out]"), TextPart("t"))),)
    output = [audio, {"type": "input_text", "text": "t"}]
    assert chat({"role": "tool", "tool_call_id": "c", "content": output}) == (Message(Role.TOOL, named),)
    call = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    result = {"type": "function_call_output", "call_id": "c", "output": output}
    assert asked("openai_responses", input=[call, result]).messages[-1] == Message(Role.TOOL, named)


@pytest.mark.parametrize(
    ("output", "text"),
    [({"result": 42}, '{"result":42}'), ({"output": "x", "metadata": {"exit_code": 0}}, None), ({"content": "x"}, "x")],
)
def test_an_output_that_is_an_object_loses_nothing(output: Json, text: str | None) -> None:
    call = {"type": "custom_tool_call", "call_id": "c", "name": "f", "input": {"patch": "p"}}
    result = {"type": "custom_tool_call_output", "call_id": "c", "output": output}
    made = asked("openai_responses", input=[call, result]).messages
    told = json.dumps(output, separators=(",", ":")) if text is None else text
    assert made == (
        Message(Role.ASSISTANT, (ToolCallPart("c", "f", '{"patch":"p"}', "custom"),)),
        Message(Role.TOOL, (ToolResultPart("c", (TextPart(told),), kind="custom"),)),
    )


def call(name: str, **fields: object) -> Json:
    return {"type": "function", "function": {"name": name, "arguments": "{}"}, **fields}


def results(*messages: Json) -> list[tuple[str, ...]]:
    """The ids of the calls and of the results of each turn."""
    return [
        tuple(part.id if isinstance(part, ToolCallPart) else part.call_id for part in message.parts)  # type: ignore[union-attr]
        for message in chat(*messages)
    ]


def test_results_without_an_id_answer_the_oldest_call_of_their_tool() -> None:
    calls = {"role": "assistant", "tool_calls": [call("a"), call("b", id="own"), call("a", id="")]}
    named = [{"role": "tool", "name": name, "content": "r"} for name in ("b", "a", "a")]
    assert results(calls, *named) == [("call_1", "own", "call_3"), ("own", "call_1", "call_3")]
    assert results(calls, {"role": "tool", "content": "r"})[1] == ("call_1",)
    assert results({"role": "tool", "content": "r"}) == [("",)]


def test_the_form_before_tools_is_understood() -> None:
    request = asked(
        "openai_chat",
        functions=[{"name": "f"}],
        messages=[
            {"role": "assistant", "content": None, "function_call": {"name": "f", "arguments": "{}"}},
            {"role": "function", "name": "f", "content": "r"},
        ],
    )
    assert request.tools == (FunctionTool("f", parameters=NO_PARAMETERS),)
    assert request.messages == (
        Message(Role.ASSISTANT, (ToolCallPart("call_1", "f", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("call_1", (TextPart("r"),)),)),
    )


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("openai_chat", {"response_format": {"type": "json_schema", "schema": SCHEMA}}),
        ("openai_chat", {"response_format": {"type": "json_object", "schema": SCHEMA}}),
        ("openai_responses", {"text": {"format": {"type": "json_schema", "schema": SCHEMA}}}),
        ("openai_responses", {"text": {"format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}}}),
    ],
)
def test_a_schema_is_kept_wherever_it_stands(name: str, fields: Json) -> None:
    assert asked(name, **fields).json_format == JsonFormat(msgspec.Raw(b'{"type":"object"}'))


@pytest.mark.parametrize(
    ("name", "fields", "limit"),
    [
        ("openai_chat", {"max_tokens": -1}, None),
        ("openai_chat", {"max_tokens": 0}, None),
        ("openai_responses", {"max_tokens": 9}, 9),
        ("openai_responses", {"max_tokens": 9, "max_output_tokens": 5}, 5),
    ],
)
def test_a_limit_is_read_under_each_of_its_names_and_none_below_one(name: str, fields: Json, limit: int | None) -> None:
    assert asked(name, **fields).max_output_tokens == limit


def test_stop_sequences_of_nothing_are_none() -> None:
    assert asked("openai_chat", stop=["", "END"]).stop == ("END",)
    assert asked("openai_chat", stop="").stop == ()


@every_wire
def test_a_tool_without_a_name_in_another_vendors_form_is_refused_by_name(name: str) -> None:
    with pytest.raises(ProtocolError, match=r"tools\[0\]|name"):
        asked(name, tools=[{"type": "function", "function": {"description": "d"}}])


def ollama(**message: object) -> tuple[Part, ...]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", **message}]})
    return load_wire("ollama_chat").decode_request(body.encode()).messages[0].parts


@pytest.mark.report("B080")
@pytest.mark.parametrize("image", [URL, {"url": URL}])
def test_ollamas_wire_takes_the_content_of_openais(image: object) -> None:
    content = [{"type": "text", "text": "hi"}, {"type": "image_url", "image_url": image}, {"type": "text"}]
    assert ollama(content=content) == (TextPart("hi"), IMAGE)


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (URL, IMAGE),
        ("iVBORw0KGgo=", IMAGE),
        ("/9j/", ImagePart("image/jpeg", "/9j/")),
        ("https://example.org/a.png", ImagePart(url="https://example.org/a.png")),
    ],
)
def test_ollamas_images_may_be_data_urls_and_addresses(image: str, expected: Part) -> None:
    assert ollama(content="", images=[image]) == (expected,)


def test_an_answer_in_ollamas_lines_may_have_openais_content() -> None:
    body = b'{"message":{"role":"assistant","content":[{"type":"text","text":"a"}]},"done":true}'
    assert load_wire("ollama_chat").decode_answer(body)[1:] == [TextDelta("a"), Finished(StopReason.END_TURN)]


def test_a_data_url_in_the_place_of_an_images_data_is_taken_apart() -> None:
    source = {"type": "base64", "media_type": "image/jpeg", "data": URL}
    (message,) = asked(
        "anthropic_messages", messages=[{"role": "user", "content": [{"type": "image", "source": source}]}]
    ).messages
    assert message.parts == (IMAGE,)


@pytest.mark.report("B105")
@pytest.mark.parametrize("wire", ["anthropic_messages", "openai_responses"])
@pytest.mark.parametrize("is_result", [False, True])
def test_an_image_that_no_vendor_reads_is_a_note_on_every_wire(wire: str, is_result: bool) -> None:
    svg, jpg = ImagePart("image/svg+xml", "AAAA"), ImagePart("image/jpg", "/9j/")
    said = Message(Role.USER, (svg, jpg))
    call = Message(Role.ASSISTANT, (ToolCallPart("c", "f", "{}"),))
    result = Message(Role.TOOL, (ToolResultPart("c", (svg, jpg)),))
    body = load_wire(wire).encode_request(ChatRequest("m", (call, result) if is_result else (said,))).decode()
    assert "[image of type image/svg+xml, which cannot be shown]" in body
    assert "AAAA" not in body
    assert "image/jpeg" in body
    assert "image/jpg" not in body


def test_blank_text_is_not_sent_to_anthropic_which_refuses_it() -> None:
    request = ChatRequest(
        "m",
        (
            Message(Role.USER, (TextPart("hi"),)),
            Message(Role.ASSISTANT, (TextPart(" \n"), RefusalPart(" "), ToolCallPart("c", "f", "{}"))),
            Message(Role.TOOL, (ToolResultPart("c", (TextPart("  "),)),)),
        ),
    )
    body = json.loads(load_wire("anthropic_messages").encode_request(request))
    assert [[part["type"] for part in turn["content"]] for turn in body["messages"]] == [
        ["text"],
        ["tool_use"],
        ["tool_result"],
    ]
    assert body["messages"][2]["content"][0]["content"] == []


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_a_choice_without_a_name_is_its_word_on_the_responses_wire(mode: str) -> None:
    request = asked("openai_chat", tools=[{"name": "read", "input_schema": SCHEMA}], tool_choice=mode)
    assert json.loads(load_wire("openai_responses").encode_request(request))["tool_choice"] == mode


PNG = "iVBORw0KGgo="
TEXT = "aGVsbG8="
"""`hello` in base64."""


@pytest.mark.parametrize(
    ("given", "part"),
    [
        ({"type": "image_url", "image_url": {"url": PNG}}, ImagePart("image/png", PNG)),
        ({"type": "image", "image": f"data:image/gif;base64,{PNG}"}, ImagePart("image/gif", PNG)),
        ({"type": "image", "image": "https://a.test/b.png"}, ImagePart(url="https://a.test/b.png")),
        ({"type": "image", "data": PNG, "mimeType": "image/png"}, ImagePart("image/png", PNG)),
        ({"type": "image", "data": PNG}, ImagePart("image/png", PNG)),
        (
            {"type": "input_file", "filename": "a.txt", "file_data": f"data:text/plain;base64,{TEXT}"},
            DocumentPart("text/plain", text="hello", title="a.txt"),
        ),
        ({"type": "input_file", "file_url": "https://a.test/b.pdf"}, DocumentPart(url="https://a.test/b.pdf")),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}, "title": "t"},
            DocumentPart("text/plain", text="x", title="t"),
        ),
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBE"}},
            DocumentPart("application/pdf", "JVBE"),
        ),
        (
            {"type": "resource", "resource": {"uri": "file:///a", "text": "x"}},
            DocumentPart(text="x", title="file:///a"),
        ),
        ({"type": "summary_text", "text": "x"}, TextPart("x")),
    ],
)
@pytest.mark.parametrize("role", ["user", "tool"])
def test_a_part_of_another_api_or_of_mcp_is_understood_on_the_chat_wire(role: str, given: Json, part: Part) -> None:
    call = {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "read"}}]}
    *_, message = chat(HI, call, {"role": role, "tool_call_id": "c", "content": [given]})
    [said] = message.parts
    assert (said.content[0] if isinstance(said, ToolResultPart) else said) == part


@pytest.mark.parametrize("given", [{"type": "image"}, {"type": "document"}, {"type": "resource"}, {"type": "x"}])
def test_a_part_that_says_nothing_is_named_in_a_result_and_refused_elsewhere(given: Json) -> None:
    [_, result] = chat(HI, {"role": "tool", "tool_call_id": "c", "content": [given]})
    assert result.parts == (ToolResultPart("c", (TextPart(f"[content of type `{given['type']}` left out]"),)),)
    with pytest.raises(ProtocolError, match="type"):
        chat({"role": "user", "content": [given]})
