"""JSON and what UTF-8 cannot carry: lone surrogates, which clients make by cutting an emoji in half, become U+FFFD."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec
from msgspec import UNSET, UnsetType

T = TypeVar("T")

_ENCODER = msgspec.json.Encoder()
_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)"
)


def json_string(text: str) -> bytes:
    r"""`text` as a JSON string; the characters U+D800 to U+DFFF, which UTF-8 cannot carry, become U+FFFD."""
    try:
        return _ENCODER.encode(text)
    except UnicodeEncodeError:
        return _ENCODER.encode(text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace"))


def mended_json(body: bytes) -> bytes:
    r"""`body` with each escape of a lone surrogate (`\ud83d` without its partner) made `\ufffd`.

    Clients send them (field report B002). The parts of a body that are kept as written (arguments, schemas) are not
    looked into by a decoder, so they are mended here. Bytes that are not UTF-8 are replaced likewise.
    """
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            body = body.decode("utf-8", "replace").encode()
    if b"\\u" in body and (b"\\ud" in body or b"\\uD" in body):
        return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], body)
    return body


def mended_arguments(text: str) -> str:
    r"""A call's arguments, which are JSON inside a JSON string: an escape in them is two levels deep.

    llama.cpp's parser refuses a lone `\ud83d` there, and with it the whole request.
    """
    if "\\ud" in text or "\\uD" in text:
        return mended_json(text.encode()).decode()
    return text


def unset_if_none(value: T | None) -> T | UnsetType:
    """`value` for a field that is left out when there is none."""
    return UNSET if value is None else value
