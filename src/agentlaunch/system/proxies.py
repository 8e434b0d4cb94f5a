"""The proxies and the certificates that this machine's settings name; no HTTP library is loaded for it."""

from __future__ import annotations

import ssl
from importlib.util import find_spec
from typing import Protocol
from urllib.request import getproxies

from agentlaunch.core.addresses import is_near
from agentlaunch.core.proxies import ProxySettings, proxy_fault, proxy_for, read_proxies, shown_proxy

PROXY_HINT = "name an HTTP proxy, as in: export HTTPS_PROXY=http://127.0.0.1:7890; or unset HTTPS_PROXY ALL_PROXY"


class UnusableProxyError(Exception):
    """The settings name a proxy for this request that cannot be used; the text says why, without its password."""


def machine_proxies() -> ProxySettings:
    """What the variables say, else macOS' or Windows' own settings."""
    return read_proxies(getproxies())


def usable_proxy(url: str, proxies: ProxySettings) -> str:
    """The proxy for `url`, empty for none and for a server near by. Raises UnusableProxyError."""
    address = "" if is_near(url) else proxy_for(url, proxies)
    fault = proxy_fault(address) if address else ""
    if fault:
        raise UnusableProxyError(fault)
    if address.startswith("socks") and find_spec("socksio") is None:
        what = f"the SOCKS proxy `{shown_proxy(address)}` needs the package `socksio` (pip install 'httpx[socks]')"
        raise UnusableProxyError(what)
    return address


class MakeContext(Protocol):
    """`create_ssl_context` of httpx and of what is made from it."""

    def __call__(self, *, trust_env: bool) -> ssl.SSLContext:
        """A context that reads SSL_CERT_FILE and SSL_CERT_DIR, or one that knows the public authorities."""
        ...


def certificates(make: MakeContext) -> ssl.SSLContext:
    """Whom to believe: those that the variables name, else the public authorities that the library brings.

    A variable may name a file that is gone (conda leaves it behind): the public ones then, never nobody.
    """
    try:
        return make(trust_env=True)
    except OSError:
        return make(trust_env=False)
