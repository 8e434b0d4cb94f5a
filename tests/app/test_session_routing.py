from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

import pytest

from agentlaunch.app.models import ModelTarget
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.session_routing import Routing, choose_routing
from agentlaunch.app.upstream_store import StoredUpstream, write_upstream
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.policy import Caps, Policy, Route, RouteMatch
from agentlaunch.errors import UserError

LOCAL = ModelTarget("m", EngineSpec("/m.gguf", "m", 8192), "llamacpp", 8192)
NEAR = ModelTarget("m", Endpoint("vllm", "openai_chat", "http://127.0.0.1:8000", "m"), "vllm", 8192)
FAR = ModelTarget("m", Endpoint("gpu", "openai_chat", "https://gpu.example", "m", may_leave=True), "vllm", 8192)


class Made(Protocol):
    world: World


@pytest.fixture
def here(make_world: Callable[[], Made]) -> World:
    return make_world().world


def near(name: str) -> StoredUpstream:
    return StoredUpstream(name, "vllm", "http://127.0.0.1:8001", "near-model")


def far(name: str, *, may_leave: bool = True) -> StoredUpstream:
    return StoredUpstream(name, "openai", "https://far.example", "far-model", may_leave=may_leave)


def routed(here: World, target: ModelTarget, *stored: StoredUpstream, settings: str = "", **order: object) -> Routing:
    for upstream in stored:
        write_upstream(upstream, here.dirs)
    if settings:
        here.dirs.config.mkdir(parents=True, exist_ok=True)
        (here.dirs.config / "config.toml").write_text(settings)
    return choose_routing(replace(ModelOrder("m"), **order), target, here)  # type: ignore[arg-type]


def names(routing: Routing) -> list[str]:
    assert routing.session is not None
    return [endpoint.name for endpoint in routing.session.upstreams]


def test_nothing_said_is_no_routing(here: World) -> None:
    assert routed(here, LOCAL) == Routing(LOCAL, None)


def test_a_fallback_on_this_machine_goes_before_those_of_the_policy_and_needs_no_consent(here: World) -> None:
    routing = routed(here, NEAR, near("one"), near("two"), settings='[policy]\nfallback = ["two"]', fallbacks=("one",))
    assert routing.session is not None
    assert (names(routing), routing.session.policy) == (["one", "two"], Policy(fallbacks=("one", "two")))


def test_what_only_a_policy_names_does_not_leave_under_the_default_privacy(here: World) -> None:
    routing = routed(here, LOCAL, far("far"), near("near"), settings='[policy]\nfallback = ["far", "near"]')
    assert names(routing) == ["near"]


def test_a_far_upstream_that_the_command_names_may_be_used_and_no_other(here: World) -> None:
    stored = (far("one"), far("two"))
    routing = routed(here, LOCAL, *stored, settings='[policy]\nfallback = ["two"]', fallbacks=("one",))
    assert names(routing) == ["one"]
    assert routing.session is not None
    assert routing.session.policy.privacy == "any"


def test_a_written_local_only_is_kept_against_the_command_line(here: World) -> None:
    for order in ({"fallbacks": ("far",)}, {}):
        with pytest.raises(UserError) as refusal:
            routed(here, FAR, far("far"), settings='[policy]\nprivacy = "local-only"', **order)
        assert (refusal.value.code, "[policy] of" in refusal.value.message) == ("privacy", True)


def test_a_fallback_without_consent_is_refused(here: World) -> None:
    with pytest.raises(UserError) as refusal:
        routed(here, LOCAL, far("far", may_leave=False), fallbacks=("far",))
    assert refusal.value.code == "consent-needed"


def test_any_lets_the_policy_use_what_was_agreed_to(here: World) -> None:
    routing = routed(here, LOCAL, far("far"), settings='[policy]\nprivacy = "any"\nfallback = ["far"]')
    assert names(routing) == ["far"]


def test_an_unknown_fallback_is_an_error_and_one_of_the_policy_a_note(here: World) -> None:
    with pytest.raises(UserError) as refusal:
        routed(here, LOCAL, fallbacks=("nobody",))
    assert refusal.value.code == "unknown-upstream"
    routing = routed(here, LOCAL, settings='[policy]\nfallback = ["nobody"]')
    assert [note for note in routing.notes if "`nobody` is left out" in note] == list(routing.notes)


def test_a_far_target_carries_what_may_never_leave(here: World) -> None:
    routing = routed(here, FAR, settings='[policy]\nprivacy = "any"\n[policy.never_send]\npatterns = ["ACME-[0-9]+"]')
    assert isinstance(routing.target.target, Endpoint)
    assert routing.target.target.caps == Caps(patterns=("ACME-[0-9]+",))


def test_a_named_policy_routes_by_role_to_another_model_of_an_upstream(here: World) -> None:
    settings = '[[policies.team.route]]\nrole = "background"\nuse = ["near/tiny"]'
    routing = routed(here, LOCAL, near("near"), settings=settings, policy="team")
    assert routing.session is not None
    assert routing.session.policy.routes == (Route("background", RouteMatch(role="background"), ("near/tiny",)),)
    assert names(routing) == ["near"]
