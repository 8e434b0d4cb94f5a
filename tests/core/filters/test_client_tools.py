"""Anthropic's tools that the client runs itself reach a local model as functions, under the names that it knows."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from agentlaunch.core.filters.client_tools import client_tool
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.ir import FunctionTool, HostedTool, ToolCallEnd, ToolCallStart
from agentlaunch.core.wire.base import load_wire


def hosted(kind: str, **fields: object) -> HostedTool:
    return HostedTool(kind, msgspec.Raw(json.dumps({"type": kind, **fields}).encode()))


def schema(tool: FunctionTool | None) -> dict[str, Any]:
    assert tool is not None
    found: dict[str, Any] = json.loads(bytes(tool.parameters))
    return found


@pytest.mark.parametrize(
    ("kind", "name", "required", "commands"),
    [
        ("bash_20250124", "bash", [], None),
        ("text_editor_20250728", "str_replace_based_edit_tool", ["command", "path"], 4),
        ("text_editor_20250124", "str_replace_editor", ["command", "path"], 5),
        ("memory_20250818", "memory", ["command"], 6),
    ],
)
def test_each_has_the_name_of_its_definition_and_the_vendors_fields(
    kind: str, name: str, required: list[str], commands: int | None
) -> None:
    tool = client_tool(hosted(kind, name=name))
    assert tool is not None
    assert (tool.name, schema(tool)["required"]) == (name, required)
    command = schema(tool)["properties"]["command"]
    assert (len(command["enum"]) if commands else command["type"]) == (commands or "string")


def test_newer_editors_insert_a_text_of_its_own_and_undo_nothing() -> None:
    newer = schema(client_tool(hosted("text_editor_20250429", name="e")))["properties"]
    older = schema(client_tool(hosted("text_editor_20241022", name="e")))["properties"]
    assert ("insert_text" in newer, "insert_text" in older) == (True, False)
    assert ("undo_edit" in newer["command"]["enum"], "undo_edit" in older["command"]["enum"]) == (False, True)


@pytest.mark.parametrize("fields", [{}, {"name": ""}, {"name": 5}, {"name": None}])
def test_a_definition_without_a_name_is_called_by_its_kind(fields: dict[str, object]) -> None:
    tool = client_tool(hosted("bash_20250124", **fields))
    assert tool is not None
    assert tool.name == "bash"


@pytest.mark.parametrize("kind", ["web_search_20250305", "computer_20250124", "bash", "bash_code_execution_20250825"])
def test_what_only_the_vendor_can_run_or_train_is_none_of_them(kind: str) -> None:
    assert client_tool(hosted(kind, name="x")) is None


def test_an_sdk_clients_bash_is_offered_to_a_chat_server_and_its_call_comes_back() -> None:
    body = {
        "model": "m",
        "max_tokens": 9,
        "messages": [{"role": "user", "content": "list"}],
        "tools": [{"type": "bash_20250124", "name": "bash"}, {"type": "web_search_20250305", "name": "web_search"}],
        "tool_choice": {"type": "tool", "name": "bash"},
    }
    lowered, forms = lower(load_wire("anthropic_messages").decode_request(json.dumps(body).encode()))
    sent = json.loads(load_wire("openai_chat").encode_request(lowered))
    assert [tool["function"]["name"] for tool in sent["tools"]] == ["bash"]
    assert sent["tool_choice"] == "required"  # the one tool there is
    call = [ToolCallStart("1", "bash"), ToolCallEnd()]
    assert [out for event in call for out in forms.restore().feed(event)] == call
