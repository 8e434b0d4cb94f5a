"""app/recommended.py and app/local_models.py: the model of a launch that names none."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.choose_order import choose_launch
from agentlaunch.app.knowledge import load_catalog, load_knowledge
from agentlaunch.app.last_launch import write_record
from agentlaunch.app.local_models import LocalModel, find_local_models
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import LaunchFlags, LaunchOrder, ModelFlags, ModelOrder
from agentlaunch.app.prompts import demand_of
from agentlaunch.app.window import Terms
from agentlaunch.core.fit.choice import recommend
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

GIB = 1 << 30
GPU = Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB)
FAST = HardwareReport("linux", "x86_64", Cpu("Test CPU", 16), Memory(64 * GIB, 56 * GIB), (GPU,))
SMALL = HardwareReport("linux", "x86_64", Cpu("Test CPU", 2), Memory(4 * GIB, 3 * GIB))


def ordered(made: Made) -> str:
    return choose_launch("claude", (), ModelFlags(), LaunchFlags(), made.world).model.model


def best_of(made: Made) -> str:
    """The recommendation's id, as the refusal without it names it."""
    with pytest.raises(UserError) as caught:
        ordered(made)
    return caught.value.message.partition("`")[2].partition("`")[0]


def test_without_any_model_the_best_one_is_named_with_the_way_to_get_it(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as caught:
        ordered(make_world(report=FAST))
    error = caught.value
    assert (error.code, error.exit_code) == ("model-needed", 2)
    assert error.message.startswith("no model was chosen; the best for this machine, `")
    assert re.fullmatch(
        r"agentlaunch models pull (\S+) --quant \S+, then: agentlaunch claude --model \1; or try --model demo, .*",
        error.hint,
    )


def test_where_nothing_is_usable_that_is_said(make_world: MakeWorld) -> None:
    with pytest.raises(UserError) as caught:
        ordered(make_world(report=SMALL))
    assert caught.value.message == "no model was chosen, and none that we know is usable on this machine"


def test_the_best_models_file_is_taken_when_it_is_here_and_that_is_said(make_world: MakeWorld) -> None:
    made = make_world(report=FAST)
    model = load_catalog().models[best_of(made)]
    repository = model.gguf[0].rpartition("/")[2].removesuffix("-GGUF")
    path = made.world.dirs.cache / "models" / f"{repository}-Q4_K_M.gguf"
    path.parent.mkdir(parents=True)
    path.touch()
    assert ordered(made) == str(path)
    assert made.talk.lines == [f"no model was named: taking {model.name}, the best for this machine that is here"]


def test_a_setting_wins_over_the_last_model_and_that_over_the_recommendation(make_world: MakeWorld) -> None:
    made = make_world(report=FAST)
    write_record(LaunchOrder("codex", ModelOrder("last.gguf")), made.world.dirs)
    assert ordered(made) == "last.gguf"
    named = make_world(report=FAST, AGENTLAUNCH_MODEL="named.gguf")
    assert ordered(named) == "named.gguf"


@pytest.mark.parametrize(
    ("name", "model", "quant"),
    [
        ("Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf", "qwen3-coder-30b-a3b", "Q4_K_M"),
        ("qwen3-coder-30b-a3b-instruct-ud-q4_k_xl.gguf", "qwen3-coder-30b-a3b", "UD-Q4_K_XL"),
        ("Qwen3-Coder-30B-A3B-Instruct.gguf", "qwen3-coder-30b-a3b", ""),
        (
            "unsloth_Qwen3-Coder-30B-A3B-Instruct-GGUF_Qwen3-Coder-30B-A3B-Instruct-Q8_0.gguf",
            "qwen3-coder-30b-a3b",
            "Q8_0",
        ),
        ("Qwen3-Coder-30B-A3B-Instruct-BF16-00001-of-00001.gguf", "qwen3-coder-30b-a3b", "BF16"),
    ],
)
def test_a_files_name_tells_its_model_and_quantisation(
    make_world: MakeWorld, name: str, model: str, quant: str
) -> None:
    world = make_world().world
    (world.folder / name).touch()
    found = find_local_models(load_catalog(), world.environment, world.folder, world.dirs)
    assert found == (LocalModel(world.folder / name, model, quant),)


@pytest.mark.parametrize(
    "name", ["mine.gguf", "qwen3.gguf", "Qwen3-Coder-30B-A3B-Instruct-BF16-00002-of-00002.gguf", "-Q4_K_M.gguf"]
)
def test_a_name_that_tells_no_model_is_passed_over(make_world: MakeWorld, name: str) -> None:
    world = make_world().world
    (world.folder / name).touch()
    assert find_local_models(load_catalog(), world.environment, world.folder, world.dirs) == ()


@pytest.mark.parametrize(
    ("variable", "place"),
    [
        ("HF_HUB_CACHE", "models--a--b/snapshots/c"),
        ("HF_HOME", "hub/models--a--b/snapshots/c/sub"),
        ("LLAMA_CACHE", ""),
        ("XDG_CACHE_HOME", "llama.cpp"),
    ],
)
def test_other_programs_caches_are_where_their_variables_say(
    make_world: MakeWorld, tmp_path: Path, variable: str, place: str
) -> None:
    world = make_world(**{variable: str(tmp_path / "elsewhere")}).world
    path = tmp_path / "elsewhere" / place / "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
    path.parent.mkdir(parents=True)
    path.touch()
    found = find_local_models(load_catalog(), world.environment, world.folder, world.dirs)
    assert [model.path for model in found] == [path]


def library(made: Made, tag: str) -> None:
    """Ollama's own record of a model, as `ollama pull` leaves it."""
    name, _, version = tag.partition(":")
    version = version or "latest"
    models = Path(made.world.environment["HOME"]) / ".ollama" / "models"
    manifest = models / "manifests" / "registry.ollama.ai" / "library" / name / version
    manifest.parent.mkdir(parents=True)
    layer = {"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{'ab' * 32}"}
    manifest.write_text(json.dumps({"layers": [layer]}))
    (models / "blobs").mkdir()
    (models / "blobs" / f"sha256-{'ab' * 32}").touch()


def test_what_ollama_has_is_taken_and_stays_ollamas(make_world: MakeWorld) -> None:
    made = make_world(report=FAST)
    fit = best_fit(made)
    library(made, load_catalog().models[fit].ollama[0])
    order = choose_launch("claude", (), ModelFlags(), LaunchFlags(), made.world).model
    assert order == ModelOrder(load_catalog().models[fit].ollama[0], runtime="ollama")
    assert ", which Ollama has, the best for this machine that is here" in made.talk.lines[0]
    with pytest.raises(UserError, match="no model was chosen"):
        choose_launch("claude", (), ModelFlags(runtime="llamacpp"), LaunchFlags(), made.world)


def best_fit(made: Made) -> str:
    """The best recommendation that Ollama's library has as well."""
    knowledge = load_knowledge()
    found = recommend(made.world.look(), knowledge, demand_of("claude"))
    assert found.best is not None
    fits = (found.best, *found.alternatives)
    return next(fit.model for fit in fits if knowledge.catalog.models[fit.model].ollama)


@pytest.mark.parametrize(("answer", "yes"), [(True, False), (None, True)])
def test_with_nothing_here_the_best_one_is_ordered_where_fetching_it_can_be_agreed_to(
    make_world: MakeWorld, answer: bool | None, yes: bool
) -> None:
    made = make_world(answer, report=FAST)
    order = choose_launch("claude", (), ModelFlags(), LaunchFlags(yes=yes), made.world)
    best = best_of(make_world(report=FAST))
    assert order.model.model.partition(":")[0] == best
    assert made.talk.lines == [f"no model was named: the best for this machine is {load_catalog().models[best].name}"]


def test_a_no_to_fetching_it_says_how_to_get_it(make_world: MakeWorld) -> None:
    made = make_world(False, report=FAST)
    order = choose_launch("claude", (), ModelFlags(), LaunchFlags(), made.world)
    with pytest.raises(MachineError) as caught:
        resolve_model(order.model, made.world, Terms())
    assert caught.value.code == "model-missing"
    assert "Fetch it?" in made.talk.questions[0]
    assert caught.value.hint.startswith("add --yes to fetch it, or: agentlaunch models pull ")
