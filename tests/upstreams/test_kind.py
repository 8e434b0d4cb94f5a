"""Every kind of upstream, and what becomes of the address that a user types."""

from __future__ import annotations

import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.wire.base import WIRES
from agentlaunch.errors import UserError
from agentlaunch.upstreams import UPSTREAMS
from agentlaunch.upstreams.kind import endpoint, load_kind, normalize_url

OPENROUTER_BODY = '{"usage":{"include":true},"provider":{"data_collection":"deny"}}'
ENDPOINTS = {
    "anthropic": Endpoint("anthropic", "anthropic_messages", "https://api.anthropic.com", "m", kind="anthropic"),
    "litellm": Endpoint("litellm", "openai_chat", "http://127.0.0.1:4000", "m", kind="litellm"),
    "llamacpp": Endpoint(
        "llamacpp", "openai_chat", "http://127.0.0.1:8080", "m", counting="llama_cpp", kind="llamacpp"
    ),
    "lmstudio": Endpoint("lmstudio", "openai_chat", "http://127.0.0.1:1234", "m", kind="lmstudio"),
    "ollama": Endpoint("ollama", "ollama_chat", "http://127.0.0.1:11434", "m", kind="ollama"),
    "openai": Endpoint(
        "openai",
        "openai_chat",
        "https://api.openai.com",
        "m",
        kind="openai",
        output_limit_field="max_completion_tokens",
    ),
    "openrouter": Endpoint(
        "openrouter",
        "openai_chat",
        "https://openrouter.ai/api",
        "m",
        kind="openrouter",
        body_fields=OPENROUTER_BODY,
    ),
    "vllm": Endpoint("vllm", "openai_chat", "http://127.0.0.1:8000", "m", kind="vllm"),
}


@pytest.mark.parametrize("name", UPSTREAMS)
def test_an_endpoint_of_every_kind_needs_only_a_model(name: str) -> None:
    assert endpoint(name, "", "m") == ENDPOINTS[name]


@pytest.mark.parametrize("name", UPSTREAMS)
def test_every_kind_speaks_a_wire_that_exists_and_has_a_normal_address(name: str) -> None:
    kind = load_kind(name)
    assert kind.name == name
    assert kind.wire in WIRES
    assert kind.listings
    assert normalize_url(kind.default_url) == kind.default_url


def test_only_the_vendors_own_address_gets_the_newer_limit() -> None:
    assert endpoint("openai", "https://api.openai.com/v1", "m").output_limit_field == "max_completion_tokens"
    assert endpoint("openai", "http://127.0.0.1:8080", "m").output_limit_field == "max_tokens"


def test_an_endpoint_has_what_it_was_given() -> None:
    made = endpoint("vllm", "gpu-box:8001/v1/", "qwen", " key \n", 65536, "work")
    assert made == Endpoint("work", "openai_chat", "http://gpu-box:8001", "qwen", "key", 65536, kind="vllm")


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080/v1/", "http://127.0.0.1:8080"),
        ("http://127.0.0.1:8080//v1//", "http://127.0.0.1:8080"),
        ("127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://0.0.0.0:8000/v1", "http://127.0.0.1:8000"),
        ("0.0.0.0", "http://127.0.0.1"),
        ("http://[::]:8000", "http://[::1]:8000"),
        ("http://0.0.0.0.example:8000", "http://0.0.0.0.example:8000"),
        ("localhost:8080/v1", "http://localhost:8080"),
        ("localhost", "http://localhost"),
        (" https://API.Example.com/v1 ", "https://api.example.com"),
        ("https://openrouter.ai/api/v1", "https://openrouter.ai/api"),
        ("https://openrouter.ai/api/v1/chat/completions", "https://openrouter.ai/api"),
        ("http://h:1/v1/messages", "http://h:1"),
        ("http://h:1/Proxy/v1", "http://h:1/Proxy"),
        ("http://h:1/v1beta", "http://h:1/v1beta"),
        ("http://[::1]:8080/v1", "http://[::1]:8080"),
        ("http://[::1]", "http://[::1]"),
    ],
)
def test_an_address_is_normalized(typed: str, expected: str) -> None:
    assert normalize_url(typed) == expected
    assert normalize_url(expected) == expected


@pytest.mark.parametrize(
    "typed",
    [
        "", "   ", "http://", "http:///v1", "ftp://h/", "file:///etc/passwd", "http://h:port", "http://h:99999", "http://h:0",
        "http://h:", "http://h:-1", "http://h/?key=1", "http://h/#x", "http://user:pw@h", "http://h o st", "http://[::1",
        "http://h\\x", "http://héllo", "://h", "?", "javascript:alert(1)", "http://:8080",
    ],
)  # fmt: skip
def test_junk_is_the_users_error(typed: str) -> None:
    with pytest.raises(UserError) as error:
        normalize_url(typed)
    assert error.value.code == "bad-upstream-url"


def test_a_password_in_an_address_is_not_shown() -> None:
    with pytest.raises(UserError) as error:
        normalize_url("https://user:hunter2@host/v1")
    assert error.value.message == "`https://[hidden]@host/v1` is no address of a server"


def test_a_key_in_an_address_is_not_shown() -> None:
    with pytest.raises(UserError) as raised:
        normalize_url("https://host/v1?key=correct-horse")
    assert raised.value.message == "`https://host/v1?[hidden]` is no address of a server"


def test_an_unknown_kind_gets_the_nearest_name() -> None:
    with pytest.raises(UserError) as error:
        load_kind("olama")
    assert error.value.code == "unknown-upstream-kind"
    assert error.value.hint.startswith("did you mean `ollama`?")


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown() -> None:
    with pytest.raises(UserError) as error:
        endpoint("openai", "", "m", "sk-secret\nsecond line")
    assert error.value.code == "bad-upstream-key"
    assert "secret" not in error.value.message + error.value.hint
