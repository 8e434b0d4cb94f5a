"""Where an address is: on this machine, which decides if bytes leave it, or near it, where no proxy is asked."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address, ip_network
from urllib.parse import urlsplit

_PRIVATE_NETWORKS = tuple(
    map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "fc00::/7", "fe80::/10"))
)
"""RFC 1918, 3927, 4193 and 4291 (2.5.6): addresses that no proxy's side of the network has."""


@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: `localhost` (RFC 6761, 6.3) or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


@lru_cache(maxsize=64)
def is_near(url: str) -> bool:
    """Whether `url` is on this machine or, by its address, in this machine's own network; such servers are asked
    directly where a proxy is set (report B257).

    A name is near when it has no domain, or the one of multicast DNS (RFC 6762): as browsers tell local addresses.
    """
    host = (urlsplit(url).hostname or "").rstrip(".")
    try:
        address = ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith(".local"))
    return address.is_loopback or any(address in network for network in _PRIVATE_NETWORKS)
