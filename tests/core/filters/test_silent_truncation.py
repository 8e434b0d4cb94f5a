"""A prompt that was cut without a word is an overflow, whichever server cut it; every other answer passes."""

from __future__ import annotations

import pytest
from tests.core.grammar import grammar_error

from agentlaunch.core.context import Expectation
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.tool_calls import DELTAS_A_PING
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    Usage,
    UsageReport,
)

FULL = Expectation(9_000, 8_192)
HALF = Expectation(4_000, 8_192)
REFUSING = Expectation(9_000, 8_192, "refused")
END = Finished(StopReason.END_TURN)
OVERFLOW = Failed(
    ChatFault(
        ErrorKind.CONTEXT_OVERFLOW, "the prompt of about 9000 tokens was cut to fit the context of 8192", 9_000, 8_192
    )
)


def counted(tokens: int) -> UsageReport:
    return UsageReport(Usage(tokens, 0, 10))


def told(expected: Expectation | None, *events: ChatEvent) -> list[ChatEvent]:
    chain = FilterChain(answer_filters(ChatRequest("m", ()), expected))
    found = [out for event in events for out in chain.feed(event)]
    if isinstance(events[-1], Finished | Failed):
        assert grammar_error(found) == ""
    return found + list(chain.finish())


@pytest.mark.report("B165")
@pytest.mark.report("B176")
@pytest.mark.parametrize("tokens", [4_096, 4_098, 6_000])
def test_a_count_far_below_the_estimate_is_an_overflow_and_nothing_of_the_answer_is_told(tokens: int) -> None:
    assert told(FULL, Started(), TextDelta("garbage"), counted(tokens), END) == [Started(), OVERFLOW]


def test_a_count_before_the_text_decides_at_once() -> None:
    chain = FilterChain(answer_filters(ChatRequest("m", ()), FULL))
    events = [Started(), counted(8_000), TextDelta("a ")]
    assert TextDelta("a ") in [out for event in events for out in chain.feed(event)]
    assert told(FULL, Started(), counted(100), TextDelta("a"), END) == [Started(), OVERFLOW]


@pytest.mark.parametrize("tokens", [8_100, 7_000, 0])
def test_a_count_that_fits_or_is_none_lets_the_answer_pass(tokens: int) -> None:
    events = [Started(), TextDelta("a"), counted(tokens), END]
    assert told(FULL, *events) == events


@pytest.mark.parametrize("expected", [HALF, REFUSING, None])
def test_where_nothing_can_be_cut_nothing_waits(expected: Expectation | None) -> None:
    chain = FilterChain(answer_filters(ChatRequest("m", ()), expected))
    assert [out for event in (Started(), TextDelta("a ")) for out in chain.feed(event)] == [Started(), TextDelta("a ")]
    events = [Started(), TextDelta("a"), counted(100), END]
    assert told(expected, *events) == events


def test_a_held_answer_gives_signs_of_life() -> None:
    deltas = [TextDelta(f"word{number} ") for number in range(DELTAS_A_PING)]
    chain = FilterChain(answer_filters(ChatRequest("m", ()), FULL))
    assert [out for event in (Started(), Ping(), *deltas) for out in chain.feed(event)] == [Started(), Ping(), Ping()]


def test_what_is_told_as_an_overflow_is_not_counted_as_mended() -> None:
    chain = FilterChain(answer_filters(ChatRequest("m", ()), FULL))
    assert [out for event in (Started(), counted(100), END) for out in chain.feed(event)] == [Started(), OVERFLOW]
    assert chain.mended == {}


def test_a_failure_stays_the_failure_that_it_is() -> None:
    fault = Failed(ChatFault(ErrorKind.UNAVAILABLE, "gone"))
    assert told(FULL, Started(), TextDelta("a"), fault) == [Started(), TextDelta("a"), fault]
    assert told(FULL, Started(), TextDelta("a")) == [Started(), TextDelta("a")]
