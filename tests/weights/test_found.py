"""Files of weights in the places of every program, and whose they are."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from agentlaunch.weights.found import Holding, Place, find_holdings, weight_places


def put(path: Path, content: bytes = b"GGUF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(tmp_path: Path, **environment: str) -> tuple[Holding, ...]:
    home = tmp_path / "home"
    places = weight_places({"HOME": str(home), **environment}, tmp_path / "here", tmp_path / "ours")
    return find_holdings(places)


def test_every_programs_files_are_found_in_the_order_in_which_they_are_taken(tmp_path: Path) -> None:
    home = tmp_path / "home"
    here = put(tmp_path / "here" / "a-Q4_0.gguf")
    ours = put(tmp_path / "ours" / "deep" / "b-Q4_0.gguf")
    hub = put(home / ".cache/huggingface/hub/models--me--C--D-GGUF/snapshots/f00/sub/c-UD-Q4_K_XL.gguf")
    studio = put(home / ".lmstudio/models/me/D-GGUF/d.gguf")
    old_studio = put(home / ".cache/lm-studio/models/me/E-GGUF/e-Q8_0.gguf")
    llama = put(home / ".cache/llama.cpp/me_F-GGUF_f-Q6_K.gguf")
    assert found(tmp_path) == (
        Holding("a-Q4_0", "folder", here, (here,), 4, "Q4_0", "a"),
        Holding("b-Q4_0", "agentlaunch", ours, (ours,), 4, "Q4_0", "b"),
        Holding("hf:me/C--D-GGUF:UD-Q4_K_XL", "hugging-face", hub, (hub,), 4, "UD-Q4_K_XL", "c", "me/C--D-GGUF"),
        Holding("d", "lm-studio", studio, (studio,), 4, "", "d", "me/D-GGUF"),
        Holding("e-Q8_0", "lm-studio", old_studio, (old_studio,), 4, "Q8_0", "e", "me/E-GGUF"),
        Holding("me_F-GGUF_f-Q6_K", "llama.cpp", llama, (llama,), 4, "Q6_K", "f", "me/F-GGUF"),
    )


def test_the_variables_of_other_programs_count(tmp_path: Path) -> None:
    put(tmp_path / "hub" / "models--me--A" / "snapshots" / "f00" / "a.gguf")
    put(tmp_path / "llama" / "b.gguf")
    put(tmp_path / "studio" / "me" / "C" / "c.gguf")
    settings = tmp_path / "home" / ".lmstudio" / "settings.json"
    put(settings, json.dumps({"downloadsFolder": str(tmp_path / "studio")}).encode())
    names = [
        one.name for one in found(tmp_path, HF_HUB_CACHE=str(tmp_path / "hub"), LLAMA_CACHE=str(tmp_path / "llama"))
    ]
    assert names == ["a", "c", "b"]


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"downloadsFolder": 3}', b"\xff"])
def test_settings_that_cannot_be_read_are_no_settings(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "home" / ".lmstudio" / "settings.json", content)
    put(tmp_path / "home" / ".lmstudio" / "models" / "me" / "A" / "a.gguf")
    assert [one.name for one in found(tmp_path)] == ["a"]


def test_one_content_under_two_names_counts_once_under_the_newer_snapshot(tmp_path: Path) -> None:
    blob = put(tmp_path / "hub" / "models--me--A" / "blobs" / "ab")
    for commit, changed in (("aaa", 1000), ("bbb", 2000)):
        link = tmp_path / "hub" / "models--me--A" / "snapshots" / commit / "a-Q4_0.gguf"
        link.parent.mkdir(parents=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
        os.utime(link.parent, (changed, changed))
    (one,) = find_holdings([Place(tmp_path / "hub", "models--*/snapshots/*/**/*.gguf", "hugging-face")])
    assert (one.path, one.size_bytes) == (tmp_path / "hub/models--me--A/snapshots/bbb/a-Q4_0.gguf", 4)


@pytest.mark.report("B300")
def test_a_split_model_is_one_and_tells_what_is_missing(tmp_path: Path) -> None:
    parts = [put(tmp_path / "here" / f"Big-Q8_0-0000{number}-of-00003.gguf") for number in (1, 3)]
    assert found(tmp_path) == (
        Holding("Big-Q8_0", "folder", parts[0], tuple(parts), 8, "Q8_0", "Big", missing_parts=1),
    )


def test_links_that_lead_nowhere_and_image_encoders_are_no_models(tmp_path: Path) -> None:
    put(tmp_path / "here" / "mmproj-F16.gguf")
    (tmp_path / "here" / "gone-Q4_0.gguf").symlink_to(tmp_path / "nothing")
    assert found(tmp_path) == ()


def test_places_that_are_not_there_or_are_files_hold_nothing(tmp_path: Path) -> None:
    put(tmp_path / "here")
    put(tmp_path / "home" / ".cache" / "huggingface")
    assert found(tmp_path) == ()
