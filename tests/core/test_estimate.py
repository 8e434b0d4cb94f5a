"""The estimate of a prompt's tokens: by its characters first, then by what the upstream has counted."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import chat_requests

from agentlaunch.core.estimate import CHARACTERS_PER_TOKEN, Calibration, estimate_prompt, prompt_characters
from agentlaunch.core.ir import (
    ChatRequest,
    CustomTool,
    DocumentPart,
    FunctionTool,
    HostedTool,
    ImagePart,
    Message,
    RefusalPart,
    Role,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReferencePart,
    ToolResultPart,
)

REQUEST = ChatRequest(
    "m",
    (
        Message(Role.USER, (TextPart("12345"), ImagePart("image/png", "A" * 9_999), DocumentPart(text="123"))),
        Message(Role.ASSISTANT, (ThinkingPart("12"), RefusalPart("1"), ToolCallPart("id", "Read", "{}"))),
        Message(Role.TOOL, (ToolResultPart("id", (TextPart("1234"), ToolReferencePart("Read"))),)),
    ),
    tools=(
        FunctionTool("Read", "d", msgspec.Raw(b"{}")),
        CustomTool("patch", "de"),
        HostedTool("web_search", msgspec.Raw(b"{}")),
    ),
)
ITS_CHARACTERS = (5 + 3) + (2 + 1 + 4 + 2) + 4 + (4 + 1 + 2) + (5 + 2)


def test_what_the_model_reads_is_counted_and_images_are_not() -> None:
    assert prompt_characters(REQUEST) == ITS_CHARACTERS
    assert estimate_prompt(REQUEST) == int(ITS_CHARACTERS / CHARACTERS_PER_TOKEN)


def test_before_anything_is_learnt_the_measured_ratio_holds() -> None:
    assert Calibration().tokens(38_000) == 10_000
    assert Calibration().tokens(0) == 1


@pytest.mark.report("B012")
@pytest.mark.parametrize("ratio", [1.2, 2.9, 3.8, 5.5])
def test_after_one_count_the_estimate_is_a_little_high_and_no_more(ratio: float) -> None:
    learnt = Calibration().learnt(40_000, int(40_000 / ratio))
    for characters in (10_000, 80_000):
        assert characters / ratio <= learnt.tokens(characters) <= characters / ratio * 1.03 + 1


def test_a_denser_prompt_counts_at_once_and_a_lighter_one_slowly() -> None:
    known = Calibration(4.0)
    assert known.learnt(30_000, 10_000) == Calibration(3.5)
    assert known.learnt(50_000, 10_000) == Calibration(4.1)


@pytest.mark.parametrize(
    ("characters", "tokens"),
    [(1_999, 500), (40_000, 0), (40_000, -5), (40_000, 4_096), (40_000, 60_000)],
    ids=["too short", "not counted", "nonsense", "cut or cached", "more tokens than text"],
)
def test_a_count_that_says_nothing_teaches_nothing(characters: int, tokens: int) -> None:
    for known in (Calibration(), Calibration(3.9)):
        assert known.learnt(characters, tokens) == known


@given(chat_requests(), st.integers(0, 10**6))
def test_an_estimate_is_never_nothing_and_learning_never_fails(request: ChatRequest, tokens: int) -> None:
    learnt = Calibration().learnt(prompt_characters(request), tokens)
    assert learnt.tokens(prompt_characters(request)) >= 1


@given(st.lists(st.tuples(st.integers(2_000, 10**6), st.integers(1, 10**6)), max_size=20), st.integers(0, 10**6))
def test_whatever_was_learnt_more_text_is_more_tokens(counts: list[tuple[int, int]], characters: int) -> None:
    calibration = Calibration()
    for told in counts:
        calibration = calibration.learnt(*told)
    assert calibration.tokens(characters) <= calibration.tokens(characters + 1_000)
