"""JSON as models write it, read kindly but not wildly."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import json_object_texts

from agentlaunch.core.filters.json_repair import (
    MAX_DEPTH,
    Repaired,
    Unrepairable,
    Whole,
    json_text,
    repaired,
    strict,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ("{'a': 'b'}", {"a": "b"}),
        ("{a: 1, b-c: 2}", {"a": 1, "b-c": 2}),
        ("{a = 1}", {"a": 1}),
        ("{\u201ca\u201d: \u201cb\u201d}", {"a": "b"}),
        (
            '{"a": True, "b": FALSE, "c": None, "d": undefined, "e": NaN}',
            {"a": True, "b": False, "c": None, "d": None, "e": None},
        ),
        ('{"a": 1,}', {"a": 1}),
        ('{,"a": 1,,"b": 2}', {"a": 1, "b": 2}),
        ('{"a": 1 "b": 2}', {"a": 1, "b": 2}),
        ("[1 2,,3,]", [1, 2, 3]),
        ("[+1, .5, -2.5e3, 1.]", [1, 0.5, -2500.0, 1.0]),
        ('{"a": "one\ntwo\tthree"}', {"a": "one\ntwo\tthree"}),
        ('{"a": "say "hi" now"}', {"a": 'say "hi" now'}),
        ('{"a": "print("x", "y")", "b": 1}', {"a": 'print("x", "y")', "b": 1}),
        ('["say "hi"", "x"]', ['say "hi"', "x"]),
        ('{"a": """x "y"\n"""}', {"a": 'x "y"\n'}),
        ("{'a': '''x'''}", {"a": "x"}),
        ('{"a": "it\'s"}', {"a": "it's"}),
        (r'{"a": "\d\x\q\'\u0041\u00zz\/"}', {"a": "\\d\\x\\q'A\\u00zz/"}),
        ('{"a": "x\\\ny"}', {"a": "xy"}),
        ('{"a": 1, // why\n/* or */ "b": 2}', {"a": 1, "b": 2}),
        ('"x"', "x"),
        ("{'a': b}", None),
        ("{5: 1}", None),
        ("", None),
        ("[1, }", None),
        ("word", None),
    ],
)
def test_slips_are_read_as_they_were_meant(text: str, value: object) -> None:
    if value is None:
        with pytest.raises(Unrepairable):
            repaired(text)
    else:
        assert repaired(text) == Repaired(value, len(text), Whole.YES)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "value", "whole"),
    [
        ('{"a": {"b": [1', {"a": {"b": [1]}}, Whole.CUT),
        ('{"a": {"b": [1, ', {"a": {"b": [1]}}, Whole.CUT),
        ('{"a": "x"', {"a": "x"}, Whole.BRACKETS_MISSING),
        ('{"a": "x', {"a": "x"}, Whole.CUT),
        ('{"a": "x\\', {"a": "x\\"}, Whole.CUT),
        ('{"a": """x', {"a": "x"}, Whole.CUT),
        ('{"a', {}, Whole.CUT),
        ('{"a"', {}, Whole.CUT),
        ('{"a":', {}, Whole.CUT),
        ('{"a": 1, ', {"a": 1}, Whole.CUT),
        ('{"a": {"b": [1]', {"a": {"b": [1]}}, Whole.BRACKETS_MISSING),
        ("{", {}, Whole.BRACKETS_MISSING),
        ('{"a": [1], "b', {"a": [1]}, Whole.CUT),
    ],
)
def test_text_that_breaks_off_says_where(text: str, value: object, whole: Whole) -> None:
    assert repaired(text) == Repaired(value, len(text), whole)  # type: ignore[arg-type]


def test_what_follows_a_value_is_not_looked_at() -> None:
    assert repaired("x {'a': 1} y", 2) == Repaired({"a": 1}, 10, Whole.YES)
    assert strict('x {"a": 1} y', 2) == ({"a": 1}, 10)


@pytest.mark.parametrize("text", ["", "x", "{'a': 1}", '{"a": 1', '{"a": NaN}', "[" * 100_000])
def test_strict_reading_refuses_what_is_not_json(text: str) -> None:
    assert strict(text) is None


def test_brackets_beyond_reason_are_refused() -> None:
    with pytest.raises(Unrepairable, match="nested too deeply"):
        repaired("[" * (MAX_DEPTH + 2))


def test_numbers_beyond_reason_are_kept_as_text_or_infinite() -> None:
    assert repaired("-1.5e9999").value == float("-inf")
    digits = "9" * 5_000
    assert repaired(digits + " ").value == digits
    with pytest.raises(ValueError, match="Out of range"):
        json_text(float("inf"))


def test_lone_surrogates_are_replaced() -> None:
    assert json_text({"a": "\ud83d"}) == '{"a": "\ufffd"}'
    assert json_text('\U0001f600\n"') == '"\U0001f600\\n\\""'


@given(json_object_texts)
def test_valid_json_is_read_as_it_is(text: str) -> None:
    assert repaired(text).value == json.loads(text)
    assert strict(text) == (json.loads(text), len(text))


@given(
    st.text(max_size=80)
    | st.lists(st.sampled_from([*list("{}[]\":,\\\n'="), "true", "1", '"""', "//", "/*"])).map("".join)
)
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = repaired(text)
    except Unrepairable:
        return
    assert 0 < found.end <= len(text)
    assert (found.whole is Whole.YES) or found.end == len(text)
