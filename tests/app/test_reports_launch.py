"""Public reports of what launchers hand to agents and fail to say, against a launch in a made world."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.app.conftest import Became, Made, MakeWorld

from agentlaunch.agents import base
from agentlaunch.agents.base import load_agent
from agentlaunch.agents.locate import LocatedAgent
from agentlaunch.app.key_variables import SHORTEST_KEY
from agentlaunch.app.launch import Prepared, notes, rehearse, run
from agentlaunch.app.models import ModelTarget
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.app.upstream_store import KeyFile, KeyVariable, StoredUpstream, store_path, write_upstream
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.policy import Policy, Route, RouteMatch
from agentlaunch.shim.session import SessionRouting

KEY = "sk-or-v1-0123456789abcdef0123456789abcdef"
OTHER_KEY = "sk-ant-0123456789abcdef0123456789abcdef"
FAR = Endpoint("router", "openai_chat", "https://openrouter.ai/api", "m", key=KEY, may_leave=True)
STORED = StoredUpstream("router", "openrouter", "https://openrouter.ai/api", key=KeyVariable("MY_ROUTER_KEY"))

AGENTS = pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
ALL_AGENTS = pytest.mark.parametrize("agent", base.AGENTS)


def prepared(agent: str, target: Endpoint = FAR, routing: SessionRouting | None = None, **order: object) -> Prepared:
    made = LaunchOrder(agent, ModelOrder("m"), **order)  # type: ignore[arg-type]
    program = LocatedAgent("/bin/agent", (2, 1, 331))
    return Prepared(made, load_agent(agent), program, ModelTarget("m", target, "openrouter", 65_536), 65_536, routing)


def launched(made: Made, ready: Prepared) -> Became:
    with pytest.raises(Became) as caught:
        run(ready, made.world)
    return caught.value


# --- keys of upstreams --------------------------------------------------------------------------------------------


def stored_elsewhere(made: Made) -> Prepared:
    """The upstream is stored, and this launch does not even use it."""
    write_upstream(STORED, made.world.dirs)
    return prepared("claude", replace(FAR, base_url="http://127.0.0.1:8080", key=""))


def named_on_the_command_line(made: Made) -> Prepared:
    ready = prepared("claude", replace(FAR, key="short"))
    return replace(ready, order=replace(ready.order, model=ModelOrder("m", key_variable="MY_ROUTER_KEY")))


def used_as_a_fallback(made: Made) -> Prepared:
    here = replace(FAR, base_url="http://127.0.0.1:8080", key="")
    return prepared("claude", here, SessionRouting(Policy(fallbacks=("router",)), (FAR,)))


def kept_in_a_file_as_well(made: Made) -> Prepared:
    write_upstream(replace(STORED, key=KeyFile("/keys/router")), made.world.dirs)
    return prepared("claude")


@pytest.mark.report("B317")
@pytest.mark.parametrize(
    "order", [stored_elsewhere, named_on_the_command_line, used_as_a_fallback, kept_in_a_file_as_well]
)
def test_no_variable_that_holds_an_upstreams_key_reaches_the_agent(
    make_world: MakeWorld, order: Callable[[Made], Prepared]
) -> None:
    made = make_world(MY_ROUTER_KEY=KEY, KEPT="1")
    end = launched(made, order(made))
    assert "MY_ROUTER_KEY" not in end.environment
    assert end.environment["KEPT"] == "1"
    assert KEY not in " ".join((*end.argv, *end.environment.values(), *made.talk.lines))


@pytest.mark.report("B317")
def test_every_variable_with_the_value_of_a_key_in_use_goes_and_no_other(make_world: MakeWorld) -> None:
    made = make_world(
        OPENROUTER_API_KEY=KEY, OR_KEY=f'"{KEY}" ', OPENAI_API_KEY=OTHER_KEY, WORD="x" * (SHORTEST_KEY - 1)
    )
    end = launched(made, prepared("codex"))
    assert {"OPENROUTER_API_KEY", "OR_KEY"}.isdisjoint(end.environment)
    assert (end.environment["OPENAI_API_KEY"], len(end.environment["WORD"])) == (OTHER_KEY, SHORTEST_KEY - 1)


@pytest.mark.report("B317")
def test_a_word_that_stands_for_a_key_takes_no_other_variable_away(make_world: MakeWorld) -> None:
    end = launched(make_world(DEBUG="1", MODE="dummy"), prepared("opencode", replace(FAR, key="dummy")))
    assert (end.environment["DEBUG"], end.environment["MODE"]) == ("1", "dummy")


@pytest.mark.report("B317")
def test_the_plan_says_which_variables_are_taken_away_and_not_what_is_in_them(make_world: MakeWorld) -> None:
    made = make_world(OPENROUTER_API_KEY=KEY)
    rehearsal = rehearse(prepared("claude"), made.world)
    assert "OPENROUTER_API_KEY" in rehearsal.plan.unset
    said = notes(rehearsal, made.world)
    note = "not in the agent's environment, since the local server presents upstreams' keys: OPENROUTER_API_KEY"
    assert note in said
    assert KEY not in repr((rehearsal.plan, said))


def test_a_broken_file_of_upstreams_does_not_stop_a_launch_that_uses_none(make_world: MakeWorld) -> None:
    made = make_world()
    path: Path = store_path(made.world.dirs)
    path.parent.mkdir(parents=True)
    path.write_text("no toml")
    assert launched(made, prepared("claude", replace(FAR, base_url="http://127.0.0.1:1", key=""))).argv


# --- what a launch says -------------------------------------------------------------------------------------------


@pytest.mark.report("B231")
@AGENTS
def test_a_plan_says_that_the_agents_side_jobs_stay_with_the_model(make_world: MakeWorld, agent: str) -> None:
    made = make_world()
    assert "titles, summaries and subagents ask `m` as well" in notes(rehearse(prepared(agent), made.world), made.world)
    policy = Policy(routes=(Route("cheap", RouteMatch(role="background"), ("router",)),))
    routed = rehearse(prepared(agent, routing=SessionRouting(policy, (FAR,))), made.world)
    expected = "titles, summaries and subagents ask `m` as well; background by your policy's routes"
    assert expected in notes(routed, made.world)


@pytest.mark.report("B288")
@ALL_AGENTS
def test_without_a_terminal_and_a_prompt_the_flag_for_one_answer_is_told(make_world: MakeWorld, agent: str) -> None:
    made = make_world()
    launched(made, prepared(agent))
    word = load_agent(agent).one_answer
    assert made.talk.lines[-1] == f"  there is no terminal; for one answer: agentlaunch {agent} -- {word} 'PROMPT'"


@pytest.mark.report("B288")
@ALL_AGENTS
def test_with_a_terminal_or_a_prompt_nothing_is_told_of_it(make_world: MakeWorld, agent: str) -> None:
    typed, given = make_world(answer=True), make_world()
    launched(typed, prepared(agent))
    launched(given, prepared(agent, arguments=(load_agent(agent).one_answer, "hi")))
    assert "no terminal" not in " ".join((*typed.talk.lines, *given.talk.lines))
