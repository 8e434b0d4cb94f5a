"""Clients' bodies to requests, and requests to upstreams' bodies."""

from __future__ import annotations

import json
from itertools import pairwise

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.strategies import (
    BASE64,
    IDS,
    NAMES,
    TEXT,
    chat_requests,
    json_object_texts,
    sampling,
)

from agentlaunch.core.endpoint import Counting, Endpoint
from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    JsonFormat,
    Message,
    Part,
    Reasoning,
    RefusalPart,
    ResultContent,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.openai_chat import OpenAIChat
from agentlaunch.core.wire.options import wire_for_call

Json = dict[str, object]
WIRE = OpenAIChat()
SCHEMA = {"type": "object", "properties": {"path": {"type": "string", "maxLength": 2000}}}


def decoded(**body: object) -> ChatRequest:
    return WIRE.decode_request(json.dumps({"model": "m", "messages": [], **body}).encode())


def decoded_messages(*messages: Json) -> tuple[Message, ...]:
    return decoded(messages=list(messages)).messages


def encoded(*messages: Message, **fields: object) -> Json:
    body: Json = json.loads(WIRE.encode_request(msgspec.structs.replace(ChatRequest("m", messages), **fields)))
    return body


def sent(*messages: Message) -> object:
    return encoded(*messages)["messages"]


def system(text: str) -> Message:
    return Message(Role.SYSTEM, (TextPart(text),))


def user(*parts: Part | str) -> Message:
    return Message(Role.USER, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def assistant(*parts: Part | str) -> Message:
    return Message(Role.ASSISTANT, tuple(TextPart(part) if isinstance(part, str) else part for part in parts))


def results(**contents: str) -> Message:
    return Message(Role.TOOL, tuple(ToolResultPart(id_, (TextPart(text),)) for id_, text in contents.items()))


def call(id_: str, arguments: str = "{}") -> ToolCallPart:
    return ToolCallPart(id_, "f", arguments)


def sent_call(id_: str, arguments: str = "{}") -> Json:
    return {"id": id_, "type": "function", "function": {"name": "f", "arguments": arguments}}


# --- a client's body ---------------------------------------------------------------------------------------------


def test_opencode_s_body_is_read_field_by_field() -> None:
    tool = {"type": "function", "function": {"name": "read", "description": "Reads.", "parameters": SCHEMA}}
    request = decoded(
        max_tokens=8192,
        messages=[{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
        tools=[tool],
        tool_choice="auto",
        stream=True,
        stream_options={"include_usage": True},
    )
    assert request == ChatRequest(
        "m",
        (system("S"), user("hi")),
        tools=(FunctionTool("read", "Reads.", msgspec.Raw(json.dumps(SCHEMA).encode())),),
        tool_choice=ToolChoice(),
        max_output_tokens=8192,
        stream=True,
    )


def test_usage_is_wanted_only_where_a_stream_asks_for_it() -> None:
    asked = {"stream_options": {"include_usage": True}}
    assert [
        decoded().include_usage,
        decoded(stream=True).include_usage,
        decoded(stream=True, **asked).include_usage,
    ] == [True, False, True]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_developer_is_the_system(role: str) -> None:
    assert decoded_messages({"role": role, "content": [{"type": "text", "text": "S"}]}) == (system("S"),)


def test_an_assistant_s_history_keeps_reasoning_text_refusal_and_calls_in_this_order() -> None:
    message = {
        "role": "assistant",
        "content": "hi",
        "reasoning_content": "hm",
        "refusal": "no",
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": '{"a":1}'}},
            {"id": 2, "type": "function", "function": {"name": "f", "arguments": {"a": 1}}},
            {"id": "c3", "type": "function", "function": {"name": "f", "arguments": ""}},
            {"id": "c4", "type": "custom", "custom": {"name": "patch", "input": "***"}},
        ],
    }
    assert decoded_messages(message) == (
        assistant(
            ThinkingPart("hm"),
            "hi",
            RefusalPart("no"),
            call("c1", '{"a":1}'),
            call("2", '{"a": 1}'),
            call("c3", ""),
            ToolCallPart("c4", "patch", "***", "custom"),
        ),
    )


@pytest.mark.parametrize("content", [None, "", [], [{"type": "text", "text": ""}]])
def test_empty_content_is_no_part(content: object) -> None:
    tool_calls = [{"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]
    message = {"role": "assistant", "content": content, "tool_calls": tool_calls}
    assert decoded_messages(message) == (assistant(call("c1")),)


def test_neighbouring_tool_messages_are_the_results_of_one_turn() -> None:
    messages = decoded_messages(
        {"role": "tool", "tool_call_id": "c1", "content": "a"},
        {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "go"},
        {"role": "tool", "tool_call_id": "c3", "content": None},
    )
    last = Message(Role.TOOL, (ToolResultPart("c3"),))
    assert messages == (results(c1="a", c2="b"), user("go"), last)


def test_refusal_parts_and_files_without_a_data_url_are_kept() -> None:
    refusals = [{"type": "refusal", "refusal": "no"}, {"type": "refusal", "refusal": ""}]
    file = {"type": "file", "file": {"file_id": "file-1"}}
    assert decoded_messages({"role": "assistant", "content": refusals}, {"role": "user", "content": [file]}) == (
        assistant(RefusalPart("no")),
        user(DocumentPart(title="file-1")),
    )


def test_images_and_files_are_parts() -> None:
    content = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA", "detail": "high"}},
        {"type": "image_url", "image_url": "https://x/a.png"},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"}},
        {"type": "text", "text": "what?", "cache_control": {"type": "ephemeral"}},
    ]
    assert decoded_messages({"role": "user", "content": content}) == (
        user(
            ImagePart("image/png", "AAAA"),
            ImagePart(url="https://x/a.png"),
            DocumentPart("application/pdf", "JVBE", title="a.pdf"),
            TextPart("what?", cache_hint=True),
        ),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, ToolChoice("named", "f")),
        ({"type": "custom", "custom": {"name": "p"}}, ToolChoice("named", "p")),
        ({"type": "allowed_tools", "allowed_tools": {"mode": "required", "tools": []}}, ToolChoice("required")),
    ],
)
def test_tool_choice_has_many_forms(given: object, expected: ToolChoice) -> None:
    assert decoded(tool_choice=given).tool_choice == expected


def test_a_mere_name_chooses_the_tool_and_an_empty_word_none() -> None:
    tools = [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}]
    assert decoded(tools=tools, tool_choice="f").tool_choice == ToolChoice("named", "f")
    assert decoded(tools=tools, tool_choice={"function": {"name": "f"}}).tool_choice == ToolChoice("named", "f")
    assert decoded(tools=tools, tool_choice="").tool_choice is None


def test_what_is_no_tool_among_the_tools_is_none_and_a_schema_may_be_text_or_mcp_s() -> None:
    schema = msgspec.Raw(b'{"type": "object"}')
    functions = [{"name": "a", "inputSchema": {"type": "object"}}, {"name": "b", "parameters": '{"type": "object"}'}]
    tools = [None, *({"type": "function", "function": function} for function in functions)]
    assert decoded(tools=tools).tools == (FunctionTool("a", parameters=schema), FunctionTool("b", parameters=schema))


def test_a_call_of_the_history_may_hold_the_functions_own_fields() -> None:
    call = {"id": "c", "name": "f", "arguments": {"a": 1}}
    assistant = {"role": "assistant", "tool_calls": [call, {"id": "d", "arguments": "{}"}]}
    assert decoded(messages=[assistant]).messages[0].parts == (
        ToolCallPart("c", "f", '{"a": 1}'),
        ToolCallPart("d", "", "{}"),
    )


@pytest.mark.parametrize("model", [{}, {"model": None}, {"model": ""}])
def test_a_request_may_leave_the_model_out(model: Json) -> None:
    assert WIRE.decode_request(json.dumps({"messages": [], **model}).encode()).model == ""


@pytest.mark.parametrize(("name", "sent"), [("my schema! v1", "my_schema__v1"), ("", "answer"), ("n" * 99, "n" * 64)])
def test_a_schema_s_name_is_one_that_the_vendor_takes(name: str, sent: str) -> None:
    wanted = JsonFormat(msgspec.Raw(b"{}"), name)
    body = encoded(user("hi"), json_format=wanted)
    assert body["response_format"] == {"type": "json_schema", "json_schema": {"name": sent, "schema": {}}}


def test_tools_of_each_kind_are_told_apart() -> None:
    hosted = {"type": "web_search", "max_uses": 8}
    tools = [
        {"type": "function", "function": {"name": "f", "strict": True, "parameters": None}},
        {"type": "custom", "custom": {"name": "p", "description": "d", "format": {"type": "text"}}},
        hosted,
    ]
    assert decoded(tools=tools).tools == (
        FunctionTool("f", strict=True),
        CustomTool("p", "d", msgspec.Raw(b'{"type": "text"}')),
        HostedTool("web_search", msgspec.Raw(json.dumps(hosted).encode())),
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"type": "text"}, None),
        ({"type": "json_object"}, JsonFormat()),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": {"a": 1}, "strict": True}},
            JsonFormat(msgspec.Raw(b'{"a": 1}'), "n", strict=True),
        ),
        ("json_object", JsonFormat()),
        ({"type": "json", "schema": None}, JsonFormat()),
        ({}, None),
        (
            {"type": "json_schema", "name": "n", "schema": {"a": 1}, "strict": True},
            JsonFormat(msgspec.Raw(b'{"a": 1}'), "n", strict=True),
        ),
        (
            {"type": "json_schema", "json_schema": {"type": "object"}},
            JsonFormat(msgspec.Raw(b'{"type": "object"}')),
        ),
        ({"type": "json_schema", "json_schema": {"name": "n", "schema": None}}, JsonFormat(name="n")),
    ],
)
def test_response_formats_are_read(given: object, expected: JsonFormat | None) -> None:
    assert decoded(response_format=given).json_format == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"reasoning_effort": "high"}, Reasoning(effort="high")),
        ({"reasoning_effort": "none"}, Reasoning(enabled=False)),
        ({"reasoning": "off"}, Reasoning(enabled=False)),
        ({"reasoning": "high"}, Reasoning(effort="high")),
        ({"reasoning": ""}, None),
        ({"enable_thinking": False}, Reasoning(enabled=False)),
        ({"chat_template_kwargs": {"enable_thinking": False}}, Reasoning(enabled=False)),
        ({"chat_template_kwargs": {"thinking": True}}, Reasoning(enabled=True)),
        ({"chat_template_kwargs": {"documents": []}, "thinking": {"type": "disabled"}}, Reasoning(enabled=False)),
        ({"thinking": {"type": "enabled", "budget_tokens": 9}}, Reasoning(enabled=True)),
        ({"thinking": {"type": "auto"}}, None),
        ({"thinking": True, "enable_thinking": None, "chat_template_kwargs": "x"}, None),
        ({"reasoning_effort": "low", "enable_thinking": False}, Reasoning(effort="low")),
        ({"reasoning": {"enabled": True, "effort": "low", "max_tokens": 5}}, Reasoning(True, "low", 5)),
    ],
)
def test_reasoning_is_read_in_each_vendor_s_form(fields: Json, expected: Reasoning | None) -> None:
    assert decoded(**fields).reasoning == expected


def test_the_newer_name_of_the_output_limit_wins() -> None:
    assert decoded(max_tokens=5, max_completion_tokens=7).max_output_tokens == 7


@pytest.mark.report("B064")
@pytest.mark.report("B090")
def test_fields_that_are_not_known_are_ignored_and_never_sent_on() -> None:
    extra = {"context_management": {}, "store": False, "service_tier": "auto", "prompt_cache_key": "k", "user": "u"}
    request = decoded(messages=[{"role": "user", "content": "hi", "cache_control": {}}], metadata={"a": "b"}, **extra)
    assert request == ChatRequest("m", (user("hi"),), cache_key="k", user="u")
    assert json.loads(WIRE.encode_request(request)) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
    }


@pytest.mark.report("B002")
def test_a_lone_surrogate_becomes_the_replacement_character() -> None:
    body = b'{"model":"m","messages":[{"role":"user","content":"cut \\ud83d"}]}'
    request = WIRE.decode_request(body)
    assert request.messages == (user("cut \ufffd"),)
    assert json.loads(WIRE.encode_request(request))["messages"] == [{"role": "user", "content": "cut \ufffd"}]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"model": "m"}, "messages"),
        ({"model": 3, "messages": []}, "model"),
        ({"model": "m", "messages": [{"role": "wizard", "content": "x"}]}, r"messages\[0\].role"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, r"content\[0\].type"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "image_url"),
        ({"model": "m", "messages": [{"role": "user", "content": [{"type": "file"}]}]}, "file"),
        ({"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "c"}]}]}, r"tool_calls\[0\].function"),
        ({"model": "m", "messages": [{"role": "tool", "content": [{"type": "refusal", "refusal": "x"}]}]}, "content"),
        ({"model": "m", "messages": [], "tools": [{"type": "function"}]}, r"tools\[0\].function"),
        ({"model": "m", "messages": [], "tools": [{"type": "custom"}]}, r"tools\[0\].custom"),
        ({"model": "m", "messages": [], "tool_choice": "perhaps"}, "tool_choice"),
        ({"model": "m", "messages": [], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"model": "m", "messages": [], "response_format": {"type": "xml"}}, "response_format"),
        ({"model": "m", "messages": [], "response_format": {"type": "json_schema"}}, "response_format"),
    ],
)
def test_what_cannot_be_read_is_refused_by_name(body: Json, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        WIRE.decode_request(json.dumps(body).encode())


# --- an upstream's body ------------------------------------------------------------------------------------------


def test_every_field_has_its_place_in_the_body() -> None:
    schema = msgspec.Raw(b'{"type":"object"}')
    request = ChatRequest(
        "m",
        (system("S"), user("hi")),
        tools=(FunctionTool("f", "Does.", schema, strict=False, cache_hint=True), FunctionTool("g")),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=False,
        max_output_tokens=99,
        stop=("END",),
        sampling=Sampling(0.5, 0.9, 40, 1, 0.1, 0.2),
        reasoning=Reasoning(effort="max"),
        json_format=JsonFormat(schema, strict=True),
        stream=True,
        user="never sent",
        cache_key="never sent",
    )
    empty = {"type": "object", "properties": {}}
    assert json.loads(WIRE.encode_request(request)) == {
        "model": "m",
        "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "hi"}],
        "tools": [
            {
                "type": "function",
                "function": {"name": "f", "description": "Does.", "parameters": {"type": "object"}, "strict": False},
            },
            {"type": "function", "function": {"name": "g", "parameters": empty}},
        ],
        "tool_choice": "required",
        "parallel_tool_calls": False,
        "max_tokens": 99,
        "stop": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 40,
        "seed": 1,
        "presence_penalty": 0.1,
        "frequency_penalty": 0.2,
        "reasoning_effort": "high",
        "response_format": {
            "type": "json_schema",
            "json_schema": {"name": "answer", "schema": {"type": "object"}, "strict": True},
        },
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_any_json_object_is_asked_for_without_a_schema() -> None:
    assert encoded(user("hi"), json_format=JsonFormat())["response_format"] == {"type": "json_object"}


@pytest.mark.report("B026")
@pytest.mark.parametrize(
    ("counting", "reasoning", "sent"),
    [
        ("llama_cpp", Reasoning(enabled=False), {"enable_thinking": False}),
        ("llama_cpp", Reasoning(enabled=True), None),
        ("llama_cpp", None, None),
        ("estimate", Reasoning(enabled=False), None),
    ],
)
def test_llama_cpp_s_template_is_told_not_to_think(
    counting: Counting, reasoning: Reasoning | None, sent: Json | None
) -> None:
    request = ChatRequest("m", (Message(Role.USER, (TextPart("hi"),)),), reasoning=reasoning)
    endpoint = Endpoint("double", "openai_chat", "http://127.0.0.1:1", "m", counting=counting)
    body = json.loads(wire_for_call(WIRE, endpoint, request).encode_request(request))
    assert body.get("chat_template_kwargs") == sent


@pytest.mark.parametrize("reasoning", [None, Reasoning(True), Reasoning(False, "high"), Reasoning(budget_tokens=5)])
def test_reasoning_without_an_effort_is_not_mentioned(reasoning: Reasoning | None) -> None:
    assert "reasoning_effort" not in encoded(user("hi"), reasoning=reasoning)


@pytest.mark.report("B022")
def test_a_named_tool_is_required_by_being_the_only_one() -> None:
    body = encoded(user("hi"), tools=(FunctionTool("f"), FunctionTool("g")), tool_choice=ToolChoice("named", "g"))
    empty = {"type": "object", "properties": {}}
    assert body["tools"] == [{"type": "function", "function": {"name": "g", "parameters": empty}}]
    assert body["tool_choice"] == "required"


@pytest.mark.report("B042")
def test_a_choice_of_a_tool_that_is_not_there_leaves_it_to_the_model() -> None:
    body = encoded(user("hi"), tools=(FunctionTool("f"),), tool_choice=ToolChoice("named", "web_search"))
    assert body["tool_choice"] == "auto"
    alone = encoded(user("hi"), tool_choice=ToolChoice("named", "web_search"), parallel_tool_calls=True)
    assert alone == {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}


@pytest.mark.parametrize("tool", [CustomTool("patch"), HostedTool("web_search", msgspec.Raw(b"{}"))])
def test_a_tool_that_no_filter_made_a_function_is_refused(tool: CustomTool | HostedTool) -> None:
    with pytest.raises(ProtocolError, match=r"patch|web_search"):
        WIRE.encode_request(ChatRequest("m", (), tools=(tool,)))


@pytest.mark.report("B018")
@pytest.mark.report("B029")
@pytest.mark.report("B058")
def test_system_messages_become_one_and_later_ones_the_user_s_in_their_place() -> None:
    assert sent(system("A"), system("B"), user("hi"), system("note"), assistant("yo"), system("more"), user("go")) == [
        {"role": "system", "content": "A\n\nB"},
        {"role": "user", "content": "hi\n<system-reminder>\nnote\n</system-reminder>"},
        {"role": "assistant", "content": "yo"},
        {"role": "user", "content": "<system-reminder>\nmore\n</system-reminder>\ngo"},
    ]


@pytest.mark.report("B079")
def test_an_empty_system_message_vanishes() -> None:
    empty = Message(Role.SYSTEM, ())
    assert sent(empty, user("hi"), empty) == [{"role": "user", "content": "hi"}]


def test_a_reminder_is_not_wrapped_twice() -> None:
    text = "<system-reminder>\nx\n</system-reminder>"
    assert sent(user("hi"), assistant("yo"), system(text)) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "yo"},
        {"role": "user", "content": text},
    ]


@pytest.mark.report("B014")
@pytest.mark.report("B041")
@pytest.mark.report("B095")
def test_what_one_turn_said_in_many_messages_is_one_message() -> None:
    turn = [assistant(ThinkingPart("hm")), assistant("I will look"), assistant(""), assistant(call("c1"), call("c2"))]
    assert sent(user("hi"), *turn, results(c1="a"), results(c2="")) == [
        {"role": "user", "content": "hi"},
        {
            "role": "assistant",
            "content": "I will look",
            "reasoning_content": "hm",
            "tool_calls": [sent_call("c1"), sent_call("c2")],
        },
        {"role": "tool", "content": "a", "tool_call_id": "c1"},
        {"role": "tool", "content": "", "tool_call_id": "c2"},
    ]


def test_content_is_null_only_beside_calls() -> None:
    assert sent(user("hi"), assistant(ThinkingPart("hm")), user("go"), assistant(call("c1")), results(c1="a")) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": "", "reasoning_content": "hm"},
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": None, "tool_calls": [sent_call("c1")]},
        {"role": "tool", "content": "a", "tool_call_id": "c1"},
    ]


@pytest.mark.report("B095")
def test_an_answer_with_nothing_in_it_vanishes() -> None:
    assert sent(user("hi"), assistant(ThinkingPart("", "opaque")), user("go")) == [
        {"role": "user", "content": "hi\ngo"}
    ]


@pytest.mark.report("B013")
def test_results_stand_behind_their_call_missing_ones_are_noted_and_orphans_are_text() -> None:
    messages = [assistant(call("c1"), call("c2")), user("wait"), results(c1="a"), results(c9="b")]
    assert sent(user("hi"), *messages) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [sent_call("c1"), sent_call("c2")]},
        {"role": "tool", "content": "a", "tool_call_id": "c1"},
        {"role": "tool", "content": "Error: No result: the call was interrupted.", "tool_call_id": "c2"},
        {"role": "user", "content": "wait\nResult of an earlier tool call (c9):\nb"},
    ]


def test_an_id_used_in_two_turns_has_two_results() -> None:
    messages = [assistant(call("c")), results(c="a"), assistant(call("c")), results(c="b")]
    assert [message["content"] for message in sent(user("hi"), *messages)] == [  # type: ignore[attr-defined]
        "hi",
        None,
        "a",
        None,
        "b",
    ]


@pytest.mark.report("B057")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', '{"a": 1}'),
        ("", "{}"),
        (" \n", "{}"),
        ('{"a', '{"raw_arguments":"{\\"a"}'),
        ('{"a":1}{"b":2}', '{"raw_arguments":"{\\"a\\":1}{\\"b\\":2}"}'),
        ("[1]", '{"raw_arguments":"[1]"}'),
        ("null", '{"raw_arguments":"null"}'),
    ],
)
def test_arguments_of_the_history_are_always_a_json_object(arguments: str, expected: str) -> None:
    messages = sent(user("hi"), assistant(call("c1", arguments)), results(c1="a"))
    assert messages[1]["tool_calls"] == [sent_call("c1", expected)]  # type: ignore[index]


@pytest.mark.report("B048")
@pytest.mark.report("B067")
@pytest.mark.report("B068")
def test_an_image_in_a_result_follows_all_results_in_a_user_message() -> None:
    image = ImagePart("image/png", "AAAA")
    results_message = Message(
        Role.TOOL, (ToolResultPart("c1", (TextPart("seen"), image)), ToolResultPart("c2", (TextPart("b"),)))
    )
    assert sent(user("hi"), assistant(call("c1"), call("c2")), results_message, user("go")) == [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "content": None, "tool_calls": [sent_call("c1"), sent_call("c2")]},
        {"role": "tool", "content": "seen\n[image: in the user message below]", "tool_call_id": "c1"},
        {"role": "tool", "content": "b", "tool_call_id": "c2"},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "[image from the result of tool call c1]"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                {"type": "text", "text": "go"},
            ],
        },
    ]


@pytest.mark.report("B050")
@pytest.mark.report("B091")
@pytest.mark.parametrize(
    ("content", "is_error", "expected"),
    [
        pytest.param((TextPart("a"), TextPart("b")), False, "a\nb", id="texts are joined"),
        pytest.param((), False, "", id="an empty result is empty"),
        pytest.param((TextPart("no such file"),), True, "Error: no such file", id="a failure is said"),
        pytest.param((TextPart("<error>x</error>"),), True, "<error>x</error>", id="a failure is said once"),
        pytest.param((ToolReferencePart("Fetch"),), False, "The tool `Fetch` is now available.", id="a reference"),
        pytest.param(
            (DocumentPart("application/pdf", "JVBE", title="a.pdf"),),
            False,
            '[document "a.pdf" of type application/pdf, whose content cannot be shown]',
            id="a document",
        ),
    ],
)
def test_a_result_is_text_and_nothing_in_it_vanishes(
    content: tuple[ResultContent, ...], is_error: bool, expected: str
) -> None:
    message = Message(Role.TOOL, (ToolResultPart("c1", content, is_error),))
    messages = sent(user("hi"), assistant(call("c1")), message)
    assert messages[2] == {"role": "tool", "content": expected, "tool_call_id": "c1"}  # type: ignore[index]


@pytest.mark.report("B093")
@pytest.mark.report("B105")
@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (ImagePart("image/svg+xml", "AAAA"), "[image of type image/svg+xml, which cannot be shown]"),
        (ImagePart("image/bmp", "AAAA"), "[image of type image/bmp, which cannot be shown]"),
        (ImagePart(url="data:image/svg+xml,<svg/>"), "[image of type image/svg+xml, which cannot be shown]"),
        (ImagePart("image/png"), "[image of type image/png, which cannot be shown]"),
        (ImagePart(), "[image of type unknown, which cannot be shown]"),
        (DocumentPart("application/pdf", "JVBE"), "[document of type application/pdf, whose content cannot be shown]"),
        (DocumentPart(url="https://x/a.pdf"), "[document at https://x/a.pdf, whose content cannot be shown]"),
        (DocumentPart("text/plain", text="words"), "words"),
        (DocumentPart("text/plain", text="words", title="a.txt"), '[document "a.txt"]\nwords'),
        (RefusalPart("no"), "no"),
        (TextPart(""), ""),
    ],
)
def test_what_the_upstream_cannot_take_is_named_in_text(part: Part, expected: str) -> None:
    assert sent(user(part)) == [{"role": "user", "content": expected}]


@pytest.mark.parametrize(
    ("part", "url"),
    [
        (ImagePart("image/png", "AAAA"), "data:image/png;base64,AAAA"),
        (ImagePart(url="data:image/png;base64,AAAA"), "data:image/png;base64,AAAA"),
        (ImagePart(url="https://x/a.png"), "https://x/a.png"),
    ],
)
def test_an_image_is_a_part_beside_the_joined_text(part: ImagePart, url: str) -> None:
    content = [{"type": "text", "text": "a\nb"}, {"type": "image_url", "image_url": {"url": url}}]
    assert sent(user("a", "b", part)) == [{"role": "user", "content": content}]


@pytest.mark.report("B059")
@pytest.mark.report("B108")
def test_cache_hints_and_the_user_s_id_are_not_sent() -> None:
    body = WIRE.encode_request(ChatRequest("m", (user(TextPart("hi", cache_hint=True)),), user="user_1_session_2"))
    assert body == b'{"model":"m","messages":[{"role":"user","content":"hi"}],"stream":false}'


# --- properties --------------------------------------------------------------------------------------------------

FUNCTIONS_ONLY = chat_requests(custom_tools=False, hosted_tools=False)


@given(FUNCTIONS_ONLY)
def test_roles_alternate_behind_one_system_message_and_calls_have_their_results(request_: ChatRequest) -> None:
    messages = json.loads(WIRE.encode_request(request_))["messages"]
    roles = [message["role"] for message in messages]
    assert "system" not in roles[1:]
    spoken = [role for role in roles if role not in ("system", "tool")]
    assert all(before != after or before == "assistant" for before, after in pairwise(spoken))
    for place, message in enumerate(messages):
        wanted = [made["id"] for made in message.get("tool_calls", ())]
        answers = messages[place + 1 : place + 1 + len(wanted)]
        assert [answer.get("tool_call_id") for answer in answers] == wanted


@given(FUNCTIONS_ONLY)
def test_equal_requests_give_equal_bytes(request_: ChatRequest) -> None:
    copy = msgspec.structs.replace(request_, messages=tuple(request_.messages))
    assert WIRE.encode_request(request_) == WIRE.encode_request(copy)


@given(FUNCTIONS_ONLY, TEXT, TEXT)
def test_a_longer_conversation_begins_with_the_shorter_one_s_messages(
    request_: ChatRequest, said: str, asked: str
) -> None:
    """What follows a request is the model's answer to it; a request that ends with an answer is not of this kind."""
    messages = request_.messages
    while messages and messages[-1].role is Role.ASSISTANT:
        messages = messages[:-1]
    shorter = msgspec.structs.replace(request_, messages=messages)
    longer = msgspec.structs.replace(request_, messages=(*messages, assistant(said), system("note"), user(asked)))
    before = json.loads(WIRE.encode_request(shorter))["messages"]
    after = json.loads(WIRE.encode_request(longer))["messages"]
    assert after[: len(before)] == before
    assert len(after) == len(before) + 2


@given(FUNCTIONS_ONLY)
def test_what_was_sent_once_is_sent_the_same_when_read_and_sent_again(request_: ChatRequest) -> None:
    body = WIRE.encode_request(request_)
    again = WIRE.decode_request(body)
    assert WIRE.encode_request(again) == body
    assert WIRE.decode_request(WIRE.encode_request(again)) == again


@st.composite
def representable_requests(draw: st.DrawFn) -> ChatRequest:
    """What the wire carries without loss.

    One system message of one text; roles that alternate; user content of one text, or of texts and images that take
    turns; an answer of at most one thinking and one text, then function calls whose arguments are JSON objects; every
    result one text or none, not an error. No cache hints, no named tool choice, no titles, no budget of reasoning;
    usage always asked for.
    """
    messages = [system(draw(TEXT))] if draw(st.booleans()) else []
    for number in range(draw(st.integers(1, 3))):
        image = ImagePart("image/png", draw(BASE64))
        messages.append(draw(st.sampled_from([user(draw(TEXT)), user(draw(TEXT), image), user(image, draw(TEXT))])))
        calls = [
            ToolCallPart(f"c{number}_{n}", draw(NAMES), draw(json_object_texts)) for n in range(draw(st.integers(0, 2)))
        ]
        thinking = [ThinkingPart(draw(TEXT))] if draw(st.booleans()) else []
        messages.append(assistant(*thinking, draw(TEXT), *calls))
        if calls:
            contents = [draw(st.just(()) | TEXT.map(lambda text: (TextPart(text),))) for _ in calls]
            parts = tuple(ToolResultPart(made.id, content) for made, content in zip(calls, contents, strict=True))
            messages += [Message(Role.TOOL, parts), assistant(draw(TEXT))]
    tools = tuple(FunctionTool(name) for name in draw(st.lists(NAMES, max_size=2)))
    formats = [None, JsonFormat(), JsonFormat(msgspec.Raw(b'{"a":1}'), "n", strict=True)]
    return ChatRequest(
        draw(IDS),
        tuple(messages),
        tools=tools,
        tool_choice=draw(st.sampled_from([None, ToolChoice(), ToolChoice("required")])) if tools else None,
        parallel_tool_calls=draw(st.sampled_from([None, True, False])) if tools else None,
        max_output_tokens=draw(st.none() | st.integers(1, 9)),
        stop=tuple(draw(st.lists(TEXT, max_size=2))),
        sampling=draw(sampling),
        reasoning=draw(st.sampled_from([None, Reasoning(effort="low"), Reasoning(effort="high")])),
        json_format=draw(st.sampled_from(formats)),
        stream=draw(st.booleans()),
    )


@given(representable_requests())
def test_a_representable_request_is_read_back_as_it_was(request_: ChatRequest) -> None:
    assert WIRE.decode_request(WIRE.encode_request(request_)) == request_


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["model", "messages", "role", "content", "type", "tools", "function", "name", "tool_calls"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(st.binary(max_size=40) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
@example(b"[" * 100_000)
@example(b'{"model":"m","messages":[{"role":"user","content":"\xff"}]}')
@example(b'{"model":"m","messages":[],"tools":[{"type":"function","function":{"name":"\xff"}}]}')
@example(b'{"model":"m","messages":[],"tools":["x"]}')
def test_junk_raises_nothing_but_protocol_error(body: bytes) -> None:
    try:
        request = WIRE.decode_request(body)
    except ProtocolError:
        return
    assert isinstance(request, ChatRequest)
