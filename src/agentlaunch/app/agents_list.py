"""Every agent that can be launched: what is here of it, what is known to work, how to install it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.agents.base import AGENTS, Evidence, install_command, load_agent
from agentlaunch.agents.locate import parse_version
from agentlaunch.app.inventory import find_agents

if TYPE_CHECKING:
    from agentlaunch.app.world import World


@dataclass(frozen=True)
class ListedAgent:
    """One agent. `path` is empty where it is not installed; `version`, `minimum` and `tested` where they are unknown.

    `is_too_old`: the version that is here is below the minimum, and a launch refuses it.
    """

    name: str
    title: str
    wire: str
    evidence: Evidence
    install: str
    minimum: str
    tested: str
    path: str = ""
    version: str = ""
    is_too_old: bool = False


def list_agents(world: World) -> tuple[ListedAgent, ...]:
    """All agents in the table's order. None is started."""
    here = {found.name: found for found in find_agents(world.environment, world.dirs)}
    return tuple(
        _listed(name, *((here[name].path, here[name].version) if name in here else ("", ""))) for name in AGENTS
    )


def _listed(name: str, path: str, version: str) -> ListedAgent:
    agent = load_agent(name)
    own, least = parse_version(version), parse_version(agent.minimum_version)
    return ListedAgent(
        name=name,
        title=agent.title,
        wire=agent.wire,
        evidence=agent.evidence,
        install=install_command(agent),
        minimum=agent.minimum_version,
        tested=agent.tested_version,
        path=path,
        version=version,
        is_too_old=own is not None and least is not None and own < least,
    )
