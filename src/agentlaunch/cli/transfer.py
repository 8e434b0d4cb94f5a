"""A transfer as one line of text: a bar, how much, how fast, how long still; and when a line is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from agentlaunch.cli.canvas import Canvas
from agentlaunch.weights.progress import Progress, RateMeter, Stage, size_text

PAINTED_EVERY_S, PLAIN_EVERY_S = 0.1, 5.0
_BAR_CELLS = 20
_BAR_COLUMNS = 64
"""A narrower line has no bar: the figures say the same."""
_STAGES: dict[Stage, str] = {
    "fetching": "",
    "checking": "checking ",
    "pausing": "asks again soon: ",
    "waiting": "another process fetches it: ",
}


class TransferLines:
    """Lines for what a transfer tells, when one is due: no colours, so that a line is as wide as it is long.

    `clock` gives seconds of any steady clock.
    """

    def __init__(self, canvas: Canvas, every_s: float, clock: Callable[[], float], *, is_painted: bool) -> None:
        self._canvas = replace(canvas, colours=False)
        self._every_s = every_s
        self._clock = clock
        self._is_painted = is_painted
        self._meter = RateMeter()
        self._shown_at = clock()
        self._stage: Stage | None = None

    def line(self, progress: Progress) -> str | None:
        """The line, None when the last one is too fresh; that another process is waited for, or no more, at once."""
        now = self._clock()
        if progress.stage != self._stage:
            self._meter = RateMeter()
        self._meter.note(progress.done_bytes, now)
        is_news = progress.stage != self._stage and "waiting" in (progress.stage, self._stage)
        is_due = is_news or now - self._shown_at >= self._every_s
        self._stage = progress.stage
        if not is_due:
            return None
        self._shown_at = now
        return self._text(progress)

    def _text(self, progress: Progress) -> str:
        share = progress.done_bytes / progress.total_bytes if progress.total_bytes else 0.0
        rate, left = self._meter.bytes_per_s, self._meter.seconds_left(progress.total_bytes)
        parts = [
            f"{share:4.0%}",
            f"{size_text(progress.done_bytes)} of {size_text(progress.total_bytes)}",
            f"{size_text(rate)}/s" if rate else "",
            f"{duration_text(left)} left" if left is not None and rate else "",
        ]
        bar = (
            f"{self._canvas.bar(share, _BAR_CELLS, 'good')} "
            if self._is_painted and self._canvas.columns >= _BAR_COLUMNS
            else ""
        )
        line = bar + _STAGES[progress.stage] + "  ".join(part for part in parts if part).strip()
        return line[: self._canvas.columns - 1] if self._is_painted else line


def duration_text(seconds: float) -> str:
    """The two largest units, `1 h 5 min`."""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
