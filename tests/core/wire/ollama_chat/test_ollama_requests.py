"""Requests on Ollama's wire, both ways."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import chat_requests

from agentlaunch.core.endpoint import Endpoint, Thinking
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
from agentlaunch.core.wire.ollama_chat import KEEP_ALIVE, ChatOptions, OllamaChat

PNG = "iVBORw0KGgo="
SCHEMA = b'{"type":"object","properties":{"x":true},"additionalProperties":false}'
READ = FunctionTool("Read", "reads", msgspec.Raw(SCHEMA))
WRITE = FunctionTool("Write", parameters=msgspec.Raw(SCHEMA))
ENDPOINT = Endpoint("ollama", "ollama_chat", "http://127.0.0.1:1", "m", context_window=32_768, thinking="switch")


def user(*parts: Part) -> Message:
    return Message(Role.USER, parts)


def request(*messages: Message, **fields: object) -> ChatRequest:
    return msgspec.structs.replace(ChatRequest("m", messages or (user(TextPart("hi")),)), **fields)


def sent(wanted: ChatRequest, options: ChatOptions | None = None) -> dict[str, object]:
    body: dict[str, object] = json.loads(OllamaChat(options).encode_request(wanted))
    return body


def test_a_whole_request_is_written() -> None:
    wanted = request(
        Message(Role.SYSTEM, (TextPart("A"), TextPart("B"))),
        user(TextPart("look"), ImagePart("image/png", PNG)),
        Message(Role.ASSISTANT, (ThinkingPart("hm"), TextPart("I read."), ToolCallPart("c1", "Read", '{"b":1,"a":2}'))),
        Message(Role.TOOL, (ToolResultPart("c1", (TextPart("gone"),), is_error=True),)),
        tools=(READ,),
        max_output_tokens=100,
        stop=("END",),
        sampling=Sampling(0.5, 0.9, 40, 7, 0.1, 0.2),
        reasoning=Reasoning(enabled=True),
        stream=True,
    )
    assert sent(wanted, ChatOptions(8192, "30m", "switch")) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "A\n\nB"},
            {"role": "user", "content": "look", "images": [PNG]},
            {
                "role": "assistant",
                "content": "I read.",
                "thinking": "hm",
                "tool_calls": [{"id": "c1", "function": {"name": "Read", "arguments": {"b": 1, "a": 2}}}],
            },
            {"role": "tool", "content": "Error: gone", "tool_name": "Read", "tool_call_id": "c1"},
        ],
        "tools": [
            {"type": "function", "function": {"name": "Read", "description": "reads", "parameters": json.loads(SCHEMA)}}
        ],
        "stream": True,
        "options": {
            "num_ctx": 8192,
            "num_predict": 100,
            "stop": ["END"],
            "temperature": 0.5,
            "top_p": 0.9,
            "top_k": 40,
            "seed": 7,
            "presence_penalty": 0.1,
            "frequency_penalty": 0.2,
        },
        "think": True,
        "keep_alive": "30m",
        "truncate": False,
        "shift": False,
    }


def test_without_options_the_server_decides_but_still_cuts_nothing() -> None:
    assert sent(request()) == {
        "model": "m",
        "messages": [{"role": "user", "content": "hi"}],
        "stream": False,
        "options": {},
        "truncate": False,
        "shift": False,
    }


def test_the_window_comes_from_the_endpoint_and_is_the_same_at_every_call() -> None:
    bodies = [
        json.loads(OllamaChat().for_call(ENDPOINT, wanted).encode_request(wanted))
        for wanted in (request(), request(max_output_tokens=20, stream=True))
    ]
    assert [body["options"]["num_ctx"] for body in bodies] == [32_768, 32_768]
    assert [body["keep_alive"] for body in bodies] == [KEEP_ALIVE, KEEP_ALIVE]


def test_an_endpoint_without_a_window_leaves_it_to_the_server() -> None:
    wire = OllamaChat().for_call(replace(ENDPOINT, context_window=None), request())
    assert json.loads(wire.encode_request(request()))["options"] == {}


ON, OFF, HIGH = Reasoning(enabled=True), Reasoning(enabled=False), Reasoning(effort="xhigh")


@pytest.mark.report("B026")
@pytest.mark.parametrize(
    ("thinking", "reasoning", "expected"),
    [
        ("none", ON, None), ("none", OFF, None), ("none", HIGH, None),
        ("unknown", ON, None), ("unknown", OFF, False), ("unknown", HIGH, None),
        ("switch", None, None), ("switch", Reasoning(), None), ("switch", ON, True), ("switch", OFF, False),
        ("switch", HIGH, True), ("levels", ON, None), ("levels", OFF, "low"), ("levels", HIGH, "high"),
        ("levels", Reasoning(effort="minimal"), "low"),
    ],
)  # fmt: skip
def test_think_is_only_what_the_model_takes(thinking: Thinking, reasoning: Reasoning | None, expected: object) -> None:
    assert sent(request(reasoning=reasoning), ChatOptions(thinking=thinking)).get("think") == expected


def test_the_format_is_json_or_the_schema() -> None:
    assert "format" not in sent(request())
    assert sent(request(json_format=JsonFormat()))["format"] == "json"
    assert sent(request(json_format=JsonFormat(msgspec.Raw(SCHEMA))))["format"] == json.loads(SCHEMA)


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        (None, ["Read", "Write"]),
        (ToolChoice("auto"), ["Read", "Write"]),
        (ToolChoice("required"), ["Read", "Write"]),
        (ToolChoice("none"), []),
        (ToolChoice("named", "Write"), ["Write"]),
        (ToolChoice("named", "Gone"), ["Read", "Write"]),
    ],
)
def test_a_choice_is_made_by_the_tools_that_are_offered(choice: ToolChoice | None, names: list[str]) -> None:
    body = sent(request(tools=(READ, WRITE), tool_choice=choice))
    assert [tool["function"]["name"] for tool in body.get("tools", [])] == names  # type: ignore[attr-defined]


def test_a_prompt_that_nobody_follows_is_said_by_the_user() -> None:
    alone = request(Message(Role.SYSTEM, (TextPart("Name this session."),)))
    assert sent(alone)["messages"] == [{"role": "user", "content": "Name this session."}]


@pytest.mark.parametrize("tool", [CustomTool("patch"), HostedTool("web_search", msgspec.Raw(b"{}"))])
def test_a_tool_that_no_filter_has_lowered_is_named(tool: CustomTool | HostedTool) -> None:
    with pytest.raises(ProtocolError, match=r"patch|web_search"):
        OllamaChat().encode_request(request(tools=(tool,)))


@pytest.mark.report("B057")
@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a":1}', {"a": 1}),
        ("", {}),
        ("[1]", {"raw_arguments": "[1]"}),
        ('{"path":"a.rs"}{"path":"b.rs"}', {"raw_arguments": '{"path":"a.rs"}{"path":"b.rs"}'}),
        ('"text"', {"raw_arguments": '"text"'}),
    ],
)
def test_arguments_are_always_an_object(arguments: str, expected: object) -> None:
    body = sent(request(user(TextPart("hi")), Message(Role.ASSISTANT, (ToolCallPart("c", "f", arguments),))))
    assert body["messages"][1]["tool_calls"][0]["function"]["arguments"] == expected  # type: ignore[index]


@pytest.mark.report("B080")
@pytest.mark.parametrize(
    ("part", "content", "images"),
    [
        (TextPart("a"), "a", None),
        (RefusalPart("no"), "no", None),
        (ImagePart("image/png", PNG), "", [PNG]),
        (ImagePart(url=f"data:image/jpeg;base64,{PNG}"), "", [PNG]),
        (ImagePart("image/svg+xml", PNG), "[image of type image/svg+xml, which cannot be shown]", None),
        (ImagePart(url="https://x/a.png"), "[image at https://x/a.png, which cannot be shown]", None),
        (DocumentPart("text/plain", text="t", title="n"), '[document "n"]\nt', None),
        (DocumentPart("text/plain", text="t"), "t", None),
        (
            DocumentPart("application/pdf", PNG),
            "[document of type application/pdf, whose content cannot be shown]",
            None,
        ),
    ],
)
def test_content_is_one_text_and_bare_images(part: Part, content: str, images: list[str] | None) -> None:
    expected: dict[str, object] = {"role": "user", "content": content}
    assert sent(request(user(part)))["messages"] == [expected if images is None else {**expected, "images": images}]


def test_an_image_in_a_result_follows_as_the_users() -> None:
    result = ToolResultPart("c", (TextPart("a"), ImagePart("image/png", PNG), ToolReferencePart("Web")))
    messages = sent(
        request(
            user(TextPart("hi")),
            Message(Role.ASSISTANT, (ToolCallPart("c", "f", "{}"),)),
            Message(Role.TOOL, (result,)),
            user(TextPart("go")),
        )
    )["messages"]
    assert messages[2:] == [  # type: ignore[index]
        {
            "role": "tool",
            "content": "a\n[image: in the user message below]\nThe tool `Web` is now available.",
            "tool_name": "f",
            "tool_call_id": "c",
        },
        {"role": "user", "content": "[image from the result of tool call c]\ngo", "images": [PNG]},
    ]


def test_a_notice_in_mid_conversation_is_the_users_and_stays_in_its_place() -> None:
    messages = (
        user(TextPart("a")),
        Message(Role.SYSTEM, (TextPart("note"),)),
        Message(Role.ASSISTANT, (TextPart("b"),)),
    )
    assert sent(request(*messages))["messages"] == [
        {"role": "user", "content": "a\n<system-reminder>\nnote\n</system-reminder>"},
        {"role": "assistant", "content": "b"},
    ]


def test_an_empty_notice_vanishes_and_a_marked_one_stays_as_it_is() -> None:
    marked = "<system-reminder>x</system-reminder>"
    notices = [Message(Role.SYSTEM, (TextPart(text),)) for text in ("", marked)]
    assert sent(request(user(TextPart("a")), *notices))["messages"] == [{"role": "user", "content": f"a\n{marked}"}]


@given(chat_requests(custom_tools=False, hosted_tools=False))
def test_every_request_is_one_that_the_server_reads_and_reads_back_alike(wanted: ChatRequest) -> None:
    body = OllamaChat().encode_request(wanted)
    assert OllamaChat().encode_request(wanted) == body
    roles = [message["role"] for message in json.loads(body)["messages"]]
    assert all(first != second or first == "tool" for first, second in pairwise(roles))
    again = OllamaChat().decode_request(body)
    assert (again.model, again.stream, again.stop, again.sampling, again.max_output_tokens) == (
        wanted.model, wanted.stream, wanted.stop, wanted.sampling, wanted.max_output_tokens,
    )  # fmt: skip
    assert OllamaChat().encode_request(msgspec.structs.replace(again, reasoning=wanted.reasoning)) == body


@given(chat_requests(custom_tools=False, hosted_tools=False), st.data())
def test_a_longer_conversation_begins_with_the_shorter_ones_messages(wanted: ChatRequest, data: st.DataObject) -> None:
    """The prompt's cached prefix survives a turn (facts/ollama-api.md G.11). Its last message may still grow."""
    messages = wanted.messages
    turns = [n for n in range(1, len(messages) + 1) if n == len(messages) or messages[n].role is not Role.TOOL]
    cut = data.draw(st.sampled_from(turns))
    short = sent(msgspec.structs.replace(wanted, messages=messages[:cut]))["messages"]
    whole = sent(wanted)["messages"]
    assert isinstance(short, list)
    assert isinstance(whole, list)
    assert whole[: max(len(short) - 1, 0)] == short[:-1]


# --- a client's request ------------------------------------------------------------------------------------------


def test_a_clients_request_is_read() -> None:
    body = {
        "model": "m",
        "messages": [
            {"role": "system", "content": "S"},
            {"role": "user", "content": "look", "images": [PNG]},
            {
                "role": "assistant",
                "content": "",
                "thinking": "hm",
                "tool_calls": [
                    {"function": {"name": "Read", "arguments": {"p": 1}}},
                    {"function": {"name": "Write", "arguments": '{"p":2}'}},
                ],
            },
            {"role": "tool", "content": "w", "tool_name": "Write"},
            {"role": "tool", "content": "r", "tool_name": "Read"},
        ],
        "tools": [
            {
                "type": "function",
                "function": {"name": "Read", "description": "reads", "parameters": json.loads(SCHEMA)},
            },
            {"type": "function", "function": {"name": "Write"}},
            {"type": "web_search"},
        ],
        "format": {"type": "object"},
        "options": {"num_predict": 9, "stop": ["E"], "temperature": 0.5, "num_ctx": 4096},
        "think": "low",
        "keep_alive": -1,
    }
    assert OllamaChat().decode_request(msgspec.json.encode(body)) == ChatRequest(
        "m",
        (
            Message(Role.SYSTEM, (TextPart("S"),)),
            user(TextPart("look"), ImagePart("image/png", PNG)),
            Message(
                Role.ASSISTANT,
                (
                    ThinkingPart("hm"),
                    ToolCallPart("call_1", "Read", '{"p":1}'),
                    ToolCallPart("call_2", "Write", '{"p":2}'),
                ),
            ),
            Message(
                Role.TOOL, (ToolResultPart("call_2", (TextPart("w"),)), ToolResultPart("call_1", (TextPart("r"),)))
            ),
        ),
        tools=(READ, FunctionTool("Write"), HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}'))),
        max_output_tokens=9,
        stop=("E",),
        sampling=Sampling(temperature=0.5),
        reasoning=Reasoning(enabled=True, effort="low"),
        json_format=JsonFormat(msgspec.Raw(b'{"type":"object"}')),
        stream=True,
    )


def test_what_follows_a_tools_results_is_a_message_of_its_own() -> None:
    call = {"role": "assistant", "tool_calls": [{"function": {"name": "Read", "arguments": {}}}]}
    messages = [call, {"role": "tool", "content": "r"}, {"role": "user", "content": "go on"}]
    read = OllamaChat().decode_request(msgspec.json.encode({"model": "m", "messages": messages}))
    assert read.messages == (
        Message(Role.ASSISTANT, (ToolCallPart("call_1", "Read", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("call_1", (TextPart("r"),)),)),
        user(TextPart("go on")),
    )


def test_a_stream_is_the_default_and_minus_one_is_no_limit() -> None:
    hi = b'{"model":"m","messages":[{"role":"user","content":"hi"}],'
    messages = (user(TextPart("hi")),)
    read = OllamaChat().decode_request(hi + b'"options":{"num_predict":-1},"format":"","think":false}')
    assert read == ChatRequest("m", messages, reasoning=Reasoning(enabled=False), stream=True)
    assert OllamaChat().decode_request(hi + b'"stream":false,"format":"json"}') == ChatRequest(
        "m", messages, json_format=JsonFormat()
    )


@pytest.mark.parametrize(
    ("body", "named"),
    [
        (b'{"model":""}', "model is required"),
        (b'{"model":"m"}', "messages: at least one message is required"),
        (b'{"model":"m","messages":[]}', "messages: at least one message is required"),
        (b'{"model":"m","think":"x"}', "`think` is `x`"),
        (b'{"model":"m","format":7}', "format"),
        (b'{"model":"m","format":"{\\"a\\":"}', "format"),
        (b'{"model":"m","format":"xml"}', "format"),
        (b'{"model":"m","messages":[{"role":"pirate"}]}', r"messages\[0\].role"),
        (b'{"model":"m","messages":[{"role":"user","images":[7]}]}', "images"),
        (b'{"model":"m","messages":[{"role":"assistant","tool_calls":[{}]}]}', r"tool_calls\[0\].function"),
        (b'{"model":"m","tools":[{"type":"function"}]}', r"tools\[0\].function"),
    ],
)
def test_a_bad_request_names_its_field(body: bytes, named: str) -> None:
    with pytest.raises(ProtocolError, match=named):
        OllamaChat().decode_request(body)


def read(**fields: object) -> ChatRequest:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], **fields}
    return OllamaChat().decode_request(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("think", "expected"),
    [
        ("", None),
        ("none", Reasoning(enabled=False)),
        ("off", Reasoning(enabled=False)),
        ("false", Reasoning(enabled=False)),
        ("true", Reasoning(enabled=True)),
        ("minimal", Reasoning(enabled=True, effort="minimal")),
        ("xhigh", Reasoning(enabled=True, effort="xhigh")),
    ],
)
def test_think_is_read_in_the_words_of_other_apis(think: str, expected: Reasoning | None) -> None:
    assert read(think=think).reasoning == expected


def test_a_result_finds_its_call_by_the_older_word_for_the_tool_s_name() -> None:
    calls = [{"function": {"name": name, "arguments": {}}} for name in ("Read", "Write")]
    results = [{"role": "tool", "name": name, "content": name} for name in ("Write", "Read")]
    messages = [{"role": "user", "content": "hi"}, {"role": "assistant", "tool_calls": calls}, *results]
    assert read(messages=messages).messages[-1].parts == (
        ToolResultPart("call_2", (TextPart("Write"),)),
        ToolResultPart("call_1", (TextPart("Read"),)),
    )


def test_openai_s_roles_and_flat_calls_are_read() -> None:
    messages = [
        {"role": "developer", "content": "be short"},
        {"role": "assistant", "tool_calls": [{"id": "c", "name": "Read", "arguments": {"x": 1}}]},
        {"role": "function", "tool_call_id": "c", "content": "done"},
    ]
    assert read(messages=messages).messages == (
        Message(Role.SYSTEM, (TextPart("be short"),)),
        Message(Role.ASSISTANT, (ToolCallPart("c", "Read", '{"x": 1}'),)),
        Message(Role.TOOL, (ToolResultPart("c", (TextPart("done"),)),)),
    )


@pytest.mark.parametrize("key", ["parameters", "input_schema"])
def test_a_tool_whose_fields_stand_in_the_definition_itself_is_read(key: str) -> None:
    tool = {"name": "Read", "description": "reads", key: json.loads(SCHEMA)}
    [found] = read(tools=[tool]).tools
    assert isinstance(found, FunctionTool)
    assert (found.name, found.description, json.loads(bytes(found.parameters))) == ("Read", "reads", json.loads(SCHEMA))


def test_a_schema_in_quotes_is_a_schema_and_an_empty_stop_is_none() -> None:
    wanted = read(format=SCHEMA.decode(), options={"stop": ""})
    assert (wanted.json_format, wanted.stop) == (JsonFormat(msgspec.Raw(SCHEMA)), ())


def test_what_a_content_array_holds_beside_text_and_images_is_named() -> None:
    content = [{"type": "text", "text": ""}, {"type": "file", "file": {"file_data": "x"}}]
    [message] = read(messages=[{"role": "user", "content": content}]).messages
    assert message.parts == (TextPart("[content of type `file` left out]"),)
