"""Tokens around an answer are not shown, and a turn that the model makes up for somebody else is not heard."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import Outcome, answer, call, cut, filtered, outcome, visible

from agentlaunch.core.filters.turn_ends import TurnEnds
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    StopReason,
    TextDelta,
    ThinkingDelta,
    Usage,
    UsageReport,
)

END = StopReason.END_TURN
SIZES = pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])


@SIZES
@pytest.mark.parametrize(
    "end",
    [
        *("<|im_end|>", "<|eot_id|>", "</s>", "<end_of_turn>", "</end_of_turn>\n", "<|endoftext|>", "<turn|>\n\n"),
        *("<|user|>", "<|observation|>\n", "<\uff5cend\u2581of\u2581sentence\uff5c>", "<|eot_id|><|eom_id|>"),
        "<|im_end|>\n<|im_start|>user\nThanks<|im_end|>\n<|im_start|>assistant\nWelcome",
        "<|endoftext|>Human: please introduce yourself",
        "<end_of_turn>\n<start_of_turn>user\nMore",
        "<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nMore",
        "<|user|>\nMore",
        "</s>[INST] More",
    ],
)
def test_the_end_of_a_turn_and_what_a_model_makes_up_behind_it_are_not_shown(end: str, size: int) -> None:
    assert outcome(*cut(f"Hello there.{end}", size)) == Outcome("Hello there.", (), "", END)
    assert outcome(*cut(f"Hello there.{end}", size), request=ChatRequest("m", ())).text == "Hello there."


@SIZES
@pytest.mark.parametrize(
    "lead",
    ["<|im_start|>assistant\n", "<|assistant|>\n", "<|assistant|>", "assistant\n\n", "<start_of_turn>model\n"],
)
def test_the_role_before_an_answer_is_not_shown(lead: str, size: int) -> None:
    assert outcome(*cut(f"{lead}Hello", size)) == Outcome("Hello", (), "", END)


@SIZES
@pytest.mark.parametrize(
    "text",
    [
        "The token `<|im_end|>` ends a turn.",
        "<|im_end|> ends a turn, and <|im_start|> begins one.",
        "```\n<|im_end|>\n<|im_start|>user\n```\nSo it looks.",
        "Write <s>old</s>",
        "Write <s>old</s> and new",
        "<|user|> is the user's",
        "a < b </b> <|",
        "assistant",
        "assistants help",
        "<",
    ],
)
def test_text_that_speaks_of_turns_is_text(text: str, size: int) -> None:
    assert visible(filtered(cut(text, size))[0]) == text


def test_an_invented_turn_ends_the_answer_after_a_while_and_whatever_the_upstream_calls_its_end() -> None:
    invented = ["Hello<|im_end|>\n<|im_start|>user\n", *("more " for _ in range(200))]
    assert outcome(*invented, reason=StopReason.MAX_TOKENS) == Outcome("Hello", (), "", END)
    assert outcome(*invented[:2], reason=StopReason.MAX_TOKENS) == Outcome("Hello", (), "", END)
    called = outcome(*call('{"path": "a"}'), *invented[:2], reason=StopReason.MAX_TOKENS)
    assert called == Outcome("Hello", (("Write", {"path": "a"}),), "", StopReason.TOOL_CALLS)
    filter_ = TurnEnds()
    events = [out for piece in invented for out in filter_.feed(TextDelta(piece))]
    assert events == [TextDelta("Hello"), Finished(END)]
    assert [*filter_.feed(Finished(StopReason.MAX_TOKENS)), *filter_.finish()] == []
    assert filter_.mended == {"turn_end": 1}


def fed(*events: ChatEvent) -> list[ChatEvent]:
    filter_ = TurnEnds()
    return [*(out for event in events for out in filter_.feed(event)), *filter_.finish()]


def test_other_events_pass_in_their_place() -> None:
    failed, usage = Failed(ChatFault(ErrorKind.INTERNAL, "x")), UsageReport(Usage())
    events = [TextDelta("a <"), Ping(), ThinkingDelta("b"), TextDelta("c <"), usage, failed]
    assert fed(*events) == [
        *(TextDelta("a "), Ping(), TextDelta("<"), ThinkingDelta("b"), TextDelta("c "), TextDelta("<"), usage, failed)
    ]
    assert fed(TextDelta("a <|im_")) == [TextDelta("a "), TextDelta("<|im_")]
    assert fed(TextDelta("x"), TextDelta("y")) == [TextDelta("x"), TextDelta("y")]


@given(
    st.lists(st.sampled_from(["a", "\n", " ", "`", "```\n", "<|im_end|>", "<|im_start|>", "</s>", "<s>", "<|user|>"]))
)
def test_how_an_answer_is_cut_changes_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    if text:
        assert answer(filtered(cut(text, 1))[0]) == answer(filtered([text])[0])
