"""`agentlaunch` alone in a real terminal: keys, sizes, the way out, and that it does what the command line would."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from tests.cli.tmux import Pane, open_pane

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="needs tmux"),
]

AFTER = """\
trap : INT
"$@"
echo "ended with $?"
stty -a | tr ' ;' '\\n\\n' | grep -x -e icanon -e -icanon -e echo -e -echo
echo that is all
sleep 99
"""
"""The command, then its code and whether the terminal is as a shell wants it."""
FAKE_AGENT = (
    "#!/bin/sh\n[ \"$1\" = --version ] && echo '2.1.331 (Claude Code)' && exit 0\necho the agent runs\nexit 7\n"
)

OpenPicker = Callable[..., AbstractContextManager[Pane]]


@pytest.fixture
def open_picker(home: Path, tmp_path: Path) -> OpenPicker:
    """`agentlaunch` in a pane, with a claude that only says so, and an upstream."""
    (home / "bin" / "claude").write_text(FAKE_AGENT)
    (home / "ours" / "config").mkdir(parents=True)
    (home / "ours" / "config" / "upstreams.toml").write_text(
        '[team]\nkind = "openai"\nurl = "http://127.0.0.1:9"\nmodel = "big"\n'
    )

    def open_it(columns: int = 80, rows: int = 24, **more: str) -> AbstractContextManager[Pane]:
        environment = {
            "HOME": str(home),
            "PATH": f"{home / 'bin'}:/usr/bin:/bin",
            "AGENTLAUNCH_HOME": str(home / "ours"),
            "AGENTLAUNCH_SERVERS": "none",
            "TERM": "screen",
            "LANG": "C.UTF-8",
            **more,
        }
        argv = ["sh", "-c", AFTER, "sh", sys.executable, "-m", "agentlaunch"]
        return open_pane(tmp_path, argv, environment, columns=columns, rows=rows)

    return open_it


def test_an_agent_and_a_model_are_taken_and_the_command_line_is_said(open_picker: OpenPicker) -> None:
    with open_picker() as pane:
        agents = pane.wait_for("q leaves")
        assert agents[0] == "Launch which agent?"
        assert agents[2].startswith("> Claude Code")
        pane.press("Enter")
        pane.wait_for("Claude Code on which model?")
        pane.press("t", "e", "a", "m", "/")
        assert pane.wait_for("/team/_")[2].startswith("> team/big  upstream")
        pane.press("Enter")
        lines = pane.wait_for("that is all")
    assert lines[0] == "$ agentlaunch claude --upstream team --model big"
    assert "agentlaunch: Claude Code 2.1.331 on `big` (team)" in lines
    assert lines[-5:-1] == ["the agent runs", "ended with 7", "icanon", "echo"]


@pytest.mark.parametrize("keys", [("q",), ("Escape",), ("C-c",), ("Down", "Enter", "q"), ("x", "C-c")])
def test_leaving_is_130_and_the_terminal_is_as_it_was(open_picker: OpenPicker, keys: tuple[str, ...]) -> None:
    with open_picker() as pane:
        pane.wait_for("q leaves")
        for key in keys:
            pane.press(key)
            if key == "Enter":
                pane.wait_for("on which model?")
        lines = pane.wait_for("that is all")
    assert lines[-4:-1] == ["ended with 130", "icanon", "echo"]


@pytest.mark.parametrize("more", [{}, {"NO_COLOR": "1"}])
def test_it_fits_forty_columns_and_follows_the_terminals_size(open_picker: OpenPicker, more: dict[str, str]) -> None:
    with open_picker(40, 24, **more) as pane:
        pane.wait_for("j/k move, Enter, / filters, q leaves")
        pane.press("j")
        pane.resize(90, 10)
        lines = pane.wait_for("up/down j/k move, Enter takes, / filters, q leaves")
        assert [line for line in lines if line.startswith(">")] == [line for line in lines if "Codex CLI" in line]
        pane.resize(40, 5)
        pane.wait_for("Codex CLI")
        pane.press("q")
        pane.wait_for("ended with 130")


def test_the_way_back_leads_from_the_models_to_the_agents(open_picker: OpenPicker) -> None:
    with open_picker() as pane:
        pane.wait_for("q leaves")
        pane.press("Enter")
        pane.wait_for("on which model?")
        pane.press("Left")
        pane.wait_for("Launch which agent?")


def test_a_dumb_terminal_is_asked_for_numbers(open_picker: OpenPicker) -> None:
    with open_picker(TERM="dumb") as pane:
        pane.wait_for("number [1], q leaves:")
        pane.press("9", "9", "Enter")
        pane.wait_for("`99` is no number from 1 to ")
        pane.press("Enter")
        pane.wait_for("Claude Code on which model?")
        pane.press("1", "Enter")
        pane.wait_for("$ agentlaunch claude --upstream team --model big")
        pane.wait_for("ended with 7")


@pytest.mark.parametrize("end", ["q", "C-d"])
def test_a_dumb_terminal_is_left_with_130(open_picker: OpenPicker, end: str) -> None:
    with open_picker(TERM="dumb") as pane:
        pane.wait_for("number [1], q leaves:")
        pane.press(end, *(["Enter"] if end == "q" else []))
        pane.wait_for("ended with 130")


def test_a_continuous_integration_gets_the_help(open_picker: OpenPicker) -> None:
    with open_picker(rows=50, CI="true") as pane:
        assert pane.wait_for("ended with 0")[0].startswith("Usage: agentlaunch AGENT")
