"""Client bodies of the Messages wire to the representation."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ir import (
    ChatRequest,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    JsonFormat,
    Message,
    Part,
    Reasoning,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages, decode_count_request
from agentlaunch.core.wire.anthropic_messages.signature import UNSIGNED
from agentlaunch.core.wire.base import ProtocolError

WIRE = AnthropicMessages()
HI = [{"role": "user", "content": "hi"}]
USER_HI = Message(Role.USER, (TextPart("hi"),))
EPHEMERAL = {"type": "ephemeral", "ttl": "1h"}


def decode(**fields: object) -> ChatRequest:
    body = {"model": "m", "max_tokens": 64, "messages": HI, **fields}
    return WIRE.decode_request(json.dumps(body, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def parts_of(*content: object, role: str = "user") -> tuple[Part, ...]:
    (message,) = decode(messages=[{"role": role, "content": list(content)}]).messages
    return message.parts


def test_a_body_of_claude_code_decodes_to_one_whole_request() -> None:
    body = {
        "model": "local-model",
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "fix it", "cache_control": {"type": "ephemeral"}}]},
            {"role": "system", "content": "Today is Tuesday."},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "hm", "signature": "sig"},
                    {"type": "text", "text": "Looking."},
                    {"type": "tool_use", "id": "t1", "name": "Bash", "input": {"command": "ls"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "t1", "content": "a.py", "is_error": False},
                    {"type": "text", "text": "<system-reminder/>"},
                ],
            },
        ],
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.331.c6a; cc_entrypoint=sdk-cli;"},
            {"type": "text", "text": "You are Claude Code.", "cache_control": EPHEMERAL},
        ],
        "tools": [
            {"name": "Bash", "description": "Runs", "input_schema": {"type": "object", "properties": {}}},
            {"name": "WebFetch", "description": "", "input_schema": {"type": "object"}, "defer_loading": True},
        ],
        "metadata": {"user_id": '{"session_id":"s"}'},
        "max_tokens": 8192,
        "thinking": {"type": "adaptive", "display": "omitted"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "high"},
        "stream": True,
    }
    assert WIRE.decode_request(msgspec.json.encode(body)) == ChatRequest(
        model="local-model",
        messages=(
            Message(Role.SYSTEM, (TextPart("You are Claude Code.", cache_hint=True),)),
            Message(Role.USER, (TextPart("fix it", cache_hint=True),)),
            Message(Role.SYSTEM, (TextPart("Today is Tuesday."),)),
            Message(
                Role.ASSISTANT,
                (ThinkingPart("hm", "sig"), TextPart("Looking."), ToolCallPart("t1", "Bash", '{"command":"ls"}')),
            ),
            Message(Role.TOOL, (ToolResultPart("t1", (TextPart("a.py"),)),)),
            Message(Role.USER, (TextPart("<system-reminder/>"),)),
        ),
        tools=(
            FunctionTool("Bash", "Runs", msgspec.Raw(b'{"type":"object","properties":{}}')),
            FunctionTool("WebFetch", "", msgspec.Raw(b'{"type":"object"}'), deferred=True),
        ),
        max_output_tokens=8192,
        reasoning=Reasoning(True, "high"),
        stream=True,
        user='{"session_id":"s"}',
    )


@pytest.mark.parametrize("place", ["user", "assistant", "system"])
def test_a_string_and_its_text_block_are_the_same_message(place: str) -> None:
    blocks = [{"type": "text", "text": "same"}]
    assert decode(messages=[*HI, {"role": place, "content": "same"}]) == decode(
        messages=[*HI, {"role": place, "content": blocks}]
    )


def test_a_system_prompt_as_a_string_is_the_same_as_its_block() -> None:
    expected = (Message(Role.SYSTEM, (TextPart("S"),)), USER_HI)
    assert decode(system="S").messages == expected
    assert decode(system=[{"type": "text", "text": "S"}]).messages == expected


@pytest.mark.report("B166")
def test_the_billing_block_leaves_no_trace() -> None:
    billing = "x-anthropic-billing-header: cc_version=2.1.114; cc_entrypoint=cli; cch=ea6aa;"
    assert decode(system=[{"type": "text", "text": billing}]) == decode()
    assert decode(system=billing) == decode()
    for joined in (f"{billing}\nS", f"{billing}\n\nS", f"S\n{billing}"):
        assert decode(system=joined).messages[0].parts[0].text.strip() == "S"
    assert decode(system=f"Say {billing}") == decode(system=[{"type": "text", "text": f"Say {billing}"}])


@pytest.mark.report("B029")
def test_a_system_message_between_the_others_is_kept_in_its_place() -> None:
    messages = [*HI, {"role": "system", "content": "reminder"}, {"role": "user", "content": "go"}]
    assert decode(system="S", messages=messages).messages == (
        Message(Role.SYSTEM, (TextPart("S"),)),
        USER_HI,
        Message(Role.SYSTEM, (TextPart("reminder"),)),
        Message(Role.USER, (TextPart("go"),)),
    )


@pytest.mark.report("B018")
def test_a_system_message_in_mid_conversation_does_not_move_to_the_top() -> None:
    turns = [("user", "hi"), ("assistant", "yo"), ("system", "note"), ("user", "go")]
    decoded = decode(messages=[{"role": role, "content": text} for role, text in turns])
    assert decoded.messages == tuple(Message(Role(role), (TextPart(text),)) for role, text in turns)


@pytest.mark.report("B058")
def test_leading_system_messages_are_one_prompt() -> None:
    decoded = decode(system="S", messages=[{"role": "system", "content": "more"}, *HI])
    assert decoded.messages == (Message(Role.SYSTEM, (TextPart("S"), TextPart("more"))), USER_HI)


@pytest.mark.report("B079")
def test_an_empty_system_message_with_effort_is_dropped() -> None:
    empty = {"role": "system", "content": [], "output_config": {"effort": "low"}}
    assert decode(messages=[*HI, empty]) == decode()


@pytest.mark.report("B003")
def test_replayed_empty_text_blocks_are_dropped() -> None:
    empty = {"type": "text", "text": ""}
    call = {"type": "tool_use", "id": "t", "name": "A", "input": {}}
    assert parts_of(empty, call, role="assistant") == (ToolCallPart("t", "A", "{}"),)
    assert decode(messages=[*HI, {"role": "assistant", "content": [empty]}]) == decode()
    assert decode(messages=[*HI, {"role": "assistant", "content": ""}]) == decode()


def test_tool_results_come_before_the_text_beside_them() -> None:
    result = {"type": "tool_result", "tool_use_id": "t", "content": "r"}
    text = {"type": "text", "text": "go"}
    expected = (Message(Role.TOOL, (ToolResultPart("t", (TextPart("r"),)),)), Message(Role.USER, (TextPart("go"),)))
    assert decode(messages=[{"role": "user", "content": [result, text]}]).messages == expected
    assert decode(messages=[{"role": "user", "content": [text, result]}]).messages == expected


def test_results_in_two_messages_are_one_tool_message() -> None:
    turns = [{"role": "user", "content": [{"type": "tool_result", "tool_use_id": name}]} for name in "ab"]
    assert decode(messages=turns).messages == (Message(Role.TOOL, (ToolResultPart("a"), ToolResultPart("b"))),)


@pytest.mark.report("B050")
@pytest.mark.report("B048")
def test_every_block_of_a_tool_result_is_kept() -> None:
    png = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    content = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}, png]
    result = {
        "type": "tool_result",
        "tool_use_id": "t",
        "content": content,
        "is_error": True,
        "cache_control": EPHEMERAL,
    }
    assert parts_of(result) == (
        ToolResultPart("t", (TextPart("a"), ImagePart("image/png", "AAAA")), is_error=True, cache_hint=True),
    )


@pytest.mark.report("B091")
def test_deferred_tools_and_references_to_them_are_kept() -> None:
    decoded = decode(
        tools=[{"name": "mcp__x__y", "defer_loading": True, "input_schema": {}}],
        messages=[
            {
                "role": "user",
                "content": [
                    {
                        "type": "tool_result",
                        "tool_use_id": "t",
                        "content": [{"type": "tool_reference", "tool_name": "mcp__x__y"}],
                    }
                ],
            }
        ],
    )
    assert decoded.tools == (FunctionTool("mcp__x__y", parameters=msgspec.Raw(b"{}"), deferred=True),)
    assert decoded.messages == (Message(Role.TOOL, (ToolResultPart("t", (ToolReferencePart("mcp__x__y"),)),)),)


@pytest.mark.report("B093")
@pytest.mark.parametrize(
    ("block", "parts"),
    [
        (
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="}},
            (DocumentPart("application/pdf", "AA=="),),
        ),
        (
            {
                "type": "document",
                "source": {"type": "text", "media_type": "text/plain", "data": "body"},
                "title": "T",
                "context": "about",
                "cache_control": EPHEMERAL,
            },
            (TextPart("about"), DocumentPart("text/plain", text="body", title="T", cache_hint=True)),
        ),
        ({"type": "document", "source": {"type": "url", "url": "https://d/"}}, (DocumentPart(url="https://d/"),)),
        (
            {"type": "document", "source": {"type": "content", "content": "plain"}},
            (DocumentPart("text/plain", text="plain"),),
        ),
        (
            {
                "type": "document",
                "source": {
                    "type": "content",
                    "content": [
                        {"type": "text", "text": "a"},
                        {"type": "image", "source": {"type": "url", "url": "https://i/"}},
                        {"type": "text", "text": "b"},
                    ],
                },
            },
            (DocumentPart("text/plain", text="a\nb"), ImagePart(url="https://i/")),
        ),
        (
            {"type": "search_result", "source": "https://s/", "title": "T", "content": [{"type": "text", "text": "x"}]},
            (DocumentPart("text/plain", text="x", url="https://s/", title="T"),),
        ),
    ],
)
def test_documents_are_kept_whatever_their_source(block: dict[str, object], parts: tuple[Part, ...]) -> None:
    assert parts_of(block) == parts
    assert parts_of({"type": "tool_result", "tool_use_id": "t", "content": [block]}) == (
        ToolResultPart("t", parts),  # type: ignore[arg-type]
    )


def test_images_are_kept_with_their_marks() -> None:
    block = {"type": "image", "source": {"type": "url", "url": "https://i/"}, "cache_control": EPHEMERAL}
    assert parts_of(block) == (ImagePart(url="https://i/", cache_hint=True),)


@pytest.mark.parametrize(
    ("written", "arguments"),
    [
        ('{"a": 1.0, "b" : "\\u00e9"}', '{"a": 1.0, "b" : "\\u00e9"}'),
        ('{"__unparsedToolInput":{"raw":"{\\"a\\": ","len":6}}', '{"a": '),
        ('{"say":"__unparsedToolInput"}', '{"say":"__unparsedToolInput"}'),
        ("{}", "{}"),
    ],
)
def test_arguments_are_the_text_that_the_client_wrote(written: str, arguments: str) -> None:
    body = '{"model":"m","messages":[{"role":"assistant","content":[%s]}]}'
    block = f'{{"type":"tool_use","id":"t","name":"A","input":{written}}}'
    (message,) = WIRE.decode_request((body % block).encode()).messages
    assert message.parts == (ToolCallPart("t", "A", arguments),)


@pytest.mark.parametrize(
    ("block", "parts"),
    [
        ({"type": "thinking", "thinking": "t"}, (ThinkingPart("t"), TextPart("x"))),
        ({"type": "thinking", "thinking": "t", "signature": UNSIGNED}, (ThinkingPart("t"), TextPart("x"))),
        ({"type": "thinking", "thinking": "", "signature": "s"}, (ThinkingPart("", "s"), TextPart("x"))),
        ({"type": "thinking", "thinking": "", "signature": UNSIGNED}, (TextPart("x"),)),
        ({"type": "redacted_thinking", "data": "d"}, (ThinkingPart("", encrypted="d"), TextPart("x"))),
    ],
)
def test_reasoning_is_kept_without_our_own_signature(block: dict[str, object], parts: tuple[Part, ...]) -> None:
    assert parts_of(block, {"type": "text", "text": "x"}, role="assistant") == parts


def test_what_the_vendors_server_ran_is_a_call_and_its_result() -> None:
    found = [{"type": "web_search_result", "title": "T", "url": "https://u/", "encrypted_content": "EqgfCioIARgB"}]
    content = [
        {"type": "text", "text": "Searching."},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv", "content": found},
        {"type": "text", "text": "Found.", "citations": [{"type": "web_search_result_location"}]},
    ]
    assert decode(messages=[{"role": "assistant", "content": content}]).messages == (
        Message(Role.ASSISTANT, (TextPart("Searching."), ToolCallPart("srv", "web_search", '{"query": "q"}'))),
        Message(
            Role.TOOL,
            (ToolResultPart("srv", (TextPart('[{"type":"web_search_result","title":"T","url":"https://u/"}]'),)),),
        ),
        Message(Role.ASSISTANT, (TextPart("Found."),)),
    )


def test_results_of_mcp_and_tool_search_on_the_vendors_side_are_kept() -> None:
    content = [
        {"type": "mcp_tool_use", "id": "a", "name": "n", "server_name": "s", "input": {}},
        {"type": "mcp_tool_result", "tool_use_id": "a", "is_error": True, "content": "no"},
        {
            "type": "tool_search_tool_result",
            "tool_use_id": "b",
            "content": {
                "type": "tool_search_tool_search_result",
                "tool_references": [{"type": "tool_reference", "tool_name": "X"}],
            },
        },
    ]
    assert decode(messages=[{"role": "assistant", "content": content}]).messages == (
        Message(Role.ASSISTANT, (ToolCallPart("a", "n", "{}"),)),
        Message(
            Role.TOOL,
            (ToolResultPart("a", (TextPart('"no"'),), is_error=True), ToolResultPart("b", (ToolReferencePart("X"),))),
        ),
    )


@pytest.mark.report("B042")
def test_a_hosted_tool_needs_no_schema_and_keeps_its_definition() -> None:
    decoded = decode(
        tools=[{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}],
        tool_choice={"type": "tool", "name": "web_search"},
    )
    assert decoded.tools == (
        HostedTool(
            "web_search_20250305",
            msgspec.Raw(b'{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}'),
        ),
    )
    assert decoded.tool_choice == ToolChoice("named", "web_search")


@pytest.mark.report("B059")
def test_cache_marks_of_any_lifetime_are_hints() -> None:
    decoded = decode(
        system=[{"type": "text", "text": "S", "cache_control": EPHEMERAL}],
        tools=[{"name": "A", "input_schema": {"type": "object"}, "cache_control": EPHEMERAL, "strict": True}],
        messages=[
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "t", "name": "A", "input": {}, "cache_control": EPHEMERAL}],
            }
        ],
    )
    assert decoded == ChatRequest(
        model="m",
        messages=(
            Message(Role.SYSTEM, (TextPart("S", cache_hint=True),)),
            Message(Role.ASSISTANT, (ToolCallPart("t", "A", "{}", cache_hint=True),)),
        ),
        tools=(FunctionTool("A", parameters=msgspec.Raw(b'{"type": "object"}'), strict=True, cache_hint=True),),
        max_output_tokens=64,
    )


def test_a_tool_of_the_type_custom_is_a_function_and_may_lack_a_schema() -> None:
    tools = [{"type": "custom", "name": "A"}, {"name": "B", "input_schema": None, "description": None}]
    assert decode(tools=tools).tools == (FunctionTool("A"), FunctionTool("B"))


@pytest.mark.parametrize(
    ("choice", "expected", "parallel"),
    [
        ({"type": "auto"}, ToolChoice("auto"), None),
        ({"type": "auto", "disable_parallel_tool_use": True}, ToolChoice("auto"), False),
        ({"type": "any", "disable_parallel_tool_use": False}, ToolChoice("required"), True),
        ({"type": "tool", "name": "A"}, ToolChoice("named", "A"), None),
        ({"type": "none"}, ToolChoice("none"), None),
    ],
)
def test_the_tool_choice_is_kept(choice: dict[str, object], expected: ToolChoice, parallel: bool | None) -> None:
    decoded = decode(tool_choice=choice, tools=[{"name": "A"}])
    assert (decoded.tool_choice, decoded.parallel_tool_calls) == (expected, parallel)


def test_a_tool_choice_may_name_a_tool_that_the_vendor_defined() -> None:
    search = {"type": "web_search_20250305", "name": "web_search"}
    decoded = decode(tool_choice={"type": "tool", "name": "web_search"}, tools=[search])
    assert decoded.tool_choice == ToolChoice("named", "web_search")


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"type": "function", "function": {"name": "A"}}, ToolChoice("named", "A")),
        ({"type": "function", "name": "A"}, ToolChoice("named", "A")),
        ({"type": "required"}, ToolChoice("required")),
        ("required", ToolChoice("required")),
    ],
)
def test_a_tool_choice_in_openais_words_is_the_choice(choice: object, expected: ToolChoice) -> None:
    assert decode(tool_choice=choice, tools=[{"name": "A"}]).tool_choice == expected


@pytest.mark.parametrize("tools", [[], [{"name": "B"}], [{"type": "mcp_toolset", "mcp_server_name": "A"}]])
def test_a_tool_choice_that_names_an_absent_tool_is_refused_as_the_vendor_does(tools: list[object]) -> None:
    with pytest.raises(ProtocolError, match="tool_choice: Tool `A` not found in provided tools"):
        decode(tool_choice={"type": "tool", "name": "A"}, tools=tools)


@pytest.mark.parametrize("limit", [0, -1, -(2**40)])
def test_a_limit_below_one_token_is_refused_as_the_vendor_does(limit: int) -> None:
    with pytest.raises(ProtocolError, match="max_tokens: must be greater than or equal to 1"):
        decode(max_tokens=limit)
    assert decode(max_tokens=1).max_output_tokens == 1


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"thinking": {"type": "enabled", "budget_tokens": 2048}}, Reasoning(True, "", 2048)),
        ({"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}, Reasoning(True, "max")),
        ({"thinking": {"type": "between_tools"}}, Reasoning(True)),
        ({"thinking": {"type": "newer_than_we_are", "budget_tokens": 5}}, Reasoning(True, "", 5)),
        ({"thinking": {"type": "disabled"}, "output_config": {"effort": "low"}}, Reasoning(False, "low")),
        ({"output_config": {"effort": "low"}}, Reasoning(None, "low")),
        ({"output_config": {"effort": None}, "thinking": None}, None),
    ],
)
def test_thinking_and_effort_are_kept(fields: dict[str, object], reasoning: Reasoning | None) -> None:
    assert decode(**fields).reasoning == reasoning


@pytest.mark.parametrize("beta", [False, True])
def test_structured_output_is_kept_in_its_old_and_its_new_place(beta: bool) -> None:
    form = {"type": "json_schema", "schema": {"type": "object"}}
    decoded = decode(output_format=form) if beta else decode(output_config={"format": form})
    assert decoded.json_format == JsonFormat(msgspec.Raw(b'{"type": "object"}'))
    assert decoded.reasoning is None


def test_sampling_limits_and_stops_are_kept() -> None:
    assert decode(temperature=0, top_p=0.5, top_k=7, stop_sequences=["a", "b"], stream=False) == ChatRequest(
        model="m",
        messages=(USER_HI,),
        max_output_tokens=64,
        stop=("a", "b"),
        sampling=Sampling(0.0, 0.5, 7),
    )


@pytest.mark.report("B064")
@pytest.mark.report("B108")
def test_unknown_fields_at_the_top_are_ignored() -> None:
    extra = {"context_management": {"edits": []}, "betas": ["x"], "foo": 1, "service_tier": "auto", "speed": None}
    assert decode(**extra, metadata={"user_id": None, "other": 1}) == decode()


def test_nulls_are_the_same_as_nothing() -> None:
    names = ("system", "tools", "tool_choice", "metadata", "thinking", "output_config", "stop_sequences", "stream")
    assert decode(**dict.fromkeys(names), temperature=None, top_p=None, top_k=None) == decode()


@pytest.mark.report("B002")
def test_a_lone_surrogate_becomes_the_replacement_character_wherever_it_stands() -> None:
    content = [
        {"type": "text", "text": "cut \ud83d"},
        {"type": "tool_use", "id": "t", "name": "A", "input": {"a": "\ud83d", "b": "\\ud83d", "c": "😀"}},
    ]
    body = {"model": "m", "messages": [{"role": "assistant", "content": content}]}
    expected = (
        TextPart("cut \ufffd"),
        ToolCallPart("t", "A", '{"a":"\\ufffd","b":"\\\\ud83d","c":"\\ud83d\\ude00"}'),
    )
    (message,) = WIRE.decode_request(json.dumps(body, separators=(",", ":")).encode()).messages
    assert message.parts == expected


@pytest.mark.report("B002")
def test_bytes_that_are_not_utf8_become_the_replacement_character() -> None:
    block = b'{"type":"tool_use","id":"t","name":"A","input":{"a":"\xff"}}'
    body = b'{"model":"m","messages":[{"role":"assistant","content":[%b]}]}' % block
    (message,) = WIRE.decode_request(body).messages
    assert message.parts == (ToolCallPart("t", "A", '{"a":"\ufffd"}'),)


def test_a_developers_message_is_a_system_message() -> None:
    for content in ("S", [{"type": "text", "text": "S"}]):
        turns = [*HI, {"role": "developer", "content": content}]
        assert decode(messages=turns) == decode(messages=[*HI, {"role": "system", "content": content}])


@pytest.mark.report("B092")
def test_a_count_request_is_the_same_body_without_a_limit() -> None:
    body = msgspec.json.encode({"model": "m", "messages": HI, "system": "S"})
    assert decode_count_request(body) == ChatRequest("m", (Message(Role.SYSTEM, (TextPart("S"),)), USER_HI))
    assert decode_count_request(b'{"model":"m","messages":[]}') == ChatRequest("m", ())


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "hologram"),
        (
            {"messages": [{"role": "user", "content": [{"type": "container_upload", "file_id": "f"}]}]},
            "container_upload",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "image", "source": {"type": "file", "file_id": "f"}}]}
                ]
            },
            "$.messages[0].content[0].source.type",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "tool_reference", "tool_name": "x"}]}]}, "tool_reference"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": {}}]}]},
            "tool_use",
        ),
        ({"messages": [{"role": "robot", "content": "x"}]}, "robot"),
        ({"messages": [{"role": "user"}]}, "content"),
        ({"messages": []}, "messages"),
        ({"messages": 3}, "$.messages"),
        ({"max_tokens": "many"}, "$.max_tokens"),
        ({"tools": [{"name": "A"}, {"name": 3}]}, "$.tools[1].name"),
        ({"tools": [{"description": "no name"}]}, "tools[0].name"),
        ({"tools": [{"name": "A", "input_schema": []}]}, "tools[0].input_schema"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"tool_choice": {"type": "some"}}, "$.tool_choice.type"),
        ({"output_config": {"format": {"type": "json_schema", "schema": 3}}}, "output_config.format.schema"),
        ({"thinking": {"type": 7}}, "$.thinking.type"),
    ],
)
def test_what_is_not_of_the_wire_is_refused_by_name(fields: dict[str, object], named: str) -> None:
    with pytest.raises(ProtocolError) as refused:
        decode(**fields)
    assert named in str(refused.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["type", "text", "input"]), inner),
    max_leaves=5,
)


@given(st.binary(max_size=60))
def test_junk_raises_nothing_but_protocol_errors(body: bytes) -> None:
    with pytest.raises(ProtocolError):
        WIRE.decode_request(body)


@given(
    st.sampled_from(["messages", "system", "tools", "tool_choice", "thinking", "output_config", "metadata", "model"]),
    json_values,
)
def test_a_field_of_any_shape_decodes_or_raises_a_protocol_error(name: str, value: object) -> None:
    try:
        decoded = decode(**{name: value})
    except ProtocolError:
        return
    assert decoded.messages


SAMPLE = msgspec.json.encode(
    {
        "model": "m",
        "system": [{"type": "text", "text": "S", "cache_control": EPHEMERAL}],
        "messages": [
            {"role": "assistant", "content": [{"type": "tool_use", "id": "t", "name": "A", "input": {"a": "é😀"}}]},
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "r"}]}],
            },
        ],
        "tools": [{"name": "A", "input_schema": {"type": "object"}}],
    }
)


@given(st.integers(0, len(SAMPLE) - 1), st.binary(max_size=3), st.integers(0, 4))
def test_a_mutated_body_decodes_or_raises_a_protocol_error(position: int, put: bytes, cut: int) -> None:
    try:
        decoded = WIRE.decode_request(SAMPLE[:position] + put + SAMPLE[position + cut :])
    except ProtocolError:
        return
    assert isinstance(WIRE.encode_request(decoded), bytes)


def test_deep_nesting_is_a_protocol_error() -> None:
    with pytest.raises(ProtocolError):
        WIRE.decode_request(b'{"model":' + b"[" * 100_000 + b"]" * 100_000 + b"}")
