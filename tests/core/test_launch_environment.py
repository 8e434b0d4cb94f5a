"""core/launch_environment.py: the environment an agent is started with."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.launch_environment import launch_environment, past_proxy, proxy_note
from agentlaunch.core.launch_plan import LaunchPlan
from agentlaunch.core.offline import is_offline, with_offline

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


OFFLINE = {
    "AGENTLAUNCH_OFFLINE": "1",
    "DO_NOT_TRACK": "1",
    "HF_HUB_OFFLINE": "1",
    "npm_config_offline": "true",
    "npm_config_registry": "http://127.0.0.1:9",
}


def test_offline_the_agents_tools_are_told_so_and_the_proxies_are_gone() -> None:
    user = {"AGENTLAUNCH_OFFLINE": "1", "HTTPS_PROXY": "http://proxy:3128", "all_proxy": "x", "DO_NOT_TRACK": "0"}
    assert launch_environment(user, LaunchPlan(("agent",))) == OFFLINE


def test_what_the_plan_says_of_the_same_variables_wins() -> None:
    plan = LaunchPlan(("agent",), env={"DO_NOT_TRACK": "2"})
    assert launch_environment({"AGENTLAUNCH_OFFLINE": "1"}, plan) == {**OFFLINE, "DO_NOT_TRACK": "2"}


@pytest.mark.parametrize(
    ("said", "means"),
    [("", False), ("0", False), ("No ", False), ("off", False), ("1", True), ("yes", True), ("?", True)],
)
def test_offline_is_meant_by_everything_but_a_clear_no(said: str, means: bool) -> None:
    assert is_offline({"AGENTLAUNCH_OFFLINE": said}) is means
    assert is_offline({}) is False
    assert is_offline(with_offline({"AGENTLAUNCH_OFFLINE": said})) is True
