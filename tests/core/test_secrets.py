"""Keys in others' words are masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.secrets import MASK, without_secrets


@pytest.mark.report("B316")
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("invalid key sk-ant-api03-abcDEF_123", "invalid key [hidden]"),
        ("Incorrect API key provided: sk-proj-abcdef123456. Find", "Incorrect API key provided: [hidden]. Find"),
        ("Incorrect API key provided: sk-abc***xyz.", "Incorrect API key provided: [hidden]."),
        ("sk-or-v1-0123456789abcdef", "[hidden]"),
        ("hf_abcdefghijkl", "[hidden]"),
        ("github_pat_11ABCDEFG0123456789", "[hidden]"),
        ("AIzaSyA1234567890123456789012", "[hidden]"),
        ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln bad", "token [hidden] bad"),
        ("key-0123456789ab", "[hidden]"),
        ("Authorization: Bearer abc.def-0123456789", "Authorization: Bearer [hidden]"),
        ("Bearer abcdef refused", "Bearer [hidden] refused"),
        ("authorization: Basic dXNlcjpwYXNz==", "authorization: Basic [hidden]"),
        ("GET /v1?key=abcDEF_123&x=1", "GET /v1?key=[hidden]&x=1"),
        ('{"x-api-key": "abcDEF_123"}', '{"x-api-key": "[hidden]"}'),
        ("x-api-key: abcDEF_123", "x-api-key: [hidden]"),
        ("http://user:pass@127.0.0.1:1/v1", "http://[hidden]@127.0.0.1:1/v1"),
    ],
)
def test_whatever_looks_like_a_key_is_masked(text: str, masked: str) -> None:
    assert without_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "the key `key_path` is missing",
        "no API key: set one",
        "basic authentication is off",
        "token_count is too big",
        "http://127.0.0.1:8080/v1/models",
        "task-runner-9 failed, disk-0 is full",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(), st.from_regex(r"sk-[a-z0-9]{20}", fullmatch=True), st.text())
def test_a_key_is_masked_wherever_it_stands(before: str, key: str, after: str) -> None:
    masked = without_secrets(f"{before} {key} {after}")
    assert key not in masked
    assert MASK in masked
