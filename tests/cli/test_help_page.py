"""`--help` as a user sees it."""

from __future__ import annotations

import re

import pytest

from agentlaunch.agents.base import AGENTS
from agentlaunch.app.orders import KNOWN_RUNTIMES
from agentlaunch.cli.help_page import FEWEST_TO_GROUP, group_of
from agentlaunch.cli.main import COMMANDS, load_command, overview, run

ALL = (*COMMANDS, next(iter(AGENTS)))


def page(name: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert run([name, "--help"]) == 0
    return capsys.readouterr().out


@pytest.fixture(autouse=True)
def usual_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")


def test_many_options_stand_in_groups_and_in_line(capsys: pytest.CaptureFixture[str]) -> None:
    lines = page("claude", capsys).splitlines()
    assert [line for line in lines if line.endswith(":") and not line.startswith(" ")] == [
        "Model:",
        "Other servers:",
        "Agent:",
        "General:",
    ]
    texts = {re.split(" {2,}", line.strip(), maxsplit=1)[0]: line for line in lines if line.startswith("  -")}
    assert {name: line.rfind("  ") + 2 for name, line in texts.items() if name in ("--model M", "--mcp FILE")} == {
        "--model M": 28,
        "--mcp FILE": 28,
    }


@pytest.mark.parametrize("name", ALL)
def test_every_option_is_on_the_page_once_and_few_of_them_make_no_groups(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    is_agent = name not in COMMANDS
    target = "agentlaunch.cli.launch:launch" if is_agent else COMMANDS[name][0]
    parsed = load_command(name, target, is_agent=is_agent)
    options = [one for one in parsed.params if one.param_type_name == "option"]
    text = page(name, capsys)
    for option in options:
        found = re.findall(rf"^  (?:-\w, )?{re.escape(max(option.opts, key=len))}(?= |$)", text, re.MULTILINE)
        assert len(found) == 1, option.opts
    assert ("\nGeneral:" in text) == (len(options) + 1 >= FEWEST_TO_GROUP)
    assert "{" not in text.splitlines()[0]


@pytest.mark.parametrize("columns", [40, 80, 200])
@pytest.mark.parametrize("name", ALL)
def test_no_line_is_wider_than_the_terminal(
    name: str, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    words = [line for line in page(name, capsys).splitlines() if len(line) > columns]
    assert words == []
    assert [line for line in overview().splitlines() if len(line) > columns] == []


def test_the_runtime_option_names_every_runtime(capsys: pytest.CaptureFixture[str]) -> None:
    words = set(re.findall(r"[\w-]+", page("claude", capsys).replace("-\n", "-")))
    squeezed = re.sub(r"\s+", "", page("claude", capsys))
    assert [runtime for runtime in KNOWN_RUNTIMES if runtime not in words and runtime not in squeezed] == []


def test_an_option_that_stands_in_no_group_is_the_commands_own() -> None:
    assert (group_of(["--frob"]), group_of(["-y", "--yes"])) == ("Options", "General")
