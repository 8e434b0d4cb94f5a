"""core/health.py: when an upstream is left alone, for how long, and who may try it again."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agentlaunch.core.health import BreakerRules, BreakerStatus, FailureKind, Health

RULES = BreakerRules()
COUNTED = [kind for kind in FailureKind if kind not in (FailureKind.AUTHENTICATION, FailureKind.PERMISSION)]


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def health(clock: Clock) -> Health:
    return Health(clock)


def opened(health: Health) -> None:
    for _ in range(RULES.failures):
        health.failed("a", FailureKind.SERVER_ERROR)


def test_an_upstream_nobody_has_told_of_is_well(health: Health) -> None:
    assert (health.is_open("a"), health.allows("a"), health.states()) == (False, True, ())


@pytest.mark.parametrize("kind", [kind for kind in COUNTED if kind is not FailureKind.REFUSED])
def test_three_failures_in_a_row_open_it(health: Health, kind: FailureKind) -> None:
    health.failed("a", kind)
    health.failed("a", kind)
    assert health.states() == (BreakerStatus("a", "closed", 2, 0.0, kind),)
    health.failed("a", kind)
    assert (health.is_open("a"), health.allows("a"), health.is_open("b")) == (True, False, False)
    assert health.states() == (BreakerStatus("a", "open", 0, RULES.open_s, kind),)


def test_an_answer_of_an_upstream_that_never_failed_changes_nothing(health: Health) -> None:
    health.answered("a")
    assert (health.is_open("a"), health.states()) == (False, ())


def test_an_answer_in_between_begins_the_count_again(health: Health) -> None:
    for _ in range(5):
        health.failed("a", FailureKind.SERVER_ERROR)
        health.failed("a", FailureKind.STALLED)
        health.answered("a")
    assert (health.is_open("a"), health.states()) == (False, ())


def test_two_refused_connections_in_a_row_open_it(health: Health) -> None:
    health.failed("a", FailureKind.REFUSED)
    assert not health.is_open("a")
    health.failed("a", FailureKind.REFUSED)
    assert health.is_open("a")


@pytest.mark.parametrize("kind", [FailureKind.AUTHENTICATION, FailureKind.PERMISSION])
def test_a_rejected_key_opens_it_at_once_and_for_longer(health: Health, clock: Clock, kind: FailureKind) -> None:
    health.failed("a", kind)
    clock.now += RULES.forbidden_open_s - 1
    assert health.is_open("a")
    clock.now += 1
    assert not health.is_open("a")


@pytest.mark.parametrize(("asked_s", "closed_again_s"), [(20.0, 20.0), (1.0, 1.0), (1e9, RULES.longest_retry_after_s)])
def test_a_retry_after_is_obeyed_up_to_an_hour(
    health: Health, clock: Clock, asked_s: float, closed_again_s: float
) -> None:
    health.failed("a", FailureKind.RATE_LIMITED, asked_s)
    clock.now += closed_again_s - 0.5
    assert health.is_open("a")
    clock.now += 0.5
    assert not health.is_open("a")


def test_a_retry_after_that_comes_late_makes_the_wait_longer_and_never_shorter(health: Health, clock: Clock) -> None:
    health.failed("a", FailureKind.RATE_LIMITED, 30.0)
    health.failed("a", FailureKind.RATE_LIMITED, 10.0)
    health.failed("a", FailureKind.SERVER_ERROR)
    assert health.states() == (BreakerStatus("a", "open", 0, 30.0, FailureKind.SERVER_ERROR),)
    health.failed("a", FailureKind.RATE_LIMITED, 60.0)
    assert health.states() == (BreakerStatus("a", "open", 0, 60.0, FailureKind.RATE_LIMITED),)


def test_after_the_wait_one_request_may_probe_and_its_answer_closes_it(health: Health, clock: Clock) -> None:
    opened(health)
    clock.now += RULES.open_s
    assert health.states() == (BreakerStatus("a", "half-open", 0, 0.0, FailureKind.SERVER_ERROR),)
    assert (health.is_open("a"), health.allows("a")) == (False, True)
    assert (health.is_open("a"), health.allows("a")) == (True, False)
    assert health.states() == (BreakerStatus("a", "half-open", 0, 0.0, FailureKind.SERVER_ERROR),)
    health.answered("a")
    assert (health.allows("a"), health.allows("a"), health.states()) == (True, True, ())


def test_each_failed_probe_doubles_the_wait_up_to_a_cap(health: Health, clock: Clock) -> None:
    opened(health)
    waits = []
    for _ in range(7):
        (status,) = health.states()
        waits.append(status.tried_again_in_s)
        clock.now += status.tried_again_in_s
        assert health.allows("a")
        health.failed("a", FailureKind.SERVER_ERROR)
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 120.0, 120.0]


def test_a_probe_whose_client_left_gives_its_place_to_the_next(health: Health, clock: Clock) -> None:
    opened(health)
    clock.now += RULES.open_s
    assert health.allows("a")
    health.released("a")
    assert (health.allows("a"), health.allows("a")) == (True, False)


def test_a_release_without_a_probe_changes_nothing(health: Health) -> None:
    health.released("a")
    opened(health)
    health.released("a")
    assert health.is_open("a")


def test_an_answer_to_a_request_from_before_closes_it(health: Health) -> None:
    opened(health)
    health.answered("a")
    assert health.allows("a")


def test_the_first_word_of_a_probes_answer_lets_others_in_and_one_more_failure_opens_it_for_longer(
    health: Health, clock: Clock
) -> None:
    opened(health)
    waits = []
    for _ in range(6):
        (status,) = health.states()
        waits.append(status.tried_again_in_s)
        clock.now += status.tried_again_in_s
        assert health.allows("a")
        health.began("a")
        assert (health.allows("a"), health.allows("a")) == (True, True)
        health.failed("a", FailureKind.BROKEN)
    assert waits == [5.0, 10.0, 20.0, 40.0, 80.0, 120.0]


def test_answers_that_break_off_one_after_the_other_open_it(health: Health) -> None:
    for _ in range(RULES.failures):
        assert not health.is_open("a")
        health.began("a")
        health.failed("a", FailureKind.BROKEN)
    assert health.is_open("a")


def test_a_first_word_shows_that_connections_are_not_refused(health: Health) -> None:
    health.failed("a", FailureKind.REFUSED)
    health.began("a")
    health.failed("a", FailureKind.REFUSED)
    assert health.states() == (BreakerStatus("a", "closed", 2, 0.0, FailureKind.REFUSED),)


def test_a_whole_answer_makes_good_what_the_longer_wait_was_for(health: Health, clock: Clock) -> None:
    opened(health)
    clock.now += RULES.open_s
    assert health.allows("a")
    health.began("a")
    health.finished("a")
    opened(health)
    assert health.states()[0].tried_again_in_s == RULES.open_s


def test_an_answer_that_ends_after_it_was_opened_had_begun_before_and_changes_nothing(
    health: Health, clock: Clock
) -> None:
    health.finished("a")
    health.failed("a", FailureKind.RATE_LIMITED, 60.0)
    health.finished("a")
    assert health.is_open("a")
    clock.now += 60.0
    assert health.allows("a")
    health.finished("a")
    assert not health.allows("a")


class Breakers(RuleBasedStateMachine):
    """One upstream under any order of requests and ends, against what may be believed of it from outside."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock()
        self.health = Health(self.clock)
        self.in_row = 0
        self.probe = False

    def _was_half_open(self) -> bool:
        return any(status.state == "half-open" for status in self.health.states())

    @rule(seconds=st.sampled_from([0.5, 5.0, 60.0, 4000.0]))
    def time_passes(self, seconds: float) -> None:
        self.clock.now += seconds

    @rule()
    def a_request_asks(self) -> None:
        open_before, half_open = self.health.is_open("a"), self._was_half_open()
        allowed = self.health.allows("a")
        assert allowed is not open_before
        assert not (allowed and self.probe), "at most one probe"
        self.probe = self.probe or (allowed and half_open)

    @rule(kind=st.sampled_from(FailureKind), retry_after_s=st.none() | st.floats(0, 1e6))
    def a_request_fails(self, kind: FailureKind, retry_after_s: float | None) -> None:
        self.in_row += 1
        was_probe, self.probe = self.probe, False
        self.health.failed("a", kind, retry_after_s)
        if was_probe or kind in (FailureKind.AUTHENTICATION, FailureKind.PERMISSION):
            assert self.health.is_open("a")

    @rule()
    def a_request_succeeds(self) -> None:
        self.in_row, self.probe = 0, False
        self.health.answered("a")
        assert not self.health.is_open("a")

    @rule()
    def an_answer_begins(self) -> None:
        if self.probe or self.health.is_open("a") or self._was_half_open():
            self.in_row = RULES.failures - 1
        self.probe = False
        self.health.began("a")
        assert not self.health.is_open("a")

    @rule()
    def an_answer_ends(self) -> None:
        (state,) = {status.state for status in self.health.states()} or {"closed"}
        self.in_row = 0 if state == "closed" else self.in_row
        self.health.finished("a")

    @rule()
    def a_client_leaves(self) -> None:
        self.probe = False
        self.health.released("a")

    @invariant()
    def other_upstreams_are_well(self) -> None:
        assert not self.health.is_open("b")

    @invariant()
    def too_many_failures_in_a_row_are_never_closed(self) -> None:
        (state,) = {status.state for status in self.health.states()} or {"closed"}
        assert self.in_row < RULES.failures or state != "closed"
        assert self.in_row > 0 or state == "closed"

    @invariant()
    def nobody_waits_longer_than_the_longest_wait(self) -> None:
        assert all(status.tried_again_in_s <= RULES.longest_retry_after_s for status in self.health.states())

    @invariant()
    def it_opens_again_unless_a_probe_is_under_way(self) -> None:
        later = self.clock.now
        self.clock.now += RULES.longest_retry_after_s
        try:
            assert self.health.is_open("a") is self.probe
        finally:
            self.clock.now = later


TestBreakers = Breakers.TestCase
