"""What is kept of a request once it is over: who asked whom, how long it took, what it cost. Never a word of it."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec

from agentlaunch.core.endpoint import Prices
from agentlaunch.core.ir import Usage

OK = "ok"
"""The status of a request whose answer is whole; a failed one has its `ErrorKind`."""

CANCELLED = "cancelled"
"""The status of a request whose client has left."""

FREE = Prices(input_usd=0.0, output_usd=0.0)
"""The prices of an engine of ours."""

SHORTEST_DECODE_S = 0.05
"""An answer that arrives faster than this came in one piece: its pace is the network's, not the model's."""

MOST_TOKENS = 10**12
"""No request has so many: a count above it, or below 0, is an upstream's mistake, and more than SQLite can keep."""

FEWEST_DECODED = 4
"""Tokens below which a rate says nothing."""


class RequestRecord(msgspec.Struct, frozen=True):
    """One request as it is kept. `time` is its start in Unix seconds, `project` the agent's folder, empty if unknown.

    `status` is `OK`, `CANCELLED` or an `ErrorKind`'s value; `attempts` counts the upstreams that were asked, with
    repeats; `mended` the repairs of its answer. `tokens_in` is the whole prompt, `tokens_cached` the part of it from a
    cache. Costs are US dollars, None when no price is known; `reference_cost_usd` is what the same tokens cost at a
    managed model's list price. `first_byte_ms` ends with the first content, None when none came.
    """

    time: float
    session: str
    agent: str
    project: str
    route: str
    upstream: str
    model: str
    attempts: int
    status: str
    tokens_in: int
    tokens_cached: int
    tokens_out: int
    first_byte_ms: float | None
    total_ms: float
    mended: int
    cost_usd: float | None
    reference_cost_usd: float | None
    decode_tok_s: float | None


class Grouping(StrEnum):
    """What `usage` sums by."""

    DAY = "day"
    MODEL = "model"
    PROJECT = "project"
    AGENT = "agent"
    UPSTREAM = "upstream"


class UsageSum(msgspec.Struct, frozen=True):
    """Many requests added up. `key` is the group's name, `failed` counts what ended neither `OK` nor `CANCELLED`.

    `first_byte_ms` is the sum over the `answered` requests that have one. `saved_usd` is the sum, over requests with a
    reference price, of that price less what was paid.
    """

    key: str
    requests: int = 0
    failed: int = 0
    cancelled: int = 0
    answered: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    first_byte_ms: float = 0.0
    total_ms: float = 0.0
    mended: int = 0
    cost_usd: float = 0.0
    saved_usd: float = 0.0

    @property
    def cached_share(self) -> float | None:
        """The part of all prompts that came from a cache, 0 to 1; None without prompts."""
        return min(1.0, self.tokens_cached / self.tokens_in) if self.tokens_in else None

    @property
    def mean_first_byte_ms(self) -> float | None:
        """Milliseconds to the first content, on average; None when none came."""
        return self.first_byte_ms / self.answered if self.answered else None


def plausible(usage: Usage) -> Usage:
    """The same counts, each at least 0 and at most MOST_TOKENS."""
    names = ("input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens")
    return msgspec.structs.replace(usage, **{name: min(max(getattr(usage, name), 0), MOST_TOKENS) for name in names})


def decode_rate(tokens_out: int, decode_s: float) -> float | None:
    """Tokens a second between the first content and the last, None where too little came to tell."""
    if tokens_out < FEWEST_DECODED or decode_s < SHORTEST_DECODE_S:
        return None
    return (tokens_out - 1) / decode_s


def list_cost_usd(usage: Usage, prices: Prices) -> float:
    """US dollars for these tokens; cached ones at the full price where no price of their own is known."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    cached_price = prices.input_usd if prices.cached_input_usd is None else prices.cached_input_usd
    fresh = usage.input_tokens - cached
    return (fresh * prices.input_usd + cached * cached_price + usage.output_tokens * prices.output_usd) / 1e6


def total(sums: Sequence[UsageSum], key: str = "all") -> UsageSum:
    """Everything added up once more."""
    added = ("requests", "failed", "cancelled", "answered", "tokens_in", "tokens_cached", "tokens_out", "mended")
    measured = ("first_byte_ms", "total_ms", "cost_usd", "saved_usd")
    values = {name: sum(getattr(each, name) for each in sums) for name in (*added, *measured)}
    return UsageSum(key, **values)
