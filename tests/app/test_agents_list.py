"""app/agents_list.py and its screen: every agent of the table, here or not."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.agents.base import AGENTS
from agentlaunch.app.agents_list import ListedAgent, list_agents
from agentlaunch.cli.agents_view import agents_data, agents_text

if TYPE_CHECKING:
    from conftest import MakeWorld


def install_pi(folder: Path, version: str) -> Path:
    package = folder / "node_modules" / "@mariozechner" / "pi-coding-agent"
    package.mkdir(parents=True)
    (package / "package.json").write_text(json.dumps({"name": "@mariozechner/pi-coding-agent", "version": version}))
    (package / "cli.js").write_text("#!/bin/sh\n")
    (package / "cli.js").chmod(0o755)
    (folder / "bin").mkdir()
    (folder / "bin" / "pi").symlink_to(package / "cli.js")
    return folder / "bin"


def pi(**changes: object) -> ListedAgent:
    facts = {
        "name": "pi",
        "title": "pi",
        "wire": "openai_chat",
        "evidence": "tool loop",
        "install": "npm install -g @mariozechner/pi-coding-agent@0.73.1",
        "minimum": "0.73.1",
        "tested": "0.73.1",
    }
    return ListedAgent(**{**facts, **changes})  # type: ignore[arg-type]


def test_every_agent_is_listed_and_the_one_that_is_here_has_its_version(make_world: MakeWorld, tmp_path: Path) -> None:
    folder = install_pi(tmp_path, "0.74.0")
    listed = list_agents(make_world(PATH=str(folder)).world)
    assert tuple(agent.name for agent in listed) == tuple(AGENTS)
    assert [agent for agent in listed if agent.path] == [pi(path=str(folder / "pi"), version="0.74.0")]


def test_one_that_is_too_old_says_so(make_world: MakeWorld, tmp_path: Path) -> None:
    folder = install_pi(tmp_path, "0.60.1")
    listed = list_agents(make_world(PATH=str(folder)).world)
    assert [agent for agent in listed if agent.path] == [pi(path=str(folder / "pi"), version="0.60.1", is_too_old=True)]


def test_what_is_installed_how_is_told_for_each_registry(make_world: MakeWorld) -> None:
    installs = {agent.name: agent.install for agent in list_agents(make_world(PATH="").world)}
    assert (installs["pi"], installs["aider"], installs["goose"]) == (
        "npm install -g @mariozechner/pi-coding-agent@0.73.1",
        "uv tool install --python 3.12 aider-chat==0.86.2",
        "see https://goose-docs.ai",
    )


GOOSE = ListedAgent("goose", "goose", "openai_chat", "plan only", "see https://example.invalid", "", "")


def test_the_screen_tells_what_works_and_what_to_type() -> None:
    listed = (
        pi(path="/bin/pi", version="0.74.0"),
        pi(name="old", path="/bin/old", version="0.1.0", is_too_old=True),
        GOOSE,
    )
    assert agents_text(listed) == (
        "AGENT  NAME   HERE           OLDEST  WORKS              WIRE\n"
        "pi     pi     0.74.0         0.73.1  tool calls 0.73.1  openai_chat\n"
        "old    pi     0.1.0 too old  0.73.1  tool calls 0.73.1  openai_chat\n"
        "goose  goose  -              -       untested           openai_chat\n"
        "\n"
        "To install:\n"
        "  old    npm install -g @mariozechner/pi-coding-agent@0.73.1\n"
        "  goose  see https://example.invalid"
    )


def test_with_all_of_them_here_nothing_is_to_install() -> None:
    assert "To install" not in agents_text((pi(path="/bin/pi"),))


def test_the_json_holds_the_same() -> None:
    assert agents_data((GOOSE,)) == {"agents": [asdict(GOOSE)]}
