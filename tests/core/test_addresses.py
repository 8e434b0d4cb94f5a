"""Where an address is: on this machine, near it, or elsewhere."""

from __future__ import annotations

import pytest

from agentlaunch.core.addresses import is_loopback, is_near


@pytest.mark.parametrize(
    ("url", "loopback", "near"),
    [
        ("http://127.0.0.1:8080/v1", True, True),
        ("http://[::1]:8080", True, True),
        ("http://localhost:11434", True, True),
        ("http://192.168.1.7:8080", False, True),
        ("http://[fe80::1]:8080", False, True),
        ("http://gpu-box:8000", False, True),
        ("http://gpu-box.local.:8000", False, True),
        ("http://8.8.8.8", False, False),
        ("https://api.example.com/v1", False, False),
        ("https://localhost.example.com", False, False),
        ("no address", False, False),
    ],
)
def test_an_address_is_on_this_machine_near_it_or_elsewhere(url: str, loopback: bool, near: bool) -> None:
    assert (is_loopback(url), is_near(url)) == (loopback, near)
