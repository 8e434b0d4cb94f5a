"""Proxies and certificates as people have them: broken where nobody needs them, and told where somebody does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.doubles.hugging_face_server import HuggingFaceDouble
from tests.shim.doubles import KEY, Data, Head, ScriptedUpstream

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.proxies import ProxySettings
from agentlaunch.errors import MachineError, RemoteError
from agentlaunch.runtimes.ollama_address import parse_address
from agentlaunch.runtimes.ollama_control import OllamaControl
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed
from agentlaunch.system.proxies import UnusableProxyError, certificates, usable_proxy
from agentlaunch.upstreams.kind import load_kind
from agentlaunch.upstreams.survey import Reach, Unlisted, ask_models
from agentlaunch.weights.hub_settings import HubSettings
from agentlaunch.weights.hugging_face import list_repository

FAR = "http://far.invalid"
NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR")
SOCKS = "the SOCKS proxy `socks5://127.0.0.1:9` needs the package `socksio` (pip install 'httpx[socks]')"
TELLING = {
    "http://user:pass@[::1": "`http://[::1` is no address of a proxy",
    "ftp://user:pass@127.0.0.1:9": "`ftp://127.0.0.1:9` is no kind of proxy that we know",
}

Set = Callable[..., None]


@pytest.fixture
def set_only(monkeypatch: pytest.MonkeyPatch) -> Set:
    """Set these variables, and none that says more about proxies or certificates."""

    def run(**variables: str) -> None:
        for name in NAMES:
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)

    return run


async def asked_far(url: str = FAR) -> str:
    """What the client is told of an upstream that cannot be asked, or what the upstream said."""
    client = UpstreamClient()
    endpoint = Endpoint("far", "openai_chat", url, "m", key=KEY, may_leave=True)
    try:
        async with client.post(endpoint, "/v1/chat/completions", b"{}") as response:
            return (await response.read()).decode()
    except UpstreamFailed as failed:
        return failed.fault.message
    finally:
        await client.aclose()


async def through_a_proxy(set_only: Set, **others: str) -> list[str]:
    """The first lines that an HTTP proxy got, of a question to an upstream and of one for its models."""
    asked: list[str] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append((await reader.readuntil(b"\r\n")).decode().strip())
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    set_only(HTTP_PROXY=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", **others)
    async with server:
        await asked_far()
        await asyncio.to_thread(ask_models, load_kind("vllm"), FAR, {})
    return asked


@pytest.mark.parametrize(
    "others",
    [
        {"ALL_PROXY": "socks://127.0.0.1:7891/"},
        {"HTTPS_PROXY": "ftp://127.0.0.1:9"},
        {"NO_PROXY": "localhost,127.0.0.0/8,::1,[::1],fd07:b51a:cc66:f0::/64"},
        {"SSL_CERT_FILE": "/nowhere/ca.pem"},
    ],
)
def test_settings_that_a_request_does_not_need_do_not_hinder_it(set_only: Set, others: dict[str, str]) -> None:
    assert asyncio.run(through_a_proxy(set_only, **others)) == [
        f"POST {FAR}/v1/chat/completions HTTP/1.1",
        f"GET {FAR}/v1/models HTTP/1.1",
    ]


@pytest.mark.parametrize("proxy", TELLING)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(set_only: Set, proxy: str, tmp_path: Path) -> None:
    set_only(ALL_PROXY=proxy)
    reason = TELLING[proxy]
    assert asyncio.run(asked_far()) == f"the upstream `far` cannot be asked: {reason}"
    assert ask_models(load_kind("vllm"), FAR, {}) == Unlisted(Reach.SILENT, f"cannot be asked: {reason}")
    with pytest.raises(MachineError) as ollama:
        asyncio.run(OllamaControl(parse_address(f"{FAR}:80"), 5).version())
    with pytest.raises(RemoteError) as hub:
        list_repository("maker/Tiny-GGUF", HubSettings(FAR, tmp_path))
    assert (ollama.value.code, hub.value.code) == ("bad-proxy", "hub-unreachable")
    for error in (ollama.value, hub.value):
        assert reason in error.message
        assert error.hint.startswith("name an HTTP proxy, as in: export HTTPS_PROXY=")


def test_a_socks_proxy_says_which_package_it_needs() -> None:
    with pytest.raises(UnusableProxyError) as told:
        usable_proxy(FAR, ProxySettings({"all": "socks5://user:pass@127.0.0.1:9"}))
    assert str(told.value) == SOCKS


def test_a_proxy_that_refuses_is_named_as_the_cause(set_only: Set) -> None:
    async def run() -> str:
        async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            with suppress(ConnectionError):
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(proxy, "127.0.0.1", 0)
        set_only(HTTPS_PROXY=f"127.0.0.1:{server.sockets[0].getsockname()[1]}")
        async with server:
            return await asked_far("https://far.invalid")

    expected = "the upstream `far` cannot be reached through the proxy: look at HTTPS_PROXY and ALL_PROXY"
    assert asyncio.run(run()) == expected


def test_a_server_on_this_machine_is_asked_whatever_proxies_and_certificates_are_set(set_only: Set) -> None:
    set_only(ALL_PROXY="socks://127.0.0.1:9", NO_PROXY="[::1]", SSL_CERT_FILE="/nowhere/ca.pem")

    async def run() -> str:
        async with ScriptedUpstream([[Head(), Data(b"fine")]]).running() as upstream:
            return await asked_far(upstream.url)

    assert asyncio.run(run()) == "fine"


def test_a_hub_near_by_is_listed_whatever_proxies_and_certificates_are_set(set_only: Set, tmp_path: Path) -> None:
    set_only(ALL_PROXY="socks://127.0.0.1:9", NO_PROXY="[::1],fd07::/64", SSL_CERT_FILE="/nowhere/ca.pem")
    with HuggingFaceDouble({"maker/Tiny-GGUF": {"Tiny-Q4_K_M.gguf": b"x"}}).running() as double:
        listing = list_repository("maker/Tiny-GGUF", HubSettings(double.url, tmp_path))
    assert [file.name for file in listing.files] == ["Tiny-Q4_K_M.gguf"]


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_certificates_that_cannot_be_read_leave_the_public_ones(
    set_only: Set, content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    set_only(SSL_CERT_FILE=str(file))
    with pytest.raises(OSError):  # noqa: PT011 - which of its kinds depends on the content
        httpx.create_ssl_context()
    found = certificates(httpx.create_ssl_context)
    assert (found.verify_mode, found.check_hostname, bool(found.get_ca_certs())) == (ssl.CERT_REQUIRED, True, True)
