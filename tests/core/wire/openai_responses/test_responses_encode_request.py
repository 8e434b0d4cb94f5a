"""What the Responses wire sends to an upstream that speaks it."""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec
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
from agentlaunch.core.wire.openai_responses import OpenAIResponses

WIRE = OpenAIResponses()
SCHEMA = msgspec.Raw(b'{"type":"object"}')


def encoded(request: ChatRequest) -> dict[str, object]:
    body = json.loads(WIRE.encode_request(request))
    assert isinstance(body, dict)
    return body


def items(*messages: Message) -> object:
    return encoded(ChatRequest("m", messages))["input"]


@pytest.mark.report("B108")
def test_a_bare_request_says_no_more_than_it_has_to() -> None:
    assert encoded(ChatRequest("m", (Message(Role.USER, (TextPart("hi"),)),), stream=True, user="u")) == {
        "model": "m",
        "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        "store": False,
        "stream": True,
    }


def test_every_option_has_its_field() -> None:
    request = ChatRequest(
        "m",
        (),
        tools=(
            FunctionTool("f", "d", SCHEMA),
            FunctionTool("a", "", SCHEMA, "ns", strict=True),
            CustomTool("patch", "p", msgspec.Raw(b'{"type":"text"}')),
            CustomTool("b", namespace="ns"),
            HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}')),
        ),
        tool_choice=ToolChoice("named", "patch"),
        parallel_tool_calls=False,
        max_output_tokens=9,
        sampling=Sampling(temperature=0.5, top_p=0.9, top_k=3),
        reasoning=Reasoning(effort="high"),
        json_format=JsonFormat(SCHEMA, "n", True),
        cache_key="k",
    )
    assert encoded(request) == {
        "model": "m",
        "input": [],
        "store": False,
        "stream": False,
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False},
            {
                "type": "namespace",
                "name": "ns",
                "description": "ns",
                "tools": [
                    {
                        "type": "function",
                        "name": "a",
                        "description": "",
                        "parameters": {"type": "object"},
                        "strict": True,
                    },
                    {"type": "custom", "name": "b", "description": ""},
                ],
            },
            {"type": "custom", "name": "patch", "description": "p", "format": {"type": "text"}},
            {"type": "web_search"},
        ],
        "tool_choice": {"type": "custom", "name": "patch"},
        "parallel_tool_calls": False,
        "reasoning": {"effort": "high", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
        "max_output_tokens": 9,
        "temperature": 0.5,
        "top_p": 0.9,
        "prompt_cache_key": "k",
    }


def test_a_conversation_is_items() -> None:
    assert items(
        Message(Role.SYSTEM, (TextPart("s"),)),
        Message(
            Role.ASSISTANT,
            (
                ThinkingPart("t", encrypted="e", id="rs_1"),
                ThinkingPart("plain"),
                TextPart("a"),
                RefusalPart("r"),
                ToolCallPart("c1", "f", "{}", namespace="ns", item_id="fc_1"),
                ToolCallPart("c2", "p", "raw", "custom"),
                ToolCallPart("c3", "f", "{}"),
                ToolCallPart("c4", "f", "{}"),
            ),
        ),
        Message(
            Role.TOOL,
            (
                ToolResultPart("c1", (TextPart("ok"),)),
                ToolResultPart("c2", (TextPart("bad"),), is_error=True, kind="custom"),
                ToolResultPart("c3", (ToolReferencePart("T"), ImagePart("image/png", "AA"))),
                ToolResultPart("c4"),
            ),
        ),
        Message(
            Role.USER, (DocumentPart("text/plain", text="body", title="a.txt"), DocumentPart(url="https://f.example"))
        ),
    ) == [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "s"}]},
        {
            "type": "reasoning",
            "id": "rs_1",
            "summary": [{"type": "summary_text", "text": "t"}],
            "encrypted_content": "e",
        },
        {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "plain"}]},
        {
            "type": "message",
            "role": "assistant",
            "content": [
                {"type": "output_text", "text": "a", "annotations": [], "logprobs": []},
                {"type": "refusal", "refusal": "r"},
            ],
        },
        {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}", "namespace": "ns", "id": "fc_1"},
        {"type": "custom_tool_call", "call_id": "c2", "name": "p", "input": "raw"},
        {"type": "function_call", "call_id": "c3", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "c4", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c1", "output": "ok"},
        {
            "type": "custom_tool_call_output",
            "call_id": "c2",
            "output": [{"type": "input_text", "text": "Error:"}, {"type": "input_text", "text": "bad"}],
        },
        {
            "type": "function_call_output",
            "call_id": "c3",
            "output": [
                {"type": "input_text", "text": "The tool `T` is now available."},
                {"type": "input_image", "image_url": "data:image/png;base64,AA", "detail": "auto"},
            ],
        },
        {"type": "function_call_output", "call_id": "c4", "output": ""},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "a.txt\n\nbody"},
                {"type": "input_file", "file_url": "https://f.example"},
            ],
        },
    ]


def test_documents_of_bytes_are_files_in_messages_and_results_alike() -> None:
    document = DocumentPart("application/pdf", "AAAA", title="a.pdf")
    file = {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,AAAA"}
    assert items(
        Message(Role.USER, (document,)),
        Message(Role.ASSISTANT, (ToolCallPart("c", "f", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("c", (document,)),)),
    ) == [
        {"type": "message", "role": "user", "content": [file]},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": [file]},
    ]


def test_any_json_object_is_asked_for_without_a_schema() -> None:
    body = encoded(ChatRequest("m", (), json_format=JsonFormat()))
    assert body["text"] == {"format": {"type": "json_object"}}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("f", {"type": "function", "name": "f"}),
        ("patch", {"type": "custom", "name": "patch"}),
        ("web_search", {"type": "web_search"}),
    ],
)
def test_a_named_choice_has_the_form_of_its_tool(name: str, expected: object) -> None:
    tools = (FunctionTool("f"), CustomTool("patch"), HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}')))
    assert encoded(ChatRequest("m", (), tools=tools, tool_choice=ToolChoice("named", name)))["tool_choice"] == expected


# --- what survives the way out and back ---------------------------------------------------------------------------

TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
NAME = st.from_regex(r"[A-Za-z_][A-Za-z0-9_-]{0,8}", fullmatch=True)
IMAGE = st.builds(ImagePart, st.just("image/png"), st.just("AAAA")) | st.just(ImagePart(url="https://i.example/a"))
FILE = st.builds(DocumentPart, st.just("application/pdf"), st.just("JVBE"), title=st.just("") | TEXT)
TEXT_PART = st.builds(TextPart, TEXT)
THINKING = st.builds(ThinkingPart, TEXT, st.just("") | TEXT, st.just("") | TEXT, st.just("") | NAME)


@st.composite
def turn(draw: st.DrawFn, number: int) -> list[Message]:
    """One turn of what this wire carries: every call answered, in order; no cache hints and no error flags."""
    said: list[Part] = draw(st.lists(TEXT_PART | IMAGE | FILE, min_size=1, max_size=3))
    answer: list[Part] = draw(st.lists(THINKING, max_size=1))
    answer += draw(st.lists(TEXT_PART | st.builds(RefusalPart, TEXT), max_size=2))
    calls: list[ToolCallPart] = []
    for position in range(draw(st.integers(0, 2))):
        custom = draw(st.booleans())
        item_id, namespace = draw(st.just("") | NAME), draw(st.just("") | NAME)
        kind = "custom" if custom else "function"
        calls.append(ToolCallPart(f"c{number}_{position}", draw(NAME), draw(TEXT), kind, namespace, item_id))  # type: ignore[arg-type]
    content: st.SearchStrategy[list[ResultContent]] = st.lists(TEXT_PART | IMAGE | FILE, max_size=2)
    results = tuple(ToolResultPart(call.id, tuple(draw(content)), kind=call.kind) for call in calls)
    messages = [Message(Role.USER, tuple(said))]
    messages += [Message(Role.ASSISTANT, (*answer, *calls))] if answer or calls else []
    return [*messages, *([Message(Role.TOOL, results)] if results else [])]


@st.composite
def carried_requests(draw: st.DrawFn) -> ChatRequest:
    """Requests of what this wire carries: docs/wire/openai_responses.md names the rest."""
    names = draw(st.lists(NAME, max_size=4, unique=True))
    tools: list[Tool] = [
        draw(
            st.builds(FunctionTool, st.just(name), TEXT, st.just(SCHEMA), strict=st.booleans())
            | st.builds(CustomTool, st.just(name), TEXT, st.just(msgspec.Raw(b"null")))
        )
        for name in names
    ]
    tools += draw(st.lists(st.just(FunctionTool("inner", "d", SCHEMA, "group", strict=False)), max_size=1))
    choice: st.SearchStrategy[ToolChoice | None] = st.sampled_from([None, ToolChoice(), ToolChoice("required")])
    if names:
        choice |= st.sampled_from(names).map(lambda name: ToolChoice("named", name))
    turns = [message for number in range(draw(st.integers(0, 3))) for message in draw(turn(number))]
    return ChatRequest(
        model=draw(NAME),
        messages=(
            *draw(st.lists(st.builds(lambda part: Message(Role.SYSTEM, (part,)), TEXT_PART), max_size=2)),
            *turns,
        ),
        tools=tuple(tools),
        tool_choice=draw(choice),
        parallel_tool_calls=draw(st.sampled_from([None, True, False])),
        max_output_tokens=draw(st.none() | st.integers(1, 10**6)),
        sampling=Sampling(
            temperature=draw(st.sampled_from([None, 0.0, 1.0])), top_p=draw(st.sampled_from([None, 0.5]))
        ),
        reasoning=draw(st.sampled_from([None, Reasoning(enabled=False), Reasoning(effort="low")])),
        json_format=draw(st.sampled_from([None, JsonFormat(), JsonFormat(SCHEMA, "n"), JsonFormat(SCHEMA, "n", True)])),
        stream=draw(st.booleans()),
        cache_key=draw(st.just("") | NAME),
    )


def plain(request: ChatRequest) -> tuple[object, ...]:
    """A request with what was kept as written as text: msgspec compares `Raw` by identity."""

    def told(tool: Tool) -> Iterator[object]:
        for field in tool.__struct_fields__:
            value = getattr(tool, field)
            yield bytes(value) if isinstance(value, msgspec.Raw) else value

    form = request.json_format
    return (
        msgspec.structs.replace(request, tools=(), json_format=None),
        [tuple(told(tool)) for tool in request.tools],
        (bytes(form.schema), form.name, form.strict) if form else None,
    )


@given(carried_requests())
def test_decoding_what_was_encoded_gives_the_request_back(request: ChatRequest) -> None:
    assert plain(WIRE.decode_request(WIRE.encode_request(request))) == plain(request)
