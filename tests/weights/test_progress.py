"""Rate and time left of a transfer, with a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.weights.progress import RateMeter, size_text


def test_the_rate_is_that_of_the_last_seconds() -> None:
    meter = RateMeter()
    for second in range(40):
        meter.note(1000 * second if second < 20 else 20_000 + 100 * (second - 20), float(second))
    assert meter.bytes_per_s == pytest.approx(100)
    assert meter.seconds_left(21_900 + 1000) == pytest.approx(10)


def test_nothing_is_promised_before_something_moved() -> None:
    meter = RateMeter()
    assert (meter.bytes_per_s, meter.seconds_left(10)) == (0.0, None)
    meter.note(5, 1.0)
    assert (meter.bytes_per_s, meter.seconds_left(10)) == (0.0, None)
    meter.note(5, 2.0)
    assert (meter.bytes_per_s, meter.seconds_left(10)) == (0.0, None)


@pytest.mark.report("B306")
@given(st.lists(st.tuples(st.integers(0, 10**12), st.floats(0, 10**6)), max_size=30), st.integers(0, 10**12))
def test_no_rate_and_no_time_is_negative_whatever_comes(seen: list[tuple[int, float]], total: int) -> None:
    meter = RateMeter()
    for done, now in seen:
        meter.note(done, now)
        left = meter.seconds_left(total)
        assert meter.bytes_per_s >= 0
        assert left is None or left >= 0


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1_500_000, "1.4 MiB"),
        (99 * 2**20, "99 MiB"),
        (1000 * 2**20, "1.0 GiB"),
        (2**40, "1024.0 GiB"),
    ],
)
def test_sizes_are_short(size: int, text: str) -> None:
    assert size_text(size) == text
