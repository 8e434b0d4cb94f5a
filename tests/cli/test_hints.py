"""Every command that a text of ours tells the user to type exists."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import agentlaunch
from agentlaunch.agents.base import AGENTS
from agentlaunch.cli.main import COMMANDS

SOURCE = Path(agentlaunch.__file__).parent
PLACEHOLDERS = {"AGENT", "COMMAND"}
_COMMAND = re.compile(r"(?<!inject )(?<!install )(?<![-\w./])agentlaunch ([A-Za-z]+)(?![\w.])")
PROSE = {"is", "has"}
"""Words that follow the program's name in a sentence about it."""


def literals(tree: ast.AST) -> Iterator[str]:
    """The string literals that are not docstrings, f-strings as their fixed parts around NUL signs."""
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    parts: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            parts |= {id(part) for part in node.values}
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "\0" for part in node.values)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation | parts:
            yield node.value


def named_commands(path: Path) -> set[str]:
    tree = ast.parse(path.read_text("utf-8"))
    return {word for text in literals(tree) for word in _COMMAND.findall(text)} - PROSE


@pytest.mark.parametrize("path", sorted(SOURCE.rglob("*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_every_command_that_a_text_names_exists(path: Path) -> None:
    assert named_commands(path) - {*COMMANDS, *AGENTS, *PLACEHOLDERS} == set()


def test_a_command_that_does_not_exist_is_found(tmp_path: Path) -> None:
    path = tmp_path / "hints.py"
    path.write_text('"""agentlaunch nonsense"""\nA = f"{1}: agentlaunch doctor"\nB = ("see: agentlaunch status",)\n')
    assert named_commands(path) == {"doctor", "status"}
