"""Servers that run already: found by name, used as they are, their real window the session's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.model_servers import LM_STUDIO_V1, ModelServerDouble, documented

from agentlaunch.app.check import CheckOrder, check
from agentlaunch.app.choose_order import choose_launch
from agentlaunch.app.inventory import find_runtimes
from agentlaunch.app.launch import banner, prepare
from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, LaunchOrder, ModelFlags, ModelOrder
from agentlaunch.app.running_servers import places
from agentlaunch.app.weights_list import list_models
from agentlaunch.app.window import Terms
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.check_view import check_data, check_text
from agentlaunch.cli.models_view import list_text
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.hardware import Cpu, HardwareReport, Memory
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import AgentlaunchError, UserError
from agentlaunch.probes.servers import SERVERS

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

GEMMA = "gemma-3-270m-it-qat"
SMALL = HardwareReport("linux", "x86_64", Cpu("Test CPU", 2), Memory(4 << 30, 3 << 30))


def beside(make_world: MakeWorld, double: ModelServerDouble, name: str, **more: str) -> Made:
    """A World in which `double` is the only server that runs: the others' ports are closed ones."""
    closed = ",".join(f"{other}={port}" for other, port in zip(SERVERS, range(1, 99), strict=False) if other != name)
    return make_world(AGENTLAUNCH_SERVERS=f"{closed},{name}={double.port}", **more)


def refused(made: Made, order: ModelOrder) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as caught:
        resolve_model(order, made.world, Terms())
    return caught.value


def test_a_model_that_a_server_has_loaded_is_used_with_its_real_window(make_world: MakeWorld) -> None:
    with documented("lmstudio").running() as double:
        made = beside(make_world, double, "lmstudio")
        found = resolve_model(ModelOrder(GEMMA), made.world, Terms())
    endpoint = Endpoint(
        "lmstudio", "openai_chat", f"http://127.0.0.1:{double.port}", GEMMA, context_window=4096, takes_images=False
    )
    enlarge = f"lms unload {GEMMA} && lms load {GEMMA} --context-length {{tokens}}"
    note = f"LM Studio gives it a window of only 4096 tokens; for more: {enlarge.format(tokens=32768)}"
    assert found == ModelTarget(GEMMA, endpoint, "lmstudio", 4096, (note,), enlarge)


@pytest.mark.report("B169")
@pytest.mark.parametrize("context", [None, 2048])
def test_too_small_a_window_is_told_with_the_setting_that_helps(
    make_world: MakeWorld, tmp_path: Path, context: int | None
) -> None:
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    with documented("lmstudio").running() as double:
        made = beside(make_world, double, "lmstudio", PATH=str(program.parent))
        order = LaunchOrder("claude", ModelOrder(GEMMA, context, runtime="lmstudio"), force=True)
        prepared = prepare(order, made.world)
    warning = banner(prepared, "", "")[-1]
    assert f"lms unload {GEMMA} && lms load {GEMMA} --context-length" in warning
    assert "{tokens}" not in warning


@pytest.mark.parametrize(
    ("server", "name"),
    [
        ("llamacpp-server", "qwen3-8b"),
        ("llamacpp-server", "Qwen3-8B-Q4_K_M"),
        ("vllm", "qwen3-coder-30b-a3b"),
        ("vllm", "Qwen/Qwen3-Coder-30B-A3B-Instruct"),
        ("koboldcpp", "koboldcpp/Qwen3-8B-Q4_K_M"),
        ("docker", "docker.io/ai/qwen3-coder:30B-A3B-UD-Q4_K_XL"),
    ],
)
def test_a_model_is_found_by_its_own_name_or_the_catalogues(make_world: MakeWorld, server: str, name: str) -> None:
    with documented(server).running() as double:
        found = resolve_model(ModelOrder(name), beside(make_world, double, server).world, Terms())
    assert (found.runtime, type(found.target)) == (server, Endpoint)


def test_a_lm_studio_name_of_the_catalogue_is_known_by_its_tag_of_ollamas(make_world: MakeWorld) -> None:
    models = json.loads(json.dumps(LM_STUDIO_V1["/api/v1/models"]))
    models["models"][1]["loaded_instances"] = [{"id": "qwen/qwen3-coder-30b", "config": {"context_length": 65536}}]
    with ModelServerDouble({"/api/v1/models": models}).running() as double:
        found = resolve_model(ModelOrder("qwen3-coder"), beside(make_world, double, "lmstudio").world, Terms())
    assert (found.name, found.context_window) == ("qwen/qwen3-coder-30b", 65_536)


def test_a_larger_window_than_loaded_is_refused_with_the_setting(make_world: MakeWorld) -> None:
    with documented("lmstudio").running() as double:
        made = beside(make_world, double, "lmstudio")
        error = refused(made, ModelOrder(GEMMA, 65_536, runtime="lmstudio"))
        less = resolve_model(ModelOrder(GEMMA, 2048, runtime="lmstudio"), made.world, Terms())
    assert error.code == "context-too-large"
    assert error.hint == f"enlarge it there: lms unload {GEMMA} && lms load {GEMMA} --context-length 65536"
    assert less.context_window == 2048


def test_a_window_that_nobody_tells_is_assumed_aloud(make_world: MakeWorld) -> None:
    with documented("textgen").running() as double:
        made = beside(make_world, double, "textgen")
        found = resolve_model(ModelOrder("", runtime="textgen"), made.world, Terms())
    window = DEFAULT_CONTEXT_TOKENS
    note = f"text-generation-webui does not tell its window: {window} tokens assumed, see --context"
    assert (found.context_window, found.notes) == (window, (note,))


def test_a_server_that_is_named_without_a_model_gives_what_it_has_loaded(make_world: MakeWorld) -> None:
    with documented("lmstudio").running() as double:
        made = beside(make_world, double, "lmstudio")
        (made.world.folder / ".agentlaunch.toml").write_text('model = "other"\n')
        order = choose_launch("claude", (), ModelFlags(runtime="lmstudio"), LaunchFlags(), made.world)
        found = resolve_model(order.model, made.world, Terms())
    assert (order.model, found.name) == (ModelOrder("", runtime="lmstudio"), GEMMA)


@pytest.mark.parametrize(
    ("order", "code", "hint"),
    [
        (
            ModelOrder("qwen/qwen3-coder-30b", runtime="lmstudio"),
            "model-not-loaded",
            "load it, then again: lms load qwen/qwen3-coder-30b --context-length 32768",
        ),
        (ModelOrder("nope", runtime="lmstudio"), "unknown-model", f"it has: {GEMMA}, qwen/qwen3-coder-30b"),
        (ModelOrder(GEMMA, kv="q8_0", runtime="lmstudio"), "server-option", "leave --kv away"),
        (ModelOrder(GEMMA, runtime="lmstudio", quant="Q8_0"), "quant-option", "leave --quant Q8_0 away"),
    ],
)
def test_what_a_launch_would_have_to_change_there_is_refused(
    make_world: MakeWorld, order: ModelOrder, code: str, hint: str
) -> None:
    with documented("lmstudio").running() as double:
        error = refused(beside(make_world, double, "lmstudio"), order)
        assert {request.method for request in double.asked} <= {"GET"}
    assert (error.code, error.hint) == (code, hint)


def test_a_server_that_does_not_run_says_where_it_was_looked_for(make_world: MakeWorld) -> None:
    error = refused(make_world(AGENTLAUNCH_SERVERS="jan=1"), ModelOrder("m", runtime="jan"))
    assert (error.code, error.exit_code, error.message) == (
        "server-missing",
        3,
        "no Jan answers at `127.0.0.1:1`",
    )
    assert error.hint.endswith("export AGENTLAUNCH_SERVERS=jan=PORT; if it wants a key: export JAN_API_KEY=...")


def test_a_key_comes_from_the_servers_own_variable(make_world: MakeWorld) -> None:
    jan = documented("jan", key="s3cret", open_paths=("/openapi.json",))
    order = ModelOrder("", runtime="jan")
    with jan.running():
        found = resolve_model(order, beside(make_world, jan, "jan", JAN_API_KEY="s3cret").world, Terms())
        error = refused(beside(make_world, jan, "jan"), order)
    assert isinstance(found.target, Endpoint)
    assert (found.target.key, "s3cret" in repr(found)) == ("s3cret", False)
    assert (error.code, error.hint) == ("server-key", "export JAN_API_KEY=..., then again")


@pytest.mark.parametrize("text", ["lmstudio", "lmstudio=x", "nobody=1", "lmstudio=0", "lmstudio=70000", "=1"])
def test_places_that_cannot_be_are_the_users_error(text: str) -> None:
    with pytest.raises(UserError) as caught:
        places({"AGENTLAUNCH_SERVERS": text})
    assert caught.value.code == "bad-servers"


def test_places_are_the_documented_ports_unless_stated() -> None:
    found = {place.kind.name: place.port for place in places({"AGENTLAUNCH_SERVERS": " vllm=8001, jan=1338,"})}
    assert found == {
        "lmstudio": 1234,
        "llamacpp-server": 8080,
        "vllm": 8001,
        "mlx": 8080,
        "jan": 1338,
        "koboldcpp": 5001,
        "textgen": 5000,
        "localai": 8080,
        "docker": 12434,
    }
    assert places({"AGENTLAUNCH_SERVERS": "none"}) == ()


def test_a_file_goes_before_a_server_and_is_not_looked_for_there(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    with documented("koboldcpp").running() as double:
        made = beside(make_world, double, "koboldcpp")
        path = made.world.folder / "koboldcpp" / "Qwen3-8B-Q4_K_M"
        path.parent.mkdir()
        path.write_bytes(scripted_model(Script()).read_bytes())
        found = resolve_model(ModelOrder("koboldcpp/Qwen3-8B-Q4_K_M", 2048), made.world, Terms())
        assert double.asked == []
    assert isinstance(found.target, EngineSpec)


def test_without_a_name_what_a_server_has_loaded_is_taken(make_world: MakeWorld) -> None:
    with documented("llamacpp-server").running() as double:
        closed = ",".join(f"{name}=1" for name in SERVERS if name != "llamacpp-server")
        made = make_world(report=SMALL, AGENTLAUNCH_SERVERS=f"{closed},llamacpp-server={double.port}")
        order = choose_launch("claude", (), ModelFlags(), LaunchFlags(), made.world)
    assert order.model == ModelOrder("../models/Qwen3-8B-Q4_K_M.gguf", runtime="llamacpp-server")
    assert made.talk.lines == [
        "no model was named: taking `../models/Qwen3-8B-Q4_K_M.gguf`, which llama.cpp server has loaded"
    ]


def test_the_inventory_and_the_list_show_them(make_world: MakeWorld) -> None:
    with documented("lmstudio").running() as double:
        made = beside(make_world, double, "lmstudio", PATH="")
        [studio] = [one for one in find_runtimes(made.world.environment) if one.name == "lmstudio"]
        listed = list_models(made.world)
    assert (studio.state, studio.url) == ("running", f"http://127.0.0.1:{double.port}")
    assert [(model.name, model.is_loaded) for model in studio.models] == [
        (GEMMA, True),
        ("qwen/qwen3-coder-30b", False),
    ]
    shown = list_text(listed, 0.0, Canvas(80)).split("\n\n")[-1].splitlines()
    assert [line.split() for line in shown] == [
        ["SERVED", "HERE", "STATE", "WINDOW", "BY", "USE"],
        [GEMMA, "loaded", "4k", "LM", "Studio", "--runtime", "lmstudio"],
        ["qwen/qwen3-coder-30b", "not", "loaded", "?", "LM", "Studio", "--runtime", "lmstudio"],
    ]


def test_check_tells_how_to_use_what_is_loaded(make_world: MakeWorld) -> None:
    with documented("llamacpp-server").running() as double:
        found = check(CheckOrder(agent="codex"), beside(make_world, double, "llamacpp-server", PATH="").world)
    shown = check_text(found, Canvas(100))
    assert "Loaded already\n  run       agentlaunch codex --runtime llamacpp-server --model Qwen3-8B-Q4_K_M\n" in shown
    runtimes = check_data(found)["runtimes"]
    assert isinstance(runtimes, list)
    assert runtimes[-1]["models"] == [
        {"name": "../models/Qwen3-8B-Q4_K_M.gguf", "is_loaded": True, "context_window": 8192}
    ]


def test_a_path_as_a_servers_name_is_shown_as_the_files_own(make_world: MakeWorld) -> None:
    with documented("llamacpp-server").running() as double:
        order = ModelOrder("", runtime="llamacpp-server")
        found = resolve_model(order, beside(make_world, double, "llamacpp-server").world, Terms())
    assert isinstance(found.target, Endpoint)
    assert (found.name, found.target.model) == ("Qwen3-8B-Q4_K_M", "../models/Qwen3-8B-Q4_K_M.gguf")
