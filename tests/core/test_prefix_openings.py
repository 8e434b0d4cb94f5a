"""What is computed before it is asked for: which words it holds, where that costs nothing, in which steps."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.endpoint import Endpoint, Prices
from agentlaunch.core.ir import ChatRequest, FunctionTool, Message, Role, TextPart
from agentlaunch.core.prefix_openings import STEP_S, Opening, may_warm, next_step, opening_name, opening_of

RULES = Message(Role.SYSTEM, (TextPart("Rules."),))
LOCAL = Endpoint("ollama", "ollama_chat", "http://127.0.0.1:11434", "qwen3:8b", kind="ollama")
REMINDER = TextPart("<system-reminder>project</system-reminder>")


def asking(*parts: TextPart) -> ChatRequest:
    tools = (FunctionTool("Bash", parameters=msgspec.Raw(b'{"type": "object"}')),)
    return ChatRequest("m", (RULES, Message(Role.USER, parts)), tools, user="session 1", cache_key="k")


def test_an_opening_is_what_comes_before_the_user_s_words_whatever_they_are() -> None:
    one = opening_of(asking(REMINDER, TextPart("my secret"), TextPart("and more")))
    other = opening_of(asking(REMINDER, TextPart("Explain it")))
    assert one is not None
    assert one == other
    assert b"secret" not in msgspec.json.encode(one)
    assert one.messages[1].parts == (REMINDER, TextPart("hello"))


def test_neither_a_title_nor_a_later_turn_is_an_opening() -> None:
    opening = asking(TextPart("Mend it"))
    answered = (*opening.messages, Message(Role.ASSISTANT, (TextPart("Yes."),)))
    assert opening_of(msgspec.structs.replace(opening, tools=())) is None
    assert opening_of(msgspec.structs.replace(opening, messages=answered)) is None


def test_a_remembered_opening_is_read_as_it_was_written() -> None:
    request = opening_of(asking(REMINDER, TextPart("Mend it")))
    assert request is not None
    opening = Opening("m", 1.5, request)
    assert msgspec.json.decode(msgspec.json.encode(opening), type=Opening) == opening


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        (LOCAL, True),
        (replace(LOCAL, kind="vllm"), True),
        (replace(LOCAL, kind="", slots=2), True),
        (replace(LOCAL, model="gpt-oss:120b-cloud"), False),
        (replace(LOCAL, model="glm-4.6:cloud"), False),
        (replace(LOCAL, base_url="http://192.168.1.5:11434", may_leave=True), False),
        (replace(LOCAL, prices=Prices(1, 2)), False),
        (replace(LOCAL, kind="litellm"), False),
        (replace(LOCAL, kind="openai"), False),
        (replace(LOCAL, kind="openrouter"), False),
        (replace(LOCAL, kind="anthropic"), False),
    ],
)
def test_nothing_is_asked_beforehand_where_it_costs_money_or_leaves_the_machine(
    endpoint: Endpoint, expected: bool
) -> None:
    assert may_warm(endpoint) is expected


def test_agents_versions_folders_and_models_have_openings_of_their_own() -> None:
    names = {
        opening_name("claude 2.1.331 lean", "/a", LOCAL),
        opening_name("claude 2.1.332 lean", "/a", LOCAL),
        opening_name("claude 2.1.331 full", "/a", LOCAL),
        opening_name("claude 2.1.331 lean", "/b", LOCAL),
        opening_name("claude 2.1.331 lean", "/a", replace(LOCAL, model="other")),
    }
    assert len(names) == 5


@given(rate=st.floats(100, 100_000), tokens=st.integers(8, 2048))
def test_a_step_takes_no_longer_than_its_time_at_the_rate_of_the_one_before(rate: float, tokens: int) -> None:
    following = next_step(tokens, tokens / rate)
    assert 8 <= following <= 2048
    assert following / rate <= STEP_S + 1e-9


@pytest.mark.parametrize(
    ("tokens", "seconds", "expected"), [(32, 3.0, 8), (32, 0.0, 64), (2000, 0.0, 2048), (32, 0.2, 16)]
)
def test_steps_grow_to_twice_at_most_and_shrink_at_once(tokens: int, seconds: float, expected: int) -> None:
    assert next_step(tokens, seconds) == expected
