"""The real machine answers what is there, and says so calmly when nothing is."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from agentlaunch.system.machine import (
    CommandEnded,
    CommandMissing,
    CommandTimedOut,
    LocalMachine,
    clean_environment,
    normal_arch,
)

posix = pytest.mark.skipif(os.name == "nt", reason="starts a shell script")


def local(**environment: str) -> LocalMachine:
    return LocalMachine({"PATH": os.environ.get("PATH", ""), **environment})


def test_a_command_tells_its_exit_code_and_both_streams() -> None:
    code = "import sys; print('out'); print('err', file=sys.stderr); sys.exit(9)"
    assert local().run([sys.executable, "-c", code], 30) == CommandEnded(9, f"out{os.linesep}", f"err{os.linesep}")


def test_a_command_runs_in_the_c_locale_and_sees_no_secret() -> None:
    code = "import os; print(os.environ['LC_ALL'], 'OPENAI_API_KEY' in os.environ)"
    ended = local(LC_ALL="de_AT.UTF-8", OPENAI_API_KEY="not-a-key").run([sys.executable, "-c", code], 30)
    assert ended == CommandEnded(0, f"C False{os.linesep}")


def test_the_cleaned_environment_keeps_what_programs_need_in_any_case_of_letters() -> None:
    assert clean_environment({"Path": "p", "SystemRoot": "s", "HF_TOKEN": "t", "LANG": "de"}) == {
        "Path": "p",
        "SystemRoot": "s",
        "LANG": "C",
        "LC_ALL": "C",
    }


def test_a_program_that_is_not_there_is_missing() -> None:
    assert local().run(["/nowhere/nvidia-smi"], 1) == CommandMissing("/nowhere/nvidia-smi")


@posix
def test_a_program_that_may_not_be_started_is_missing(tmp_path: Path) -> None:
    program = tmp_path / "tool"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o600)
    assert local().run([str(program)], 1) == CommandMissing(str(program))


def test_a_command_that_hangs_is_ended() -> None:
    ended = local().run([sys.executable, "-c", "import time; time.sleep(60)"], 0.2)
    assert ended == CommandTimedOut(sys.executable, 0.2)


def test_bytes_that_are_not_text_are_replaced() -> None:
    code = "import sys; sys.stdout.buffer.write(b'GPU \\xff')"
    assert local().run([sys.executable, "-c", code], 30) == CommandEnded(0, "GPU �")


def test_files_and_folders_that_are_not_there_are_nothing(tmp_path: Path) -> None:
    machine = local()
    (tmp_path / "b").write_bytes(b"x\xff")
    (tmp_path / "a").mkdir()
    assert machine.list_folder(str(tmp_path)) == ("a", "b")
    assert machine.read_text(str(tmp_path / "b")) == "x�"
    assert machine.read_text(str(tmp_path / "a")) is None
    assert machine.read_text("\x00") is None
    assert machine.list_folder(str(tmp_path / "c")) == ()
    assert [machine.exists(str(tmp_path / name)) for name in "abc"] == [True, True, False]


def test_the_systems_figures_are_told() -> None:
    machine = local()
    memory = machine.system_memory()
    assert 0 < memory.available_bytes <= memory.total_bytes
    assert (machine.usable_processors() or 0) >= 1
    assert machine.os in ("linux", "darwin", "windows")
    assert machine.arch == normal_arch(machine.arch)


@pytest.mark.parametrize(
    ("name", "word"), [("AMD64", "x86_64"), ("aarch64", "arm64"), ("ARM64", "arm64"), ("riscv64", "riscv64")]
)
def test_an_architecture_has_one_word(name: str, word: str) -> None:
    assert normal_arch(name) == word
