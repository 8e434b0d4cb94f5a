"""What Ollama's versions can do: the oldest that we use, and what an old one lacks."""

from __future__ import annotations

import re

from agentlaunch.core.endpoint import Overflow
from agentlaunch.errors import MachineError

Version = tuple[int, ...]

OLDEST: Version = (0, 8, 0)
"""The first that streams answers to requests with tools (Ollama's release notes of 0.8.0)."""

_REFUSES_OVERFLOW: Version = (0, 16, 0)
"""`truncate` was merged after ollama/ollama#12545 (October 2025) and stood in both endpoints by #13990 (2026-01-31),
when 0.15 was current; a version in between is treated as one that may cut."""

_FEATURES: dict[Version, str] = {
    (0, 9, 0): "no reasoning can be asked for or told apart",
    _REFUSES_OVERFLOW: "a prompt that does not fit is cut without a word",
}
"""What is missing before a version (Ollama's release notes)."""

_NUMBER = re.compile(r"v?(\d+(?:\.\d+)*)")


def parse_version(text: str) -> Version | None:
    """The version's numbers; None for one that a build from source calls `0.0.0`, and for words."""
    found = _NUMBER.match(text.strip())
    number = tuple(int(part) for part in found[1].split(".")) if found else ()
    return number if any(number) else None


def check_version(text: str, url: str) -> tuple[str, ...]:
    """What this version lacks, as sentences for the user. Raises MachineError `ollama-too-old`."""
    version = parse_version(text)
    if version is None:
        return ()
    if version < OLDEST:
        raise MachineError(
            "ollama-too-old",
            f"the Ollama at `{url}` is version `{text}`, and streams no tool calls: `{_dotted(OLDEST)}` is needed",
            "update Ollama and restart its server: https://ollama.com/download",
        )
    return tuple(
        f"Ollama {text} is old: {what} (since {_dotted(since)})" for since, what in _FEATURES.items() if version < since
    )


def overflow_of(text: str) -> Overflow:
    """Whether this version refuses a prompt that does not fit when it is asked to."""
    version = parse_version(text)
    return "refused" if version is None or version >= _REFUSES_OVERFLOW else "unknown"


def _dotted(version: Version) -> str:
    return ".".join(map(str, version))
