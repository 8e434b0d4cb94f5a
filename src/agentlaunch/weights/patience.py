"""How long a download waits before it asks again, and when it gives up."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

_WINDOW_END = re.compile(r";\s*t=(\d{1,9})(?![\d.])")
"""Seconds until more is allowed: Hugging Face's `RateLimit: "resolvers";r=0;t=123` (its page on rate limits)."""


@dataclass(frozen=True)
class Patience:
    """Seconds. The pause before each further try is twice the last one.

    `tries` without one byte of progress end a download of which nothing has come yet; `tries_begun`, eight minutes, one
    that was on its way: routers restart, laptops sleep, and whoever began it in the evening is not there to go on with
    it (lmstudio-bug-tracker 1031). `told_s` is the longest wait of the server's own that is kept; Hugging Face counts
    requests in windows of 300.
    """

    connect_s: float = 15.0
    silence_s: float = 30.0
    tries: int = 6
    tries_begun: int = 20
    pause_s: float = 0.5
    longest_pause_s: float = 30.0
    look_s: float = 0.25
    told_s: float = 330.0

    def is_over(self, failures: int, *, has_begun: bool) -> bool:
        """Whether so many tries in a row that brought nothing are enough."""
        return failures >= (self.tries_begun if has_begun else self.tries)

    def pause_after(self, failures: int) -> float:
        """Seconds before the next try, where the server has told none."""
        return float(min(self.pause_s * 2 ** min(failures, 16), self.longest_pause_s))


PATIENT = Patience()
"""What a download has unless a test says otherwise."""


def told_wait_s(headers: Mapping[str, str]) -> float | None:
    """The wait that an answer asks for; None where it tells none, or tells it as a date."""
    plain = headers.get("retry-after", "").strip()
    if plain.isascii() and plain.isdigit():
        return float(plain[:9])
    found = _WINDOW_END.search(headers.get("ratelimit", ""))
    return None if found is None else float(found[1])
