"""Programs are found and started on Windows as the files there say; the facts of Windows are given, not patched."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.core.test_windows_command import CLAUDE, CODEX

from agentlaunch.errors import UserError
from agentlaunch.system.machine import CommandEnded, CommandMissing, LocalMachine
from agentlaunch.system.programs import IS_WINDOWS, find_program, searched_folders, startable


def put(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def test_on_windows_a_program_of_the_current_folder_is_never_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "repository" / "claude.cmd")
    monkeypatch.chdir(tmp_path / "repository")
    assert find_program("claude", {"PATH": ";.;bin"}, windows=True) is None


@pytest.mark.skipif(IS_WINDOWS, reason="a PATH of POSIX")
@pytest.mark.parametrize("path", ["", ".", ":", "bin:", ":bin", "./bin", "..", "~/bin"])
def test_on_posix_a_program_of_the_current_folder_is_never_taken(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for program in ("nvidia-smi", "bin/nvidia-smi", "~/bin/nvidia-smi"):
        put(tmp_path / program, "#!/bin/sh\necho taken\n").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    assert find_program("nvidia-smi", {"PATH": path}) is None
    assert LocalMachine({"PATH": path}).run(["nvidia-smi"], 5) == CommandMissing("nvidia-smi")
    safe = str(tmp_path / "bin")
    assert find_program("nvidia-smi", {"PATH": f"{path}:{safe}"}) == tmp_path / "bin" / "nvidia-smi"
    assert LocalMachine({"PATH": f"{path}:{safe}"}).run(["nvidia-smi"], 5) == CommandEnded(0, "taken\n")


def test_on_windows_the_endings_of_pathext_are_tried_in_their_order(tmp_path: Path) -> None:
    for ending in (".cmd", ".ps1", ".exe", ".js", ""):
        put(tmp_path / f"claude{ending}")
    path = f'relative;"{tmp_path}"'
    assert find_program("claude", {"PATH": path, "PATHEXT": ".JS;.CMD;.EXE"}, windows=True) == tmp_path / "claude.cmd"
    assert find_program("claude", {"PATH": path, "PATHEXT": ""}, windows=True) == tmp_path / "claude.exe"
    assert find_program("claude.exe", {"PATH": path}, windows=True) == tmp_path / "claude.exe"


@pytest.mark.report("B285")
def test_a_script_of_npms_is_passed_by_and_its_program_started(tmp_path: Path) -> None:
    script = put(tmp_path / "claude.cmd", CLAUDE)
    program = put(tmp_path / "node_modules" / "@anthropic-ai" / "claude-code" / "bin" / "claude.exe")
    words = ["-p", 'many\nlines, "quotes" & %PATH%']
    assert startable([str(script), *words], {}, windows=True) == [str(program), *words]


def test_a_script_of_npms_for_javascript_takes_the_node_beside_it_else_the_one_on_path(tmp_path: Path) -> None:
    script = put(tmp_path / "npm" / "codex.cmd", CODEX)
    program = put(tmp_path / "npm" / "node_modules" / "@openai" / "codex" / "bin" / "codex.js")
    elsewhere = put(tmp_path / "nodejs" / "node.exe")
    environment = {"PATH": str(elsewhere.parent)}
    assert startable([str(script), "exec"], environment, windows=True) == [str(elsewhere), str(program), "exec"]
    beside = put(tmp_path / "npm" / "node.exe")
    assert startable([str(script), "exec"], environment, windows=True) == [str(beside), str(program), "exec"]


@pytest.mark.parametrize("text", [CLAUDE, CODEX, "@echo off"])
def test_any_other_script_goes_to_cmd_of_the_system_folder(tmp_path: Path, text: str) -> None:
    script = put(tmp_path / "agent.cmd", text)
    line = startable([str(script), "a&b"], {"SYSTEMROOT": r"D:\Win", "COMSPEC": "evil.exe"}, windows=True)
    assert line == f'"D:\\Win\\System32\\cmd.exe" /d /e:on /v:off /c ""{script}" "a&b""'


def test_a_line_break_for_a_batch_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError):
        startable([str(tmp_path / "missing.bat"), "a\nb"], {}, windows=True)


def test_on_windows_a_bare_name_is_never_a_program_of_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path / "nvidia-smi.exe")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError):
        startable(["nvidia-smi", "-L"], {"PATH": ""}, windows=True)
    assert LocalMachine({"PATH": ""}, windows=True).run(["nvidia-smi"], 5) == CommandMissing("nvidia-smi")
    found = put(tmp_path / "bin" / "nvidia-smi.exe")
    assert startable(["nvidia-smi", "-L"], {"PATH": str(found.parent)}, windows=True) == [str(found), "-L"]


def test_elsewhere_and_for_a_real_program_the_words_stay(tmp_path: Path) -> None:
    words = [str(put(tmp_path / "x.cmd", CLAUDE)), "a\nb"]
    assert startable(words, {}, windows=False) == words
    assert startable([str(tmp_path / "agent.exe"), "a\nb"], {}, windows=True) == [str(tmp_path / "agent.exe"), "a\nb"]


@pytest.mark.skipif(IS_WINDOWS, reason="a PATH of POSIX")
def test_under_wsl_programs_of_windows_drives_are_passed_over() -> None:
    path = "/usr/bin:/mnt/c/Users/me/AppData/Roaming/npm:/mnt/d:/mnt/data/bin:.::/home/me/.local/bin"
    assert searched_folders(path, {"WSL_DISTRO_NAME": "Ubuntu"}) == (
        "/usr/bin",
        "/mnt/data/bin",
        "/home/me/.local/bin",
    )
    assert "/mnt/d" in searched_folders(path, {})
