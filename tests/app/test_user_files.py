"""The files of the user's that a plan must know are found as the agent would find them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch.agents.base import load_agent
from agentlaunch.app.user_files import LONGEST_BYTES, read_user_files

HOME, PROJECT = "home", "home/work/project"
FILES = (
    f"{HOME}/.config/opencode/config.json",
    f"{HOME}/.config/opencode/agent/team/rev.md",
    f"{HOME}/.opencode/command/go.md",
    f"{PROJECT}/opencode.jsonc",
    f"{PROJECT}/.opencode/agents/own.md",
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for name in (*FILES, f"{HOME}/work/opencode.json", f"{PROJECT}/config.json", f"{PROJECT}/.git/HEAD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path / HOME


def found(made_in: Path, make_world: MakeWorld, **environment: str) -> set[str]:
    from dataclasses import replace

    world = replace(make_world(**environment).world, folder=made_in)
    return set(read_user_files(load_agent("opencode"), (), world).values())


def test_opencodes_files_are_those_of_the_user_and_of_the_repository_and_none_above_it(
    home: Path, make_world: MakeWorld
) -> None:
    below = home / "work" / "project" / "src"
    below.mkdir()
    assert found(below, make_world, HOME=str(home)) == set(FILES)


def test_variables_move_them(home: Path, make_world: MakeWorld) -> None:
    own = home / "own"
    (own / "opencode" / "modes").mkdir(parents=True)
    (own / "opencode" / "modes" / "ask.md").write_text("ask")
    (own / "one.json").write_text("one")
    variables = {"XDG_CONFIG_HOME": str(own), "OPENCODE_CONFIG": str(own / "one.json"), "OPENCODE_CONFIG_DIR": ""}
    assert found(home, make_world, HOME=str(home), **variables) == {"ask", "one", f"{HOME}/.opencode/command/go.md"}


def test_what_cannot_be_read_or_is_too_long_is_left_out(home: Path, make_world: MakeWorld) -> None:
    folder = home / ".opencode" / "agent"
    folder.mkdir()
    (folder / "long.md").write_bytes(b"x" * (LONGEST_BYTES + 1))
    (folder / "bytes.md").write_bytes(b"\xff")
    (folder / "folder.md").mkdir()
    assert found(home / "work" / "project", make_world, HOME=str(home)) == set(FILES)
