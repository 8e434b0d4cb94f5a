"""Whether a way leads out of this machine: a look at the routing table, without sending anything."""

from __future__ import annotations

import socket

_ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))
"""Addresses that nobody has (RFC 5737, RFC 3849)."""
_DISCARD_PORT = 9


def has_route() -> bool:
    """Whether the system would know where to send a packet that is for another machine. Takes no time.

    Connecting a datagram socket sends nothing: the system only looks for the route (man udp(7)).
    """
    return any(_leads_to(family, address) for family, address in _ELSEWHERE)


def _leads_to(family: socket.AddressFamily, address: str) -> bool:
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD_PORT))
    except OSError:
        return False
    return True
