"""How far a transfer is: bytes, the rate of the last seconds, and the time that is left. No clock of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Stage = Literal["checking", "fetching", "pausing", "waiting"]
"""Reading again what was fetched before; bytes on their way; a pause before the server is asked again; another process
of ours fetches the same file."""

WINDOW_S = 15.0
"""The rate is that of so many seconds: long enough to be steady, short enough to follow a changed network."""


@dataclass(frozen=True)
class Progress:
    """Bytes of all files together. `done_bytes` never falls but for a file that had to be begun again."""

    stage: Stage
    done_bytes: int
    total_bytes: int


OnProgress = Callable[[Progress], None]


class RateMeter:
    """Bytes a second over the last WINDOW_S seconds; the caller brings the time, in seconds of any steady clock."""

    def __init__(self) -> None:
        self._seen: deque[tuple[float, int]] = deque()

    def note(self, done_bytes: int, now: float) -> None:
        """Take one reading. A count that fell, or a clock that did, begins anew (report B306)."""
        if self._seen and (done_bytes < self._seen[-1][1] or now < self._seen[-1][0]):
            self._seen.clear()
        self._seen.append((now, done_bytes))
        while len(self._seen) > 2 and now - self._seen[0][0] > WINDOW_S:
            self._seen.popleft()

    @property
    def bytes_per_s(self) -> float:
        """0 where nothing moves or too little was seen."""
        if len(self._seen) < 2:
            return 0.0
        (began, first), (ended, last) = self._seen[0], self._seen[-1]
        return (last - first) / (ended - began) if ended > began else 0.0

    def seconds_left(self, total_bytes: int) -> float | None:
        """None where nobody can tell."""
        rate = self.bytes_per_s
        if rate <= 0 or not self._seen:
            return None
        return max(total_bytes - self._seen[-1][1], 0) / rate


def size_text(size_bytes: float) -> str:
    """Bytes as people read them, in powers of 1,024."""
    if size_bytes < 1024:
        return f"{size_bytes:.0f} B"
    for unit in ("KiB", "MiB"):
        size_bytes /= 1024
        if size_bytes < 1000:
            return f"{size_bytes:.{0 if size_bytes >= 10 else 1}f} {unit}"
    return f"{size_bytes / 1024:.1f} GiB"
