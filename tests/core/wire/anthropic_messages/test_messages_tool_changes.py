"""Tools that come and go in mid-conversation, and blocks that only the vendor's own service can read."""

from __future__ import annotations

import json

import msgspec
import pytest

from agentlaunch.core.ir import (
    ChatRequest,
    FunctionTool,
    HostedTool,
    Message,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.base import ProtocolError

Json = dict[str, object]

WIRE = AnthropicMessages()
SCHEMA = {"type": "object"}
RAW_SCHEMA = msgspec.Raw(b'{"type": "object"}')
HI: Json = {"role": "user", "content": "hi"}
READ: Json = {"name": "Read", "input_schema": SCHEMA}
SEARCH: Json = {"name": "mcp__web__search", "input_schema": SCHEMA, "defer_loading": True}
HOSTED: Json = {"type": "web_search_20250305", "name": "web_search"}


def decode(*messages: Json, tools: list[Json]) -> ChatRequest:
    body = {"model": "m", "max_tokens": 64, "messages": list(messages), "tools": tools}
    return WIRE.decode_request(json.dumps(body).encode())


def notice(*blocks: Json) -> Json:
    return {"role": "system", "content": list(blocks)}


def added(name: str) -> Json:
    return {"type": "tool_addition", "tool": {"type": "tool_reference", "name": name}}


def removed(name: str) -> Json:
    return {"type": "tool_removal", "tool": {"type": "tool_reference", "name": name}}


def defined(definition: object) -> Json:
    return {"type": "tool_addition", "tool": {"type": "tool_definition", "definition": definition}}


def tool(name: str, *, deferred: bool = False) -> FunctionTool:
    return FunctionTool(name, parameters=RAW_SCHEMA, deferred=deferred)


def test_a_deferred_tool_that_is_added_is_shown_behind_the_others_and_told() -> None:
    request = decode(HI, notice({"type": "text", "text": "web is up"}, added("mcp__web__search")), tools=[SEARCH, READ])
    assert (request.tools, request.messages[1:]) == (
        (tool("Read"), tool("mcp__web__search")),
        (Message(Role.SYSTEM, (TextPart("web is up"), TextPart("The tool `mcp__web__search` is now available."))),),
    )


@pytest.mark.parametrize("definition", [SEARCH, {"type": "function", "function": SEARCH}])
def test_a_tool_that_is_defined_in_the_conversation_can_be_called(definition: Json) -> None:
    request = decode(HI, notice(defined(definition)), tools=[READ])
    assert (request.tools, request.messages[1:]) == (
        (tool("Read"), tool("mcp__web__search")),
        (Message(Role.SYSTEM, (TextPart("The tool `mcp__web__search` is now available."),)),),
    )


def test_a_tool_that_is_removed_is_gone_and_the_model_is_told() -> None:
    request = decode(HI, notice(removed("Read")), tools=[READ, SEARCH, HOSTED])
    assert (request.tools, request.messages[1:]) == (
        (
            tool("mcp__web__search", deferred=True),
            HostedTool("web_search_20250305", msgspec.Raw(json.dumps(HOSTED).encode())),
        ),
        (Message(Role.SYSTEM, (TextPart("The tool `Read` is no longer available."),)),),
    )


def test_the_last_change_of_a_tool_holds() -> None:
    write: Json = {"name": "Write", "input_schema": SCHEMA}
    back = decode(HI, notice(removed("Read")), HI, notice(added("Read")), tools=[READ, write])
    gone = decode(HI, notice(added("mcp__web__search")), HI, notice(removed("mcp__web__search")), tools=[SEARCH, write])
    newer = decode(HI, notice(defined({"name": "Read", "input_schema": {}})), tools=[READ, write])
    assert (back.tools, gone.tools, newer.tools) == (
        (tool("Write"), tool("Read")),
        (tool("Write"),),
        (tool("Write"), FunctionTool("Read", parameters=msgspec.Raw(b"{}"))),
    )


@pytest.mark.parametrize("name", ["Read", "nobody"])
def test_an_addition_of_a_tool_that_is_shown_or_unknown_changes_no_tool(name: str) -> None:
    assert decode(HI, notice(added(name)), tools=[READ, SEARCH]).tools == (
        tool("Read"),
        tool("mcp__web__search", deferred=True),
    )


def test_a_hosted_tool_that_is_defined_in_the_conversation_is_one() -> None:
    request = decode(HI, notice(defined(HOSTED)), tools=[READ])
    assert request.tools == (tool("Read"), HostedTool("web_search_20250305", msgspec.Raw(json.dumps(HOSTED).encode())))


@pytest.mark.parametrize("definition", [7, {"name": ""}])
def test_a_definition_that_is_none_is_refused(definition: object) -> None:
    with pytest.raises(ProtocolError):
        decode(HI, notice(defined(definition)), tools=[])


def test_the_result_of_any_call_that_the_vendor_ran_belongs_to_its_call() -> None:
    content = [
        {"type": "server_tool_use", "id": "srv", "name": "advisor", "input": {}},
        {"type": "advisor_tool_result", "tool_use_id": "srv", "content": {"type": "advisor_result", "text": "wait"}},
    ]
    assert decode(HI, {"role": "assistant", "content": content}, tools=[]).messages[1:] == (
        Message(Role.ASSISTANT, (ToolCallPart("srv", "advisor", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("srv", (TextPart('{"type":"advisor_result","text":"wait"}'),)),)),
    )


@pytest.mark.parametrize(
    "state",
    [
        {"type": "compaction", "content": None, "encrypted_content": "EqQB"},
        {"type": "fallback", "from": {"model": "a"}, "to": {"model": "b"}},
        {"type": "mcp_tool_listing", "server_name": "web", "tools": []},
    ],
)
def test_the_vendors_own_state_does_not_stand_in_the_way_of_a_conversation_that_goes_on_here(state: Json) -> None:
    turn: Json = {"role": "assistant", "content": [state, {"type": "text", "text": "so"}]}
    assert decode(HI, turn, tools=[]).messages[1:] == (Message(Role.ASSISTANT, (TextPart("so"),)),)
