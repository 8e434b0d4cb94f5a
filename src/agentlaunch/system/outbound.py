"""httpx's transports, through the proxy and with the certificates that this machine's settings name."""

from __future__ import annotations

import httpx

from agentlaunch.system.proxies import UnusableProxyError, certificates, machine_proxies, usable_proxy

DEFAULT_LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20)
"""httpx's own (its documentation, "Resource limits")."""


class OutboundProxyError(httpx.ProxyError):
    """UnusableProxyError as callers of httpx expect their errors."""


class OutboundTransport(httpx.BaseTransport):
    """Sends each request past the proxy or through it. Proxies that no request needs may be as broken as they are."""

    def __init__(self, limits: httpx.Limits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._proxies = machine_proxies()
        self._ways: dict[str, httpx.HTTPTransport] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Raises httpx.TransportError, of which OutboundProxyError is one."""
        try:
            proxy = usable_proxy(str(request.url), self._proxies)
        except UnusableProxyError as error:
            raise OutboundProxyError(str(error)) from error
        if proxy not in self._ways:
            self._ways[proxy] = httpx.HTTPTransport(
                verify=certificates(httpx.create_ssl_context), limits=self._limits, proxy=proxy or None
            )
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
        """Raises httpx.TransportError, of which OutboundProxyError is one."""
        try:
            proxy = usable_proxy(str(request.url), self._proxies)
        except UnusableProxyError as error:
            raise OutboundProxyError(str(error)) from error
        if proxy not in self._ways:
            self._ways[proxy] = httpx.AsyncHTTPTransport(
                verify=certificates(httpx.create_ssl_context), limits=self._limits, proxy=proxy or None
            )
        return await self._ways[proxy].handle_async_request(request)

    async def aclose(self) -> None:
        """Close every connection."""
        for way in self._ways.values():
            await way.aclose()
