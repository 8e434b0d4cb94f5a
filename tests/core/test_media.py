"""Data URLs."""

from __future__ import annotations

import pytest

from agentlaunch.core.media import data_url, image_type_of, split_data_url, text_in


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


@pytest.mark.parametrize(
    ("data", "media_type"),
    [
        ("iVBORw0KGgoAAA", "image/png"),
        ("/9j/4AAQ", "image/jpeg"),
        ("R0lGODdh", "image/gif"),
        ("UklGRiIA", "image/webp"),
        ("https://a.test/b.png", ""),
        ("", ""),
    ],
)
def test_the_first_bytes_tell_an_images_type(data: str, media_type: str) -> None:
    assert image_type_of(data) == media_type


@pytest.mark.parametrize(
    ("media_type", "data", "text"),
    [
        ("text/plain", "aGVsbG8=", "hello"),
        ("Text/Markdown", "77u/aGVsbG8=", "hello"),
        ("Application/JSON", "e30=", "{}"),
        ("application/ld+json", "e30=", "{}"),
        ("application/pdf", "aGVsbG8=", ""),
        ("text/plain", "/w==", ""),
        ("", "aGVsbG8=", ""),
        ("text/plain", "no base64!", ""),
        ("text/plain", "aGk", ""),
        ("text/plain", "", ""),
    ],
)
def test_text_in_base64_is_read_where_its_type_says_that_it_is_text(media_type: str, data: str, text: str) -> None:
    assert text_in(media_type, data) == text
