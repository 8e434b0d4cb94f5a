from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.failover import MAX_REVIVALS, RETRY_PAUSES_S, Ask, Cause, Choice, Failover, Failure, GiveUp
from agentlaunch.core.ir import ChatFault, ErrorKind

A, B, C = Choice("a", 8192), Choice("b", 32768), Choice("c", 131072)

ELSEWHERE = [
    ErrorKind.AUTHENTICATION,
    ErrorKind.PERMISSION,
    ErrorKind.NOT_FOUND,
    ErrorKind.TOO_LARGE,
    ErrorKind.RATE_LIMITED,
    ErrorKind.OVERLOADED,
    ErrorKind.UNAVAILABLE,
    ErrorKind.TIMEOUT,
    ErrorKind.INTERNAL,
]


def failure(kind: ErrorKind, message: str = "no", *, cause: Cause = Cause.ANSWER, **facts: float) -> Failure:
    return Failure(ChatFault(kind, message, **facts), cause)  # type: ignore[arg-type]


def replace_message(failed: Failure, message: str) -> ChatFault:
    return msgspec.structs.replace(failed.fault, message=message)


@pytest.mark.parametrize("kind", ELSEWHERE)
def test_what_another_upstream_may_answer_goes_to_the_next(kind: ErrorKind) -> None:
    failover = Failover([A, B])
    assert failover.begin() == Ask(0)
    assert failover.failed(failure(kind)) == Ask(1)


def test_without_an_upstream_there_is_nobody_to_ask() -> None:
    with pytest.raises(ValueError, match="no upstream to ask"):
        Failover([])


def test_the_same_upstream_is_asked_again_for_another_thing() -> None:
    failover = Failover([A, B])
    failover.begin()
    failover.failed(failure(ErrorKind.TIMEOUT))
    assert (failover.again(), failover.attempts) == (Ask(1), 3)


def test_a_bad_request_is_told_at_once() -> None:
    failover = Failover([A, B])
    failover.begin()
    bad = failure(ErrorKind.BAD_REQUEST, "no such field")
    assert failover.failed(bad) == GiveUp(bad.fault)


def test_what_only_this_upstreams_wire_cannot_say_goes_to_the_next() -> None:
    failover = Failover([A, B])
    failover.begin()
    assert failover.failed(failure(ErrorKind.BAD_REQUEST, cause=Cause.OURSELVES)) == Ask(1)


def test_an_overflow_goes_to_the_next_longer_window_and_not_to_a_shorter_one() -> None:
    failover = Failover([B, A, C])
    failover.begin()
    assert failover.failed(failure(ErrorKind.CONTEXT_OVERFLOW)) == Ask(2)


def test_an_overflow_believes_the_counts_that_the_upstream_told() -> None:
    failover = Failover([A, B, C])
    failover.begin()
    assert failover.failed(failure(ErrorKind.CONTEXT_OVERFLOW, prompt_tokens=40_000)) == Ask(2)


def test_an_overflow_of_the_longest_window_is_told_as_it_is_so_that_the_agent_compacts() -> None:
    failover = Failover([C, A, Choice("unknown")])
    failover.begin()
    overflow = failure(ErrorKind.CONTEXT_OVERFLOW, "too long", context_window=131072)
    assert failover.failed(overflow) == GiveUp(overflow.fault)


def test_our_own_engine_is_revived_a_few_times_before_another_is_asked() -> None:
    failover = Failover([Choice("local", is_revived=True), B])
    failover.begin()
    lost = failure(ErrorKind.UNAVAILABLE, cause=Cause.CONNECTION)
    assert [failover.failed(lost) for _ in range(MAX_REVIVALS)] == [Ask(0, revive=True)] * MAX_REVIVALS
    assert failover.failed(lost) == Ask(1)


def test_an_engine_that_answers_with_an_error_is_not_revived() -> None:
    failover = Failover([Choice("local", is_revived=True), B])
    failover.begin()
    assert failover.failed(failure(ErrorKind.INTERNAL)) == Ask(1)


def test_a_lone_upstream_that_has_answered_before_is_asked_again_after_pauses() -> None:
    failover = Failover([Choice("a", has_answered=True)])
    failover.begin()
    lost = failure(ErrorKind.UNAVAILABLE, cause=Cause.CONNECTION)
    assert [failover.failed(lost) for _ in RETRY_PAUSES_S] == [Ask(0, after_s=pause) for pause in RETRY_PAUSES_S]
    assert failover.failed(lost) == GiveUp(lost.fault)


def test_those_that_have_answered_before_are_asked_in_turn_since_any_of_them_may_be_back() -> None:
    failover = Failover([Choice("a", has_answered=True), B, Choice("c", has_answered=True)])
    lost, refused = failure(ErrorKind.UNAVAILABLE, cause=Cause.CONNECTION), failure(ErrorKind.RATE_LIMITED)
    assert failover.begin() == Ask(0)
    assert [failover.failed(each) for each in (lost, refused)] == [Ask(1), Ask(2)]
    rounds = [failover.failed(lost) for _ in range(2 * len(RETRY_PAUSES_S))]
    assert rounds == [Ask(index, after_s=pause / 2) for pause in RETRY_PAUSES_S for index in (0, 2)]
    assert failover.failed(lost) == GiveUp(
        replace_message(refused, "no upstream has answered. `a`: no; `b`: no; `c`: no")
    )


@pytest.mark.parametrize(
    ("told", "is_asked_again"),
    [
        (failure(ErrorKind.UNAVAILABLE), True),
        (failure(ErrorKind.UNAVAILABLE, retry_after_s=1.0), True),
        (failure(ErrorKind.UNAVAILABLE, retry_after_s=30.0), False),
        (failure(ErrorKind.INTERNAL), False),
    ],
)
def test_one_that_answered_before_and_says_unavailable_may_be_restarting(told: Failure, is_asked_again: bool) -> None:
    failover = Failover([Choice("a", has_answered=True)])
    failover.begin()
    assert failover.failed(told) == (Ask(0, after_s=RETRY_PAUSES_S[0]) if is_asked_again else GiveUp(told.fault))


def test_a_wrong_address_is_told_at_once() -> None:
    failover = Failover([A])
    failover.begin()
    lost = failure(ErrorKind.UNAVAILABLE, cause=Cause.CONNECTION)
    assert failover.failed(lost) == GiveUp(lost.fault)


def test_a_stall_is_waited_for_only_while_another_can_be_asked() -> None:
    hosted = Choice("hosted", stall_s=60)
    failover = Failover([hosted, hosted])
    assert failover.begin() == Ask(0, stall_s=60)
    assert failover.failed(failure(ErrorKind.TIMEOUT)) == Ask(1)


def test_the_client_is_told_what_each_said_under_the_kind_that_it_can_act_on() -> None:
    failover = Failover([A, B, C])
    failover.begin()
    failover.failed(failure(ErrorKind.AUTHENTICATION, "bad key"))
    failover.failed(failure(ErrorKind.RATE_LIMITED, "slow down", retry_after_s=7))
    assert failover.failed(failure(ErrorKind.INTERNAL, "broken")) == GiveUp(
        ChatFault(
            ErrorKind.RATE_LIMITED,
            "no upstream has answered. `a`: bad key; `b`: slow down; `c`: broken",
            retry_after_s=7,
        )
    )


faults = st.builds(
    ChatFault,
    st.sampled_from(list(ErrorKind)),
    st.just("no"),
    prompt_tokens=st.none() | st.integers(1, 200_000),
    context_window=st.none() | st.integers(1, 200_000),
    retry_after_s=st.none() | st.floats(0, 100),
)
choices = st.lists(
    st.builds(
        Choice,
        st.sampled_from(["a", "b", "c"]),
        st.none() | st.integers(1, 200_000),
        st.booleans(),
        st.booleans(),
        st.none() | st.just(1.0),
    ),
    min_size=1,
    max_size=5,
)


@given(choices, st.lists(st.builds(Failure, faults, st.sampled_from(Cause)), min_size=20, max_size=20))
def test_whatever_fails_the_attempts_end(upstreams: list[Choice], failures: list[Failure]) -> None:
    failover = Failover(upstreams)
    asked = [failover.begin()]
    for each in failures:
        effect = failover.failed(each)
        if isinstance(effect, GiveUp):
            break
        asked.append(effect)
    else:
        raise AssertionError(asked)
    assert len(asked) == failover.attempts <= len(upstreams) * (1 + len(RETRY_PAUSES_S)) + MAX_REVIVALS
    fresh = [ask.index for ask in asked if not ask.revive and not ask.after_s]
    assert len(fresh) == len(set(fresh))
