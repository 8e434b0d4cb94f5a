"""completions/, docs/man/agentlaunch.1 and docs/reference.md are what the tables of the program make them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from scripts.generate_command_line import ROOT, man_page, pages, reference

from agentlaunch.cli.command_line import Command, all_commands

COMMANDS = all_commands()
PAGES = pages()


@pytest.mark.parametrize("path", PAGES, ids=str)
def test_a_page_is_up_to_date(path: Path) -> None:
    """Fails where a command or an option changed: scripts/generate_command_line.py writes the pages anew."""
    assert (ROOT / path).read_text("utf-8") == PAGES[path]


@pytest.mark.parametrize("command", COMMANDS, ids=[command.name for command in COMMANDS])
def test_every_command_and_option_is_in_the_reference_and_the_manual(command: Command) -> None:
    text, manual = reference(COMMANDS), man_page(COMMANDS)
    assert f"agentlaunch {command.name}" in text
    assert command.name in manual
    for option in command.options:
        for name in option.names:
            assert f"`{name}" in text
            assert name.replace("-", "\\-") in manual


@pytest.mark.skipif(shutil.which("mandoc") is None, reason="needs mandoc")
def test_mandoc_has_no_warning() -> None:
    argv = ["mandoc", "-T", "lint", "-W", "warning", str(ROOT / "docs/man/agentlaunch.1")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.skipif(shutil.which("groff") is None, reason="needs groff")
def test_groff_has_no_warning() -> None:
    argv = ["groff", "-man", "-ww", "-z", "-K", "utf8", str(ROOT / "docs/man/agentlaunch.1")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
