"""cli/overview.py and every command's help: grouped, complete, and no longer than a screen."""

from __future__ import annotations

import pytest
from tests.cli.conftest import Run

from agentlaunch.agents.base import AGENTS
from agentlaunch.cli.main import COMMANDS, overview
from agentlaunch.cli.overview import grouped

LONGEST_HELP = 50
"""Lines of 80 columns."""


def test_the_bare_help_is_one_screen_of_groups() -> None:
    lines = overview().splitlines()
    titles = [line for line in lines if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Launch:", "Models and machine:", "Serving:", "Routing and cost:", "Trouble:", "Options:"]
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 80


def test_every_agent_and_command_is_in_the_bare_help_once() -> None:
    lines = overview().splitlines()
    assert sorted(line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in COMMANDS) == sorted(
        COMMANDS
    )
    assert all(name in " ".join(lines) for name in AGENTS)


def test_a_command_of_no_group_is_shown_all_the_same() -> None:
    assert grouped(["check", "strange", "doctor"])["Trouble"] == ["doctor", "strange"]


@pytest.mark.parametrize("name", [*COMMANDS, "claude"])
def test_a_commands_help_is_no_longer_than_a_screen(run_command: Run, name: str) -> None:
    done = run_command(name, "--help", COLUMNS="80")
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) <= LONGEST_HELP
    assert max(map(len, done.stdout.splitlines())) <= 80
