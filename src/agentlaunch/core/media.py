"""Images and documents inside a request: the media types that models take, and data URLs (RFC 2397)."""

from __future__ import annotations

import binascii

IMAGE_TYPES = frozenset({"image/png", "image/jpeg", "image/jpg", "image/gif", "image/webp"})
"""What llama.cpp and the vendors decode; another type in a history fails every later request (field report B105)."""

_TEXT_TYPES = frozenset(
    {"application/json", "application/xml", "application/javascript", "application/yaml", "application/x-yaml"}
    | {"application/toml", "application/x-sh", "application/x-ndjson", "application/sql", "image/svg+xml"}
)
"""Types of text that do not begin with `text/`."""
_IMAGE_STARTS = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}
"""Base64 of each type's first bytes."""


def image_type_of(data: str) -> str:
    """The media type that the first bytes of base64 data tell; empty for none that is known."""
    return next((kind for start, kind in _IMAGE_STARTS.items() if data.startswith(start)), "")


def data_url(media_type: str, data: str) -> str:
    """The address that holds base64 `data` itself."""
    return f"data:{media_type};base64,{data}"


def split_data_url(url: str) -> tuple[str, str] | None:
    """Media type (without parameters, perhaps empty) and base64 data; None for another kind of address."""
    head, comma, data = url.partition(",")
    if not comma or not head.startswith("data:") or not head.endswith(";base64"):
        return None
    return media_type_of(url), data


def is_readable(media_type: str) -> bool:
    """Whether models take images of this type."""
    return media_type.lower() in IMAGE_TYPES


def vendors_type(media_type: str) -> str:
    """The registered name of an image's type: vendors refuse `image/jpg`."""
    return "image/jpeg" if media_type.lower() == "image/jpg" else media_type


def bare_data(media_type: str, data: str) -> tuple[str, str]:
    """Media type and base64 data, where a client may have put a whole data URL into the data."""
    named, bare = split_data_url(data) or ("", data)
    return named or media_type, bare


def media_type_of(url: str) -> str:
    """The media type that a data URL of any form names, without parameters; empty for none."""
    return url.removeprefix("data:").partition(",")[0].partition(";")[0]


def text_in(media_type: str, data: str) -> str:
    """The text of base64 `data` of a type of text, which any model can read; empty where there is none."""
    kind = media_type.lower()
    if not (kind.startswith("text/") or kind in _TEXT_TYPES or kind.endswith(("+json", "+xml"))):
        return ""
    try:
        return binascii.a2b_base64(data).decode("utf-8-sig")
    except ValueError:
        return ""
