"""What a command loads before it does anything: the heavy modules belong to the shim."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from conftest import Run

HEAVY = ("httpx", "starlette", "uvicorn", "ollama", "msgspec", "rich", "asyncio", "pydantic")

LOADED = f"""
import sys
from agentlaunch.cli.main import run
code = run(sys.argv[1:])
print([name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "words",
    [
        ("--version",),
        ("--help",),
        ("claude", "--help"),
        ("status",),
        ("status", "--json"),
        ("stop",),
        ("claude", "--upstream", "openai=http://127.0.0.1:9", "--model", "m", "--dry-run"),
    ],
)
def test_a_light_command_loads_no_heavy_module(run_command: Run, words: tuple[str, ...]) -> None:
    done = run_command(*words, code=LOADED)
    assert (done.returncode, done.stderr) == (0, "[]\n")


def test_logs_load_no_heavy_module_even_when_there_are_none(run_command: Run) -> None:
    done = run_command("logs", code=LOADED)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (2, "[]")


@pytest.mark.parametrize("words", [("--version",), ("--help",)])
def test_version_and_help_do_not_load_the_option_parser(run_command: Run, words: tuple[str, ...]) -> None:
    done = run_command(*words, code=LOADED.replace(repr(HEAVY), repr(("typer", "click", "psutil", "platformdirs"))))
    assert (done.returncode, done.stderr) == (0, "[]\n")
