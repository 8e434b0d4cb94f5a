"""JSON text with the spacing of Python's `json.dumps`, and nothing else of it changed."""

from __future__ import annotations

import re

import msgspec

_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[,:]|[^\s",:]+', re.DOTALL)
_AFTER = {",": ", ", ":": ": "}


def spaced_json(text: str) -> str:
    """`text` as `json.dumps` would space it: `{"a": 1, "b": [2]}`.

    Strings, numbers and the order of keys stay as written; text that is no JSON object is given back as it is. Chat
    templates write calls so (`tojson`), and models are trained on what templates write, while clients replay a call in
    their own spacing (facts/agents.md 3.1).
    """
    stripped = text.strip()
    if not (stripped.startswith("{") and stripped.endswith("}")) or not _is_json(stripped):
        return text
    return "".join([_AFTER.get(token, token) for token in _TOKEN.findall(stripped)])


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True
