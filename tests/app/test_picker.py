"""app/picker.py: what is offered, in which order, and the words that order it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tests.doubles.model_servers import documented

from agentlaunch.app.last_launch import write_record
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.app.picker import AgentChoice, ModelChoice, agent_choices, model_choices
from agentlaunch.app.upstream_store import NoKey, StoredUpstream, write_upstream
from agentlaunch.app.weights_use import note_use
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

GIB = 1 << 30
GPU = Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB)
FAST = HardwareReport("linux", "x86_64", Cpu("Test CPU", 16), Memory(64 * GIB, 56 * GIB), (GPU,))
SMALL = HardwareReport("linux", "x86_64", Cpu("Test CPU", 2), Memory(4 * GIB, 3 * GIB))


def install(made: Made, *programs: str) -> str:
    """A PATH on which these programs are."""
    folder = Path(made.world.environment["HOME"]) / "bin"
    folder.mkdir(exist_ok=True)
    for name in programs:
        (folder / name).write_text("#!/bin/sh\nexit 1\n")
        (folder / name).chmod(0o755)
    return str(folder)


def test_installed_agents_come_first_and_the_last_used_one_before_them(make_world: MakeWorld) -> None:
    made = make_world(PATH=install(make_world(), "codex", "opencode"))
    write_record(LaunchOrder("opencode", ModelOrder("demo")), made.world.dirs)
    assert agent_choices(made.world)[:3] == (
        AgentChoice("opencode", "OpenCode", "installed, last used"),
        AgentChoice("codex", "Codex CLI", "installed"),
        AgentChoice("claude", "Claude Code", "not installed"),
    )


def test_what_is_to_fetch_tells_its_size_and_is_ordered_by_its_name(make_world: MakeWorld) -> None:
    first, *others = model_choices(make_world(report=FAST).world, "claude")
    assert first.words == ("--model", first.title)
    assert first.state.startswith("fetch ")
    assert first.state.endswith(" tok/s")
    assert first.why.startswith("Runs on the GPU, window of ")
    assert others[-1].title == "demo"


def test_a_model_that_is_here_comes_before_those_to_fetch_the_last_used_first(make_world: MakeWorld) -> None:
    made = make_world(report=FAST)
    folder = made.world.dirs.cache / "models"
    folder.mkdir(parents=True)
    files = [folder / name for name in ("gpt-oss-20b-MXFP4.gguf", "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf")]
    for file in files:
        file.touch()
    note_use(str(files[1]), made.world.dirs, 1000.0)
    first, second, third, *_ = model_choices(made.world, "claude")
    assert (first.words, first.state.rpartition(", ")[2]) == (("--model", "qwen3-coder-30b-a3b:Q4_K_M"), "last used")
    assert (second.words, second.state[:5]) == (("--model", "gpt-oss-20b:MXFP4"), "here,")
    assert third.state.startswith("fetch ")


def test_a_loaded_model_is_first_and_an_upstream_that_was_added_is_offered(make_world: MakeWorld) -> None:
    with documented("lmstudio").running() as double:
        made = make_world(report=SMALL, AGENTLAUNCH_SERVERS=f"lmstudio={double.port}")
        stored = StoredUpstream("team", "openai", "http://127.0.0.1:9", "big", NoKey())
        write_upstream(stored, made.world.dirs)
        first, second, *_ = model_choices(made.world, "claude")
    assert first == ModelChoice(
        "gemma-3-270m-it-qat",
        ("--model", "gemma-3-270m-it-qat", "--runtime", "lmstudio"),
        "in LM Studio",
        "LM Studio has it loaded with a window of 4,096 tokens.",
    )
    assert second == ModelChoice(
        "team/big",
        ("--upstream", "team", "--model", "big"),
        "upstream",
        "Answered by http://127.0.0.1:9, not by this machine.",
    )


def test_where_nothing_is_usable_the_demo_model_says_why(make_world: MakeWorld) -> None:
    [only] = model_choices(make_world(report=SMALL).world, "claude")
    assert (only.title, only.words) == ("demo", ("--model", "demo"))
    assert only.why.startswith(
        "A tiny model that shows that everything works; it cannot code. No model that calls tools"
    )
