"""Which llama.cpp a file is launched on, placed how, and how small its window may become."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles import llama_server

from agentlaunch.agents.base import load_agent
from agentlaunch.app.limits import max_output_for
from agentlaunch.app.llama_engine import smallest_window
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.window import Terms
from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import MachineError

if TYPE_CHECKING:
    from conftest import MakeWorld

CUDA = "Available devices:\n  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23000 MiB free)\n"


def engine_of(order: ModelOrder, terms: Terms, make_world: MakeWorld, **environment: str) -> tuple[EngineSpec, str]:
    found = resolve_model(order, make_world(**environment).world, terms)
    assert isinstance(found.target, EngineSpec)
    return found.target, found.runtime


@pytest.mark.parametrize(
    ("asked", "devices", "runtime"),
    [
        ("", CUDA, "llama_server"),
        ("llamacpp", CUDA, "llama_server"),
        ("embedded", CUDA, "llama_cpp"),
        ("", llama_server.NO_DEVICES, "llama_cpp"),
        ("llama-server", llama_server.NO_DEVICES, "llama_server"),
    ],
)
def test_the_installed_one_runs_the_file_where_it_alone_has_a_gpu(
    make_world: MakeWorld,
    scripted_model: Callable[[Script], Path],
    tmp_path: Path,
    asked: str,
    devices: str,
    runtime: str,
) -> None:
    program = llama_server.install(tmp_path / "bin", devices=devices)
    order = ModelOrder(str(scripted_model(Script())), 8192, runtime=asked)
    spec, shown = engine_of(order, Terms(), make_world, LLAMA_SERVER=program)
    expected = ("llama_server", program, "llama-server") if runtime == "llama_server" else ("llama_cpp", "", "llamacpp")
    assert (spec.runtime, spec.program, shown) == expected


def test_one_that_is_asked_for_and_not_there_is_refused(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path], tmp_path: Path
) -> None:
    order = ModelOrder(str(scripted_model(Script())), 8192, runtime="llama-server")
    with pytest.raises(MachineError) as caught:
        engine_of(order, Terms(), make_world, PATH=str(tmp_path))
    assert caught.value.code == "runtime-missing"


def test_the_plan_s_parameters_go_with_the_engine(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    spec, _ = engine_of(ModelOrder(str(scripted_model(Script())), 8192, "q8_0"), Terms(), make_world)
    assert spec.parameters == EngineParameters(
        gpu_layers=0, flash_attention="on", slots=3, checkpoints=32
    )  # no GPU here
    assert spec == replace(spec, parameters=EngineParameters(), smallest_window=0)


@pytest.mark.parametrize("agent", ["claude", "codex", "opencode"])
@pytest.mark.parametrize(("window", "lean"), [(65_536, None), (65_536, True), (16_384, None), (16_384, False)])
def test_the_smallest_window_holds_the_agent_s_first_prompt_and_an_answer(
    agent: str, window: int, lean: bool | None
) -> None:
    found = smallest_window(Terms(agent, lean), window)
    sizes = load_agent(agent).prompt_tokens
    prompt = sizes.full if lean is False or (lean is None and window > 24_000) else sizes.tiny
    assert found <= window
    assert found == window or prompt + max_output_for(found) <= found
