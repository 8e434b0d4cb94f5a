"""Which proxy a request goes through, from what system or variables say; read as tolerantly as people write it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

USABLE_SCHEMES = ("http", "https", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ProxySettings:
    """`by_scheme` has an address for `http`, `https` or `all`; `excepted` are the entries of NO_PROXY."""

    by_scheme: Mapping[str, str] = field(default_factory=dict)
    excepted: tuple[str, ...] = ()


def read_proxies(found: Mapping[str, str]) -> ProxySettings:
    """The settings in what `urllib.request.getproxies` finds, where `no` has the exceptions."""
    by_scheme = {scheme: proxy_address(found[scheme]) for scheme in ("http", "https", "all") if found.get(scheme)}
    entries = found.get("no", "").replace(",", " ").split()
    return ProxySettings(by_scheme, tuple(entries))


def proxy_address(text: str) -> str:
    """A proxy as it is addressed: `http` without a scheme. GNOME and Clash write `socks://` for SOCKS 5."""
    cleaned = text.strip()
    scheme, separator, rest = cleaned.partition("://")
    if not separator:
        return f"http://{cleaned}"
    return f"{'socks5' if scheme.lower() == 'socks' else scheme.lower()}://{rest}"


def proxy_for(url: str, settings: ProxySettings) -> str:
    """The address of the proxy that a request for `url` goes through, empty for none."""
    parts = urlsplit(url)
    address = settings.by_scheme.get(parts.scheme) or settings.by_scheme.get("all", "")
    if not address:
        return ""
    host, port = (parts.hostname or "").rstrip("."), parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)
    return "" if any(_excepts(entry, host, port) for entry in settings.excepted) else address


def proxy_fault(address: str) -> str:
    """Why nobody can use this proxy, empty for nothing; a password in it is not repeated."""
    shown = shown_proxy(address)
    try:
        parts = urlsplit(address)
        is_address = bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address:
        return f"`{shown}` is no address of a proxy"
    return "" if parts.scheme in USABLE_SCHEMES else f"`{shown}` is no kind of proxy that we know"


def shown_proxy(address: str) -> str:
    """The address without user and password."""
    scheme, separator, rest = address.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"[:200]


def _excepts(entry: str, host: str, port: int) -> bool:
    """Whether an entry of NO_PROXY means this host: a name and all below it, an address, a network, each with a port.

    As curl and Go read it (curl(1), --noproxy; golang.org/x/net/http/httpproxy). An entry that is none of these means
    nobody: an IPv6 network must not end every request (encode/httpx 3221).
    """
    if entry == "*":
        return True
    named = entry.rpartition("://")[2]
    is_network = _is_in_network(named, host)
    if is_network is not None:
        return is_network
    name, colon, digits = named.rpartition(":")
    if colon and digits.isdecimal():
        return int(digits) == port and _excepts(name, host, port) if name else False
    suffix = named.lower().removeprefix("*").strip(".")
    return bool(suffix) and (host == suffix or host.endswith(f".{suffix}"))


def _is_in_network(entry: str, host: str) -> bool | None:
    """Whether the host's address is the entry's, or in its network; None where the entry is neither."""
    try:
        network = ip_network(entry.removeprefix("[").removesuffix("]"), strict=False)
    except ValueError:
        return None
    try:
        return ip_address(host) in network
    except ValueError:
        return False
