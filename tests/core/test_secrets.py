"""Keys in others' words are masked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.secrets import MASK, without_key, without_secrets


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
        ("http://user:p@ss:w0rd@127.0.0.1:1/v1", "http://[hidden]@127.0.0.1:1/v1"),
        ("http://:pass@127.0.0.1:1/v1", "http://[hidden]@127.0.0.1:1/v1"),
        ("https://Zq8xV3nB7mL2kJ5h@host/x", "https://[hidden]@host/x"),
        ("?token=Zq8xV3nB7mL2&x=1", "?token=[hidden]&x=1"),
        ("?access_token=Zq8xV3nB7mL2", "?access_token=[hidden]"),
        ("?X-Amz-Signature=9f86d081884c7d65&x=1", "?X-Amz-Signature=[hidden]&x=1"),
        ("?sv=2024&sig=Zq8xV3nB7mL2", "?sv=2024&sig=[hidden]"),
        ("Bearer%20Zq8xV3nB7mL2&x=1", "Bearer%20[hidden]&x=1"),
        ("Authorization: Token abcdefgh", "Authorization: Token [hidden]"),
        ("'Authorization': 'Basic dXNlcjpwYXNz', 'x': 1", "'Authorization': 'Basic [hidden]', 'x': 1"),
        ("Authorization: AWS4-HMAC-SHA256 Credential=AKIA/x, Signature=f0", "Authorization: AWS4-HMAC-SHA256 [hidden]"),
        ("Set-Cookie: sid=abc; Path=/\r\nServer: x", "Set-Cookie: [hidden]\r\nServer: x"),
        ('{"cookie": "sid=abc", "x": 1}', '{"cookie": "[hidden]", "x": 1}'),
        ("export OPENAI_API_KEY='Zq8xV3nB7mL2'", "export OPENAI_API_KEY='[hidden]'"),
        ("{'api_key': 'Zq8xV3nB7mL2', 'x': 1}", "{'api_key': '[hidden]', 'x': 1}"),
        ('apiKey: "Zq8xV3nB7mL2"', 'apiKey: "[hidden]"'),
        ('{"password": "hunter2hunter2"}', '{"password": "[hidden]"}'),
        ("client_secret=Zq8xV3nB7mL2;", "client_secret=[hidden];"),
        ("AKIAIOSFODNN7ABCDEFG refused", "[hidden] refused"),
        ("glpat-abcdefghij1234567890 gsk_abcdef123 ghs_abcdef123", "[hidden] [hidden] [hidden]"),
        ("xoxb-123456789012-abcdefghijkl", "[hidden]"),
        ("ya29.a0AfH6SMBx-abcdefghijk", "[hidden]"),
        ("pplx-abcdefgh12345678 csk-abcdefgh12345678 fw_3ZabcdefghQR", "[hidden] [hidden] [hidden]"),
        ("r8_abcdefghijklmnop tgp_v1_abcdefghij sess-abcdefgh12345678", "[hidden] [hidden] [hidden]"),
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
        "prompt_tokens: 12345678, max_tokens=4096",
        "token: 123456789 of 262144",
        "the secret is out: nothing follows",
        "set password: ask the administrator",
        "session-based sess-ions",
        "git+ssh://git@github.com/x",
        "authorization: required",
        "the Authorization header is missing",
    ],
)
def test_plain_words_stay(text: str) -> None:
    assert without_secrets(text) == text


@given(st.text(), st.from_regex(r"sk-[a-z0-9]{20}", fullmatch=True), st.text())
def test_a_key_is_masked_wherever_it_stands(before: str, key: str, after: str) -> None:
    masked = without_secrets(f"{before} {key} {after}")
    assert key not in masked
    assert MASK in masked


def test_a_key_that_is_known_is_masked_whatever_it_looks_like_and_a_word_is_none() -> None:
    assert without_key("no such key: correct horse battery", "correct horse") == "no such key: [hidden] battery"
    assert without_key("none of them", "none") == "none of them"
    assert without_key("none of them", "") == "none of them"
