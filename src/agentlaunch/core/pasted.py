"""Values as people set and copy them: what stands around them is no part of them."""

from __future__ import annotations

_QUOTES = ('"', "'")


def unquoted(text: str) -> str:
    """A value without blanks, byte order mark and one pair of quotation marks around it."""
    value = text.strip("\ufeff \t\r\n")
    if len(value) > 1 and value[0] == value[-1] and value[0] in _QUOTES:
        value = value[1:-1].strip()
    return value


def pasted_key(text: str) -> str:
    """The key in a value as people set it: without the quotation marks that `docker run --env-file` keeps, the `Bearer`
    of a header, and the byte order mark and line end of a file."""
    key = unquoted(text)
    return key[len("bearer ") :].strip() if key[: len("bearer ")].lower() == "bearer " else key
