"""What `doctor` found, as data and as text."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.finding import Finding, Severity

if TYPE_CHECKING:
    from agentlaunch.app.doctor.end_to_end import Proof
    from agentlaunch.app.doctor.examine import Diagnosis
    from agentlaunch.cli.canvas import Canvas
    from agentlaunch.cli.render import Failure

_STEP_INDENT = 20
"""Columns before a step's text: two, the word, and the seconds."""
_STYLES = {Severity.BROKEN: "bad", Severity.WILL_BITE: "warn", Severity.NOTE: "faint"}


def doctor_data(found: Diagnosis, proof: Proof | None) -> dict[str, object]:
    """`severity` is `broken`, `will bite` or `note`; `proof` is null without --end-to-end, its times are seconds."""
    return {
        "agents": list(found.agents),
        "is_broken": bool(doctor_failures(found, proof)),
        "families": [
            {
                "family": report.family,
                "seen": list(report.inspected.seen),
                "findings": [asdict(finding) for finding in report.inspected.findings],
            }
            for report in found.families
        ],
        "proof": None if proof is None else asdict(proof),
    }


def doctor_failures(found: Diagnosis, proof: Proof | None) -> tuple[Failure, ...]:
    """What defeats a launch, as the `errors` of `doctor --json`; empty where the command exits with 0."""
    broken = [(one.code, one.told, one.mend) for one in found.findings if one.severity is Severity.BROKEN]
    failed = proof.failure if proof is not None else None
    return (*broken, *([("proof-failed", f"{failed.name}: {failed.failed}", failed.mend)] if failed else []))


def doctor_text(found: Diagnosis, proof: Proof | None, canvas: Canvas) -> str:
    """What is there, what is wrong with the command that mends it, the proof's steps, and the verdict."""
    parts = [_seen_lines(found, canvas)]
    parts += [_finding_lines(finding, canvas) for finding in found.findings]
    if proof is not None:
        parts.append(_proof_lines(proof, canvas))
    parts.append([_verdict(found, proof, canvas)])
    return "\n\n".join("\n".join(lines) for lines in parts if lines)


def _seen_lines(found: Diagnosis, canvas: Canvas) -> list[str]:
    lines: list[str] = []
    for report in found.families:
        for number, line in enumerate(report.inspected.seen):
            lines += canvas.field("" if number else report.family, line)
    return [canvas.paint("What is here", "title"), *lines] if lines else []


def _finding_lines(finding: Finding, canvas: Canvas) -> list[str]:
    label = f"{finding.severity}: "
    lines = canvas.wrap(finding.told, canvas.paint(label, _STYLES[finding.severity]), " " * len(label))
    return [*lines, f"  {canvas.paint(finding.mend, 'strong')}"] if finding.mend else lines


def _proof_lines(proof: Proof, canvas: Canvas) -> list[str]:
    lines = [canvas.paint(f"End to end with {proof.agent}", "title")]
    for step in proof.steps:
        word = canvas.paint("failed", "bad") if step.failed else canvas.paint("ok", "good")
        text = step.failed or step.told
        head = f"  {word}{'' if step.failed else '    '} {step.seconds:6.1f} s  "
        lines += canvas.wrap(f"{step.name}: {text}", head, " " * _STEP_INDENT)
        lines += [f"  {canvas.paint(step.mend, 'strong')}"] if step.mend else []
    return [*lines, f"  kept: {proof.folder}"] if proof.folder else lines


def _verdict(found: Diagnosis, proof: Proof | None, canvas: Canvas) -> str:
    counts = {severity: sum(1 for one in found.findings if one.severity is severity) for severity in Severity}
    counted = ", ".join(f"{count} {severity}" for severity, count in counts.items() if count) or "nothing found"
    if doctor_failures(found, proof):
        return canvas.paint(f"A launch would fail: {counted}.", "bad")
    return canvas.paint(f"A launch should work: {counted}.", "good")
