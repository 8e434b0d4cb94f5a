"""Whether an address is on this machine: what decides if bytes leave it."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit


@lru_cache(maxsize=64)
def is_loopback(url: str) -> bool:
    """Whether `url` names this machine: `localhost` (RFC 6761, 6.3) or a loopback address."""
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
