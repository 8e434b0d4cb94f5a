"""When a download asks again, and when it gives up."""

from __future__ import annotations

import pytest

from agentlaunch.weights.patience import PATIENT, told_wait_s


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "Wed, 25 Nov 2026 15:00:00 GMT"}, None),
        ({"ratelimit": '"resolvers";r=0;t=123'}, 123.0),
        ({"ratelimit": '"api"; r=0; t=60'}, 60.0),
        ({"ratelimit": "limit=100, remaining=0, reset=5"}, None),
        ({"retry-after": "1", "ratelimit": '"api";r=0;t=60'}, 1.0),
    ],
)
def test_a_wait_is_read_as_servers_tell_it(headers: dict[str, str], wait_s: float | None) -> None:
    assert told_wait_s(headers) == wait_s


def waited_s(*, has_begun: bool) -> float:
    failures, seconds = 1, 0.0
    while not PATIENT.is_over(failures, has_begun=has_begun):
        seconds += PATIENT.pause_after(failures)
        failures += 1
    return seconds


def test_a_download_on_its_way_outlasts_a_router_that_restarts_and_one_that_never_began_is_given_up_soon() -> None:
    assert (waited_s(has_begun=False), waited_s(has_begun=True)) == (31.0, 451.0)
