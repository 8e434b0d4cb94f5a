"""core/launch_environment.py: the environment an agent is started with."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.launch_environment import launch_environment, past_proxy, proxy_note
from agentlaunch.core.launch_plan import LaunchPlan

LOOPBACK = "127.0.0.1,localhost,::1"


def test_the_plan_lies_over_the_users_environment_and_takes_variables_away() -> None:
    plan = LaunchPlan(("agent",), env={"BASE": "ours", "NEW": "1"}, unset=("API_KEY", "ABSENT"))
    user = {"BASE": "theirs", "API_KEY": "secret", "HOME": "/home/a b"}
    assert launch_environment(user, plan) == {"BASE": "ours", "NEW": "1", "HOME": "/home/a b"}


def test_a_variable_that_the_plan_both_unsets_and_sets_is_set() -> None:
    plan = LaunchPlan(("agent",), env={"TOKEN": "ours"}, unset=("TOKEN",))
    assert launch_environment({"TOKEN": "theirs"}, plan) == {"TOKEN": "ours"}


@pytest.mark.report("B251")
@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_with_a_proxy_and_no_exception_the_shim_is_excepted_in_both_spellings(name: str) -> None:
    assert past_proxy({name: "http://proxy:3128"}) == {"NO_PROXY": LOOPBACK, "no_proxy": LOOPBACK}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"NO_PROXY": "corp.example"}, f"corp.example,{LOOPBACK}"),
        ({"no_proxy": "a.example b.example"}, f"a.example,b.example,{LOOPBACK}"),
        ({"NO_PROXY": "a,localhost", "no_proxy": "b"}, "a,localhost,b,127.0.0.1,::1"),
    ],
)
def test_the_users_own_exceptions_stay(said: Mapping[str, str], expected: str) -> None:
    assert past_proxy({"HTTP_PROXY": "http://p", **said}) == {"NO_PROXY": expected, "no_proxy": expected}


@pytest.mark.parametrize("environment", [{}, {"HTTP_PROXY": ""}, {"HTTP_PROXY": "http://p", "NO_PROXY": "*"}])
def test_where_loopback_is_reached_already_nothing_changes(environment: Mapping[str, str]) -> None:
    assert (past_proxy(environment), proxy_note(environment)) == ({}, "")


@given(hosts=st.lists(st.from_regex(r"[a-z]{1,8}(\.[a-z]{2,3})?", fullmatch=True)))
def test_excepting_twice_is_excepting_once(hosts: list[str]) -> None:
    """For any list of the user's own exceptions."""
    environment = {"HTTP_PROXY": "http://p", "NO_PROXY": ",".join(hosts)}
    once = {**environment, **past_proxy(environment)}
    assert {**once, **past_proxy(once)} == once
