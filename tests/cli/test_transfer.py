"""Lines about a transfer, with a clock that the test moves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.transfer import TransferLines, duration_text
from agentlaunch.weights.progress import Progress, Stage

MIB = 1 << 20


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def lines_of(canvas: Canvas, every_s: float, *, is_painted: bool) -> tuple[TransferLines, Clock]:
    clock = Clock()
    return TransferLines(canvas, every_s, clock, is_painted=is_painted), clock


def test_a_plain_line_comes_every_five_seconds_with_rate_and_time_left() -> None:
    lines, clock = lines_of(Canvas(), 5.0, is_painted=False)
    told = {}
    for second in range(12):
        clock.now = float(second)
        line = lines.line(Progress("fetching", second * 10 * MIB, 1200 * MIB))
        if line is not None:
            told[second] = line
    assert told == {
        5: "4%  50 MiB of 1.2 GiB  10 MiB/s  1 min 55 s left",
        10: "8%  100 MiB of 1.2 GiB  10 MiB/s  1 min 50 s left",
    }


def test_a_painted_line_has_a_bar_where_there_is_room() -> None:
    lines, clock = lines_of(Canvas(80, colours=True), 0.1, is_painted=True)
    lines.line(Progress("fetching", 0, 100 * MIB))
    clock.now = 1.0
    line = lines.line(Progress("fetching", 50 * MIB, 100 * MIB))
    assert line == "[##########..........] 50%  50 MiB of 100 MiB  50 MiB/s  1 s left"
    narrow, clock = lines_of(Canvas(40), 0.1, is_painted=True)
    narrow.line(Progress("fetching", 0, 100 * MIB))
    clock.now = 1.0
    assert narrow.line(Progress("fetching", 50 * MIB, 100 * MIB)) == "50%  50 MiB of 100 MiB  50 MiB/s  1 s l"


def test_that_another_process_is_waited_for_is_said_at_once() -> None:
    lines, _ = lines_of(Canvas(), 5.0, is_painted=False)
    stages: list[Stage] = ["waiting", "waiting", "fetching", "fetching"]
    assert [lines.line(Progress(stage, MIB, 2 * MIB)) for stage in stages] == [
        "another process fetches it: 50%  1.0 MiB of 2.0 MiB",
        None,
        "50%  1.0 MiB of 2.0 MiB",
        None,
    ]


@pytest.mark.report("B306")
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["checking", "fetching", "waiting"]),
            st.integers(0, 2**45),
            st.integers(0, 2**45),
            st.floats(0, 1e6),
        ),
        max_size=20,
    ),
    st.integers(40, 100),
)
def test_whatever_is_told_a_painted_line_fits_and_promises_nothing_negative(
    told: list[tuple[Stage, int, int, float]], columns: int
) -> None:
    lines, clock = lines_of(Canvas(columns), 0.0, is_painted=True)
    for stage, done, total, now in told:
        clock.now = now
        line = lines.line(Progress(stage, done, total))
        assert line is None or (len(line) < columns and "-" not in line)


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (3725, "1 h 2 min")]
)
def test_durations_have_two_units(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
