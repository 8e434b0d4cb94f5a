"""Spells texts as TOML, for Codex's `-c`."""

from __future__ import annotations

import json


def toml_string(text: str) -> str:
    """A TOML basic string: JSON's escapes are TOML's, as long as no surrogate pair is written out; TOML also wants DEL
    escaped (TOML 1.0, String)."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
