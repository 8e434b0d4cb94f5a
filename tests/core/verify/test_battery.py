"""The battery as a whole: its cases can be asked on every wire, and its score is what the weights say."""

from __future__ import annotations

import json

import pytest

from agentlaunch.agents.base import AGENTS, load_agent
from agentlaunch.core.ir import CustomTool, FunctionTool, Message, TextPart, ToolResultPart
from agentlaunch.core.verify.agent_tools import AGENTS_WITH_TOOLS, USUAL_AGENTS, agent_cases
from agentlaunch.core.verify.case import Case
from agentlaunch.core.verify.recall import CHARACTERS_PER_TOKEN, DEPTHS, SHORT_CHARACTERS, recall_cases
from agentlaunch.core.verify.score import CaseResult, Outcome, Score, battery, score_of
from agentlaunch.core.wire.base import load_wire

ALL = battery("", 32_768)
EVERY = (*ALL, *(case for agent in AGENTS_WITH_TOOLS if agent not in USUAL_AGENTS for case in agent_cases(agent)))
WIRES = ("anthropic_messages", "openai_chat", "openai_responses")


def _texts(message: Message) -> list[str]:
    """Every text of a message, those of tool results too: a wire without a place for errors puts a word before it."""
    inner = [one for part in message.parts if isinstance(part, ToolResultPart) for one in part.content]
    return [part.text for part in (*message.parts, *inner) if isinstance(part, TextPart)]


def _text(case: Case) -> str:
    return "".join(part.text for part in case.messages[-1].parts if hasattr(part, "text"))


def test_names_are_unique_and_weights_positive() -> None:
    assert (len(ALL), len({case.name for case in EVERY})) == (22, len(EVERY))
    assert all(case.weight > 0 and case.title for case in EVERY)


def test_each_agent_weighs_the_same_and_asks_over_the_api_that_it_speaks() -> None:
    weights = {agent: sum(case.weight for case in agent_cases(agent)) for agent in AGENTS_WITH_TOOLS}
    assert weights == dict.fromkeys(AGENTS_WITH_TOOLS, 10)
    assert {*AGENTS} - {*AGENTS_WITH_TOOLS} == {"goose"}
    for agent in AGENTS_WITH_TOOLS:
        assert {case.wire for case in agent_cases(agent)} == {load_agent(agent).wire}


def test_a_battery_of_one_agent_has_the_general_cases_and_only_its_own() -> None:
    names = {case.name for case in battery("codex", 32_768)}
    assert {"codex-exec", "codex-patch", "single-call", "recall-late"} <= names
    assert not any(name.startswith(("claude", "opencode")) for name in names)
    assert agent_cases("nobody") == ()


@pytest.mark.parametrize(
    ("wire", "case"),
    [(wire, case) for case in EVERY for wire in WIRES if case.wire in ("", wire)],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_every_case_that_any_wire_may_carry_keeps_its_question_and_tools(wire: str, case: Case) -> None:
    one = load_wire(wire)
    request = case.request("m", 64)
    decoded = one.decode_request(one.encode_request(request))
    said = request.messages[-1].parts[0]
    text = (said.content[0] if isinstance(said, ToolResultPart) else said).text
    assert any(text in found for message in decoded.messages for found in _texts(message))
    assert [tool.name for tool in decoded.tools if isinstance(tool, FunctionTool | CustomTool)] == [
        tool.name for tool in request.tools if isinstance(tool, FunctionTool | CustomTool)
    ]
    assert decoded.max_output_tokens == 64
    assert decoded.stream


def test_schemas_name_their_required_arguments() -> None:
    for case in EVERY:
        for tool in case.tools:
            if isinstance(tool, FunctionTool):
                schema = json.loads(bytes(tool.parameters))
                assert set(schema["required"]) <= set(schema["properties"])


def test_the_recalled_text_is_the_same_for_every_depth_and_says_each_code_once() -> None:
    texts = [_text(case).rpartition("\n\n")[0] for case in recall_cases(65_536)]
    assert len(set(texts)) == 1
    assert [texts[0].count(f" gate is {code}.") for _, _, code in DEPTHS] == [1, 1, 1]
    places = [texts[0].index(f" gate is {code}.") / len(texts[0]) for _, _, code in DEPTHS]
    assert places == pytest.approx([depth for _, depth, _ in DEPTHS], abs=0.02)


@pytest.mark.parametrize(
    ("window", "is_long", "characters"),
    [
        (4096, False, 4096 * CHARACTERS_PER_TOKEN / 2),
        (131_072, False, SHORT_CHARACTERS),
        (131_072, True, 131_072 * CHARACTERS_PER_TOKEN * 0.75),
    ],
)
def test_the_recalled_text_is_as_long_as_the_window_bears(window: int, is_long: bool, characters: float) -> None:
    size = len(_text(recall_cases(window, is_long=is_long)[0]))
    assert characters <= size <= characters + 400


def _result(outcome: Outcome, weight: int, mended: int | None = 0) -> CaseResult:
    return CaseResult("c", "t", weight, outcome, mended=mended)


def test_the_score_is_the_weight_of_what_passed_and_raw_leaves_out_what_was_mended() -> None:
    results = [
        _result(Outcome.PASSED, 10),
        _result(Outcome.PASSED, 5, mended=2),
        _result(Outcome.PASSED, 1, mended=None),
        _result(Outcome.FAILED, 8, mended=1),
        _result(Outcome.UNFINISHED, 6, mended=None),
    ]
    assert score_of(results) == Score(score=53, raw=36, passed=3, total=5, mended=1)


def test_the_score_of_nothing_is_nothing() -> None:
    assert score_of([]) == Score(0, 0, 0, 0, 0)
