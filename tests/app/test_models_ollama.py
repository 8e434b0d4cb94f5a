"""Models that Ollama serves: which name means one, with which window, and the whole way to an answer."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anthropic
import pytest
from tests.doubles.ollama_server import GIB, Model, OllamaDouble

from agentlaunch.app.last_launch import read_record, write_record
from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchOrder, ModelOrder
from agentlaunch.app.window import Terms
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import UserError
from agentlaunch.shim.protocol import ShimStatus

if TYPE_CHECKING:
    from conftest import MakeWorld

USUAL = "http://127.0.0.1:11434"
ASSUMED = "Ollama's files cannot be read from here: 32768 tokens of window are assumed to fit, see --context"
TERMS = Terms(yes=False)


def store(home: Path, name: str, tag: str, weights: Path) -> None:
    """A model of Ollama's library as Ollama stores it below a home folder."""
    models, digest = home / ".ollama" / "models", "ab" * 32
    manifest = models / "manifests" / "registry.ollama.ai" / "library" / name / tag
    manifest.parent.mkdir(parents=True, exist_ok=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    blob = models / "blobs" / f"sha256-{digest}"
    blob.parent.mkdir(exist_ok=True)
    blob.write_bytes(weights.read_bytes())


def spec(tag: str, alias: str, window: int, **more: str) -> EngineSpec:
    return EngineSpec(tag, alias, window, runtime="ollama", address=more.get("address", USUAL))


def test_a_name_goes_to_ollama_when_the_runtime_is_ordered(make_world: MakeWorld) -> None:
    found = resolve_model(ModelOrder("tiny:1b", runtime="ollama"), make_world().world, TERMS)
    window = DEFAULT_CONTEXT_TOKENS
    assert found == ModelTarget("tiny:1b", spec("tiny:1b", "tiny:1b", window), "ollama", window, (ASSUMED,))


def test_an_ordered_window_is_the_window(make_world: MakeWorld) -> None:
    found = resolve_model(ModelOrder("tiny", 8192, runtime="ollama"), make_world().world, TERMS)
    assert found == ModelTarget("tiny", spec("tiny", "tiny", 8192), "ollama", 8192)


@pytest.mark.report("B185")
@pytest.mark.parametrize(("slots", "host", "warns"), [("4", "", True), ("1", "", False), ("4", "10.0.0.7", False)])
def test_several_windows_where_one_was_planned_are_told(
    make_world: MakeWorld, slots: str, host: str, warns: bool
) -> None:
    world = make_world(OLLAMA_NUM_PARALLEL=slots, OLLAMA_HOST=host).world
    found = resolve_model(ModelOrder("tiny", 8192, runtime="ollama"), world, TERMS)
    note = "OLLAMA_NUM_PARALLEL=4 makes Ollama keep 4 windows in memory, and one was planned: unset it"
    assert found.notes == ((note,) if warns else ())


def test_a_server_elsewhere_comes_with_the_spec_and_its_password_does_not_show(make_world: MakeWorld) -> None:
    world = make_world(OLLAMA_HOST="https://me:s3cret@box.example/ollama").world
    target = resolve_model(ModelOrder("tiny", 8192, runtime="ollama"), world, TERMS).target
    assert isinstance(target, EngineSpec)
    assert target.address == "https://box.example:443/ollama"
    assert target.authorization.startswith("Basic ")
    assert target.authorization not in repr(target)
    assert "s3cret" not in repr(target)


def test_weights_that_ollama_keeps_decide_the_window(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    store(Path(world.environment["HOME"]), "tiny", "latest", scripted_model(Script()))
    for runtime in ("", "ollama"):
        found = resolve_model(ModelOrder("tiny", runtime=runtime), world, TERMS)
        assert isinstance(found.target, EngineSpec)
        assert (found.target.model_path, found.runtime) == ("tiny", "ollama")
        assert found.context_window == found.target.context_window
        assert ASSUMED not in found.notes


def test_a_name_of_the_catalogue_finds_the_tag_that_ollama_has(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    store(Path(world.environment["HOME"]), "qwen3-coder", "30b", scripted_model(Script()))
    for runtime in ("", "ollama"):
        found = resolve_model(ModelOrder("qwen3-coder", 2048, runtime=runtime), world, TERMS)
        assert found == ModelTarget("qwen3-coder", spec("qwen3-coder:30b", "qwen3-coder", 2048), "ollama", 2048)


def test_ollama_is_left_out_when_another_runtime_is_ordered(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    store(Path(world.environment["HOME"]), "tiny", "latest", scripted_model(Script()))
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("tiny", runtime="llamacpp"), world, TERMS)
    assert caught.value.code == "unknown-model"


def test_a_window_larger_than_trained_is_refused_by_the_models_name(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    store(Path(world.environment["HOME"]), "tiny", "latest", scripted_model(Script()))
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("tiny", 10**9), world, TERMS)
    assert caught.value.code == "context-too-large"
    assert "`tiny`" in caught.value.message


def test_a_model_that_is_loaded_keeps_its_window(make_world: MakeWorld) -> None:
    made = make_world()
    engine = EngineStatus("tiny", "tiny", 0, "ready", 12_288, "")
    made.shims.found = ShimStatus("http://127.0.0.1:1", 1, "0", 0.0, (), (engine,), 600.0)
    found = resolve_model(ModelOrder("tiny", runtime="ollama"), made.world, TERMS)
    assert found == ModelTarget("tiny", spec("tiny", "tiny", 12_288), "ollama", 12_288)


@pytest.mark.parametrize(
    ("name", "environment", "code"),
    [("model.gguf", {}, "ollama-wants-a-name"), ("tiny", {"OLLAMA_HOST": "ftp://x"}, "bad-ollama-host")],
)
def test_what_ollama_cannot_be_asked_for_is_the_users_error(
    make_world: MakeWorld, name: str, environment: dict[str, str], code: str
) -> None:
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder(name, runtime="ollama"), make_world(**environment).world, TERMS)
    assert caught.value.code == code


def test_the_runtime_is_remembered_and_a_record_of_before_has_none(make_world: MakeWorld) -> None:
    world = make_world().world
    order = LaunchOrder("claude", ModelOrder("tiny", 8192, runtime="ollama"))
    write_record(order, world.dirs)
    assert read_record(world.dirs) == order
    path = world.dirs.state / "plans" / "last.json"
    record = json.loads(path.read_text())
    del record["model"]["runtime"]
    path.write_text(json.dumps(record))
    assert read_record(world.dirs) == replace(order, model=ModelOrder("tiny", 8192))


@contextmanager
def serving(double: OllamaDouble, home: Path, *flags: str) -> Iterator[dict[str, str]]:
    """`agentlaunch serve` in a process of its own, before the double; its first line."""
    environment = {"PATH": "", "HOME": str(home), "AGENTLAUNCH_HOME": str(home / "ours"), "OLLAMA_HOST": double.url}
    command = [sys.executable, "-m", "agentlaunch", "serve", "--runtime", "ollama", "--port", "0", "--json", *flags]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line: dict[str, str] = json.loads(process.stdout.readline() or "{}")
            yield line
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.real
def test_a_model_of_ollamas_answers_through_serve(tmp_path: Path) -> None:
    with (
        OllamaDouble([Model("tiny:1b", size=GIB)]).running() as double,
        serving(double, tmp_path, "--model", "tiny:1b", "--context", "16384") as told,
        anthropic.Anthropic(base_url=told["url"], auth_token=told["token"], api_key=None, max_retries=0) as client,
    ):
        message = client.messages.create(model="tiny:1b", max_tokens=50, messages=[{"role": "user", "content": "hi"}])
        assert double.loads == [("tiny:1b", 16_384)]
    assert [block.text for block in message.content if block.type == "text"] == ["Hello"]
    assert double.loaded == {}
