"""How much of the prompt each real agent's requests share, turn by turn, session by session, day by day.

The shapes are requests of our own runs of Claude Code 2.1.331, Codex 0.169.0 and OpenCode 1.18.33 against a recorder on
loopback. Every line of text in them was replaced by its length and a hash; here it becomes filler of that length, so
that equal lines are equal and different ones differ, and no text of the agents' is in the repository.
"""

from __future__ import annotations

import json
import re
from hashlib import blake2b
from itertools import takewhile
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from agentlaunch.core.filters import tool_forms
from agentlaunch.core.filters.prefix import stable
from agentlaunch.core.ir import ChatRequest
from agentlaunch.core.wire.base import load_wire

Json: TypeAlias = Any
SHAPES = Path(__file__).parent / "prefix_shapes"
WIRES = {"claude": "anthropic_messages", "codex": "openai_responses", "opencode": "openai_chat"}
CHAT = load_wire("openai_chat")


def filler(line: str) -> str:
    """`LENGTH.HASH` as that many letters; `=TEXT` is text as it was."""
    if line.startswith("="):
        return line[1:]
    length, seed = line.split(".")
    letters = blake2b(seed.encode(), digest_size=32).hexdigest()
    return (f"{letters} " * (int(length) // 65 + 1))[: int(length)]


class Shapes:
    """The recorded requests of one agent, by what had happened before each."""

    def __init__(self, agent: str) -> None:
        self._recorded = json.loads((SHAPES / f"{agent}.json").read_text())
        self._texts = ["\n".join(map(filler, lines)) for lines in self._recorded["strings"]]
        self._wire = load_wire(WIRES[agent])

    def request(self, name: str, day: int = 25) -> ChatRequest:
        """The request as the agent sent it, on a day of November 2026."""
        body = self._filled({**self._recorded["requests"][name], "tools": self._recorded["tools"]})
        text = json.dumps(body).replace("2026-11-25", f"2026-11-{day}").replace("Nov 25 2026", f"Nov {day} 2026")
        return self._wire.decode_request(text.encode())

    def _filled(self, value: Json) -> Json:
        if isinstance(value, dict):
            return {key: self._filled(each) for key, each in value.items()}
        if isinstance(value, list):
            return [self._filled(each) for each in value]
        if isinstance(value, str) and re.fullmatch(r"§\d+", value):
            return self._texts[int(value[1:])]
        return value


def prompt(request: ChatRequest) -> str:
    """What a chat template renders: system prompt, tools, turns. The order of Qwen's, the least favourable one."""
    body = json.loads(CHAT.encode_request(stable(tool_forms.lower(request)[0])))
    system = [message for message in body["messages"] if message["role"] == "system"]
    turns = [message for message in body["messages"] if message["role"] != "system"]
    return "\n".join(json.dumps(piece) for piece in (*system, *body["tools"], *(_without_ids(turn) for turn in turns)))


def _without_ids(turn: dict[str, Any]) -> dict[str, Any]:
    """No template renders the ids of calls."""
    calls = [{**call, "id": ""} for call in turn.get("tool_calls", ())]
    return {key: value for key, value in {**turn, "tool_calls": calls}.items() if key != "tool_call_id"}


def rest(first: ChatRequest, second: ChatRequest) -> int:
    """How many characters of the second prompt do not come with the first one's prefix."""
    before, after = prompt(first), prompt(second)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(before, after, strict=False)))
    return len(after) - common


OWN_WORDS = {"claude": len("Explain this repository to me please"), "codex": 36, "opencode": 38}
GIT = 800
"""Claude Code's state of git with six commits, and the words behind it."""
DATE = 160
"""The reminder with the date and the words behind it."""


@pytest.mark.parametrize("agent", WIRES)
def test_a_session_s_later_turn_begins_with_its_first_one(agent: str) -> None:
    shapes = Shapes(agent)
    first, last = prompt(shapes.request("first")), prompt(shapes.request("last"))
    # Chat's JSON closes the first user message where a template goes on: nothing else may differ.
    assert last.startswith(first)


@pytest.mark.parametrize("agent", WIRES)
def test_a_new_session_with_another_prompt_adds_its_own_words(agent: str) -> None:
    shapes = Shapes(agent)
    assert rest(shapes.request("same_prompt"), shapes.request("other_prompt")) <= OWN_WORDS[agent] + 100


@pytest.mark.parametrize(("agent", "most"), [("claude", GIT), ("codex", 0), ("opencode", 0)])
def test_after_a_commit_the_state_of_git_is_new_and_nothing_else(agent: str, most: int) -> None:
    shapes = Shapes(agent)
    assert rest(shapes.request("other_prompt"), shapes.request("after_commit")) <= most


@pytest.mark.report("B184")
@pytest.mark.parametrize(("agent", "most"), [("claude", DATE), ("codex", 1_000), ("opencode", DATE)])
def test_the_next_day_the_date_is_new_and_what_stands_behind_it(agent: str, most: int) -> None:
    shapes = Shapes(agent)
    assert 0 < rest(shapes.request("other_prompt"), shapes.request("other_prompt", day=26)) <= most


@pytest.mark.parametrize("agent", WIRES)
def test_the_order_is_what_makes_it_so(agent: str) -> None:
    """Without it the environment, the tools or the whole prompt are computed again: else these tests could not fail."""
    shapes = Shapes(agent)
    recorded = shapes.request("other_prompt")
    moved = [stable(tool_forms.lower(recorded)[0]).messages != tool_forms.lower(recorded)[0].messages]
    assert moved == [agent != "codex"]  # Codex sends its context in a stable order
