"""The representation to an upstream's body, and back."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from tests.core.strategies import chat_requests

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
    Tool,
    ToolCallPart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.base import ProtocolError

WIRE = AnthropicMessages()
HI = Message(Role.USER, (TextPart("hi"),))
BASE = {"model": "m", "messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}], "max_tokens": 5}


def encode(*messages: Message, **fields: object) -> dict[str, object]:
    request = ChatRequest("m", messages or (HI,), max_output_tokens=5)
    body = json.loads(WIRE.encode_request(msgspec.structs.replace(request, **fields)))
    assert isinstance(body, dict)
    return body


def content_of(role: Role, *parts: Part) -> object:
    return encode(Message(role, parts))["messages"][0]["content"]  # type: ignore[index]


def test_a_whole_request_encodes_to_one_whole_body() -> None:
    request = ChatRequest(
        model="claude-x",
        messages=(
            Message(Role.SYSTEM, (TextPart("S", cache_hint=True),)),
            HI,
            Message(Role.SYSTEM, (TextPart("note"),)),
            Message(
                Role.ASSISTANT,
                (ThinkingPart("hm", "sig"), ThinkingPart("", encrypted="E"), ToolCallPart("t", "A", '{"a": 1}')),
            ),
            Message(Role.TOOL, (ToolResultPart("t", (TextPart("r"), ToolReferencePart("X")), is_error=True),)),
            Message(Role.USER, (ImagePart("image/png", "AAAA"), DocumentPart(url="https://d/", title="T"))),
        ),
        tools=(FunctionTool("A", "does", msgspec.Raw(b'{"type":"object"}'), deferred=True, strict=True),),
        tool_choice=ToolChoice("named", "A"),
        parallel_tool_calls=False,
        max_output_tokens=100,
        stop=("END",),
        sampling=Sampling(0.5, 0.9, 3),
        reasoning=Reasoning(True, "low", 2048),
        json_format=JsonFormat(msgspec.Raw(b'{"type":"object"}')),
        stream=True,
        user="u",
    )
    assert json.loads(WIRE.encode_request(request)) == {
        "model": "claude-x",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hi"}]},
            {"role": "system", "content": [{"type": "text", "text": "note"}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "sig"},
                    {"type": "redacted_thinking", "data": "E"},
                    {"type": "tool_use", "id": "t", "name": "A", "input": {"a": 1}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "text", "text": "r"}, {"type": "tool_reference", "tool_name": "X"}],
                        "is_error": True,
                    },
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                    {"type": "document", "source": {"type": "url", "url": "https://d/"}, "title": "T"},
                ],
            },
        ],
        "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
        "tools": [
            {
                "name": "A",
                "description": "does",
                "input_schema": {"type": "object"},
                "defer_loading": True,
                "strict": True,
            }
        ],
        "tool_choice": {"type": "tool", "name": "A", "disable_parallel_tool_use": True},
        "metadata": {"user_id": "u"},
        "max_tokens": 100,
        "thinking": {"type": "enabled", "budget_tokens": 2048},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "stop_sequences": ["END"],
        "temperature": 0.5,
        "top_p": 0.9,
        "top_k": 3,
        "stream": True,
    }


def test_a_request_without_a_limit_gets_one_since_the_wire_requires_it() -> None:
    assert encode(max_output_tokens=None) == {**BASE, "max_tokens": 32_000}


def test_the_system_messages_at_the_head_are_the_system_prompt() -> None:
    head = (Message(Role.SYSTEM, (TextPart("a"),)), Message(Role.SYSTEM, (TextPart("b"),)))
    assert encode(*head, HI) == {**BASE, "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}


@pytest.mark.parametrize(
    ("arguments", "block_input"),
    [
        ('{"a":1}', {"a": 1}),
        ("", {}),
        (" ", {}),
        ('{"a": ', {"__unparsedToolInput": {"raw": '{"a": ', "len": 6}}),
        ("null", {"__unparsedToolInput": {"raw": "null", "len": 4}}),
        ('{"a":1}{"b":2}', {"__unparsedToolInput": {"raw": '{"a":1}{"b":2}', "len": 14}}),
        ("😀", {"__unparsedToolInput": {"raw": "😀", "len": 2}}),
    ],
)
@pytest.mark.report("B057")
def test_arguments_that_are_no_object_are_wrapped_and_come_back(arguments: str, block_input: object) -> None:
    call = Message(Role.ASSISTANT, (ToolCallPart("t", "A", arguments),))
    body = WIRE.encode_request(ChatRequest("m", (call,)))
    assert json.loads(body)["messages"][0]["content"][0]["input"] == block_input
    assert WIRE.decode_request(body).messages[0].parts == (
        ToolCallPart("t", "A", arguments if arguments.strip() else "{}"),
    )


def test_arguments_nested_too_deeply_to_check_are_wrapped() -> None:
    deep = '{"a":' * 50_000
    call = Message(Role.ASSISTANT, (ToolCallPart("t", "A", deep),))
    body = WIRE.encode_request(ChatRequest("m", (call,)))
    assert WIRE.decode_request(body).messages[0] == call


def test_free_text_tools_are_functions_with_one_string() -> None:
    schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    assert encode(tools=(CustomTool("apply_patch", "patches", namespace="n"),))["tools"] == [
        {"name": "n__apply_patch", "description": "patches", "input_schema": schema}
    ]
    assert content_of(Role.ASSISTANT, ToolCallPart("t", "apply_patch", "*** Begin", "custom", "n")) == [
        {"type": "tool_use", "id": "t", "name": "n__apply_patch", "input": {"input": "*** Begin"}}
    ]


@pytest.mark.parametrize(
    ("tool", "sent"),
    [
        (HostedTool("web_search_20250305", msgspec.Raw(b'{"type":"web_search_20250305"}')), True),
        (HostedTool("mcp_toolset", msgspec.Raw(b'{"type":"mcp_toolset"}')), True),
        (HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}')), False),
    ],
)
def test_only_the_vendors_own_hosted_tools_are_sent(tool: HostedTool, sent: bool) -> None:
    body = encode(tools=(tool,), tool_choice=ToolChoice())
    if sent:
        assert body == {**BASE, "tools": [{"type": tool.type}], "tool_choice": {"type": "auto"}}
    else:
        assert body == BASE


@pytest.mark.parametrize(
    ("choice", "parallel", "sent"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (ToolChoice(), True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("required"), None, {"type": "any"}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_tool_choice_carries_whether_calls_may_be_parallel(
    choice: ToolChoice | None, parallel: bool | None, sent: object
) -> None:
    body = encode(tools=(FunctionTool("A"),), tool_choice=choice, parallel_tool_calls=parallel)
    assert body.get("tool_choice") == sent


@pytest.mark.parametrize(
    ("reasoning", "fields"),
    [
        (Reasoning(), {}),
        (Reasoning(True), {"thinking": {"type": "adaptive"}}),
        (Reasoning(False), {"thinking": {"type": "disabled"}}),
        (Reasoning(None, "high"), {"output_config": {"effort": "high"}}),
    ],
)
def test_thinking_is_asked_for_in_the_wires_words(reasoning: Reasoning, fields: dict[str, object]) -> None:
    assert encode(reasoning=reasoning) == {**BASE, **fields}


def test_any_json_object_is_asked_for_by_the_schema_of_any_object() -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    assert encode(json_format=JsonFormat()) == {**BASE, "output_config": {"format": form}}


@pytest.mark.report("B003")
def test_neither_empty_text_nor_an_empty_message_is_sent() -> None:
    empty = Message(Role.ASSISTANT, (TextPart(""), RefusalPart(""), ThinkingPart("unsigned")))
    assert encode(HI, empty) == BASE
    call = Message(Role.ASSISTANT, (ToolCallPart("t", "A", "{}"),))
    result = Message(Role.TOOL, (ToolResultPart("t", (TextPart(""),)),))
    assert encode(call, result)["messages"][1]["content"] == [  # type: ignore[index]
        {"type": "tool_result", "tool_use_id": "t", "content": []}
    ]


@pytest.mark.report("B013")
def test_results_stand_behind_their_call_missing_ones_are_noted_and_orphans_are_text() -> None:
    calls = Message(Role.ASSISTANT, (ToolCallPart("a", "A", "{}"), ToolCallPart("b", "A", "{}")))
    results = Message(Role.TOOL, (ToolResultPart("b", (TextPart("ok"),)), ToolResultPart("c", (TextPart("late"),))))
    note = {"type": "text", "text": "No result: the call was interrupted."}
    assert encode(calls, HI, results)["messages"][1:] == [  # type: ignore[index]
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": [note], "is_error": True},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "ok"}]},
                {"type": "text", "text": "hi"},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Result of an earlier tool call (c):"},
                {"type": "text", "text": "late"},
            ],
        },
    ]


def test_a_document_with_data_sends_its_data() -> None:
    assert content_of(Role.USER, DocumentPart("application/pdf", "AAAA", text="x", url="https://s/")) == [
        {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}},
    ]


def test_images_and_documents_stand_in_a_result_as_they_are() -> None:
    parts = (ImagePart(url="https://i/"), DocumentPart(text="x"))
    call = Message(Role.ASSISTANT, (ToolCallPart("t", "A", "{}"),))
    sent = encode(HI, call, Message(Role.TOOL, (ToolResultPart("t", parts),)))["messages"]
    assert sent[2]["content"][0]["content"] == [  # type: ignore[index]
        {"type": "image", "source": {"type": "url", "url": "https://i/"}},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "x"}},
    ]


def test_a_document_with_text_sends_its_text() -> None:
    assert content_of(Role.USER, DocumentPart(text="x", url="https://s/", cache_hint=True)) == [
        {
            "type": "document",
            "source": {"type": "text", "data": "x", "media_type": "text/plain"},
            "cache_control": {"type": "ephemeral"},
        }
    ]


# --- there and back ----------------------------------------------------------------------------------------------


def representable(request: ChatRequest) -> ChatRequest:
    """`request` as far as the wire can carry it. What this function changes is what the wire loses."""
    tools = tuple(tool for tool in map(_tool, request.tools) if tool is not None)
    choice, parallel = request.tool_choice, request.parallel_tool_calls
    if choice is None and parallel is False:
        choice = ToolChoice()
    if choice is None or choice.mode == "none":
        parallel = None
    form = request.json_format
    return ChatRequest(
        model=request.model,
        messages=_joined(request.messages),
        tools=tools,
        tool_choice=choice if tools else None,
        parallel_tool_calls=parallel if tools else None,
        max_output_tokens=32_000 if request.max_output_tokens is None else request.max_output_tokens,
        stop=request.stop,
        sampling=Sampling(request.sampling.temperature, request.sampling.top_p, request.sampling.top_k),
        reasoning=None if request.reasoning == Reasoning() else request.reasoning,
        json_format=JsonFormat(msgspec.Raw(bytes(form.schema) or b'{"type":"object"}')) if form else None,
        stream=request.stream,
        user=request.user,
    )


def _tool(tool: Tool) -> Tool | None:
    match tool:
        case FunctionTool():
            return tool
        case CustomTool(name=name, description=description):
            schema = b'{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}'
            return FunctionTool(name, description, msgspec.Raw(schema))
        case HostedTool():
            return None


def _part(part: Part) -> Part | None:
    match part:
        case ThinkingPart(signature=""):
            return None
        case RefusalPart(text):
            return TextPart(text)
        case ToolCallPart(kind="custom"):
            wrapped = json.dumps({"input": part.arguments}, ensure_ascii=False, separators=(",", ":"))
            return ToolCallPart(part.id, part.name, wrapped)
        case ToolResultPart():
            content: tuple[ResultContent, ...] = part.content
            return ToolResultPart(part.call_id, content, part.is_error)
        case _:
            return part


def _joined(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    joined: list[Message] = []
    for message in messages:
        parts = tuple(kept for part in message.parts if (kept := _part(part)) is not None)
        if joined and joined[-1].role is message.role is Role.SYSTEM and len(joined) == 1:
            joined[-1] = Message(Role.SYSTEM, joined[-1].parts + parts)
        elif parts:
            joined.append(Message(message.role, parts))
    return tuple(joined)


def _same_arguments(request: ChatRequest) -> ChatRequest:
    """JSON text that a free text was wrapped in is compared by its value: escapes differ."""
    messages = tuple(
        Message(
            message.role,
            tuple(
                ToolCallPart(part.id, part.name, repr(json.loads(part.arguments)))
                if isinstance(part, ToolCallPart)
                else part
                for part in message.parts
            ),
        )
        for message in request.messages
    )
    return msgspec.structs.replace(request, messages=messages)


@pytest.mark.parametrize("roles", [(), (Role.SYSTEM,), (Role.SYSTEM, Role.USER)])
def test_a_conversation_of_which_nothing_is_left_is_refused(roles: tuple[Role, ...]) -> None:
    text = {Role.SYSTEM: "Be kind.", Role.USER: " \n"}
    messages = tuple(Message(role, (TextPart(text[role]),)) for role in roles)
    with pytest.raises(ProtocolError, match="no message that is not blank"):
        WIRE.encode_request(ChatRequest("m", messages))


def _has_no_blanks(request: ChatRequest) -> bool:
    """Blank text is left out, for the vendor refuses it: a test of its own says so."""
    parts = [part for message in request.messages for part in message.parts]
    inner = [kept for part in parts if isinstance(part, ToolResultPart) for kept in part.content]
    return all(part.text.strip() for part in (*parts, *inner) if isinstance(part, (TextPart, RefusalPart)))


@given(chat_requests().filter(_has_no_blanks))
def test_what_the_wire_can_carry_comes_back_equal(request: ChatRequest) -> None:
    back = WIRE.decode_request(WIRE.encode_request(request))
    assert _same_arguments(back) == _same_arguments(representable(request))


@given(chat_requests(custom_tools=False).filter(_has_no_blanks))
def test_arguments_of_functions_come_back_letter_for_letter(request: ChatRequest) -> None:
    assert WIRE.decode_request(WIRE.encode_request(request)) == representable(request)


@given(chat_requests().filter(_has_no_blanks))
def test_what_was_decoded_once_is_stable(request: ChatRequest) -> None:
    once = WIRE.decode_request(WIRE.encode_request(request))
    assert WIRE.decode_request(WIRE.encode_request(once)) == once
