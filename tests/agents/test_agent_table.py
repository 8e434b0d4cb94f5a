"""The table of agents: how each is installed."""

from __future__ import annotations

import pytest

from agentlaunch.agents.base import agent_title, install_command, load_agent


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("codex", "npm install -g @openai/codex@{version}"),
        ("aider", "uv tool install --python 3.12 aider-chat=={version}"),
        ("goose", "see {package}"),
    ],
)
def test_an_agent_is_installed_from_where_its_makers_publish_it(name: str, command: str) -> None:
    agent = load_agent(name)
    assert install_command(agent) == command.format(version=agent.tested_version, package=agent.package)


def test_an_agent_has_the_title_that_its_makers_write() -> None:
    assert agent_title("codex") == "Codex CLI"
