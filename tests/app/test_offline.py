"""Offline, what would need the network says so at once, and what is on this machine works as ever."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import Made, MakeWorld

from agentlaunch.agents.base import load_agent
from agentlaunch.app.agents import find_or_install
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.app.session_routing import choose_routing
from agentlaunch.app.upstream_store import KeyVariable, StoredUpstream, write_upstream
from agentlaunch.app.weights import PullOrder, pull
from agentlaunch.app.window import Terms
from agentlaunch.app.world import World
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import RemoteError

BuildModel = Callable[[Script], Path]
TERMS = Terms("claude", yes=True)
FAR = "https://models.example.com"


def ordered(model: str = "", **more: str) -> Callable[[World], object]:
    return lambda world: resolve_model(ModelOrder(model, **more), world, TERMS)  # type: ignore[arg-type]


def pulled(name: str, through: str = "") -> Callable[[World], object]:
    return lambda world: pull(PullOrder(name, through=through, yes=True), world, lambda _progress: None)


def installed(world: World) -> object:
    order = LaunchOrder("claude", ModelOrder("demo"), yes=True)
    return find_or_install(load_agent("claude"), order, world)


FETCHED = [
    ordered("hf:me/Tiny-GGUF:Q8_0"),
    ordered("qwen3.5-27b"),
    pulled("hf:me/Tiny-GGUF"),
    pulled("qwen3:0.6b", "ollama"),
    installed,
]
ELSEWHERE = [ordered("m", upstream=f"vllm={FAR}"), ordered("m", upstream="openrouter")]


@pytest.mark.parametrize("attempt", [*FETCHED, *ELSEWHERE])
def test_offline_what_would_leave_is_refused_before_anybody_is_asked_or_run(
    make_world: MakeWorld, attempt: Callable[[World], object]
) -> None:
    made = make_world(PATH="", AGENTLAUNCH_OFFLINE="1")
    with pytest.raises(RemoteError) as caught:
        attempt(made.world)
    assert caught.value.code == "offline"
    assert "--offline" in caught.value.message
    assert caught.value.hint.startswith("online: ")
    assert (made.talk.questions, made.run.commands) == ([], [])


@pytest.mark.parametrize("attempt", FETCHED)
def test_without_a_network_nothing_is_tried_that_would_wait_for_it(
    make_world: MakeWorld, attempt: Callable[[World], object]
) -> None:
    made = make_world(PATH="")
    with pytest.raises(RemoteError) as caught:
        attempt(replace(made.world, is_connected=lambda: False))
    assert caught.value.code == "no-network"
    assert (made.talk.questions, made.run.commands) == ([], [])


def test_a_proxy_may_lead_out_where_no_route_does(make_world: MakeWorld) -> None:
    made = make_world(PATH="", HTTPS_PROXY="http://127.0.0.1:9")
    with pytest.raises(Exception, match="npm"):
        installed(replace(made.world, is_connected=lambda: False))


def test_offline_a_file_and_a_server_on_this_machine_are_used(
    make_world: MakeWorld, scripted_model: BuildModel
) -> None:
    world = make_world(AGENTLAUNCH_OFFLINE="1").world
    assert resolve_model(ModelOrder(str(scripted_model(Script()))), world, TERMS).runtime == "llamacpp"
    near = resolve_model(ModelOrder("m", upstream="vllm=http://127.0.0.1:8000"), world, TERMS)
    assert near.target.base_url == "http://127.0.0.1:8000"  # type: ignore[union-attr]


def test_offline_a_fallback_elsewhere_is_refused(make_world: MakeWorld) -> None:
    made: Made = make_world(AGENTLAUNCH_OFFLINE="1", FAR_KEY="k")
    near = ModelOrder("m", upstream="vllm=http://127.0.0.1:8000")
    target = resolve_model(near, made.world, TERMS)
    store(made)
    with pytest.raises(RemoteError) as caught:
        choose_routing(replace(near, fallbacks=("far",)), target, made.world)
    assert caught.value.code == "offline"


def test_offline_what_only_a_policy_names_elsewhere_is_left_out(make_world: MakeWorld) -> None:
    made: Made = make_world(AGENTLAUNCH_OFFLINE="1", FAR_KEY="k")
    near = ModelOrder("m", upstream="vllm=http://127.0.0.1:8000")
    target = resolve_model(near, made.world, TERMS)
    store(made)
    made.world.dirs.config.mkdir(parents=True, exist_ok=True)
    (made.world.dirs.config / "config.toml").write_text('[policy]\nprivacy = "any"\nfallback = ["far"]\n')
    session = choose_routing(near, target, made.world).session
    assert session is not None
    assert session.upstreams == ()


def store(made: Made) -> None:
    """An upstream on another machine, to which bytes may leave."""
    write_upstream(StoredUpstream("far", "vllm", FAR, "m", KeyVariable("FAR_KEY"), may_leave=True), made.world.dirs)
