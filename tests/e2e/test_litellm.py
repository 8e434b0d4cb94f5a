"""The real LiteLLM proxy as an upstream: ours before it, and the real llama.cpp behind it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.doubles.litellm_proxy import MASTER_KEY, LiteLLM, litellm_proxy
from tests.e2e.serving import TOKEN, WINDOW, Served, agentlaunch, engine, serving, tools_of
from tests.shim.doubles import PATHS

from agentlaunch.core.ir import Finished, StopReason, TextDelta, ToolCallDelta, ToolCallStart
from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(600)]

SCRIPT = Script(
    turns=(Turn(text="I read it.", calls=(Call("read_file", {"path": "a/b.txt"}),)),),
    final=Turn(text="All of it is read."),
    untooled=Turn(text="Hello from behind the gateway"),
)
KEYS = {"ENGINE_KEY": TOKEN, "GATEWAY_KEY": MASTER_KEY, "WRONG_KEY": "sk-nobody-0123456789"}
PRICE_IN, PRICE_OUT = 2.0, 10.0
"""US dollars per million tokens."""
wires = pytest.mark.parametrize("wire", sorted(PATHS))


@dataclass(frozen=True)
class Team:
    """The engine behind the proxy, the proxy, and a home whose upstreams are both: `engine`, `gateway`, `wrong`."""

    engine: Served
    proxy: LiteLLM
    home: Path


@pytest.fixture(scope="module")
def team(scripted_model: Callable[[Script], Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    home, model = folder / "home", scripted_model(SCRIPT)
    with engine(folder / "engine", model) as behind:
        add(home, "engine", "openai", behind.url, model.stem, "ENGINE_KEY", window=True)
        config = agentlaunch(home, "upstream", "export", "litellm")
        with litellm_proxy(config, folder, {"ENGINE_KEY": TOKEN}) as proxy:
            add(home, "gateway", "litellm", proxy.url, "engine", "GATEWAY_KEY")
            add(home, "wrong", "litellm", proxy.url, "engine", "WRONG_KEY")
            add(home, "unknown", "litellm", proxy.url, "nobodys-model", "GATEWAY_KEY")
            add(home, "gone", "openai", "http://127.0.0.1:9", "m", "ENGINE_KEY")
            yield Team(behind, proxy, home)


def add(home: Path, name: str, kind: str, url: str, model: str, variable: str, *, window: bool = False) -> None:
    known = ("--context", str(WINDOW), "--price-input", str(PRICE_IN), "--price-output", str(PRICE_OUT))
    order = ("upstream", "add", name, "--kind", kind, "--url", url, "--model", model, "--key-env", variable)
    agentlaunch(home, *order, *(known if window else ()), more=KEYS)


@pytest.fixture(scope="module")
def before(team: Team) -> Iterator[Served]:
    """Ours, with the proxy as its one upstream."""
    with serving(team.home, "--upstream", "gateway", more=KEYS) as served:
        yield served


def test_its_windows_and_prices_are_asked_for_and_a_short_answer_comes(team: Team) -> None:
    told = json.loads(agentlaunch(team.home, "upstream", "test", "gateway", "--json", more=KEYS))["data"]
    assert [(step["name"], bool(step.get("failed"))) for step in told["steps"]] == [
        ("reach", False),
        ("models", False),
        ("model", False),
        ("key", False),
        ("answer", False),
    ]
    assert f"`engine`, {WINDOW} tokens, USD {PRICE_IN:g}/{PRICE_OUT:g} per million" in json.dumps(told)


@wires
def test_a_streamed_answer_comes_whole_through_it(before: Served, wire: str) -> None:
    events = before.events(wire)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == SCRIPT.untooled.text
    assert events[-1] == Finished(StopReason.END_TURN)


@wires
def test_an_answer_that_is_not_streamed_comes_whole_through_it(before: Served, wire: str) -> None:
    reply = before.ask(wire, stream=False)
    assert (reply.status_code, SCRIPT.untooled.text in reply.text) == (200, True)


@wires
def test_a_tool_call_comes_through_it(before: Served, wire: str) -> None:
    events = before.events(wire, **tools_of(wire))
    arguments = "".join(event.arguments for event in events if isinstance(event, ToolCallDelta))
    assert [event.name for event in events if isinstance(event, ToolCallStart)] == ["read_file"]
    assert json.loads(arguments) == {"path": "a/b.txt"}
    assert events[-1] == Finished(StopReason.TOOL_CALLS)


def test_what_it_says_an_answer_has_cost_is_what_usage_counts(team: Team, tmp_path: Path) -> None:
    add(tmp_path, "gateway", "litellm", team.proxy.url, "engine", "GATEWAY_KEY")
    with serving(tmp_path, "--upstream", "gateway", more=KEYS) as served:
        served.events()
        (row,) = served.rows(1)
    expected = (int(str(row["tokens_in"])) * PRICE_IN + int(str(row["tokens_out"])) * PRICE_OUT) / 1e6
    assert row["cost_usd"] == pytest.approx(expected, rel=1e-6)
    assert (row["upstream"], expected > 0) == ("gateway", True)


def test_a_prompt_that_does_not_fit_behind_it_makes_the_agent_compact(before: Served) -> None:
    reply = before.ask("anthropic_messages", messages=[{"role": "user", "content": "many words " * 60_000}])
    assert (reply.status_code, reply.json()["error"]["message"].startswith("prompt is too long")) == (400, True)


def test_a_key_that_it_does_not_know_is_told_as_such(team: Team) -> None:
    with serving(team.home, "--upstream", "wrong", more=KEYS) as served:
        reply = served.ask()
    assert (reply.status_code, KEYS["WRONG_KEY"] in reply.text) == (401, False)


def test_a_model_that_it_does_not_have_is_told_with_its_name(team: Team) -> None:
    with serving(team.home, "--upstream", "unknown", more=KEYS) as served:
        reply = served.ask()
    assert (reply.status_code, "nobodys-model" in reply.text) == (404, True)


@pytest.mark.parametrize("primary", ["wrong", "unknown"])
def test_where_it_refuses_the_fallback_answers(team: Team, primary: str) -> None:
    with serving(team.home, "--upstream", primary, "--fallback", "engine", more=KEYS) as served:
        reply = served.ask(stream=False)
    assert (reply.status_code, reply.headers["x-agentlaunch-upstream"]) == (200, "engine")


def test_it_answers_where_the_first_is_not_there(team: Team) -> None:
    with serving(team.home, "--upstream", "gone", "--fallback", "gateway", more=KEYS) as served:
        reply = served.ask(stream=False)
    assert (reply.status_code, reply.headers["x-agentlaunch-upstream"]) == (200, "gateway")


def test_killed_while_a_session_goes_on_the_fallback_answers(
    team: Team, tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    config = agentlaunch(team.home, "upstream", "export", "litellm")
    with litellm_proxy(config, tmp_path, {"ENGINE_KEY": TOKEN, "GATEWAY_KEY": "x", "WRONG_KEY": "x"}) as proxy:
        add(team.home, "doomed", "litellm", proxy.url, "engine", "GATEWAY_KEY")
        with serving(team.home, "--upstream", "doomed", "--fallback", "engine", more=KEYS) as served:
            first = served.ask(stream=False).headers["x-agentlaunch-upstream"]
            proxy.process.kill()
            proxy.process.wait(30)
            then = [served.ask(stream=False).headers["x-agentlaunch-upstream"] for _ in range(3)]
    assert (first, then) == ("doomed", ["engine"] * 3)
