"""cli/picker_state.py and cli/picker_view.py: keys in, lines out."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.picker_keys import Key, NamedKey, Typed
from agentlaunch.cli.picker_state import Choosing, Chosen, Left, Row, Step, WentBack, press
from agentlaunch.cli.picker_view import choosing_lines, numbered_lines

ROWS = (
    Row("qwen3-coder-30b-a3b:Q4_K_M", "here, 38 tok/s, last used", "Runs on the GPU."),
    Row("gpt-oss-20b:MXFP4", "fetch 11.3 GiB, 70 tok/s", "Runs on the GPU, window of 65,536 tokens."),
    Row("kimi", "upstream", "Answered by https://kimi.example, not by this machine."),
)
START = Choosing("Claude Code on which model?", ROWS)
KEYS = st.one_of(st.sampled_from(NamedKey), st.characters(min_codepoint=32, max_codepoint=126).map(Typed))


def pressed(*keys: Key | str) -> Step:
    """The state after these keys, a text standing for the characters in it."""
    state: Step = START
    flat: list[Key] = []
    for part in keys:
        flat += map(Typed, part) if isinstance(part, str) else [part]
    for key in flat:
        assert isinstance(state, Choosing)
        state = press(state, key)
    return state


@pytest.mark.parametrize(
    ("keys", "end"),
    [
        ((NamedKey.ENTER,), Chosen(0)),
        ((NamedKey.DOWN, NamedKey.ENTER), Chosen(1)),
        (("jjk", NamedKey.ENTER), Chosen(1)),
        (("jjjjj", NamedKey.RIGHT), Chosen(2)),
        ((NamedKey.PAGE_DOWN, NamedKey.ENTER), Chosen(2)),
        ((NamedKey.LAST, NamedKey.FIRST, NamedKey.UP, NamedKey.ENTER), Chosen(0)),
        (("oss", NamedKey.ENTER), Chosen(1)),
        (("/kimi", NamedKey.ENTER), Chosen(2)),
        (("/qwen", NamedKey.ENTER), Chosen(0)),
        (("FETCH gpt", NamedKey.ENTER), Chosen(1)),
        (("q",), Left()),
        ((NamedKey.ESCAPE,), Left()),
        ((NamedKey.INTERRUPT,), Left()),
        (("oss", NamedKey.INTERRUPT), Left()),
        (("oss", NamedKey.ESCAPE, NamedKey.ESCAPE), Left()),
        ((NamedKey.LEFT,), WentBack()),
        ((NamedKey.BACKSPACE,), WentBack()),
        (("o", NamedKey.BACKSPACE, NamedKey.BACKSPACE), WentBack()),
        (("nothing like it", NamedKey.ENTER, NamedKey.ESCAPE, NamedKey.ENTER), Chosen(0)),
    ],
)
def test_keys_lead_to_one_end(keys: tuple[Key | str, ...], end: Step) -> None:
    assert pressed(*keys) == end


@given(st.lists(KEYS, max_size=40), st.integers(3, 120), st.integers(1, 50))
def test_no_keys_and_no_size_break_the_picture(keys: list[Key], columns: int, rows: int) -> None:
    state = START
    for key in keys:
        step = press(state, key)
        if isinstance(step, Chosen):
            assert step.number in state.shown
        if isinstance(step, Choosing):
            state = step
        assert state.cursor == 0 or state.cursor < len(state.shown)
        lines = choosing_lines(state, Canvas(columns), rows)
        assert len(lines) <= rows
        assert max(map(len, lines)) <= columns
        assert sum(line.startswith(">") for line in lines) == bool(state.shown)


def test_the_screen_of_a_narrow_terminal_says_all_that_is_needed() -> None:
    assert choosing_lines(START, Canvas(40), 12) == [
        "Claude Code on which model?",
        "",
        "> qwen3-coder-30b-a3b:Q4_~  here, 38 to~",
        "  gpt-oss-20b:MXFP4         fetch 11.3 ~",
        "  kimi                      upstream",
        "",
        "  here, 38 tok/s, last used: Runs on the",
        "  GPU.",
        "",
        "j/k move, Enter, / filters, q leaves",
    ]


def test_a_filter_is_shown_with_the_way_out_of_it() -> None:
    state = pressed("/kim")
    assert isinstance(state, Choosing)
    assert choosing_lines(state, Canvas(80), 24) == [
        "Claude Code on which model?  /kim_",
        "",
        "> kimi  upstream",
        "",
        "  Answered by https://kimi.example, not by this machine.",
        "",
        "",
        "up/down move, Enter takes, Esc shows all",
    ]


def test_a_terminal_that_only_goes_forward_gets_numbers() -> None:
    assert numbered_lines(START) == [
        "Claude Code on which model?",
        "  1  qwen3-coder-30b-a3b:Q4_K_M  here, 38 tok/s, last used",
        "  2  gpt-oss-20b:MXFP4           fetch 11.3 GiB, 70 tok/s",
        "  3  kimi                        upstream",
    ]


def test_a_name_that_holds_control_characters_does_nothing_to_the_terminal() -> None:
    evil = Choosing("Which?", (Row("\x1b[2Ja", "\x07b", "\x1b]0;c"),))
    assert all(line.isprintable() for line in (*choosing_lines(evil, Canvas(80), 24), *numbered_lines(evil)))


@pytest.mark.parametrize(
    ("rows", "lines"),
    [
        (9, ["  aaaa aaaa aaaa aaaa aaaa aaaa aaaa"] * 2 + ["  aaaa aaaa aaaa aaaa aaaa aaaa aaaa ..."]),
        (24, ["  aaaa aaaa aaaa aaaa aaaa aaaa aaaa"] * 5),
    ],
    ids=["cut and said so", "whole where there is room"],
)
def test_why_a_row_is_there_takes_the_room_that_the_list_leaves(rows: int, lines: list[str]) -> None:
    state = Choosing("Which?", (Row("one", detail=" ".join(["aaaa"] * 35)), Row("two")))
    shown = choosing_lines(state, Canvas(40), rows)
    assert shown[-1 - len(lines) : -1] == lines
    assert len(choosing_lines(replace(state, cursor=1), Canvas(40), rows)) == len(shown)
