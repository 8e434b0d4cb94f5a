"""Reasoning that began in the prompt: told as reasoning where that can still be done, and learnt where it cannot."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import REQUEST, Outcome, answer, call, cut
from tests.core.grammar import grammar_error

from agentlaunch.core.filters.opened_thinking import DELTAS_A_PING, OpenedThinking, Opening, opening_of
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ToolCallPart,
    Usage,
    UsageReport,
)

END = StopReason.END_TURN
QWEN = "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</function>\n</tool_call>"
WRITE = (("Write", '{"path": "a"}'),)


def told(opening: Opening, *pieces: str | ChatEvent) -> tuple[Outcome, bool]:
    """What an answer of these pieces comes to behind all filters, and whether something was learnt."""
    learnt: list[bool] = []
    opened = OpenedThinking(opening, lambda: learnt.append(True))
    chain = FilterChain(answer_filters(REQUEST, None, opened))
    body = [TextDelta(piece) if isinstance(piece, str) else piece for piece in pieces]
    given_ = [Started("r"), *body, UsageReport(Usage(1, 0, 10)), Finished(END)]
    events = [out for event in given_ for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(events) == ""
    parts = answer(events).parts
    return Outcome(
        "".join(part.text for part in parts if isinstance(part, TextPart)),
        tuple((part.name, part.arguments) for part in parts if isinstance(part, ToolCallPart)),
        "".join(part.text for part in parts if isinstance(part, ThinkingPart)),
        answer(events).reason,
    ), bool(learnt)


SPLIT = [
    ("First this.\n</think>\n\nHello", "Hello", "First this.\n"),
    ("First this.</think>Hello", "Hello", "First this."),
    ("\n</think>\nHello", "Hello", "\n"),
    ("thought\nFirst this.<channel|>Hello", "Hello", "First this."),
    ("First this.[/THINK]Hello", "Hello", "First this."),
    ("First this.\n</thinking>\nHello", "Hello", "First this.\n"),
    ("It says `</think>` here.\n</think>\nHello", "Hello", "It says `</think>` here.\n"),
    ("</think>Hello", "Hello", ""),
]


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("opening", [Opening.HELD, Opening.LIKELY])
@pytest.mark.parametrize(("text", "said", "thought"), SPLIT)
def test_what_stands_before_the_end_of_reasoning_is_reasoning(
    text: str, said: str, thought: str, opening: Opening, size: int
) -> None:
    assert told(opening, *cut(text, size)) == (Outcome(said, (), thought, END), True)


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
def test_what_a_streamed_answer_has_told_is_learnt_for_the_next(size: int) -> None:
    found = told(Opening.UNKNOWN, *cut("First this.\n</think>\nHello", size))
    assert found == (Outcome("First this.\nHello", (), "", END), True)


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("opening", [*Opening])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello <b>you</b> [x]", Outcome("Hello <b>you</b> [x]", (), "", END)),
        ("<think>hm</think>Hello", Outcome("Hello", (), "hm", END)),
        ("\n<thinking>hm</thinking>Hello", Outcome("Hello", (), "hm", END)),
        ("It is `</think>` that ends it.", Outcome("It is `</think>` that ends it.", (), "", END)),
        ("A <thought>x</thought> element", Outcome("A <thought>x</thought> element", (), "", END)),
        ("<", Outcome("<", (), "", END)),
    ],
)
def test_an_answer_that_begins_with_itself_stays_text(
    text: str, expected: Outcome, opening: Opening, size: int
) -> None:
    found, learnt = told(opening, *cut(text, size))
    assert (found.text.lstrip("\n"), learnt) == (expected.text, False)
    assert expected.thinking in found.thinking


def test_a_call_behind_the_reasoning_or_without_its_end_is_a_call() -> None:
    for opening in (Opening.HELD, Opening.LIKELY):
        assert told(opening, f"Write.\n</think>\n{QWEN}") == (Outcome("", WRITE, "Write.\n"), True)
        assert told(opening, QWEN)[0].calls == WRITE
        assert told(opening, "I write.", *call('{"path": "a"}'))[0].calls == (("Write", '{"path": "a"}'),)


def test_reasoning_that_the_server_has_split_off_is_all_there_is() -> None:
    for opening in Opening:
        expected = Outcome("Hello", (), "hm", END)
        assert told(opening, ThinkingDelta("hm"), "</think>\n\nHello") == (expected, False)


def fed(opening: Opening, *events: ChatEvent) -> list[ChatEvent]:
    filter_ = OpenedThinking(opening)
    return [*(out for event in events for out in filter_.feed(event)), *filter_.finish()]


def test_text_is_told_as_it_comes_where_nothing_is_known() -> None:
    events = [Ping(), TextDelta("a "), TextDelta("b"), TextDelta("</think>"), TextDelta("c")]
    assert fed(Opening.UNKNOWN, *events) == events


def test_reasoning_is_told_as_it_comes_where_it_is_likely() -> None:
    pieces = [TextDelta("a "), TextDelta("<"), TextDelta("b"), TextDelta("\n</th"), TextDelta("ink>\n"), TextDelta("c")]
    assert fed(Opening.LIKELY, *pieces) == [
        *(ThinkingDelta("a "), ThinkingDelta("<b"), ThinkingDelta("\n"), TextDelta("c")),
    ]


def test_held_text_gives_signs_of_life_and_is_told_when_the_answer_fails() -> None:
    fault = Failed(ChatFault(ErrorKind.UNAVAILABLE, "gone"))
    events = fed(Opening.HELD, *(TextDelta("a") for _ in range(DELTAS_A_PING)), fault)
    assert events == [Ping(), TextDelta("a" * DELTAS_A_PING), fault]
    assert fed(Opening.HELD, TextDelta("a")) == [TextDelta("a")]


def test_reasoning_that_was_split_off_is_counted() -> None:
    filter_ = OpenedThinking(Opening.HELD)
    assert len([*filter_.feed(TextDelta("a\n</think>b"))]) == 2
    assert filter_.mended == {"thinking": 1}


@given(st.lists(st.sampled_from(["a", "\n", "<", "</think>", "`", "```\n", "<think>", "</", "think>", "\n\n"])))
def test_how_an_answer_is_cut_changes_nothing(pieces: list[str]) -> None:
    text = "".join(pieces)
    for opening in (Opening.HELD, Opening.LIKELY):
        if text:
            assert told(opening, *cut(text, 1)) == told(opening, text)


@pytest.mark.parametrize(
    ("is_streamed", "has_begun_inside", "model", "opening"),
    [
        (False, False, "m", Opening.HELD),
        (False, True, "m", Opening.HELD),
        (True, False, "m", Opening.UNKNOWN),
        (True, True, "m", Opening.LIKELY),
        (True, False, "Qwen3-4B-Thinking-2507", Opening.LIKELY),
        (True, False, "deepseek-r1:14b", Opening.LIKELY),
        (True, False, "qwen3-coder:30b", Opening.UNKNOWN),
    ],
)
def test_what_is_known_of_an_answers_beginning(
    is_streamed: bool, has_begun_inside: bool, model: str, opening: Opening
) -> None:
    assert opening_of(is_streamed=is_streamed, has_begun_inside=has_begun_inside, model=model) is opening
