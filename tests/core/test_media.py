"""Data URLs."""

from __future__ import annotations

import pytest

from agentlaunch.core.media import data_url, split_data_url


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("data:image/png;base64,AAAA", ("image/png", "AAAA")),
        ("data:image/png;name=a.png;base64,AAAA", ("image/png", "AAAA")),
        ("data:;base64,AAAA", ("", "AAAA")),
        ("data:text/plain,hello", None),
        ("data:image/png;base64", None),
        ("https://images.example/a.png", None),
        ("", None),
    ],
)
def test_a_data_url_is_taken_apart_and_nothing_else(url: str, parts: tuple[str, str] | None) -> None:
    assert split_data_url(url) == parts


def test_a_data_url_that_was_made_is_taken_apart_again() -> None:
    assert split_data_url(data_url("image/gif", "R0lG")) == ("image/gif", "R0lG")
