"""Running sums of finished requests, as /metrics and the live view show them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from agentlaunch.core.metering import RequestRecord

FIRST_BYTE_BOUNDS_S = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Upper bounds of the histogram's buckets: a hosted model answers in tenths of a second, a long local prefill takes
minutes."""


@dataclass
class Histogram:
    """Seconds in buckets; `buckets[i]` counts those up to `FIRST_BYTE_BOUNDS_S[i]` and above the bound before."""

    buckets: list[int] = field(default_factory=lambda: [0] * (len(FIRST_BYTE_BOUNDS_S) + 1))
    sum_s: float = 0.0

    def add(self, seconds: float) -> None:
        """Count one."""
        index = next((i for i, bound in enumerate(FIRST_BYTE_BOUNDS_S) if seconds <= bound), len(FIRST_BYTE_BOUNDS_S))
        self.buckets[index] += 1
        self.sum_s += seconds


@dataclass
class TrafficTotals:
    """Everything since the shim began. Keys: (upstream, model, status), kind of token, upstream."""

    requests: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    tokens: Counter[tuple[str, str]] = field(default_factory=Counter)
    first_byte: dict[str, Histogram] = field(default_factory=dict)
    failovers: int = 0
    mended: int = 0
    cost_usd: float = 0.0

    def add(self, record: RequestRecord) -> None:
        """Count a finished request. Its attempts beyond the first are failovers."""
        self.requests[record.upstream, record.model, record.status] += 1
        self.tokens[record.upstream, "input"] += record.tokens_in
        self.tokens[record.upstream, "cached"] += record.tokens_cached
        self.tokens[record.upstream, "output"] += record.tokens_out
        if record.first_byte_ms is not None:
            self.first_byte.setdefault(record.upstream, Histogram()).add(record.first_byte_ms / 1000)
        self.failovers += max(0, record.attempts - 1)
        self.mended += record.mended
        self.cost_usd += record.cost_usd or 0.0
