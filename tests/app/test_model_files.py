"""app/models.py: from a name to a GGUF file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.model_names import find_model_file, means_file, repository_hint
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.upstream_store import StoredUpstream, write_upstream
from agentlaunch.app.window import Terms
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from conftest import MakeWorld

KNOWN = "known: `demo`, a .gguf file, what `agentlaunch models search` lists, any name behind --upstream KIND=URL"


@pytest.mark.parametrize("name", ["tiny.gguf", "./tiny.gguf", "sub/with space.GGUF", "sub/no-suffix"])
def test_a_path_means_that_file_made_absolute(make_world: MakeWorld, name: str) -> None:
    folder = make_world().world.folder
    (folder / "sub").mkdir()
    (folder / name).touch()
    found = find_model_file(name, folder)
    assert (found.samefile(folder / name), found.is_absolute()) == (True, True)


def test_a_home_path_from_a_file_is_expanded(make_world: MakeWorld, monkeypatch: pytest.MonkeyPatch) -> None:
    world = make_world().world
    monkeypatch.setenv("HOME", world.environment["HOME"])
    (world.folder / "m.gguf").touch()
    assert find_model_file("~/project/m.gguf", world.folder) == world.folder / "m.gguf"


def test_a_files_address_is_its_path(make_world: MakeWorld) -> None:
    folder = make_world().world.folder
    path = folder / "with space.gguf"
    assert (means_file(path.as_uri(), folder), find_model_file(path.as_uri(), folder)) == (True, path)


@pytest.mark.parametrize("name", ["m3-zephyr", "Nothing-7B"])
def test_a_name_that_nothing_knows_lists_what_is_known(make_world: MakeWorld, name: str) -> None:
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder(name), make_world().world, Terms())
    assert (caught.value.code, caught.value.message) == ("unknown-model", f"unknown model `{name}`")
    assert KNOWN in caught.value.hint


def test_the_bare_name_of_an_upstream_gets_the_option_that_takes_it(make_world: MakeWorld) -> None:
    world = make_world().world
    write_upstream(StoredUpstream("work", "vllm", "http://127.0.0.1:8000"), world.dirs)
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("work"), world, Terms())
    assert caught.value.hint.startswith("an upstream is called so: --upstream work; ")


def test_a_name_near_a_known_model_and_a_file_of_the_folder_names_both(make_world: MakeWorld) -> None:
    world = make_world().world
    for file in ("qwen4-coder-30b.gguf", "zephyr.gguf"):
        (world.folder / file).touch()
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder("qwen4-coder"), world, Terms())
    assert caught.value.hint.startswith("nearest: qwen3-coder")
    assert caught.value.hint.endswith(f"{KNOWN}; GGUF files in `{world.folder}`: qwen4-coder-30b.gguf")


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        (
            "nobody/Model",
            (
                "a repository of Hugging Face: hf:nobody/Model; "
                "an upstream called `nobody`: agentlaunch upstream add nobody --kind KIND; "
            ),
        ),
        ("hf:nobody", "a repository is written hf:OWNER/REPO[:QUANT]; "),
        ("/", ""),
    ],
)
def test_a_name_with_a_slash_that_nothing_has_is_no_missing_file(make_world: MakeWorld, name: str, hint: str) -> None:
    if name == "/":
        assert repository_hint(name) == hint
        return
    with pytest.raises(UserError) as caught:
        resolve_model(ModelOrder(name), make_world().world, Terms())
    assert (caught.value.code, caught.value.hint.startswith(hint)) == ("unknown-model", True)


def test_a_file_in_a_folder_needs_no_suffix_and_a_path_that_says_so_is_one(make_world: MakeWorld) -> None:
    world = make_world().world
    (world.folder / "models").mkdir()
    (world.folder / "models" / "tiny").touch()
    expected = {"models/tiny": True, "models/none": False, "./none": True, "~/none": True, "hf:a/b": False}
    assert {name: means_file(name, world.folder) for name in expected} == expected


def test_a_known_model_that_is_not_here_says_how_it_is_had(make_world: MakeWorld) -> None:
    with pytest.raises(MachineError) as caught:
        resolve_model(ModelOrder("qwen3-coder:30b"), make_world().world, Terms("codex"))
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "model-missing",
        "`qwen3-coder-30b-a3b` is known and not on this machine",
        (
            "add --yes to fetch it, or: agentlaunch models pull qwen3-coder-30b-a3b --quant Q4_K_M, "
            "then: agentlaunch codex --model qwen3-coder-30b-a3b"
        ),
    )


def test_a_known_model_is_taken_from_where_another_program_keeps_it(
    make_world: MakeWorld, scripted_model: Callable[[Script], Path]
) -> None:
    world = make_world().world
    hub = Path(world.environment["HOME"]) / ".cache" / "huggingface" / "hub"
    path = hub / "models--unsloth--Qwen3" / "snapshots" / "abc" / "Qwen3-Coder-30B-A3B-Instruct-Q4_K_M.gguf"
    path.parent.mkdir(parents=True)
    path.write_bytes(scripted_model(Script()).read_bytes())
    found = resolve_model(ModelOrder("qwen3-coder"), world, Terms())
    assert (found.name, found.target.model_path) == (path.stem, str(path))  # type: ignore[union-attr]


def test_a_path_to_nothing_is_left_to_the_reader_of_the_file(make_world: MakeWorld) -> None:
    folder = make_world().world.folder
    assert find_model_file("./model-q8.gguf", folder) == folder / "model-q8.gguf"
