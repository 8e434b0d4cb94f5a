"""Runaway output is cut; what merely looks alike is not."""

from __future__ import annotations

import itertools
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.core.filters.answers import answer, call, cut, filtered, outcome, visible

from agentlaunch.core.filters.repeats import NOTE, RepeatGuard, RepeatLimits, RunawayNote
from agentlaunch.core.ir import (
    ChatEvent,
    Finished,
    Ping,
    RefusalDelta,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)

LIMITS = RepeatLimits()


def guarded(*events: ChatEvent, limits: RepeatLimits | None = None) -> list[ChatEvent]:
    guard = RepeatGuard(limits)
    return [*(out for event in events for out in guard.feed(event)), *guard.finish()]


BLOCKS = [
    "a",
    " ",
    "no ",
    "I will try again.\n",
    "Wait, let me look. " * 20,
    "".join(f"line {n}\n" for n in range(400)),
]


@pytest.mark.parametrize("block", BLOCKS, ids=["letter", "space", "word", "line", "paragraph", "page"])
@pytest.mark.parametrize("size", [3, 997, 10_000_000])
def test_a_block_that_is_repeated_without_end_is_cut_with_a_reason(block: str, size: int) -> None:
    text = "Well then.\n" + block * (200_000 // len(block))
    events, counts = filtered([*cut(text, size), "more"])
    shown = visible(events)
    assert shown.endswith(NOTE)
    told = shown.removesuffix(NOTE)
    assert text.startswith(told)
    assert LIMITS.span <= len(told) <= 70_000
    assert (events[-1], counts) == (Finished(StopReason.END_TURN), {"runaway": 1})


@pytest.mark.parametrize("kind", [ThinkingDelta, RefusalDelta])
def test_reasoning_that_repeats_itself_is_cut_too(kind: type[ThinkingDelta | RefusalDelta]) -> None:
    events, _ = filtered([kind("and so on ") for _ in range(5_000)])
    assert (visible(events), events[-1]) == (NOTE, Finished(StopReason.END_TURN))
    assert len(events) < 1_500


def test_arguments_that_repeat_themselves_end_a_call_that_nobody_can_run() -> None:
    found = outcome(*call('{"path": "a", "content": "' + "ab" * 40_000, size=50), reason=StopReason.TOOL_CALLS)
    [(name, arguments)] = found.calls
    assert (name, isinstance(arguments, str), found.reason) == ("Write", True, StopReason.MAX_TOKENS)
    text = outcome(*cut("<function=Write>\n<parameter=content>\n" + "ab" * 40_000, 50))
    assert (text.text, text.reason, [name for name, _ in text.calls]) == ("", StopReason.MAX_TOKENS, ["Write"])
    assert all(isinstance(arguments, str) for _, arguments in text.calls)


ALIKE = {
    "a table": "".join(f"| {n} | name{n} | 0 | 0 | 0 | 0 | 0 |\n" for n in range(3_000)),
    "a list": "".join(f"{n}. The same words each time, but for the number.\n" for n in range(3_000)),
    "code": "".join(f"    register(handler_{n}, default=None)\n" for n in range(3_000)),
    "a ruler": "text\n" + "-" * 5_000 + "\ntext" * 100,
    "some identical lines": ("        pass\n" * 300 + "x = 1\n") * 5,
    "json": json.dumps([{"id": n, "value": None, "tags": []} for n in range(3_000)], indent=1),
}


@pytest.mark.parametrize("text", ALIKE.values(), ids=ALIKE)
def test_tables_lists_and_code_are_no_runaways(text: str) -> None:
    assert guarded(*map(TextDelta, cut(text, 11))) == [TextDelta(piece) for piece in cut(text, 11)]


def test_a_file_of_zeros_may_be_written() -> None:
    events = call('{"path": "a", "content": "' + "0, " * 9_000 + '"}')
    assert guarded(*events) == events


def test_another_kind_of_output_begins_anew() -> None:
    half = "again " * 1_000
    events = [TextDelta(half), ThinkingDelta(half), TextDelta(half), Ping(), *call("{}"), TextDelta(half)]
    assert guarded(*events) == events


@settings(max_examples=50)
@given(st.text("abc \n", min_size=1, max_size=60), st.integers(0, 50), st.lists(st.integers(0, 3_000), max_size=20))
def test_the_cut_is_at_the_same_place_however_the_output_is_cut(block: str, head: int, cuts: list[int]) -> None:
    limits = RepeatLimits(times=4, span=400, arguments_span=800, longest_block=200, every=100)
    text = "x" * head + "".join(chr(0x4E00 + n) for n in range(head)) + block * (2_000 // len(block))
    bounds = [0, *sorted(min(each, len(text)) for each in cuts), len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(bounds) if a < b]
    whole = guarded(TextDelta(text), limits=limits)
    parts = guarded(*map(TextDelta, pieces), limits=limits)
    assert visible(parts) == visible(whole)
    assert (parts[-1], len(visible(parts)) < len(text)) == (Finished(StopReason.MAX_TOKENS), True)


@settings(max_examples=50)
@given(st.lists(st.text("abcdefg", min_size=3, max_size=10), min_size=50, max_size=50, unique=True))
def test_words_that_differ_are_never_a_runaway(words: list[str]) -> None:
    limits = RepeatLimits(times=4, span=100, arguments_span=100, longest_block=60, every=20)
    text = " ".join(words)
    assert visible(guarded(TextDelta(text), limits=limits)) == text


def test_nothing_is_told_after_the_cut() -> None:
    guard = RepeatGuard()
    for event in [Started(), TextDelta("a" * 20_000)]:
        list(guard.feed(event))
    assert (guard.has_cut, [*guard.feed(TextDelta("b")), *guard.finish()]) == (True, [])


def test_the_note_is_for_answers_that_were_cut_outside_of_calls() -> None:
    guard = RepeatGuard()
    end = Finished(StopReason.MAX_TOKENS)
    assert list(RunawayNote(guard).feed(end)) == [end]
    note = RunawayNote(guard)
    list(guard.feed(ToolCallStart("c", "Write")))
    cut_events = list(guard.feed(ToolCallDelta("a" * 40_000)))
    assert cut_events[1:] == [ToolCallEnd(), end]
    told = [out for event in [ToolCallStart("c", "Write"), end] for out in note.feed(event)]
    assert (told, list(note.finish()), note.mended) == ([ToolCallStart("c", "Write"), end], [], {})


def test_text_before_a_cut_is_kept() -> None:
    events, _ = filtered(["Before. ", "again " * 5_000])
    [part] = answer(events).parts
    assert isinstance(part, TextPart)
    assert part.text.startswith("Before. again again ")
