"""Ids of calls as each vendor takes them: a call and its result keep one id, whatever made it."""

from __future__ import annotations

import json
import re

import pytest
from tests.core.wire.test_wires import context

from agentlaunch.core.ir import (
    Answer,
    ChatRequest,
    Message,
    Role,
    StopReason,
    TextPart,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import load_wire

LONG = "call_chatcmpl-0f3c2b1a-9d8e-4c7b-a6f5-e4d3c2b1a0f9-with-a-tail-behind-it_0"
KIMI = "functions.bash:0"
FITS = {
    "anthropic_messages": r"[A-Za-z0-9_-]+",
    "openai_chat": r".{1,40}",
    "openai_responses": r".{1,64}",
}


def sent_ids(wire: str, call_id: str) -> list[str]:
    """Every id of a call in an upstream's body, that of the call before that of its result."""
    request = ChatRequest(
        "m",
        (
            Message(Role.USER, (TextPart("hi"),)),
            Message(Role.ASSISTANT, (ToolCallPart(call_id, "f", "{}"),)),
            Message(Role.TOOL, (ToolResultPart(call_id, (TextPart("r"),)),)),
        ),
    )
    body = load_wire(wire).encode_request(request).decode()
    return re.findall(r'"(?:id|tool_use_id|tool_call_id|call_id)":"([^"]*)"', body)


@pytest.mark.parametrize("wire", FITS)
@pytest.mark.parametrize("call_id", [KIMI, LONG, "toolu_01"])
def test_a_call_and_its_result_have_one_id_that_the_vendor_takes(wire: str, call_id: str) -> None:
    call, result = sent_ids(wire, call_id)
    assert call == result
    assert re.fullmatch(FITS[wire], call)
    assert (call == call_id) == bool(re.fullmatch(FITS[wire], call_id))


def test_claude_code_keeps_only_ids_that_its_vendor_takes_later() -> None:
    wire = load_wire("anthropic_messages")
    whole = json.loads(wire.encode_answer(Answer((ToolCallPart(KIMI, "f", "{}"),), StopReason.TOOL_CALLS), context()))
    encoder = wire.event_encoder(context())
    frames = [frame for event in (ToolCallStart(KIMI, "f"), ToolCallEnd()) for frame in encoder.feed(event)]
    streamed = next(body for frame in frames if "content_block" in (body := json.loads(frame.data)))
    assert streamed["content_block"]["id"] == whole["content"][0]["id"]
    assert re.fullmatch(FITS["anthropic_messages"], whole["content"][0]["id"])
