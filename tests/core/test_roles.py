"""core/roles.py: what a request is for, on the shapes that agents really send (facts/agents.md 2 and 3.3)."""

from __future__ import annotations

import json
from dataclasses import replace as replaced
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ir import (
    ChatRequest,
    DocumentPart,
    FunctionTool,
    ImagePart,
    JsonFormat,
    Message,
    Part,
    Reasoning,
    Role,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.policy import Role as Purpose
from agentlaunch.core.policy import with_role
from agentlaunch.core.roles import ToldRole, has_images, role_of, strip_role
from agentlaunch.core.routing import RequestFacts, facts_of
from agentlaunch.core.wire.base import load_wire

SYSTEM = Message(Role.SYSTEM, (TextPart("You are an agent."),))
USER = Message(Role.USER, (TextPart("Mend it."),))
ANSWER = Message(Role.ASSISTANT, (TextPart("I look."),))
IMAGE = ImagePart("image/png", "aGk=")
READ = FunctionTool("Read")

CLAUDE_MAIN = {
    "model": "local-model",
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "Mend it."}]},
        {"role": "system", "content": "# Environment ..."},
    ],
    "system": [{"type": "text", "text": "You are Claude Code."}],
    "tools": [{"name": "Read", "description": "", "input_schema": {"type": "object"}}],
    "metadata": {"user_id": "{}"},
    "max_tokens": 32000,
    "thinking": {"type": "adaptive", "display": "omitted"},
    "output_config": {"effort": "high"},
    "stream": True,
}
CLAUDE_TITLE = {**CLAUDE_MAIN, "messages": [{"role": "user", "content": "Mend it."}], "tools": []}
CODEX_MAIN = {
    "model": "local-model",
    "stream": True,
    "input": [
        {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "You are Codex."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Mend it."}]},
    ],
    "tools": [{"type": "function", "name": "exec_command", "parameters": {"type": "object"}}],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "reasoning": {"summary": "auto"},
    "store": False,
    "include": ["reasoning.encrypted_content"],
}
CODEX_TITLE = {
    **CODEX_MAIN,
    "tools": [],
    "text": {"format": {"type": "json_schema", "name": "title", "strict": True, "schema": {"type": "object"}}},
}
CODEX_COMPACTION = {
    **CODEX_MAIN,
    "tools": [],
    "input": [
        *CODEX_MAIN["input"],  # type: ignore[misc]
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Done."}]},
        {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Summarize."}]},
    ],
}
OPENCODE_MAIN = {
    "model": "local-model",
    "max_tokens": 8192,
    "messages": [{"role": "system", "content": "You are OpenCode."}, {"role": "user", "content": "Mend it."}],
    "tools": [{"type": "function", "function": {"name": "read", "parameters": {"type": "object"}}}],
    "tool_choice": "auto",
    "stream": True,
    "stream_options": {"include_usage": True},
}
OPENCODE_TITLE = {key: value for key, value in OPENCODE_MAIN.items() if key not in ("tools", "tool_choice")}


@pytest.mark.parametrize(
    ("wire", "body", "prompt_tokens", "role"),
    [
        ("anthropic_messages", CLAUDE_MAIN, 12_128, "main"),
        ("anthropic_messages", CLAUDE_MAIN, 60_000, "long_context"),
        ("anthropic_messages", CLAUDE_TITLE, 1_000, "background"),
        ("openai_responses", CODEX_MAIN, 8_851, "main"),
        ("openai_responses", {**CODEX_MAIN, "reasoning": {"effort": "high", "summary": "auto"}}, 8_851, "thinking"),
        ("openai_responses", {**CODEX_MAIN, "reasoning": {"effort": "medium", "summary": "auto"}}, 8_851, "main"),
        ("openai_responses", CODEX_TITLE, 4_900, "background"),
        ("openai_responses", CODEX_COMPACTION, 5_000, "main"),
        ("openai_chat", OPENCODE_MAIN, 7_620, "main"),
        ("openai_chat", OPENCODE_TITLE, 600, "background"),
        ("openai_chat", OPENCODE_TITLE, 40_000, "main"),  # its compaction is a title request that is long
    ],
)
def test_each_agents_requests_get_their_role(wire: str, body: object, prompt_tokens: int, role: str) -> None:
    request = load_wire(wire).decode_request(json.dumps(body).encode())
    assert role_of(request, prompt_tokens).role == role


def test_a_plain_chat_without_a_system_prompt_is_no_side_request() -> None:
    assert role_of(ChatRequest("m", (USER,)), 10).role == "main"


@pytest.mark.parametrize("asked", [ChatRequest("m", (USER,), max_output_tokens=32), ChatRequest("m", (USER,))])
def test_a_short_or_a_json_answer_makes_a_side_request(asked: ChatRequest) -> None:
    if asked.max_output_tokens is None:
        asked = msgspec.structs.replace(asked, json_format=JsonFormat())
    assert role_of(asked, 10).role == "background"
    assert role_of(asked, 8_001).role == "main"
    assert role_of(msgspec.structs.replace(asked, messages=(USER, ANSWER, USER)), 10).role == "main"


@pytest.mark.parametrize(
    ("reasoning", "role"),
    [
        (Reasoning(enabled=True, effort="high"), "main"),
        (Reasoning(effort="high"), "thinking"),
        (Reasoning(enabled=True, effort="xhigh"), "thinking"),
        (Reasoning(enabled=True, effort="max"), "thinking"),
        (Reasoning(enabled=True, budget_tokens=10_000), "thinking"),
        (Reasoning(enabled=False, effort="high", budget_tokens=10_000), "main"),
        (Reasoning(effort="low"), "main"),
    ],
)
def test_thinking_is_what_goes_beyond_the_clients_habit(reasoning: Reasoning, role: str) -> None:
    assert role_of(ChatRequest("m", (SYSTEM, USER), tools=(READ,), reasoning=reasoning), 10).role == role


def test_the_first_sign_that_holds_decides_in_the_stated_order() -> None:
    """Each step takes the sign away that decided before."""
    request = ChatRequest(
        "m@subagent",
        (SYSTEM, Message(Role.USER, (TextPart("See."), IMAGE))),
        max_output_tokens=16,
        reasoning=Reasoning(effort="high"),
    )
    seen = [role_of(request, 5_000, 5_000)]
    request = msgspec.structs.replace(request, model="m")
    seen.append(role_of(request, 5_000, 5_000))
    request = msgspec.structs.replace(request, messages=(SYSTEM, USER))
    seen.append(role_of(request, 5_000, 5_000))
    request = msgspec.structs.replace(request, tools=(READ,))
    seen.append(role_of(request, 5_000, 5_000))
    seen.append(role_of(request, 4_999, 5_000))
    request = msgspec.structs.replace(request, reasoning=None)
    seen.append(role_of(request, 4_999, 5_000))
    assert seen == [
        ToldRole("subagent", "the model's name says so"),
        ToldRole("image", "an image came with the newest turn"),
        ToldRole("background", "a small request without tools"),
        ToldRole("long_context", "the prompt has 5,000 tokens or more"),
        ToldRole("thinking", "the client asks for much reasoning"),
        ToldRole("main", "nothing else fits"),
    ]


@pytest.mark.parametrize(
    ("part", "seen"),
    [
        (IMAGE, True),
        (DocumentPart("application/pdf", "aGk="), True),
        (DocumentPart(url="https://example.org/a.pdf"), True),
        (DocumentPart("text/plain", text="only text"), False),
        (TextPart("a.png"), False),
        (ToolResultPart("c", (TextPart("ok"), IMAGE)), True),
        (ToolResultPart("c", (TextPart("ok"),)), False),
    ],
)
def test_what_a_model_must_see_is_an_image(part: Part, seen: bool) -> None:
    newest = Message(Role.TOOL if isinstance(part, ToolResultPart) else Role.USER, (part,))
    assert has_images((SYSTEM, USER, newest)) is seen
    call = Message(Role.ASSISTANT, (ToolCallPart("c", "Read", "{}"),))
    assert role_of(ChatRequest("m", (USER, call, newest), tools=(READ,)), 10).role == ("image" if seen else "main")


def test_an_image_of_an_earlier_turn_is_there_but_decides_no_role() -> None:
    request = ChatRequest("m@main", (Message(Role.USER, (IMAGE,)), ANSWER, USER), tools=(READ,))
    assert facts_of(request, 70_000) == RequestFacts("main", 70_000, "m", True, "the model's name says so")
    shaped = msgspec.structs.replace(request, model="m")
    assert facts_of(shaped, 10) == replaced(facts_of(request, 10), why="nothing else fits")


@given(model=st.text(max_size=20), role=st.sampled_from(get_args(Purpose)))
def test_a_role_is_found_behind_any_name_that_it_was_put_behind(model: str, role: Purpose) -> None:
    assert strip_role(with_role(model, role)) == ((model, role) if model else (f"@{role}", None))


@pytest.mark.parametrize("model", ["", "m", "claude-haiku-4-5@20251001", "m@", "m@unknown", "@main"])
def test_other_names_stay_as_they_are(model: str) -> None:
    assert strip_role(model) == (model, None)
