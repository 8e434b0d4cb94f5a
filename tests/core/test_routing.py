"""core/routing.py: where a request may go, in which order, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.policy import Policy, Privacy, Role, Route, RouteMatch
from agentlaunch.core.routing import (
    Candidate,
    Decision,
    RequestFacts,
    Skipped,
    Spent,
    UpstreamFacts,
    decide,
)

UPSTREAMS = {
    "local": UpstreamFacts("local", is_local=True, context_window=32_768, takes_images=False),
    "lan": UpstreamFacts("lan", is_local=True, context_window=65_536),
    "hpc": UpstreamFacts("hpc", is_local=False, context_window=131_072, takes_images=True),
    "paid": UpstreamFacts("paid", is_local=False, is_priced=True),
}
MAIN = RequestFacts("main", 1_000, "qwen3-coder")
OWN = "what this launch runs"
ANY = Policy(privacy="any", fallbacks=("hpc", "paid/some/model"))
FAILED = "it failed a moment ago and is left alone for now"


def decided(
    policy: Policy,
    facts: RequestFacts = MAIN,
    spent: Spent = Spent(),  # noqa: B008 - frozen
    broken: Sequence[str] = (),
    primary: str = "local",
) -> Decision:
    return decide(policy, facts, primary, UPSTREAMS, spent, lambda name: name in broken)


def order(decision: Decision) -> list[str]:
    return [f"{each.upstream}/{each.model}" if each.model else each.upstream for each in decision.candidates]


def test_without_routes_the_launchs_own_model_comes_first_and_then_the_fallbacks() -> None:
    assert decided(ANY) == Decision(
        "primary",
        (Candidate("local", OWN), Candidate("hpc", "fallback"), Candidate("paid", "fallback", "some/model")),
        preferred="local",
    )


def test_a_route_comes_before_the_fallbacks_and_the_launchs_own_model_last() -> None:
    policy = replace(ANY, routes=(Route("big", RouteMatch(min_prompt_tokens=1_000), ("paid", "hpc")),))
    assert decided(policy) == Decision(
        "big",
        (
            Candidate("paid", "route `big`"),
            Candidate("hpc", "route `big`"),
            Candidate("paid", "fallback", "some/model"),
            Candidate("local", OWN),
        ),
        preferred="paid",
    )


@pytest.mark.parametrize(
    ("match", "facts", "taken"),
    [
        (RouteMatch(), MAIN, True),
        (RouteMatch(role="main"), MAIN, True),
        (RouteMatch(role="image"), MAIN, False),
        (RouteMatch(min_prompt_tokens=1_000), MAIN, True),
        (RouteMatch(min_prompt_tokens=1_001), MAIN, False),
        (RouteMatch(max_prompt_tokens=1_000), MAIN, True),
        (RouteMatch(max_prompt_tokens=999), MAIN, False),
        (RouteMatch(model="qwen*"), MAIN, True),
        (RouteMatch(model="Qwen*"), MAIN, False),
        (RouteMatch(role="main", min_prompt_tokens=1, model="gpt-*"), MAIN, False),
    ],
)
def test_a_route_takes_what_all_its_conditions_hold_for(match: RouteMatch, facts: RequestFacts, taken: bool) -> None:
    assert decided(replace(ANY, routes=(Route("it", match, ("hpc",)),)), facts).route == ("it" if taken else "primary")


def test_the_first_route_that_takes_the_request_wins() -> None:
    routes = (
        Route("images", RouteMatch(role="image"), ("paid",)),
        Route("main", RouteMatch(role="main"), ("hpc",)),
        Route("all", RouteMatch(), ("local",)),
    )
    assert decided(replace(ANY, routes=routes, fallbacks=())).candidates == (
        Candidate("hpc", "route `main`"),
        Candidate("local", OWN),
    )


def test_local_only_leaves_out_whatever_is_not_here_and_says_so() -> None:
    kept = "not on this machine, and the policy `default` is local-only"
    assert decided(Policy(fallbacks=("hpc", "lan"))) == Decision(
        "primary",
        (Candidate("local", OWN), Candidate("lan", "fallback")),
        (Skipped("hpc", kept),),
        preferred="local",
    )


def test_local_only_refuses_a_launch_that_runs_elsewhere() -> None:
    assert decided(Policy(), primary="hpc") == Decision(
        "primary",
        (),
        (Skipped("hpc", "not on this machine, and the policy `default` is local-only"),),
        "the policy `default` leaves no upstream for this request (`hpc`: not on this machine, and the policy "
        "`default` is local-only): agentlaunch policy explain",
    )


def test_prefer_local_orders_within_the_route_and_within_the_rest() -> None:
    policy = Policy(privacy="prefer-local", fallbacks=("paid", "lan"))
    assert order(decided(policy)) == ["local", "lan", "paid"]
    assert order(decided(policy, primary="hpc")) == ["lan", "hpc", "paid"]
    routed = replace(policy, routes=(Route("r", RouteMatch(), ("hpc", "local")),))
    assert order(decided(routed)) == ["local", "hpc", "lan", "paid"]
    far = replace(policy, routes=(Route("r", RouteMatch(), ("hpc",)),))
    assert order(decided(far)) == ["hpc", "lan", "local", "paid"]


def test_what_is_unknown_is_left_out_with_the_next_command() -> None:
    found = decide(
        Policy(fallbacks=("gone", "local")), MAIN, "lan", {"lan": UPSTREAMS["lan"]}, Spent(), lambda _: False
    )
    assert found == Decision(
        "primary",
        (Candidate("lan", OWN),),
        (
            Skipped("gone", "there is no upstream `gone`: agentlaunch upstream list"),
            Skipped("local", "this launch runs no model on this machine"),
        ),
        preferred="lan",
    )


def test_a_window_that_is_too_small_is_passed_over_and_an_unknown_one_is_not() -> None:
    found = decided(ANY, replace(MAIN, prompt_tokens=32_768))
    assert order(found) == ["hpc", "paid/some/model"]
    assert found.skipped == (Skipped("local", "the prompt has 32,768 tokens, and its window is 32,768"),)
    assert order(decided(ANY, replace(MAIN, prompt_tokens=32_767)))[0] == "local"


def test_when_no_window_is_large_enough_the_largest_one_says_so() -> None:
    """The overflow that it answers makes the agent compact; a refusal of ours would end the session."""
    found = decided(Policy(privacy="any", fallbacks=("hpc", "lan")), replace(MAIN, prompt_tokens=200_000))
    assert found == Decision(
        "primary",
        (
            Candidate(
                "hpc",
                "nothing else is left, though the prompt has 200,000 tokens, and its window is 131,072",
                is_last_resort=True,
            ),
        ),
        (
            Skipped("local", "the prompt has 200,000 tokens, and its window is 32,768"),
            Skipped("lan", "the prompt has 200,000 tokens, and its window is 65,536"),
        ),
        preferred="local",
    )


def test_images_go_where_they_are_seen_and_else_to_the_launchs_own_model() -> None:
    images = replace(MAIN, has_images=True)
    assert order(decided(ANY, images)) == ["hpc", "paid/some/model"]
    alone = decided(Policy(), images)
    why = "nothing else is left, though its model takes no images"
    assert alone == Decision("primary", (Candidate("local", why, is_last_resort=True),), preferred="local")


def test_an_open_breaker_comes_behind_all_others_since_it_may_be_back_when_they_fail() -> None:
    found = decided(ANY, broken=["local"])
    assert (order(found), found.skipped) == (["hpc", "paid/some/model", "local"], ())
    assert found.candidates[-1] == Candidate("local", f"when nothing else answers: {FAILED}", is_last_resort=True)
    assert order(decided(ANY, broken=["local", "hpc"])) == ["paid/some/model", "local", "hpc"]


def test_an_open_breaker_is_the_last_resort_before_one_that_cannot_take_the_request() -> None:
    long = replace(MAIN, prompt_tokens=50_000)
    found = decided(Policy(privacy="any", fallbacks=("hpc",)), long, broken=["hpc"])
    assert found.candidates == (Candidate("hpc", f"when nothing else answers: {FAILED}", is_last_resort=True),)


@pytest.mark.parametrize("spent", [Spent(day_usd=5.0), Spent(session_usd=1.0)])
def test_a_spent_budget_leaves_out_what_costs_money(spent: Spent) -> None:
    policy = replace(ANY, budget_day_usd=5.0, budget_session_usd=1.0)
    assert order(decided(policy, spent=Spent(4.99, 0.99))) == ["local", "hpc", "paid/some/model"]
    found = decided(policy, spent=spent)
    assert order(found) == ["local", "hpc"]
    which = (
        "the day's budget of $5.00 is spent ($5.00)"
        if spent.day_usd
        else ("the session's budget of $1.00 is spent ($1.00)")
    )
    assert found.skipped == (Skipped("paid", f"it costs money, and {which}", "some/model"),)


def test_a_spent_budget_stops_everything_where_the_policy_says_so() -> None:
    found = decided(replace(ANY, budget_day_usd=0.0, over_budget="stop"))
    assert found == Decision(
        "primary",
        (),
        refusal="the day's budget of $0.00 is spent ($0.00), and the policy `default` then stops: "
        "raise it in [policy] of config.toml, or see `agentlaunch usage`",
    )


names = st.sampled_from(["local", "lan", "hpc", "paid", "paid/some/model", "gone"])
policies = st.builds(
    Policy,
    privacy=st.sampled_from(get_args(Privacy)),
    routes=st.lists(
        st.builds(
            Route,
            name=st.just("r"),
            match=st.builds(RouteMatch, role=st.none() | st.sampled_from(get_args(Role))),
            use=st.lists(names, min_size=1, max_size=4).map(tuple),
        ),
        max_size=3,
    ).map(tuple),
    fallbacks=st.lists(names, max_size=4).map(tuple),
    budget_day_usd=st.none() | st.just(1.0),
    over_budget=st.sampled_from(["local", "stop"]),
)
requests = st.builds(
    RequestFacts,
    role=st.sampled_from(get_args(Role)),
    prompt_tokens=st.sampled_from([1, 40_000, 100_000, 1_000_000]),
    model=st.just("m"),
    has_images=st.booleans(),
)


@given(
    policy=policies,
    facts=requests,
    primary=st.sampled_from(["local", "hpc"]),
    day=st.sampled_from([0.0, 2.0]),
    broken=st.sets(st.sampled_from([*UPSTREAMS])),
)
def test_every_decision_keeps_the_policys_promises(
    policy: Policy, facts: RequestFacts, primary: str, day: float, broken: set[str]
) -> None:
    found = decide(policy, facts, primary, UPSTREAMS, Spent(day_usd=day), broken.__contains__)
    tried = [(each.upstream, each.model) for each in found.candidates]
    passed = [(each.upstream, each.model) for each in found.skipped]
    assert len({*tried, *passed}) == len(tried) + len(passed), "one place for each"
    assert bool(found.refusal) is (not tried)
    if policy.privacy == "local-only":
        assert all(UPSTREAMS[name].is_local for name, _ in tried)
    if policy.budget_day_usd is not None and day >= policy.budget_day_usd:
        assert not any(UPSTREAMS[name].is_priced for name, _ in tried)
    usable = [each for each in found.candidates if not each.is_last_resort]
    rest = found.candidates[len(usable) :]
    assert all(each.is_last_resort for each in rest), "last resorts come last"
    assert all(each.upstream in broken for each in rest) or len(tried) == 1, "one of another kind stands alone"
    assert not any(each.upstream in broken for each in usable)
