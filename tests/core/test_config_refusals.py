"""Configuration files that cannot be read or changed safely, and the steps that come out of those that can."""

from __future__ import annotations

from typing import Any

import pytest

from agentlaunch.core.config_edit import Format, NotEditable, TakenOut, put_in, read_config, take_out
from agentlaunch.core.config_edit.jsonc_edit import edit_jsonc
from agentlaunch.core.config_edit.jsonc_tree import DEEPEST
from agentlaunch.core.config_edit.steps import Put, Remove, Step, Undone, applied, same, steps_back, steps_to
from agentlaunch.core.config_edit.toml_edit import NotToml, edit_toml

NAN = float("nan")


@pytest.mark.parametrize(
    ("content", "form", "why"),
    [
        (b'{"a": "\xff"}', "json", "it is not UTF-8 (byte 7)"),
        (b"[]", "json", "it is not a JSON object (line 1, column 1)"),
        (b"{}\n x", "json", "there is more behind its end (line 2, column 2)"),
        (b'{"a": }', "json", "a value is missing or not JSON (line 1, column 7)"),
        (b'{"a" 1}', "json", "a colon is missing (line 1, column 6)"),
        (b"{\n\ta: 1}", "json", "a key in quotes is missing (line 2, column 2)"),
        (b'{"a": 1 "b": 2}', "json", "a comma or `}` is missing (line 1, column 9)"),
        (b'{"a": [1 2]}', "json", "a comma or `]` is missing (line 1, column 10)"),
        (b'{"a": 1, "a": 2}', "json", "the key `a` is there twice (line 1, column 10)"),
    ],
)
def test_a_file_that_cannot_be_read_is_refused_with_the_place(content: bytes, form: Format, why: str) -> None:
    with pytest.raises(NotEditable) as refused:
        read_config(content, form)
    assert str(refused.value) == why


def test_a_file_that_is_no_toml_is_refused_with_the_place() -> None:
    with pytest.raises(NotEditable, match="at end of document"):
        read_config(b"a = ", "toml")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        (b"9" * 5_000, r"\(line 1, column 7\)"),
        (b"[" * DEEPEST, rf"it is nested more than {DEEPEST} levels deep \(line 1, column {7 + DEEPEST}\)"),
    ],
    ids=["digits", "levels"],
)
def test_more_digits_or_levels_than_python_reads_are_refused(value: bytes, why: str) -> None:
    with pytest.raises(NotEditable, match=why):
        read_config(b'{"a": ' + value, "json")


@pytest.mark.parametrize(
    ("content", "wanted", "why"),
    [
        ("[[a]]\n[c]\n[a.b]\n", {"z": 1}, "its form cannot be kept"),
        ("a.b=1\nc=2\na.d=3\n", {"a": {"b": {"n": 1}}}, "it is written in a way that cannot be changed safely"),
    ],
)
def test_toml_that_its_editor_would_garble_is_refused_whole(content: str, wanted: dict[str, Any], why: str) -> None:
    with pytest.raises(NotEditable) as refused:
        put_in(content.encode(), "toml", wanted)
    assert str(refused.value) == why


def test_half_a_surrogate_pair_is_written_as_the_escape_that_it_can_only_be() -> None:
    assert put_in(b'{"b": 2}', "json", {"a": "\ud83d"}) == b'{"b": 2, "a": "\\ud83d"}'


@pytest.mark.parametrize(
    ("before", "wanted", "original", "after"),
    [
        ('{"b": 2, "a": 1}', {"a": 1}, '{"b": 2}', '{"b": 2}'),
        ('{"a": 1, "b": 2}', {"a": 1}, '{"b": 2}', '{ "b": 2}'),
        ('{\n  "b": 2, // two\n  "a": 1\n}', {"a": 1}, "{}", '{\n  "b": 2 // two\n\n}'),
        ('{\r\n  "b": 2,\r\n  "a": 1,\r\n}', {"a": 1}, "{}", '{\r\n  "b": 2,\r\n}'),
        ('{\n  "a": 1\n}', {"a": 1}, "{}", "{\n}"),
        ('{"e": {"a": 1, "b": [2, 3]}}', {"e": {"a": 1}}, '{"e": {"b": [2, 3]}}', '{"e": { "b": [2, 3]}}'),
        ('{"e": {"a": 1}}', {"e": {"a": 1}}, "{}", "{}"),
        ('{"a": 1}', {"a": 1, "gone": 2}, '{"a": 0}', '{"a": 0}'),
        ('{"b": 2}', {"b": 2}, '{"b": 2}', '{"b": 2}'),
    ],
)
def test_our_keys_come_out_of_json_and_nothing_else_changes(
    before: str, wanted: dict[str, Any], original: str, after: str
) -> None:
    assert take_out(before.encode(), "json", wanted, original.encode()) == TakenOut(after.encode(), ())


def test_our_keys_come_out_of_toml_and_nothing_else_changes() -> None:
    before = b'# mine\nb = 2 # two\nmodel = "m"\n\n[features]\nx = true\ny = false\n'
    wanted = {"model": "m", "features": {"y": False}}
    after = b"# mine\nb = 2 # two\n\n[features]\nx = true\n"
    assert take_out(before, "toml", wanted, after) == TakenOut(after, ())


def test_a_key_that_somebody_has_changed_since_stays() -> None:
    changed = b'{"a": 5, "e": {"x": 6, "y": 1}}'
    wanted = {"a": 1, "e": {"x": 1, "y": 1}}
    assert take_out(changed, "json", wanted, b"{}") == TakenOut(b'{"a": 5, "e": {"x": 6}}', (("a",), ("e", "x")))


def test_a_key_that_is_again_what_it_was_before_is_not_spoken_of() -> None:
    assert steps_back({"a": 1}, {"a": 0}, {"a": 0}) == Undone((), ())


def test_only_what_differs_is_put() -> None:
    current = {"same": 1, "other": 1, "table": {"same": [1], "was": {}}}
    wanted = {"same": 1, "other": 1.0, "table": {"same": [1], "was": 2, "new": 3}}
    assert list(steps_to(wanted, current)) == [
        Put(("other",), 1.0),
        Put(("table", "was"), 2),
        Put(("table", "new"), 3),
    ]


def test_steps_change_a_copy_of_the_document() -> None:
    document: dict[str, object] = {"a": {"b": 1}, "c": 2}
    assert applied(document, (Put(("a", "d"), 3), Remove(("c",)))) == {"a": {"b": 1, "d": 3}}
    assert document == {"a": {"b": 1}, "c": 2}


def test_a_step_below_what_is_no_table_is_a_programming_error() -> None:
    with pytest.raises(TypeError, match=r"a\.b is in no table"):
        applied({"a": 1}, (Put(("a", "b"), 2),))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (1, 1, True),
        (1, 1.0, False),
        (1, True, False),
        (NAN, NAN, True),
        (1.5, 2.5, False),
        ([1, {"a": [2]}], [1, {"a": [2]}], True),
        ([1, {"a": [2]}], [1, {"a": [2.0]}], False),
        ([1], [1, 2], False),
        ({"a": 1}, {"b": 1}, False),
    ],
)
def test_values_are_the_same_when_they_would_be_written_the_same(one: object, other: object, expected: bool) -> None:
    assert same(one, other) is expected


def test_without_steps_a_text_stays_as_it_is() -> None:
    assert edit_jsonc('{ "a":1}', ()) == '{ "a":1}'
    assert edit_toml("a  =1", ()) == "a  =1"


@pytest.mark.parametrize(
    ("text", "step", "why"),
    [
        ("a = 1\n", Put(("a", "b"), 2), "`a` is no table"),
        ("a = ", Put(("b",), 2), "it cannot be edited: "),
        ("a = 1\n", Remove(("b",)), "it cannot be edited: "),
    ],
)
def test_a_step_that_does_not_fit_the_toml_is_refused(text: str, step: Step, why: str) -> None:
    with pytest.raises(NotToml) as refused:
        edit_toml(text, (step,))
    assert str(refused.value).startswith(why)
