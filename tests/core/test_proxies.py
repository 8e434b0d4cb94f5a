"""Which proxy a request goes through: settings as users, desktops and companies write them."""

from __future__ import annotations

import pytest

from agentlaunch.core.proxies import ProxySettings, proxy_address, proxy_fault, proxy_for, read_proxies

WEB = "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("said", "address"),
    [
        ("http://proxy.example:3128", "http://proxy.example:3128"),
        (" proxy.example:3128 ", "http://proxy.example:3128"),
        ("HTTP://proxy.example:3128/", "http://proxy.example:3128/"),
        ("socks://127.0.0.1:7891/", "socks5://127.0.0.1:7891/"),
        ("socks5h://127.0.0.1:7891", "socks5h://127.0.0.1:7891"),
        ("ftp://127.0.0.1:21", "ftp://127.0.0.1:21"),
    ],
)
def test_a_proxy_is_addressed_as_it_is_meant(said: str, address: str) -> None:
    assert proxy_address(said) == address


def test_the_settings_of_the_system_are_read_with_commas_or_blanks_and_without_what_is_empty() -> None:
    found = {"http": "", "https": "proxy.example:3128", "all": "socks://127.0.0.1:7891", "no": "a, b c,,d", "ftp": "x"}
    assert read_proxies(found) == ProxySettings({"https": WEB, "all": "socks5://127.0.0.1:7891"}, ("a", "b", "c", "d"))


def test_a_schemes_own_proxy_is_taken_before_that_of_all() -> None:
    settings = ProxySettings({"https": WEB, "all": "socks5://127.0.0.1:7891"})
    found = [proxy_for(url, settings) for url in ("https://far.example", "http://far.example")]
    assert found == [WEB, "socks5://127.0.0.1:7891"]
    assert proxy_for("https://far.example", ProxySettings({"http": WEB})) == ""


@pytest.mark.parametrize(
    ("entry", "url", "is_excepted"),
    [
        ("*", "https://far.example", True),
        ("far.example", "https://far.example", True),
        ("far.example", "https://hub.far.example", True),
        (".far.example", "https://far.example", True),
        ("*.far.example", "https://hub.far.example", True),
        ("FAR.example", "https://far.example.", True),
        ("far.example", "https://notfar.example", False),
        ("far.example:443", "https://far.example", True),
        ("far.example:8443", "https://far.example", False),
        ("https://far.example", "https://far.example", True),
        ("10.0.0.0/8", "http://10.1.2.3:8000", True),
        ("10.0.0.0/8", "http://11.1.2.3:8000", False),
        ("10.0.0.0/8", "https://far.example", False),
        ("10.1.2.3:8000", "http://10.1.2.3:8000", True),
        ("10.1.2.3:9000", "http://10.1.2.3:8000", False),
        ("::1", "http://[::1]:8000", True),
        ("[::1]", "http://[::1]:8000", True),
        ("[::1]:8000", "http://[::1]:8000", True),
        ("fd07:b51a:cc66:f0::/64", "http://[fd07:b51a:cc66:f0::9]", True),
        ("fd07:b51a:cc66:f0::/64", "https://far.example", False),
        ("fe80::%eth0/64", "https://far.example", False),
        (":", "https://far.example", False),
        (":443", "https://far.example", False),
        (".", "https://far.example", False),
        ("[", "https://far.example", False),
    ],
)
def test_an_entry_of_no_proxy_means_a_name_and_those_below_it_an_address_or_a_network(
    entry: str, url: str, is_excepted: bool
) -> None:
    assert (proxy_for(url, ProxySettings({"all": WEB}, (entry,))) == "") is is_excepted


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        (WEB, ""),
        ("socks5h://127.0.0.1:7891", ""),
        ("ftp://user:pass@127.0.0.1:21", "`ftp://127.0.0.1:21` is no kind of proxy that we know"),
        ("http://user:pass@127.0.0.1:nought", "`http://127.0.0.1:nought` is no address of a proxy"),
        ("http://[::1", "`http://[::1` is no address of a proxy"),
        ("http://", "`http://` is no address of a proxy"),
        ("http://127.0.0.1:0", "`http://127.0.0.1:0` is no address of a proxy"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(address: str, fault: str) -> None:
    assert proxy_fault(address) == fault
