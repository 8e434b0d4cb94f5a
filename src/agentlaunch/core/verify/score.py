"""What the cases came to, and the score from 0 to 100."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from agentlaunch.core.verify.agent_tools import USUAL_AGENTS, agent_cases
from agentlaunch.core.verify.case import Case
from agentlaunch.core.verify.general import general_cases
from agentlaunch.core.verify.recall import recall_cases

BATTERY_VERSION = 1
"""Raised when cases, judges or weights change: scores of two versions are not comparable."""


class Outcome(StrEnum):
    """How a case ended. An unfinished one had no time left, and counts as failed."""

    PASSED = "passed"
    FAILED = "failed"
    UNFINISHED = "unfinished"


@dataclass(frozen=True)
class CaseResult:
    """One case. `why` is empty for a passed one; `mended` counts repairs of ours in its answer, None: not known.

    `seconds` is the whole time of the answer, `tokens_out` what it took.
    """

    name: str
    title: str
    weight: int
    outcome: Outcome
    why: str = ""
    mended: int | None = None
    seconds: float = 0.0
    tokens_out: int = 0

    @property
    def passed(self) -> bool:
        """With our repairs, if any."""
        return self.outcome is Outcome.PASSED

    @property
    def passed_raw(self) -> bool:
        """Without any repair of ours."""
        return self.passed and not self.mended


@dataclass(frozen=True)
class Score:
    """0 to 100: the weight of what passed, in percent, rounded down. `raw` leaves out what had to be mended."""

    score: int
    raw: int
    passed: int
    total: int
    mended: int


def battery(agent: str, context_window: int, *, is_long: bool = False) -> tuple[Case, ...]:
    """The cases for an agent, or for the usual ones where `agent` is empty. `context_window` in tokens."""
    agents = (agent,) if agent else USUAL_AGENTS
    own = tuple(case for name in agents for case in agent_cases(name))
    return (*general_cases(), *own, *recall_cases(context_window, is_long=is_long))


def score_of(results: Sequence[CaseResult]) -> Score:
    """The score; that of no case at all is 0."""
    whole = sum(result.weight for result in results) or 1
    passed = [result for result in results if result.passed]
    return Score(
        score=100 * sum(result.weight for result in passed) // whole,
        raw=100 * sum(result.weight for result in results if result.passed_raw) // whole,
        passed=len(passed),
        total=len(results),
        mended=sum(1 for result in passed if result.mended),
    )
