"""A configuration's change as a unified diff that may be shown: whatever may be a secret is masked."""

from __future__ import annotations

import re
from difflib import unified_diff

from agentlaunch.core.secrets import MASK, without_secrets

_TELLING = r"[\w.-]*(?:token|key|secret|passw|credential|auth|cookie|bearer|header)[\w.-]*"
_ASSIGNED = re.compile(
    rf"""(?P<key>["']?{_TELLING}["']?\s*[:=,]\s*)(?P<quote>["'])(?P<value>(?:\\.|(?!(?P=quote))[^\\\n])+)(?P=quote)""",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"\d+|\{(?:file|env):[^}]+\}|(?:cat|type) ['\"\\/].*serve-token['\"\\]*")
"""Numbers, references to a file or a variable, and our own way to the token."""


def config_diff(path: str, before: bytes | None, after: bytes | None) -> str:
    """The change of the file `path`; empty when there is none, None stands for no file."""
    old, new = _lines(before), _lines(after)
    names = ("/dev/null" if before is None else path, "/dev/null" if after is None else path)
    return "\n".join(masked(line) for line in unified_diff(old, new, *names, lineterm=""))


def masked(line: str) -> str:
    """The line with values masked whose key or whose look says that they may be secrets."""
    shown, at = "", 0
    for found in _ASSIGNED.finditer(line):
        is_harmless = _HARMLESS.fullmatch(found["value"]) is not None
        quoted = f"{found['quote']}{MASK}{found['quote']}"
        shown += without_secrets(line[at : found.start()])
        shown += found.group() if is_harmless else found["key"] + quoted
        at = found.end()
    return shown + without_secrets(line[at:])


def _lines(content: bytes | None) -> list[str]:
    return [] if content is None else content.decode("utf-8", "replace").splitlines()
