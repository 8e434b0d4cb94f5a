"""What `verify` found, as data and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.cli.fitted_table import narrow_table
from agentlaunch.cli.machine_view import window

if TYPE_CHECKING:
    from agentlaunch.app.verify_store import Verified, VerifiedScore
    from agentlaunch.cli.canvas import Canvas
    from agentlaunch.core.verify.score import CaseResult

GOOD, FAIR = 85, 60
"""From here on an agent works, or works under supervision: our judgement, for an essential case weighs about ten."""


def verify_data(done: Verified) -> dict[str, object]:
    """`score` and `raw` are 0 to 100; `raw` leaves out cases that passed only after our repairs. Times in seconds."""
    return {
        "model": done.model,
        "runtime": done.runtime,
        "agent": done.agent or None,
        "context_window": done.context_window,
        "battery": done.battery,
        **asdict(done.score),
        "cases": [asdict(result) for result in done.results],
        "record": done.record or None,
    }


def verify_text(done: Verified, canvas: Canvas, columns: int | None = None) -> str:
    """A line a case, the score, what failed, and where the answers are."""
    rows = [
        (result.name, result.outcome.value, _mended(result), f"{result.seconds:.1f}", str(result.weight))
        for result in done.results
    ]
    parts = [narrow_table(("CASE", "RESULT", "MENDED", "SECONDS", "WEIGHT"), rows, columns, ("WEIGHT", "SECONDS"))]
    failed = [result for result in done.results if not result.passed]
    if failed:
        lines = [line for result in failed for line in canvas.wrap(f"{result.name}: {result.why}", "  ", "    ")]
        parts.append("\n".join([canvas.paint("What failed", "title"), *lines]))
    parts.append("\n".join(_score_lines(done, canvas)))
    return "\n\n".join(parts)


def _score_lines(done: Verified, canvas: Canvas) -> list[str]:
    score = done.score
    style = "good" if score.score >= GOOD else "warn" if score.score >= FAIR else "bad"
    shown = canvas.paint(f"{score.score} of 100", style)
    whom = f" with the tools of {done.agent}" if done.agent else ""
    lines = [f"{done.model} on {done.runtime}{whom}, window {window(done.context_window)}: {shown}"]
    lines.append(f"{score.passed} of {score.total} cases passed, {score.mended} of them mended; raw {score.raw} of 100")
    lines += [f"answers: {done.record}"] if done.record else ["not kept: only some cases were asked"]
    return lines


def _mended(result: CaseResult) -> str:
    return "?" if result.mended is None else str(result.mended or "-")


def verified_text(score: VerifiedScore) -> str:
    """A kept score in a few words, for `check` and `models show`."""
    whom = f" for {score.agent}" if score.agent else ""
    mended = "" if score.raw == score.score else f", {score.raw} without mending"
    return f"{score.score} of 100{whom} on {score.runtime}{mended}"
