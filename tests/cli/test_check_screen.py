"""`check` and `fit` as a person sees them: three machines, on terminals wide and narrow, with and without colour.

A golden is made anew, in this folder, by `agentlaunch check --simulate machines/X.toml > goldens/check_X.txt`, and by
`agentlaunch fit qwen3-coder --simulate ...` for `fit_X.txt`: read what changed before keeping it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from agentlaunch.app.check import Checked, CheckOrder, check
from agentlaunch.app.machine_flags import MachineFlags
from agentlaunch.app.world import real_world
from agentlaunch.cli import canvas, render
from agentlaunch.cli.canvas import Canvas, stdout_canvas
from agentlaunch.cli.check_view import check_text
from agentlaunch.cli.main import run

FOLDER = Path(__file__).parent
MACHINES = ("laptop_8gb", "rtx_4090", "m4_max_128")
ESCAPE = re.compile(r"\x1b\[[\d;]*m")


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AGENTLAUNCH_HOME", str(tmp_path / "ours"))
    monkeypatch.chdir(tmp_path)


def machine(name: str) -> str:
    return str(FOLDER / "machines" / f"{name}.toml")


def checked(name: str) -> Checked:
    return check(CheckOrder(MachineFlags(simulate=machine(name))), real_world(render.Terminal()))


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("command", ["check", "fit"])
def test_the_screen_of_a_machine_is_the_golden_one(command: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = ("qwen3-coder",) if command == "fit" else ()
    assert run([command, *model, "--simulate", machine(name)]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ((FOLDER / "goldens" / f"{command}_{name}.txt").read_text("utf-8"), "")


@pytest.mark.parametrize("name", MACHINES)
def test_off_a_terminal_the_text_is_plain_ascii_of_80_columns(
    name: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "20")
    run(["check", "--simulate", machine(name)])
    out = capsys.readouterr().out
    assert (out.isascii(), "\x1b" in out, max(map(len, out.splitlines())) <= 80) == (True, False, True)


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("columns", [60, 80, 100])
def test_no_line_is_wider_than_the_terminal_but_a_command_to_copy(name: str, columns: int) -> None:
    lines = ESCAPE.sub("", check_text(checked(name), Canvas(columns, colours=True, blocks=True))).splitlines()
    assert [line for line in lines if len(line) > columns and "agentlaunch " not in line] == []


@pytest.mark.parametrize("name", MACHINES)
def test_colour_only_repeats_what_the_words_say(name: str) -> None:
    found = checked(name)
    coloured = check_text(found, Canvas(80, colours=True))
    assert ESCAPE.sub("", coloured) == check_text(found, Canvas(80))
    assert coloured.count("\x1b[") == 2 * coloured.count("\x1b[0m")


@pytest.mark.parametrize("columns", [40, 60, 79])
def test_the_command_to_copy_is_never_broken(columns: int) -> None:
    found = checked("rtx_4090")
    assert found.recommendation.best is not None
    model = found.recommendation.best.model
    lines = check_text(found, Canvas(columns)).splitlines()
    assert any(line.endswith(f"agentlaunch claude --model {model}") for line in lines)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Canvas]:
    """What `stdout_canvas` makes of a terminal with this environment."""

    def look(**environment: str) -> Canvas:
        for name in ("NO_COLOR", "TERM", "COLUMNS"):
            monkeypatch.delenv(name, raising=False)
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
        return stdout_canvas()

    return look


@pytest.mark.parametrize(
    ("environment", "columns", "colours"),
    [
        ({"COLUMNS": "60"}, 60, True),
        ({"COLUMNS": "500"}, canvas.WIDEST, True),
        ({"COLUMNS": "5"}, canvas.NARROWEST, True),
        ({"COLUMNS": "80", "NO_COLOR": "1"}, 80, False),
        ({"COLUMNS": "80", "NO_COLOR": ""}, 80, True),
        ({"COLUMNS": "80", "TERM": "dumb"}, 80, False),
    ],
)
def test_a_terminals_width_and_wishes_are_honoured(
    terminal: Callable[..., Canvas], environment: dict[str, str], columns: int, colours: bool
) -> None:
    found = terminal(**environment)
    assert (found.columns, found.colours) == (columns, colours)


@pytest.mark.parametrize(("share", "bar"), [(0.0, "[....]"), (0.5, "[##..]"), (1.0, "[####]"), (7.0, "[####]")])
def test_a_bar_never_leaves_its_frame(share: float, bar: str) -> None:
    assert Canvas().bar(share, 4, "good") == bar
