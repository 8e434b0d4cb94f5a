"""Text that came from elsewhere, such that a terminal only shows it: no cursor, title, clipboard or link of theirs."""

from __future__ import annotations

_COMMANDS = r"\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Controls but tab and line feed (ECMA-48, C0 and C1), what turns the direction of letters around (UAX 9), and
Unicode's own line and paragraph ends, which forge a line of a log as a line feed does."""
_STYLE = r"(?:0|1|2|4|7|3[0-7]|9[0-7])"
_OURS = rf"\x1b\[{_STYLE}(?:;{_STYLE})*m"
"""Styles, as cli/canvas.py writes them: visible letters in another colour are all that they can do."""


def harmless(text: str) -> str:
    """`text` with a question mark for each character that commands a terminal; tabs, line ends and styles stay."""
    if _is_plain(text):
        return text
    import re

    return re.sub(f"({_OURS})|[{_COMMANDS}]", lambda found: found[1] or "?", text)


def one_line(text: str) -> str:
    """`text` harmless and on one line: what others say can begin no line of a log."""
    return " ".join(harmless(text).split("\n"))


def harmless_json(document: str) -> str:
    """A JSON document that says the same, with such characters written as escapes: they stand in strings alone."""
    if _is_plain(document):
        return document
    import re

    return re.sub(f"[{_COMMANDS}]", lambda found: f"\\u{ord(found[0]):04x}", document)


def _is_plain(text: str) -> bool:
    """Nearly always; `re` is then no part of what a command costs."""
    return text.replace("\n", "").isprintable()
