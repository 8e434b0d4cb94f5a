"""Finds paths that a glob names inside the bytes of a JSON body, where they stand escaped and in the middle of text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_SLASHES = re.compile(rb"[\\/]+")

LONGEST_PATH = 512
"""Bytes on each side of a hit that are looked at."""

_BETWEEN_LITERALS = re.compile(r"[*?/]+|\[[^\]]*\]")
_BOUNDS = tuple(bytes([byte]) for byte in b" \t\r\n\"'`<>|;,()[]{}=:!")
"""What ends a path in text. A colon, for `server.pem:12`; a path with blanks is seen from its last one on."""

_ESCAPED_BLANK = re.compile(rb"\\+[nrt]")
"""A line's end inside a JSON string is a backslash and a letter, with more backslashes for strings inside strings."""


@dataclass(frozen=True)
class PathGlob:
    """A compiled glob: `anchor` is its longest literal piece, in lower case, which every path that it names holds."""

    text: str
    anchor: bytes
    pattern: re.Pattern[bytes]


def anchor_of(glob: str) -> str:
    """The longest piece of `glob` without wildcards, in lower case; empty for one that names nothing in particular."""
    pieces = (piece for piece in _BETWEEN_LITERALS.split(_plain(glob)) if piece.strip("."))
    return max(pieces, key=len, default="")


def compile_glob(glob: str) -> PathGlob:
    """`*` and `?` stay inside a folder, `**` does not, `[ab]` is one of these; case and the kind of slash are the same.

    A glob without a slash is about names in any folder; one that begins with `/` is about whole paths; any other is
    about the end of a path, since the same file is told as a relative and as an absolute one.
    """
    plain = _plain(glob)
    rooted = plain.startswith("/")
    body = "".join(_translated(plain.lstrip("/")))
    head = "/" if rooted else "(?:.*/)?"
    return PathGlob(glob, anchor_of(glob).encode(), re.compile(f"{head}{body}".encode(), re.DOTALL))


def names_path_in(lowered: bytes, glob: PathGlob) -> bool:
    """Whether `lowered`, a body in lower case, holds a path that the glob names."""
    at = lowered.find(glob.anchor)
    while at >= 0:
        if any(glob.pattern.fullmatch(path) for path in _around(lowered, at, at + len(glob.anchor))):
            return True
        at = lowered.find(glob.anchor, at + 1)
    return False


def _plain(glob: str) -> str:
    """Lower case, forward slashes, and no `~/` or `./` in front, which nobody can resolve here."""
    plain = glob.strip().lower().replace("\\", "/")
    while plain.startswith(("~/", "./")):
        plain = plain[2:]
    return plain


def _translated(glob: str) -> Iterator[str]:
    at = 0
    while at < len(glob):
        if glob.startswith("**/", at):
            yield "(?:.*/)?"
            at += 3
        elif glob.startswith("**", at):
            yield ".+"
            at += 2
        elif glob[at] == "*":
            yield "[^/]*"
            at += 1
        elif glob[at] == "?":
            yield "[^/]"
            at += 1
        elif glob[at] == "[" and "]" in glob[at + 2 :]:
            end = glob.index("]", at + 2)
            inside = glob[at + 1 : end].replace("\\", "").replace("[", "\\[")
            yield f"[^{inside[1:]}]" if inside.startswith("!") else f"[{inside}]"
            at = end + 1
        else:
            yield re.escape(glob[at])
            at += 1


def _around(lowered: bytes, start: int, end: int) -> Iterator[bytes]:
    """The path that holds lowered[start:end], read both ways: a backslash as a slash of Windows, and as an escape."""
    left = lowered[max(0, start - LONGEST_PATH) : start]
    right = lowered[end : end + LONGEST_PATH]
    middle = lowered[start:end]
    for before, after in ((left, right), (_ESCAPED_BLANK.sub(b"\n", left), _ESCAPED_BLANK.sub(b"\n", right))):
        cut = max(before.rfind(bound) for bound in _BOUNDS)
        ends = (after.find(bound) for bound in _BOUNDS)
        stop = min((position for position in ends if position >= 0), default=len(after))
        yield _slashes(before[cut + 1 :] + middle + after[:stop])


def _slashes(path: bytes) -> bytes:
    """With single forward slashes, and without what only ends the sentence or the string around it."""
    return _SLASHES.sub(b"/", path).rstrip(b"./")
