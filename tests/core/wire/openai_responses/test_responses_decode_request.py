"""What the Responses wire makes of a client's request."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    JsonFormat,
    Message,
    Reasoning,
    RefusalPart,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
    ToolResultPart,
)
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.openai_responses import OpenAIResponses
from agentlaunch.core.wire.openai_responses.sealed_reasoning import SEAL, seal

WIRE = OpenAIResponses()
STUB = (TextPart("No result: the call was interrupted."),)


def decoded(**body: object) -> ChatRequest:
    return WIRE.decode_request(json.dumps({"model": "m", **body}).encode())


def messages(*items: object) -> tuple[Message, ...]:
    return decoded(input=list(items)).messages


def call(call_id: str, name: str = "f", arguments: str = "{}") -> dict[str, object]:
    return {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}


def output(call_id: str, text: object = "ok") -> dict[str, object]:
    return {"type": "function_call_output", "call_id": call_id, "output": text}


def user(text: str) -> dict[str, object]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


def result(call_id: str, text: str = "ok") -> ToolResultPart:
    return ToolResultPart(call_id, (TextPart(text),))


def test_a_string_is_one_message_of_the_user_behind_the_instructions() -> None:
    assert decoded(input="hi", instructions="be brief") == ChatRequest(
        "m", (Message(Role.SYSTEM, (TextPart("be brief"),)), Message(Role.USER, (TextPart("hi"),)))
    )


@pytest.mark.report("B090")
@pytest.mark.report("B108")
def test_every_option_has_its_place_and_unknown_ones_are_ignored() -> None:
    request = decoded(
        input="hi",
        stream=True,
        tool_choice="required",
        parallel_tool_calls=True,
        reasoning={"effort": "high", "summary": "auto"},
        text={"format": {"type": "json_schema", "name": "title", "strict": True, "schema": {"type": "object"}}},
        max_output_tokens=99,
        temperature=0.5,
        top_p=0.9,
        prompt_cache_key="session",
        user="u",
        store=False,
        include=["reasoning.encrypted_content"],
        client_metadata={"a": "b"},
        service_tier="auto",
        prompt_cache_retention="24h",
        metadata={"user_id": "x"},
        truncation="disabled",
    )
    assert request == ChatRequest(
        "m",
        (Message(Role.USER, (TextPart("hi"),)),),
        tool_choice=ToolChoice("required"),
        parallel_tool_calls=True,
        max_output_tokens=99,
        sampling=Sampling(temperature=0.5, top_p=0.9),
        reasoning=Reasoning(effort="high"),
        json_format=JsonFormat(request.json_format.schema, "title", True) if request.json_format else None,
        stream=True,
        user="u",
        cache_key="session",
    )
    assert request.json_format is not None
    assert json.loads(bytes(request.json_format.schema)) == {"type": "object"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"summary": "auto"}, None),
        ({"effort": "none"}, Reasoning(enabled=False)),
        ({"effort": "low"}, Reasoning(effort="low")),
    ],
)
def test_reasoning_options_say_the_effort_or_nothing(options: object, expected: Reasoning | None) -> None:
    assert decoded(input="", reasoning=options).reasoning == expected


@pytest.mark.parametrize(
    ("form", "expected"), [({"type": "text"}, None), ({"type": "json_object"}, JsonFormat()), (None, None)]
)
def test_text_formats_without_a_schema(form: object, expected: JsonFormat | None) -> None:
    assert decoded(input="", text={"format": form, "verbosity": "low"}).json_format == expected


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice()),
        ("none", ToolChoice("none")),
        ({"type": "function", "name": "f"}, ToolChoice("named", "f")),
        ({"type": "custom", "name": "c"}, ToolChoice("named", "c")),
        ({"type": "web_search"}, ToolChoice("named", "web_search")),
        ({"type": "allowed_tools", "mode": "required", "tools": []}, ToolChoice("required")),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, ToolChoice()),
        (None, None),
    ],
)
def test_tool_choices(choice: object, expected: ToolChoice | None) -> None:
    assert decoded(input="", tool_choice=choice).tool_choice == expected


def test_roles_and_content_parts_keep_their_kinds() -> None:
    assert messages(
        {"role": "developer", "content": "rules"},
        {"role": "system", "content": [{"type": "input_text", "text": "more"}]},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "see"},
                {"type": "input_image", "image_url": "data:image/png;base64,AAAA"},
                {"type": "input_image", "image_url": {"url": "https://images.example/a.png"}},
                {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBE"},
                {"type": "input_file", "file_url": "https://files.example/b.pdf"},
                {"type": "input_file", "file_id": "file-1"},
                {"type": "input_image"},
            ],
        },
        {
            "role": "assistant",
            "content": [{"type": "refusal", "refusal": "no"}, {"type": "output_text", "text": "but"}],
        },
    ) == (
        Message(Role.SYSTEM, (TextPart("rules"),)),
        Message(Role.SYSTEM, (TextPart("more"),)),
        Message(
            Role.USER,
            (
                TextPart("see"),
                ImagePart("image/png", "AAAA"),
                ImagePart(url="https://images.example/a.png"),
                DocumentPart("application/pdf", "JVBE", title="a.pdf"),
                DocumentPart(url="https://files.example/b.pdf"),
                TextPart("[file file-1 left out: it is not in the request]"),
                TextPart("[image without data left out: it is not in the request]"),
            ),
        ),
        Message(Role.ASSISTANT, (RefusalPart("no"), TextPart("but"))),
    )


@pytest.mark.report("B105")
@pytest.mark.parametrize(
    "url", ["data:image/svg+xml;base64,AAAA", "data:image/tiff;base64,AAAA", "data:image/png;base64,"]
)
def test_an_image_that_no_server_takes_becomes_text(url: str) -> None:
    [message] = messages({"role": "user", "content": [{"type": "input_image", "image_url": url}]})
    media_type = url.removeprefix("data:").partition(";")[0]
    assert message.parts == (TextPart(f"[image of type {media_type} left out: not supported]"),)


@pytest.mark.report("B041")
def test_the_items_of_one_turn_are_one_assistant_message_and_one_of_results() -> None:
    assert messages(
        user("go"),
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "hm"}], "content": None},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I will look"}]},
        call("c1"),
        call("c2"),
        output("c1", "one"),
        output("c2", "two"),
    ) == (
        Message(Role.USER, (TextPart("go"),)),
        Message(
            Role.ASSISTANT,
            (
                ThinkingPart("hm", id="rs_1"),
                TextPart("I will look"),
                ToolCallPart("c1", "f", "{}"),
                ToolCallPart("c2", "f", "{}"),
            ),
        ),
        Message(Role.TOOL, (result("c1", "one"), result("c2", "two"))),
    )


@pytest.mark.report("B014")
def test_commentary_and_its_call_are_one_message_with_the_reasoning_once() -> None:
    reasoning = {"type": "reasoning", "summary": [{"type": "summary_text", "text": "look first"}]}
    commentary = {"type": "message", "role": "assistant", "phase": "commentary", "content": "Looking."}
    assert messages(user("go"), reasoning, commentary, reasoning, call("c1"), output("c1")) == (
        Message(Role.USER, (TextPart("go"),)),
        Message(Role.ASSISTANT, (ThinkingPart("look first"), TextPart("Looking."), ToolCallPart("c1", "f", "{}"))),
        Message(Role.TOOL, (result("c1"),)),
    )


@pytest.mark.report("B095")
def test_blank_assistant_text_is_dropped() -> None:
    blank = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": ""}]}
    assert messages(user("go"), blank, call("c1"), output("c1"), blank, user("on")) == (
        Message(Role.USER, (TextPart("go"),)),
        Message(Role.ASSISTANT, (ToolCallPart("c1", "f", "{}"),)),
        Message(Role.TOOL, (result("c1"),)),
        Message(Role.USER, (TextPart("on"),)),
    )


def test_blank_text_of_the_user_stays_a_message() -> None:
    assert messages(user("")) == (Message(Role.USER, (TextPart(""),)),)


@pytest.mark.report("B013")
def test_results_go_behind_their_call_and_none_is_missing() -> None:
    assert messages(user("go"), call("c1"), call("c2"), user("stop"), output("c1"), output("c9", "late")) == (
        Message(Role.USER, (TextPart("go"),)),
        Message(Role.ASSISTANT, (ToolCallPart("c1", "f", "{}"), ToolCallPart("c2", "f", "{}"))),
        Message(Role.TOOL, (result("c1"), ToolResultPart("c2", STUB, is_error=True))),
        Message(Role.USER, (TextPart("stop"),)),
        Message(Role.USER, (TextPart("Result of an earlier tool call (c9):"), TextPart("late"))),
    )


def test_a_result_belongs_to_the_newest_unanswered_call_of_its_id() -> None:
    assert messages(call("c"), user("again"), call("c"), output("c", "new"), output("c", "old")) == (
        Message(Role.ASSISTANT, (ToolCallPart("c", "f", "{}"),)),
        Message(Role.TOOL, (result("c", "old"),)),
        Message(Role.USER, (TextPart("again"),)),
        Message(Role.ASSISTANT, (ToolCallPart("c", "f", "{}"),)),
        Message(Role.TOOL, (result("c", "new"),)),
    )


def test_a_call_without_an_answer_yet_gets_the_stub() -> None:
    assert messages(call("c"))[-1] == Message(Role.TOOL, (ToolResultPart("c", STUB, is_error=True),))


@pytest.mark.report("B068")
def test_images_in_results_survive() -> None:
    image = [{"type": "input_image", "image_url": "data:image/png;base64,AAAA"}, {"type": "input_text", "text": "t"}]
    assert messages(call("c"), output("c", image))[-1] == Message(
        Role.TOOL, (ToolResultPart("c", (ImagePart("image/png", "AAAA"), TextPart("t"))),)
    )


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        (None, ToolResultPart("c")),
        ({"content": "no", "success": False}, ToolResultPart("c", (TextPart("no"),), is_error=True)),
        ([{"type": "refusal", "refusal": "never"}], result("c", "never")),
    ],
)
def test_other_forms_of_outputs(told: object, expected: ToolResultPart) -> None:
    assert messages(call("c"), output("c", told))[-1] == Message(Role.TOOL, (expected,))


def test_custom_namespaced_and_shell_calls_keep_what_they_are() -> None:
    items = [
        {"type": "custom_tool_call", "id": "ctc_1", "call_id": "c1", "name": "apply_patch", "input": "*** Begin"},
        {"type": "function_call", "call_id": "c2", "name": "spawn", "namespace": "agents", "arguments": "{bad"},
        {
            "type": "local_shell_call",
            "id": "ls_1",
            "call_id": "c3",
            "action": {"type": "exec", "command": ["a", "b c"]},
        },
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "done"},
        output("c2"),
        {"type": "local_shell_call_output", "id": "c3", "output": "ok"},
    ]
    assert messages(*items) == (
        Message(
            Role.ASSISTANT,
            (
                ToolCallPart("c1", "apply_patch", "*** Begin", "custom", item_id="ctc_1"),
                ToolCallPart("c2", "spawn", "{bad", namespace="agents"),
                ToolCallPart("c3", "local_shell", '{"command":"a \'b c\'"}', item_id="ls_1"),
            ),
        ),
        Message(Role.TOOL, (ToolResultPart("c1", (TextPart("done"),), kind="custom"), result("c2"), result("c3"))),
    )


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"type": "item_reference", "id": "msg_1"}, ()),
        ({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "q"}}, ()),
        ({"type": "compaction", "encrypted_content": "gAAA"}, ()),
        ({"type": "compaction", "summary": "we did x"}, ("we did x",)),
        ({"type": "agent_message", "author": "a", "content": [{"type": "input_text", "text": "hey"}]}, ("hey",)),
        ({"type": "agent_message", "content": [{"type": "encrypted_content", "encrypted_content": "g"}]}, ()),
        ({"type": "brand_new", "output": "some text"}, ("some text",)),
    ],
)
def test_items_of_other_types_are_text_or_nothing(item: object, expected: tuple[str, ...]) -> None:
    told = tuple(Message(Role.USER, (TextPart(text),)) for text in expected)
    assert messages(user("go"), item) == (Message(Role.USER, (TextPart("go"),)), *told)


def test_reasoning_is_restored_from_what_the_encoder_sealed() -> None:
    def reasoning(encrypted: str, text: str = "short") -> dict[str, object]:
        return {
            "type": "reasoning",
            "id": "rs",
            "summary": [{"type": "summary_text", "text": text}],
            "content": [],
            "encrypted_content": encrypted,
        }

    for encrypted, expected in [
        (seal("all of it", "", ""), ThinkingPart("all of it", id="rs")),
        (seal("all of it", "sig", "enc"), ThinkingPart("all of it", "sig", "enc", "rs")),
        ("vendor", ThinkingPart("short", encrypted="vendor", id="rs")),
        (SEAL + "!broken", ThinkingPart("short", id="rs")),
    ]:
        assert messages(user("go"), reasoning(encrypted))[1:] == (Message(Role.ASSISTANT, (expected,)),)
    assert messages(user("go"), reasoning("", "")) == (Message(Role.USER, (TextPart("go"),)),)


@pytest.mark.report("B017")
@pytest.mark.report("B030")
@pytest.mark.report("B083")
def test_every_tool_type_of_codex_is_taken() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": "start: x"}
    nested = {"type": "function", "name": "spawn", "parameters": {"type": "object"}, "strict": False}
    tools = decoded(
        input="",
        tools=[
            {
                "type": "function",
                "name": "f",
                "description": "d",
                "strict": True,
                "parameters": {"properties": {"x": True}},
            },
            {
                "type": "namespace",
                "name": "agents",
                "description": "g",
                "tools": [nested, {"type": "custom", "name": "c"}],
            },
            {"type": "custom", "name": "apply_patch", "description": "p", "format": grammar},
            {"type": "web_search", "external_web_access": False},
            {"type": "image_generation"},
            {"type": "function", "name": "bare", "parameters": None},
        ],
    ).tools
    assert [(type(tool), getattr(tool, "name", ""), getattr(tool, "namespace", "")) for tool in tools] == [
        (FunctionTool, "f", ""),
        (FunctionTool, "spawn", "agents"),
        (CustomTool, "c", "agents"),
        (CustomTool, "apply_patch", ""),
        (HostedTool, "", ""),
        (HostedTool, "", ""),
        (FunctionTool, "bare", ""),
    ]
    function, _, _, custom, hosted, _, bare = tools
    assert isinstance(function, FunctionTool)
    assert json.loads(bytes(function.parameters)) == {"properties": {"x": True}}
    assert isinstance(custom, CustomTool)
    assert json.loads(bytes(custom.format)) == grammar
    assert isinstance(hosted, HostedTool)
    assert json.loads(bytes(hosted.definition)) == {"type": "web_search", "external_web_access": False}
    assert isinstance(bare, FunctionTool)
    assert json.loads(bytes(bare.parameters)) == {"type": "object", "properties": {}}


def test_tools_that_join_midway_stand_behind_the_others_once() -> None:
    f, g = ({"type": "function", "name": name} for name in "fg")
    request = decoded(tools=[f], input=[{"type": "tool_search_output", "tools": [g, f]}, {"type": "additional_tools"}])
    assert [getattr(tool, "name", "") for tool in request.tools] == ["f", "g"]


@pytest.mark.parametrize(
    "item",
    [
        {"type": "brand_new", "x": 1},
        {"type": "brand_new", "text": 1},
        {"type": "a_call"},
        {"type": "a_call", "call_id": ["c"]},
    ],
)
def test_an_item_of_a_type_that_nobody_knows_yet_is_named_and_ends_no_session(item: dict[str, object]) -> None:
    assert messages(user("hi"), item) == (
        Message(Role.USER, (TextPart("hi"),)),
        Message(Role.USER, (TextPart(f"[item of type `{item['type']}` left out]"),)),
    )


def test_reasoning_that_codex_repeats_as_an_item_of_its_own_is_reasoning() -> None:
    assert messages(user("hi"), {"type": "agent_reasoning", "text": "hm"}, {"type": "agent_reasoning"}) == (
        Message(Role.USER, (TextPart("hi"),)),
        Message(Role.ASSISTANT, (ThinkingPart("hm"),)),
    )


SHELL_RESULT = [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]


@pytest.mark.parametrize(
    ("called", "name", "arguments"),
    [
        ({"type": "shell_call", "action": {"commands": ["ls"]}}, "shell", '{"commands": ["ls"]}'),
        ({"type": "apply_patch_call", "operation": {"path": "a"}}, "apply_patch", '{"path": "a"}'),
        ({"type": "x_call", "name": "run", "arguments": '{"a":1}', "action": None}, "run", '{"a":1}'),
        ({"type": "x_call", "code": "1 + 1"}, "x", '{"input":"1 + 1"}'),
        ({"type": "x_call"}, "x", "{}"),
    ],
)
def test_a_call_of_a_vendors_tool_is_a_call_whatever_its_type(
    called: dict[str, object], name: str, arguments: str
) -> None:
    items = [{**called, "call_id": "c"}, {"type": f"{called['type']}_output", "call_id": "c", "output": "ok"}]
    assert messages(*items) == (
        Message(Role.ASSISTANT, (ToolCallPart("c", name, arguments),)),
        Message(Role.TOOL, (result("c"),)),
    )


@pytest.mark.parametrize(
    ("fields", "content"),
    [
        ({"output": SHELL_RESULT}, (TextPart(json.dumps(SHELL_RESULT)),)),
        ({"result": "done"}, (TextPart("done"),)),
        ({"output": None, "status": "completed"}, (TextPart("completed"),)),
        ({}, ()),
    ],
)
def test_its_result_is_whatever_the_item_says(fields: dict[str, object], content: tuple[TextPart, ...]) -> None:
    items = [{"type": "shell_call", "id": "c"}, {"type": "shell_call_output", "id": "c", **fields}]
    assert messages(*items)[1] == Message(Role.TOOL, (ToolResultPart("c", content),))


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"input": "", "previous_response_id": "resp_1"}, "previous_response_id"),
        ({"input": "", "conversation": {"id": "c"}}, "conversation"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": 5, "call_id": "c"}]}, r"input\[0\].*arguments"),
        ({"input": [{"type": "function_call", "name": "f", "arguments": ""}]}, r"input\[0\].*call_id"),
        ({"input": [{"role": "robot", "content": ""}]}, r"input\[0\].*`robot`"),
        ({"input": [{"role": "user", "content": [{"type": "input_audio"}]}]}, r"input\[0\].*`input_audio`"),
        ({"input": "", "tools": [{"type": "function"}]}, r"tools\[0\].*name"),
        ({"input": "", "tool_choice": "sometimes"}, "`sometimes`"),
        ({"input": "", "text": {"format": {"type": "yaml"}}}, "`yaml`"),
        ({"input": 5}, "input"),
        ({"input": None}, "input: missing"),
        ({"messages": [{"role": "user", "content": "hi"}]}, "input: missing"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_names_it(body: dict[str, object], named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        decoded(**body)


def test_half_an_emoji_and_broken_bytes_do_not_fail_a_session() -> None:
    body = b'{"model":"m","input":[{"role":"user","content":"a\\ud83d"},{"role":"user","content":"b\xff"}]}'
    assert WIRE.decode_request(body).messages == (
        Message(Role.USER, (TextPart("a\ufffd"),)),
        Message(Role.USER, (TextPart("b\ufffd"),)),
    )


FIELDS = ["type", "role", "content", "input", "model", "tools", "name", "call_id", "output", "summary", "text"]
FIELDS += ["image_url", "parameters", "arguments"]
TYPES = ["message", "function_call", "reasoning", "custom", "namespace", "input_text", "user"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(FIELDS) | st.text(max_size=3), inner | st.sampled_from(TYPES), max_size=5)
    ),
    max_leaves=20,
)


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()))
def test_junk_raises_only_protocol_errors(body: bytes) -> None:
    try:
        WIRE.decode_request(body)
    except ProtocolError:
        return


@given(st.lists(JSON, max_size=4), st.lists(JSON, max_size=3))
def test_junk_items_and_tools_raise_only_protocol_errors(items: list[object], tools: list[object]) -> None:
    try:
        decoded(input=items, tools=tools)
    except ProtocolError:
        return
