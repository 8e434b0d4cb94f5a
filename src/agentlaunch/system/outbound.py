"""HTTP to other machines: through the proxy and with the certificates that this machine's settings name."""

from __future__ import annotations

import ssl
from urllib.request import getproxies

import httpx

from agentlaunch.core.addresses import is_near
from agentlaunch.core.proxies import ProxySettings, proxy_fault, proxy_for, read_proxies, shown_proxy

DEFAULT_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
"""httpx's own (its documentation, "Resource limits")."""
PROXY_HINT = "name an HTTP proxy, as in: export HTTPS_PROXY=http://127.0.0.1:7890; or unset HTTPS_PROXY ALL_PROXY"


class UnusableProxy(httpx.ProxyError):
    """The settings name a proxy for this request that cannot be used; the text says why, without its password."""


def machine_proxies() -> ProxySettings:
    """What the variables say, else macOS' or Windows' own settings."""
    return read_proxies(getproxies())


def certificates() -> ssl.SSLContext:
    """Whom to believe: SSL_CERT_FILE or SSL_CERT_DIR, else the authorities that httpx brings.

    The variable may name a file that is gone (conda leaves it behind): the public authorities then, never nobody.
    """
    try:
        return httpx.create_ssl_context()
    except OSError:
        return httpx.create_ssl_context(trust_env=False)


def usable_proxy(url: str, proxies: ProxySettings) -> str:
    """The proxy for `url`, empty for none and for a server near by. Raises UnusableProxy."""
    address = "" if is_near(url) else proxy_for(url, proxies)
    fault = proxy_fault(address) if address else ""
    if fault:
        raise UnusableProxy(fault)
    if address.startswith("socks") and not _knows_socks():
        what = f"the SOCKS proxy `{shown_proxy(address)}` needs the package `socksio` (pip install 'httpx[socks]')"
        raise UnusableProxy(what)
    return address


class OutboundTransport(httpx.BaseTransport):
    """Sends each request past the proxy or through it. Proxies that no request needs may be as broken as they are."""

    def __init__(self, limits: httpx.Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._proxies = machine_proxies()
        self._ways: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError, of which UnusableProxy is one."""
        proxy = usable_proxy(str(request.url), self._proxies)
        if proxy not in self._ways:
            self._ways[proxy] = httpx.HTTPTransport(verify=certificates(), limits=self._limits, proxy=proxy or None)
        return self._ways[proxy].handle_request(request)

    def close(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            way.close()


class AsyncOutboundTransport(httpx.AsyncBaseTransport):
    """The same for a loop."""

    def __init__(self, limits: httpx.Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._proxies = machine_proxies()
        self._ways: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError, of which UnusableProxy is one."""
        proxy = usable_proxy(str(request.url), self._proxies)
        if proxy not in self._ways:
            self._ways[proxy] = httpx.AsyncHTTPTransport(
                verify=certificates(), limits=self._limits, proxy=proxy or None
            )
        return await self._ways[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            await way.aclose()


def _knows_socks() -> bool:
    from importlib.util import find_spec

    return find_spec("socksio") is not None
