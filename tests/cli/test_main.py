"""cli/main.py: one line and an exit code for every failure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from agentlaunch import __version__
from agentlaunch.cli.main import COMMANDS, load_command, overview, run, split_at_dashes

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(tmp_path / "ours"))
    monkeypatch.delenv("AGENTLAUNCH_MODEL", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("words", [["--version"], ["-V"]])
def test_version_is_one_line_of_data(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(words) == 0
    assert capsys.readouterr() == (f"agentlaunch {__version__}\n", "")


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"], ["help"]])
def test_help_is_data_also_without_a_word_where_nobody_can_choose(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out == f"{overview()}\n"


@pytest.mark.parametrize(
    ("words", "code", "error"),
    [
        (["claud"], 2, "error: unknown command `claud`\nhint: did you mean `agentlaunch claude`?\n"),
        (["statsu"], 2, "error: unknown command `statsu`\nhint: did you mean `agentlaunch status`?\n"),
        (["--frob"], 2, "error: unknown option `--frob` before a command\nhint: agentlaunch --help\n"),
        (["stop", "--bogus"], 2, "error: unknown option `--bogus`\nhint: agentlaunch stop --help\n"),
        (["stop", "now"], 2, "error: nothing is known to do with `now`\nhint: agentlaunch stop --help\n"),
        (
            ["claude", "--modle", "demo"],
            2,
            (
                "error: unknown option `--modle`\n"
                "hint: did you mean `--model`?; the agent's own arguments go behind `--`; agentlaunch claude --help\n"
            ),
        ),
        (
            ["claude", "--context", "big"],
            2,
            ("error: --context cannot be `big`\nhint: write a whole number of at least 1; agentlaunch claude --help\n"),
        ),
        (
            ["claude", "--model"],
            2,
            ("error: option `--model` requires an argument\nhint: agentlaunch claude --help\n"),
        ),
        (["logs", "-n"], 2, "error: option `-n` requires an argument\nhint: agentlaunch logs --help\n"),
        (
            ["serve", "--port", "70000"],
            2,
            "error: --port cannot be `70000`\nhint: write a whole number from 0 to 65535; agentlaunch serve --help\n",
        ),
        (
            ["usage", "--by", "hour"],
            2,
            (
                "error: --by cannot be `hour`\n"
                "hint: known: day, model, project, agent, upstream; agentlaunch usage --help\n"
            ),
        ),
        (["fit"], 2, "error: missing argument `MODEL`\nhint: agentlaunch fit --help\n"),
        (["check", "--ram", "x"], 2, "error: --ram cannot be `x`\nhint: write a number; agentlaunch check --help\n"),
        (["status", "--", "x"], 2, "error: `status` takes no words behind `--`\nhint: agentlaunch status --help\n"),
        (["again"], 2, "error: there is no last launch to repeat\nhint: agentlaunch claude --model demo\n"),
        (["logs", "agent"], 2, "error: unknown log `agent`\nhint: known: shim, engine, serve\n"),
    ],
)
def test_what_the_user_typed_wrong_is_said_on_stderr_with_the_next_step(
    words: list[str], code: int, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(words) == code
    assert capsys.readouterr() == ("", error)


def test_with_json_the_error_is_data_on_stdout(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["again", "--json"]) == 2
    out, err = capsys.readouterr()
    assert (json.loads(out), err) == (
        {
            "version": 1,
            "command": "again",
            "status": "error",
            "data": None,
            "errors": [
                {
                    "code": "nothing-launched",
                    "message": "there is no last launch to repeat",
                    "hint": "agentlaunch claude --model demo",
                }
            ],
        },
        "",
    )


def test_a_json_flag_behind_the_dashes_is_the_agents(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["claud", "--", "--json"]) == 2
    assert capsys.readouterr().err.startswith("error: unknown command `claud`\n")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], ([], None)),
        (["claude"], (["claude"], None)),
        (["claude", "--"], (["claude"], ())),
        (["claude", "-q", "--", "-p", "--", "x y"], (["claude", "-q"], ("-p", "--", "x y"))),
    ],
)
def test_only_the_first_dashes_are_ours(words: list[str], expected: tuple[list[str], tuple[str, ...] | None]) -> None:
    assert split_at_dashes(words) == expected


def test_ctrl_c_before_the_agent_is_130_and_one_word(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ours" / "logs").mkdir(parents=True)
    (tmp_path / "ours" / "logs" / "shim.log").write_text("a line\n")

    def interrupt(_seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert run(["logs", "-f"]) == 130
    assert capsys.readouterr() == ("a line\n", "interrupted\n")


def test_an_unexpected_error_is_70_and_its_traceback_is_kept(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(_path: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("pathlib.Path.is_file", fail)
    assert run(["claude", "--model", "demo"]) == 70
    [path] = (tmp_path / "ours" / "logs").iterdir()
    assert capsys.readouterr() == (
        "",
        f"error: a bug in agentlaunch: `ZeroDivisionError`\nhint: please report it with this file: {path}\n",
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_json(name: str) -> None:
    parsed = load_command(name, COMMANDS[name][0], is_agent=False)
    assert "--json" in {word for parameter in parsed.params for word in parameter.opts}


def test_a_log_as_json_is_its_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(tmp_path))
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "shim.log").write_text("one\ntwo\nthree\n")
    assert run(["logs", "-n", "2", "--json"]) == 0
    path = str(tmp_path / "logs" / "shim.log")
    assert json.loads(capsys.readouterr().out)["data"] == {"log": "shim", "path": path, "lines": ["two", "three"]}
    assert run(["logs", "--follow", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["errors"][0]["hint"] == "give one of them"


def test_a_completion_as_json_is_the_script(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "fish"]) == 0
    script = capsys.readouterr().out
    assert run(["completion", "fish", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["data"] == {"shell": "fish", "script": script.removesuffix("\n")}
