"""The name that OpenAI's APIs want of an answer's schema."""

from __future__ import annotations

import re

_NAMELESS = "answer"
_LONGEST = 64


def schema_name(name: str) -> str:
    """`name` of the characters that the vendor takes, 64 at most (OpenAI's API reference); a word for an empty one."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:_LONGEST] or _NAMELESS
