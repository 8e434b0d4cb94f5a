"""What others have named is shown, and commands no terminal."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.terminal_text import harmless, harmless_json, one_line

STYLED = "\x1b[1;36mtitle\x1b[0m\n\x1b[2mfaint\x1b[0m\tcell"
DIRECTION = "\u061c\u2028\u2029\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@pytest.mark.parametrize(
    ("attack", "shown"),
    [
        ("\x1b]52;c;cm0gLXJm\x07", "?]52;c;cm0gLXJm?"),  # writes the clipboard
        ("\x1b]0;title\x1b\\", "?]0;title?\\"),
        ("\x1b[2J\x1b[1;1Hok", "?[2J?[1;1Hok"),
        ("a\rb", "a?b"),
        ("\x9b31m", "?31m"),  # C1, the same as ESC [
        ("\x1b[8mhidden", "?[8mhidden"),
        ("gpj.\u202egguf", "gpj.?gguf"),
        ("gpj.\u061cgguf", "gpj.?gguf"),
        ("one\u2028two\u2029three", "one?two?three"),
        ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
    ],
)
def test_what_commands_a_terminal_is_a_question_mark(attack: str, shown: str) -> None:
    assert harmless(attack) == shown


def test_our_own_styles_lines_and_tabs_stay() -> None:
    assert harmless(STYLED) == STYLED


def test_plain_text_stays_as_it_is() -> None:
    assert harmless("plain, ü\n") == "plain, ü\n"
    assert harmless_json('{"a": "ü"}') == '{"a": "ü"}'


def test_what_others_say_begins_no_line_of_a_log() -> None:
    assert one_line("a\nb\x1b[2J") == "a b?[2J"


def test_a_control_in_json_is_an_escape() -> None:
    assert harmless_json('{"a": "\x9b31m\u202e"}') == '{"a": "\\u009b31m\\u202e"}'


@given(st.text())
def test_nothing_but_styles_tabs_and_lines_is_left_of_controls(text: str) -> None:
    left = harmless(text)
    assert len(left) == len(text)
    rest = left.replace("\t", "").replace("\n", "")
    controls = [letter for letter in rest if unicodedata.category(letter) == "Cc" or letter in DIRECTION]
    assert set(controls) <= {"\x1b"}
    assert rest.count("\x1b") == rest.count("\x1b[")


@given(st.dictionaries(st.text(), st.text() | st.lists(st.text())))
def test_a_json_document_says_the_same(value: object) -> None:
    document = json.dumps(value, indent=2, ensure_ascii=False)
    shown = harmless_json(document)
    assert json.loads(shown) == value
    assert not any(unicodedata.category(letter) == "Cc" for letter in shown.replace("\n", ""))
