"""cli/picker_keys.py: what terminals send."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.cli.picker_keys import Key, NamedKey, Typed, keys_of


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("", []),
        ("\x1b[A\x1b[B", [NamedKey.UP, NamedKey.DOWN]),
        ("\x1bOA\x1bOB", [NamedKey.UP, NamedKey.DOWN]),
        ("\x1b", [NamedKey.ESCAPE]),
        ("\x1b\x1b", [NamedKey.ESCAPE, NamedKey.ESCAPE]),
        ("\r", [NamedKey.ENTER]),
        ("\x7f\b", [NamedKey.BACKSPACE, NamedKey.BACKSPACE]),
        ("\x03", [NamedKey.INTERRUPT]),
        ("\xe0H\0P", [NamedKey.UP, NamedKey.DOWN]),
        ("jé\xe0 ", [Typed("j"), Typed("é"), Typed("\xe0"), Typed(" ")]),
        ("\x1b[1;5C\x1b[200~x", [Typed("x")]),
        ("\x01\x02", []),
    ],
)
def test_what_is_sent_at_once_is_told_apart(sent: str, keys: list[Key]) -> None:
    assert list(keys_of(sent)) == keys


@given(st.text())
def test_whatever_is_sent_only_characters_that_can_be_shown_are_typed(sent: str) -> None:
    assert all(key.character.isprintable() for key in keys_of(sent) if isinstance(key, Typed))
