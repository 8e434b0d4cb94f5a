"""Notices in mid-conversation, by the server that they go to."""

from __future__ import annotations

import json

import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart, ToolCallPart, ToolResultPart
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.options import wire_for_call


def text(role: Role, said: str) -> Message:
    return Message(role, (TextPart(said),))


REQUEST = ChatRequest(
    "m",
    (
        text(Role.SYSTEM, "be short"),
        text(Role.USER, "hi"),
        text(Role.SYSTEM, "the date has changed"),
        Message(Role.ASSISTANT, (ToolCallPart("c", "Read", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("c", (TextPart("x"),)),)),
        text(Role.SYSTEM, "<system-reminder>a file has changed</system-reminder>"),
        text(Role.SYSTEM, ""),
    ),
)


def sent(url: str) -> dict[str, object]:
    endpoint = Endpoint("double", "anthropic_messages", url, "m")
    body: dict[str, object] = json.loads(wire_for_call(AnthropicMessages(), endpoint, REQUEST).encode_request(REQUEST))
    return body


@pytest.mark.report("B075")
@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1234", "https://gateway.example", "https://anthropic.com.example", "https://notanthropic.com"],
)
def test_a_look_alike_server_is_sent_no_system_role_among_the_messages(url: str) -> None:
    body = sent(url)
    assert body["system"] == [{"type": "text", "text": "be short"}]
    notice = "<system-reminder>\nthe date has changed\n</system-reminder>"
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi"}]},
        {"role": "user", "content": [{"type": "text", "text": notice}]},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "c", "name": "Read", "input": {}}]},
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "c", "content": [{"type": "text", "text": "x"}]},
                {"type": "text", "text": "<system-reminder>a file has changed</system-reminder>"},
            ],
        },
    ]


@pytest.mark.parametrize("url", ["https://api.anthropic.com", "https://anthropic.com"])
def test_the_vendors_own_server_gets_them_as_they_came(url: str) -> None:
    messages = sent(url)["messages"]
    assert isinstance(messages, list)
    assert [message["role"] for message in messages] == ["user", "system", "assistant", "user", "system"]
