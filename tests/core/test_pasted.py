"""What stands around a value is no part of it."""

from __future__ import annotations

import pytest

from agentlaunch.core.pasted import pasted_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("sk-1234", "sk-1234"),
        (' "sk-1234"\r\n', "sk-1234"),
        ("'sk-1234'", "sk-1234"),
        ("\ufeffsk-1234\n", "sk-1234"),
        ("Bearer sk-1234", "sk-1234"),
        ('"bearer  sk-1234 "', "sk-1234"),
        ('sk-"12"34"', 'sk-"12"34"'),
        ("\"sk-1234'", "\"sk-1234'"),
        ("bearer", "bearer"),
        ('"', '"'),
        ("", ""),
    ],
)
def test_a_key_is_read_as_people_set_it(text: str, key: str) -> None:
    assert pasted_key(text) == key
