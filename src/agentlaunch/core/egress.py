"""What in an outgoing body may not leave this machine: the paths, patterns and secrets that a policy keeps back."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import msgspec

from agentlaunch.core.path_globs import PathGlob, compile_glob, names_path_in
from agentlaunch.core.policy import Caps
from agentlaunch.core.secret_forms import SECRET_FORMS, holds_assigned_secret

_ESCAPED_ASCII = re.compile(rb"(\\*)\\u00([2-7][0-9A-Fa-f])")
"""A character that needs no escape, and got one all the same: some clients escape `<`, and a secret may hide so."""


@dataclass(frozen=True)
class _Compiled:
    globs: tuple[PathGlob, ...]
    patterns: tuple[tuple[str, re.Pattern[str]], ...]


def leak_in(body: bytes, caps: Caps) -> str | None:
    """What `body`, a JSON document as it would be sent, holds that may not leave: words that name the rule, never the
    secret; None for nothing. 3 ms for 300 KB (benchmarks/routing.py).

    A path counts wherever it stands, since the text of a file comes next to its name. Patterns see the texts as they
    are meant, without JSON's escapes, also those of JSON inside of JSON (the arguments of tool calls).
    """
    compiled = _compiled(caps)
    if b"\\u00" in body:
        body = _ESCAPED_ASCII.sub(_unescaped, body)
    lowered = body.lower() if compiled.globs or caps.built_in_secrets else b""
    for glob in compiled.globs:
        if names_path_in(lowered, glob):
            return f"a path of `{glob.text}`"
    if caps.built_in_secrets:
        for form in SECRET_FORMS:
            if form.is_in(body):
                return form.name
        if holds_assigned_secret(body, lowered):
            return "a password or key that is written out"
    return _matched(compiled.patterns, body) if compiled.patterns else None


def _unescaped(found: re.Match[bytes]) -> bytes:
    """The character, behind the backslashes before its escape; an odd one among them is that of a nested string."""
    before = len(found[1])
    return b"\\" * (before - before % 2) + bytes([int(found[2], 16)])


@lru_cache(maxsize=16)
def _compiled(caps: Caps) -> _Compiled:
    """Caps come out of the settings, which have checked them."""
    return _Compiled(
        tuple(compile_glob(glob) for glob in caps.paths),
        tuple((pattern, re.compile(pattern)) for pattern in caps.patterns),
    )


def _matched(patterns: tuple[tuple[str, re.Pattern[str]], ...], body: bytes) -> str | None:
    text = "\n".join(_texts(body))
    for source, pattern in patterns:
        if pattern.search(text):
            return f"what the pattern `{source}` matches"
    return None


def _texts(body: bytes | str) -> Iterator[str]:
    """Every string of a JSON document; the whole as one text when it is none."""
    try:
        document: object = msgspec.json.decode(body)
    except msgspec.DecodeError:
        yield body if isinstance(body, str) else body.decode("utf-8", "replace")
        return
    yield from _strings(document)


def _strings(value: object) -> Iterator[str]:
    match value:
        case str():
            yield value
            if value.startswith(("{", "[")) and "\\" in value:
                yield from _texts(value)
        case dict():
            for key, item in value.items():
                yield str(key)
                yield from _strings(item)
        case list():
            for item in value:
                yield from _strings(item)
        case _:
            pass
