"""`agentlaunch completion SHELL`: what real shells offer, and that no name of a file is ever run."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.cli.tmux import open_pane

from agentlaunch.cli.command_line import Command, all_commands
from agentlaunch.cli.completion_scripts import FILES, SHELLS

if TYPE_CHECKING:
    from conftest import Run

COMPLETIONS = Path(__file__).parents[2] / "completions"

ASKED = [
    ("agentlaunch cl", ["claude"]),
    ("agentlaunch claude --mo", ["--model"]),
    ("agentlaunch claude --model dem", ["demo"]),
    ("agentlaunch claude --model qwen3-coder-4", ["qwen3-coder-480b-a35b"]),
    ("agentlaunch claude --quiet --upstream te", ["team"]),
    ("agentlaunch claude --kv q", ["q4_0", "q8_0"]),
    ("agentlaunch models se", ["search"]),
    ("agentlaunch models rm dem", ["demo"]),
    ("agentlaunch usage --by pro", ["project"]),
    ("agentlaunch config cod", ["codex"]),
    ("agentlaunch claude --model team/", ["team/big"]),
    ("agentlaunch completion po", ["powershell"]),
    ("agentlaunch claude -- --mo", []),
]
"""What is typed, and what is offered for it."""


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    """A shell's, with our program on the PATH and an upstream."""
    program = home / "bin" / "agentlaunch"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m agentlaunch "$@"\n')
    program.chmod(0o755)
    (home / "ours" / "config").mkdir(parents=True)
    (home / "ours" / "config" / "upstreams.toml").write_text(
        '[team]\nkind = "openai"\nurl = "http://127.0.0.1:9"\nmodel = "big"\n'
    )
    return {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:/usr/bin:/bin",
        "AGENTLAUNCH_HOME": str(home / "ours"),
        "LANG": "C.UTF-8",
        "TERM": "screen",
    }


def ran(argv: list[str], environment: dict[str, str], folder: Path) -> list[str]:
    done = subprocess.run(argv, env=environment, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


def in_bash(typed: str, environment: dict[str, str], folder: Path) -> list[str]:
    code = (
        f"source {shlex.quote(str(COMPLETIONS / FILES['bash']))}; COMP_LINE=$1; COMP_POINT=${{#1}}; "
        '_agentlaunch; if [ ${#COMPREPLY[@]} -gt 0 ]; then printf "%s\\n" "${COMPREPLY[@]}"; fi'
    )
    return ran(["bash", "--norc", "-c", code, "bash", typed], environment, folder)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(("typed", "offered"), ASKED)
def test_bash_offers_what_fits(typed: str, offered: list[str], environment: dict[str, str], home: Path) -> None:
    assert sorted(in_bash(typed, environment, home / "project")) == offered


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_offers_the_rest_of_a_name_with_a_colon(environment: dict[str, str], home: Path) -> None:
    (home / "project" / "a:b:c.gguf").touch()
    assert in_bash("agentlaunch claude --model a:b", environment, home / "project") == ["b:c.gguf"]


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_a_files_name_is_never_run(environment: dict[str, str], home: Path) -> None:
    (home / "project" / "x$(touch ran).gguf").touch()
    (home / "project" / "x`touch ran`.gguf").touch()
    in_bash("agentlaunch claude --model x", environment, home / "project")
    assert not (home / "project" / "ran").exists()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_bash_offers_files_where_one_is_wanted(environment: dict[str, str], home: Path) -> None:
    (home / "project" / "laptop.toml").touch()
    assert in_bash("agentlaunch check --simulate la", environment, home / "project") == ["laptop.toml"]


@pytest.mark.skipif(shutil.which("fish") is None, reason="needs fish")
@pytest.mark.parametrize(("typed", "offered"), ASKED)
def test_fish_offers_what_fits(typed: str, offered: list[str], environment: dict[str, str], home: Path) -> None:
    code = f"source {shlex.quote(str(COMPLETIONS / FILES['fish']))}; complete -C {shlex.quote(typed)}"
    lines = ran(["fish", "--no-config", "-c", code], environment, home / "project")
    assert sorted({line.partition("\t")[0] for line in lines}) == offered


@pytest.mark.real
@pytest.mark.skipif(shutil.which("zsh") is None or shutil.which("tmux") is None, reason="needs zsh and tmux")
@pytest.mark.parametrize(("typed", "offered"), [one for one in ASKED if len(one[1]) == 1])
def test_zsh_completes_the_word(
    typed: str, offered: list[str], environment: dict[str, str], home: Path, tmp_path: Path
) -> None:
    (home / ".zshrc").write_text(
        f"fpath=({shlex.quote(str(COMPLETIONS))} $fpath); autoload -Uz compinit; compinit -u; PROMPT='ready> '\n"
    )
    with open_pane(tmp_path, ["zsh", "-i"], environment, columns=100) as pane:
        pane.wait_for("ready>")
        pane.press(typed, "Tab")
        pane.wait_for(f"{typed.rpartition(' ')[0]} {offered[0]}")


@pytest.mark.real
@pytest.mark.skipif(shutil.which("zsh") is None or shutil.which("tmux") is None, reason="needs zsh and tmux")
def test_zsh_takes_the_script_from_a_file_too(environment: dict[str, str], home: Path, tmp_path: Path) -> None:
    script = shlex.quote(str(COMPLETIONS / FILES["zsh"]))
    (home / ".zshrc").write_text(f"autoload -Uz compinit; compinit -u; source {script}; PROMPT='ready> '\n")
    with open_pane(tmp_path, ["zsh", "-i"], environment, columns=100) as pane:
        pane.wait_for("ready>")
        pane.press("agentlaunch docto", "Tab")
        pane.wait_for("agentlaunch doctor")


COMMANDS = all_commands()


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_every_command_and_option_is_in_every_script(shell: str, command: Command) -> None:
    script = SHELLS[shell](COMMANDS)
    assert command.name in script
    for option in command.options:
        for name in option.names:
            wanted = (f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}") if shell == "fish" else name
            assert wanted in script


@pytest.mark.parametrize("shell", SHELLS)
def test_the_command_prints_the_script_of_the_repository(run_command: Run, shell: str) -> None:
    done = run_command("completion", shell, PYTHONUTF8="1")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == SHELLS[shell](COMMANDS)


def test_an_unknown_shell_is_told_the_known_ones(run_command: Run) -> None:
    done = run_command("completion", "tcsh")
    assert (done.returncode, done.stdout, done.stderr) == (
        2,
        "",
        "error: no completion for `tcsh`\nhint: known: bash, zsh, fish, powershell\n",
    )


@pytest.mark.parametrize("kind", ["models", "upstreams", "policies", "nothing"])
def test_words_are_told_without_heavy_modules(run_command: Run, kind: str) -> None:
    code = (
        "import sys; from agentlaunch.cli.main import run; code = run(sys.argv[1:]); "
        "print([name for name in ('typer', 'click', 'httpx', 'msgspec', 'psutil', 'ollama', 'starlette') "
        "if name in sys.modules], file=sys.stderr); sys.exit(code)"
    )
    done = run_command("_words", kind, code=code)
    assert (done.returncode, done.stderr) == (0, "[]\n")
