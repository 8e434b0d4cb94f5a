"""What is computed from a finished request."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.doubles.usage_rows import ROW, row

from agentlaunch.core.endpoint import Prices
from agentlaunch.core.ir import Usage
from agentlaunch.core.metering import (
    FREE,
    MOST_TOKENS,
    RequestRecord,
    UsageSum,
    decode_rate,
    list_cost_usd,
    plausible,
    total,
)
from agentlaunch.core.traffic_totals import FIRST_BYTE_BOUNDS_S, Histogram, TrafficTotals

COUNTS = st.integers(0, 10**7)


def test_counts_of_an_upstream_are_kept_within_what_can_be() -> None:
    assert plausible(Usage(10, 5, 3, 1, 0.5)) == Usage(10, 5, 3, 1, 0.5)
    assert plausible(Usage(10**20, -1, MOST_TOKENS + 1, -7)) == Usage(MOST_TOKENS, 0, MOST_TOKENS, 0)


def test_a_record_holds_figures_and_names_and_no_text_of_the_conversation() -> None:
    assert RequestRecord.__struct_fields__ == (
        "time",
        "session",
        "agent",
        "project",
        "route",
        "upstream",
        "model",
        "attempts",
        "status",
        "tokens_in",
        "tokens_cached",
        "tokens_out",
        "first_byte_ms",
        "total_ms",
        "mended",
        "cost_usd",
        "reference_cost_usd",
        "decode_tok_s",
    )


@pytest.mark.parametrize(
    ("tokens", "seconds", "rate"),
    [(101, 10.0, 10.0), (3, 10.0, None), (100, 0.01, None), (0, 0.0, None)],
)
def test_the_rate_is_told_only_where_enough_came_slowly_enough(tokens: int, seconds: float, rate: float | None) -> None:
    assert decode_rate(tokens, seconds) == rate


def test_cached_tokens_have_their_own_price_where_there_is_one() -> None:
    usage = Usage(input_tokens=1_000_000, cached_tokens=400_000, output_tokens=100_000)
    assert list_cost_usd(usage, Prices(3.0, 15.0, 0.3)) == pytest.approx(1.8 + 0.12 + 1.5)
    assert list_cost_usd(usage, Prices(3.0, 15.0)) == pytest.approx(3.0 + 1.5)
    assert list_cost_usd(usage, FREE) == 0.0


@given(COUNTS, COUNTS, COUNTS)
def test_no_usage_makes_a_negative_cost(tokens_in: int, cached: int, tokens_out: int) -> None:
    assert list_cost_usd(Usage(tokens_in, cached, tokens_out), Prices(3.0, 15.0, 0.3)) >= 0.0


def test_the_total_adds_every_field_of_the_groups() -> None:
    one = UsageSum("a", 1, 2, 3, 4, 5, 6, 7, 8.0, 9.0, 10, 11.0, 12.0)
    two = UsageSum("b", 10, 20, 30, 40, 50, 60, 70, 80.0, 90.0, 100, 110.0, 120.0)
    assert total([one, two]) == UsageSum("all", 11, 22, 33, 44, 55, 66, 77, 88.0, 99.0, 110, 121.0, 132.0)
    assert total([]) == UsageSum("all")


def test_the_shares_of_nothing_are_not_told() -> None:
    assert (UsageSum("a").cached_share, UsageSum("a").mean_first_byte_ms) == (None, None)
    some = UsageSum("a", requests=2, answered=2, tokens_in=100, tokens_cached=25, first_byte_ms=500.0)
    assert (some.cached_share, some.mean_first_byte_ms) == (0.25, 250.0)


def test_the_running_sums_count_by_upstream_model_and_status() -> None:
    totals = TrafficTotals()
    totals.add(ROW)
    totals.add(row(status="timeout", attempts=3, first_byte_ms=None, tokens_out=0, cost_usd=None))
    assert totals == TrafficTotals(
        requests={("llamacpp", "qwen3-coder", "ok"): 1, ("llamacpp", "qwen3-coder", "timeout"): 1},  # type: ignore[arg-type]
        tokens={("llamacpp", "input"): 2000, ("llamacpp", "cached"): 1600, ("llamacpp", "output"): 50},  # type: ignore[arg-type]
        first_byte={"llamacpp": Histogram([0, 0, 1, *[0] * (len(FIRST_BYTE_BOUNDS_S) - 2)], 0.1205)},
        failovers=2,
        mended=2,
        cost_usd=0.25,
    )


@given(st.lists(st.floats(0, 1e4), max_size=20))
def test_every_time_is_in_one_bucket_and_in_the_sum(times: list[float]) -> None:
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    assert sum(histogram.buckets) == len(times)
    assert histogram.buckets[-1] == sum(seconds > FIRST_BYTE_BOUNDS_S[-1] for seconds in times)
    assert histogram.sum_s == pytest.approx(sum(times))
