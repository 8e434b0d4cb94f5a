"""What a look at the machine gives: what is there, and what is wrong with it, each with the command that mends it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad: a launch fails; something will fail or surprise sooner or later; good to know."""

    BROKEN = "broken"
    WILL_BITE = "will bite"
    NOTE = "note"


@dataclass(frozen=True)
class Finding:
    """One thing. `code` is a stable word for scripts; `mend` is what to type, or to do; empty where nothing helps."""

    severity: Severity
    code: str
    told: str
    mend: str = ""


@dataclass(frozen=True)
class Inspected:
    """What one family saw: `seen` are lines on what is well, `findings` what is not."""

    findings: tuple[Finding, ...] = ()
    seen: tuple[str, ...] = ()


def broken(code: str, told: str, mend: str = "") -> Finding:
    """A launch fails over it."""
    return Finding(Severity.BROKEN, code, told, mend)


def will_bite(code: str, told: str, mend: str = "") -> Finding:
    """It has not failed yet, or only fails beside a launch."""
    return Finding(Severity.WILL_BITE, code, told, mend)


def note(code: str, told: str, mend: str = "") -> Finding:
    """Good to know."""
    return Finding(Severity.NOTE, code, told, mend)
