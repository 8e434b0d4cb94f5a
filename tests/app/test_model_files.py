"""app/models.py: from a name to a GGUF file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentlaunch.app.models import find_model_file
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from conftest import MakeWorld

KNOWN = "known: `demo`, a path to a .gguf file, or any name behind --upstream KIND=URL"


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


@pytest.mark.parametrize("name", ["qwen3-coder", "qwen3-coder:30b", "hf:Qwen/Qwen3-Coder-30B-A3B"])
def test_a_name_that_nothing_knows_lists_what_is_known(make_world: MakeWorld, name: str) -> None:
    with pytest.raises(UserError) as caught:
        find_model_file(name, make_world().world.folder)
    assert (caught.value.code, caught.value.message, caught.value.hint) == (
        "unknown-model",
        f"unknown model `{name}`",
        KNOWN,
    )


def test_a_name_near_a_file_of_the_folder_names_the_file(make_world: MakeWorld) -> None:
    folder = make_world().world.folder
    for file in ("qwen3-coder-30b.gguf", "zephyr.gguf"):
        (folder / file).touch()
    with pytest.raises(UserError) as caught:
        find_model_file("qwen3-coder", folder)
    assert caught.value.hint == f"{KNOWN}; GGUF files in `{folder}`: qwen3-coder-30b.gguf"


def test_a_path_to_nothing_is_left_to_the_reader_of_the_file(make_world: MakeWorld) -> None:
    folder = make_world().world.folder
    assert find_model_file("./model-q8.gguf", folder) == folder / "model-q8.gguf"
