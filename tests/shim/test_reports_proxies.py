"""Public reports of proxies: which requests to upstreams go through the one of the environment, and which never."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from socket import gethostbyname, gethostname

import psutil
import pytest

from agentlaunch.core.addresses import is_near
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.errors import AgentlaunchError
from agentlaunch.runtimes.ollama_address import parse_address
from agentlaunch.runtimes.ollama_control import OllamaControl
from agentlaunch.shim.upstream import UpstreamClient
from agentlaunch.upstreams.kind import load_kind
from agentlaunch.upstreams.survey import ask_models

PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
LOGIN = b64encode(b"user:pass@word").decode()

Ask = Callable[[str], Awaitable[object]]


async def ask_for_an_answer(url: str) -> None:
    client = UpstreamClient()
    endpoint = Endpoint("double", "openai_chat", url, "engine-model", may_leave=True)
    try:
        async with client.post(endpoint, "/v1/x", b"{}") as response:
            await response.read()
    finally:
        await client.aclose()


async def ask_for_models(url: str) -> None:
    await asyncio.to_thread(ask_models, load_kind("vllm"), url, {})


async def ask_ollama(url: str) -> None:
    control = OllamaControl(parse_address(url), 5)
    try:
        with suppress(AgentlaunchError):  # an answer without a version
            await control.version()
    finally:
        await control.close()


async def heard_by(host: str, ask: Ask, url: str, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[str]]:
    """The heads that a proxy and a server at `host` got of one call to `url`, which has `{port}` for the server's."""
    heads: dict[str, list[str]] = {"proxy": [], "server": []}

    def keeping(name: str) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heads[name].append((await reader.readuntil(b"\r\n\r\n")).decode())
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}")
            await writer.drain()
            writer.close()

        return serve

    proxy = await asyncio.start_server(keeping("proxy"), "127.0.0.1", 0)
    server = await asyncio.start_server(keeping("server"), host, 0)
    for variable in PROXY_VARIABLES:
        monkeypatch.setenv(variable, f"http://user:pass%40word@127.0.0.1:{proxy.sockets[0].getsockname()[1]}")
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(variable, raising=False)
    async with proxy, server:
        await ask(url.format(port=server.sockets[0].getsockname()[1]))
    return heads["proxy"], heads["server"]


EACH = pytest.mark.parametrize("ask", [ask_for_an_answer, ask_for_models, ask_ollama])


@pytest.mark.report("B257")
@EACH
def test_an_upstream_elsewhere_is_asked_through_the_proxy_with_its_login(
    ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_proxy, at_server = asyncio.run(heard_by("127.0.0.1", ask, "http://far.example:80", monkeypatch))
    assert (bool(at_proxy), at_server) == (True, [])
    assert all(f"proxy-authorization: basic {LOGIN}".lower() in head.lower() for head in at_proxy)
    assert all("http://far.example" in head.split(" ")[1] for head in at_proxy)


@pytest.mark.report("B257")
@EACH
@pytest.mark.parametrize("place", ["loopback", "name"])
def test_an_upstream_near_by_is_asked_past_the_proxy(ask: Ask, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    name, address = ("127.0.0.1", "127.0.0.1") if place == "loopback" else own_name()
    at_proxy, at_server = asyncio.run(heard_by(address, ask, f"http://{name}:{{port}}", monkeypatch))
    assert (at_proxy, bool(at_server)) == ([], True)


def own_name() -> tuple[str, str]:
    """This machine's name and an address of its own; what goes there does not leave it."""
    name = gethostname()
    own = {each.address for found in psutil.net_if_addrs().values() for each in found}
    with suppress(OSError):
        address = gethostbyname(name)
        if "." not in name and address in own:
            return name, address
    pytest.skip("this machine's name has a domain, or is no name of its own address")


@pytest.mark.report("B257")
@pytest.mark.parametrize(
    ("url", "near"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("http://10.1.2.3:8000", True),
        ("https://172.31.255.255", True),
        ("http://172.32.0.1", False),
        ("http://192.168.1.20:11434", True),
        ("http://169.254.1.1", True),
        ("http://[fd00::7]:8000", True),
        ("http://[fe80::1]", True),
        ("http://[2001:db8::1]", False),
        ("http://8.8.8.8", False),
        ("http://gpu:8000", True),
        ("http://studio.local:1234", True),
        ("https://openrouter.ai/api", False),
        ("https://10.0.0.1.evil.example", False),
        ("http://local.example", False),
        ("", False),
    ],
)
def test_what_is_near_is_told_by_the_address_or_a_name_without_a_domain(url: str, near: bool) -> None:
    assert is_near(url) is near
