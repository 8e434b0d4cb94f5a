"""All filters together: empty answers, order, grammar, and that nothing ever breaks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from tests.core.filters.answers import LIMIT, REQUEST, TOOLS, filtered, outcome, visible
from tests.core.grammar import grammar_error
from tests.core.strategies import event_sequences

from agentlaunch.core.filters.calls import CUT_OFF
from agentlaunch.core.filters.empty_answer import NO_ANSWER, ONLY_THOUGHT, EmptyAnswerGuard
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)


@pytest.mark.report("B130")
@pytest.mark.report("B137")
@pytest.mark.parametrize("pieces", [[], ["\n"], [Ping()]])
def test_an_empty_answer_is_told_as_such(pieces: list[str | ChatEvent]) -> None:
    events, counts = filtered(pieces)
    assert visible(events).strip() == NO_ANSWER
    assert (events[-2:], counts) == (
        [UsageReport(Usage(1, 0, 10)), Finished(StopReason.END_TURN)],
        {"empty_answer": 1},
    )


@pytest.mark.report("B129")
def test_the_end_of_the_reasoning_stands_for_an_answer_that_is_nothing_else() -> None:
    events, _ = filtered([ThinkingDelta("First.\n\n"), ThinkingDelta("So it is four.\n")])
    assert visible(events) == ONLY_THOUGHT + "So it is four."


@pytest.mark.parametrize("reason", [StopReason.MAX_TOKENS, StopReason.STOP_SEQUENCE, StopReason.REFUSAL])
def test_an_answer_that_did_not_end_by_itself_may_be_empty(reason: StopReason) -> None:
    assert visible(filtered([], reason)[0]) == ""


@pytest.mark.parametrize(
    ("reason", "counted", "overflows"),
    [
        (StopReason.CONTEXT_FULL, 0, True),
        (StopReason.CONTEXT_FULL, 9, True),
        (StopReason.MAX_TOKENS, 0, True),
        (StopReason.MAX_TOKENS, 1, False),
    ],
)
def test_an_answer_that_had_no_room_for_a_single_token_is_an_overflow(
    reason: StopReason, counted: int, overflows: bool
) -> None:
    last = filtered([], reason, output_tokens=counted)[0][-1]
    fault = ChatFault(ErrorKind.CONTEXT_OVERFLOW, "the prompt fills the context and leaves no room", 1)
    assert last == (Failed(fault) if overflows else Finished(reason))
    for pieces in ([ThinkingDelta("hm")], ["Hello"]):
        assert filtered(pieces, reason, output_tokens=0)[0][-1] == Finished(reason)
    guard = EmptyAnswerGuard()
    assert [*guard.feed(Finished(StopReason.CONTEXT_FULL))] == [Failed(replace(fault, prompt_tokens=None))]


def test_an_answer_with_anything_in_it_is_left() -> None:
    assert outcome("x").text == "x"
    assert visible(filtered([RefusalDelta("no"), ThinkingDelta("hm")])[0]) == ""


def test_a_failed_answer_is_not_called_empty() -> None:
    guard = EmptyAnswerGuard()
    usage, fault = UsageReport(Usage(1)), Failed(ChatFault(ErrorKind.INTERNAL, "x"))
    given_events = [Started(), usage, fault]
    assert [*(out for event in given_events for out in guard.feed(event)), *guard.finish()] == given_events


def test_the_chain_says_nothing_after_the_end_and_counts_for_all() -> None:
    chain = FilterChain(answer_filters(REQUEST))
    given_events = [Started(), TextDelta("a" * 20_000), Finished(StopReason.END_TURN), TextDelta("x")]
    events = [out for event in given_events for out in chain.feed(event)] + list(chain.finish())
    assert isinstance(events[-1], Finished)
    assert chain.mended == {"runaway": 1}


def test_nothing_follows_the_end_whatever_the_upstream_sends() -> None:
    chain = FilterChain(answer_filters(REQUEST))
    given_events = [Started(), TextDelta("a"), Finished(StopReason.END_TURN), TextDelta("b")]
    events = [out for event in given_events for out in chain.feed(event)]
    assert events == given_events[:3]


def test_what_a_filter_holds_at_the_end_goes_through_those_behind_it() -> None:
    chain = FilterChain(answer_filters(REQUEST))
    given_events = [Started(), TextDelta("a <thi"), TextDelta("n")]
    events = [out for event in given_events for out in chain.feed(event)] + list(chain.finish())
    assert events == [Started(), TextDelta("a "), TextDelta("<thin")]


def test_the_restorer_of_the_clients_forms_comes_last() -> None:
    lowered, forms = lower(ChatRequest("m", (), tools=(CustomTool("apply_patch"),)))
    chain = FilterChain(answer_filters(lowered), forms.restore())
    written = '<tool_call>{"name": "apply_patch", "arguments": {"input": "*** Begin Patch"}}</tool_call>'
    given_events = [Started(), TextDelta(written), Finished(StopReason.END_TURN)]
    events = [out for event in given_events for out in chain.feed(event)] + list(chain.finish())
    [start] = [event for event in events if isinstance(event, ToolCallStart)]
    assert (start.name, start.kind) == ("apply_patch", "custom")
    assert events[2:] == [ToolCallDelta("*** Begin Patch"), ToolCallEnd(), Finished(StopReason.TOOL_CALLS)]


def test_a_patch_that_was_cut_is_not_run_by_codex() -> None:
    lowered, forms = lower(ChatRequest("m", (), tools=(CustomTool("apply_patch"),)))
    chain = FilterChain(answer_filters(lowered), forms.restore())
    written = '<tool_call>{"name": "apply_patch", "arguments": {"input": "*** Begin Patch\\n*** Add File: a\\n+half'
    given_events = [Started(), TextDelta(written), Finished(StopReason.MAX_TOKENS)]
    events = [out for event in given_events for out in chain.feed(event)] + list(chain.finish())
    assert events[2:] == [ToolCallDelta(CUT_OFF), ToolCallEnd(), Finished(StopReason.MAX_TOKENS)]


def test_a_call_of_an_unknown_tool_without_arguments_passes_as_it_is() -> None:
    given_events = [ToolCallStart("c1", "nobodys"), ToolCallEnd()]
    events, counts = filtered(given_events, StopReason.TOOL_CALLS)
    told = [Started("r"), *given_events, UsageReport(Usage(1, 0, 10)), Finished(StopReason.TOOL_CALLS)]
    assert (events, counts) == (told, {})


def test_a_request_without_tools_has_no_call_filters() -> None:
    assert len(answer_filters(ChatRequest("m", ()))) == len(answer_filters(REQUEST)) - 2


@given(event_sequences())
def test_every_answer_keeps_the_grammar(events: list[ChatEvent]) -> None:
    assert grammar_error(events) == ""
    chain = FilterChain(answer_filters(ChatRequest("m", (), tools=TOOLS, max_output_tokens=LIMIT)))
    told = [out for event in events for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(told) == ""


@given(event_sequences(), st.integers(0, 20))
def test_an_answer_that_breaks_off_anywhere_keeps_the_grammar_so_far(events: list[ChatEvent], length: int) -> None:
    chain = FilterChain(answer_filters(ChatRequest("m", (), tools=TOOLS)))
    told = [out for event in events[:length] for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(told, is_whole=False) == ""


@pytest.mark.parametrize(
    ("events", "error"),
    [
        ([], "it stops in the start"),
        ([TextDelta("x")], "not allowed in the start"),
        ([Started(), Started()], "a second start"),
        ([Started(), ToolCallDelta("x")], "outside a call"),
        ([Started(), TextDelta("")], "empty"),
        ([Started(), ToolCallStart("", "x")], "no id or name"),
        ([Started(), ToolCallStart("c", "x"), ToolCallEnd(), ToolCallStart("c", "x")], "a repeated id"),
        ([Started(), ToolCallStart("c", "x"), Finished(StopReason.END_TURN)], "not allowed in the call"),
        ([Started(), UsageReport(Usage()), TextDelta("x")], "not allowed in the usage"),
        ([Started(), Finished(StopReason.END_TURN), Ping()], "not allowed in the end"),
    ],
)
def test_the_checker_finds_what_is_wrong(events: list[ChatEvent], error: str) -> None:
    assert grammar_error(events).endswith(error)
