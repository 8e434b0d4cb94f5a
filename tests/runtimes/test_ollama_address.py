"""OLLAMA_HOST in every form, and what versions can do."""

from __future__ import annotations

import base64

import pytest

from agentlaunch.errors import MachineError, UserError
from agentlaunch.runtimes.ollama_address import OllamaAddress, find_address, parse_address
from agentlaunch.runtimes.ollama_versions import check_version, overflow_of, parse_version

LOCAL = "http://127.0.0.1:11434"


@pytest.mark.report("B244")
@pytest.mark.report("B253")
@pytest.mark.report("B283")
@pytest.mark.parametrize(
    ("typed", "url", "bind"),
    [
        ("", LOCAL, "127.0.0.1:11434"),
        ("  ", LOCAL, "127.0.0.1:11434"),
        ('"127.0.0.1"', LOCAL, "127.0.0.1:11434"),
        ("0.0.0.0", LOCAL, "127.0.0.1:11434"),
        ("0.0.0.0:8000", "http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://0.0.0.0:11434/", LOCAL, "127.0.0.1:11434"),
        ("http://", "http://127.0.0.1:80", "127.0.0.1:80"),
        ("http://0.0.0.0", "http://127.0.0.1:80", "127.0.0.1:80"),
        (":11434", LOCAL, "127.0.0.1:11434"),
        ("[::]", "http://[::1]:11434", "[::1]:11434"),
        ("[::]:8000", "http://[::1]:8000", "[::1]:8000"),
        ("::1", "http://[::1]:11434", "[::1]:11434"),
        ("http://[::1]:8000", "http://[::1]:8000", "[::1]:8000"),
        ("[2001:db8::1]", "http://[2001:db8::1]:11434", ""),
        ("localhost", "http://localhost:11434", "localhost:11434"),
        ("192.168.1.5", "http://192.168.1.5:11434", ""),
        ("gpu-box:8000", "http://gpu-box:8000", ""),
        ("http://192.168.1.5", "http://192.168.1.5:80", ""),
        ("https://Ollama.Example.com", "https://ollama.example.com:443", ""),
        ("HTTPS://box.example/ollama/", "https://box.example:443/ollama", ""),
        ("http://127.0.0.1:80/ollama", "http://127.0.0.1:80/ollama", ""),
        ("http://127.0.0.1:11434/v1/", LOCAL, "127.0.0.1:11434"),
        ("127.0.0.1:11434/api", LOCAL, "127.0.0.1:11434"),
        ("https://box.example/ollama/v1", "https://box.example:443/ollama", ""),
    ],
)
def test_an_address_is_read_as_ollama_reads_it(typed: str, url: str, bind: str) -> None:
    assert parse_address(typed) == OllamaAddress(url, bind)
    assert find_address({"OLLAMA_HOST": typed}) == OllamaAddress(url, bind)


def test_a_token_is_a_bearer_and_never_shows_itself() -> None:
    address = find_address({"OLLAMA_HOST": "https://box", "OLLAMA_API_KEY": "tok\n"})
    assert address.headers == {"authorization": "Bearer tok"}
    assert "tok" not in repr(address)
    assert parse_address("box").headers == {}


@pytest.mark.report("B282")
@pytest.mark.report("B292")
def test_a_password_becomes_basic_and_leaves_the_url() -> None:
    address = parse_address("http://me:s3%40cret@10.0.0.5:11434", "tok")
    key = base64.b64encode(b"me:s3@cret").decode()
    assert address == OllamaAddress("http://10.0.0.5:11434", "", key, "basic")
    assert address.headers == {"authorization": f"Basic {key}"}


@pytest.mark.parametrize(
    "typed", ["ftp://h", "h:port", "h:0", "h:99999", "h o", "http://h/?k=1", "[::1", "a:b:c", "http://me:s3cret@h o"]
)
def test_junk_is_the_users_error_and_no_password_is_shown(typed: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_address(typed)
    assert caught.value.code == "bad-ollama-host"
    assert "s3cret" not in caught.value.message


@pytest.mark.parametrize(
    ("text", "version"),
    [("0.32.15", (0, 32, 15)), ("v0.9.1-rc2", (0, 9, 1)), ("0.0.0", None), ("dev", None), ("", None)],
)
def test_a_version_is_its_numbers(text: str, version: tuple[int, ...] | None) -> None:
    assert parse_version(text) == version


def test_what_an_old_version_lacks_is_named() -> None:
    assert check_version("0.32.15", LOCAL) == ()
    assert check_version("dev", LOCAL) == ()
    assert [note.partition(": ")[2] for note in check_version("0.8.0", LOCAL)] == [
        "no reasoning can be asked for or told apart (since 0.9.0)",
        "a prompt that does not fit is cut without a word (since 0.16.0)",
    ]
    assert [overflow_of(text) for text in ("0.15.9", "0.16.0", "dev")] == ["unknown", "refused", "refused"]


def test_a_version_that_streams_no_tool_calls_is_too_old() -> None:
    with pytest.raises(MachineError) as caught:
        check_version("0.7.1", LOCAL)
    assert caught.value.code == "ollama-too-old"
