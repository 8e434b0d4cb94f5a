"""The agents' programs and Node: there, new enough."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.agents.base import AGENTS, install_command, load_agent
from agentlaunch.agents.command import run_command
from agentlaunch.agents.locate import Version, parse_version
from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite
from agentlaunch.app.inventory import find_agents

if TYPE_CHECKING:
    from agentlaunch.app.world import World

OLDEST_NODE: Version = (20, 0, 0)
"""The oldest that the agents' packages were tried with (facts/agents.md, head)."""
_NODE_LIMIT_S = 1.5


@dataclass(frozen=True)
class AgentFact:
    """One agent of ours. `version`, `path` and `minimum` are empty for what is not known."""

    name: str
    title: str
    install: str
    minimum: str
    needs_node: bool = True
    version: str = ""
    path: str = ""


@dataclass(frozen=True)
class Programs:
    """`node` is what `node --version` says, empty without one. `is_named`: the user asked about this one agent."""

    agents: tuple[AgentFact, ...]
    node: str
    is_named: bool


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """Look on PATH and where we install."""
    facts = gather(world, agents)
    return Inspected(tuple(judge(facts)), seen(facts))


def gather(world: World, agents: tuple[str, ...]) -> Programs:
    """No agent is started; Node is asked for its version."""
    there = {found.name: found for found in find_agents(world.environment, world.dirs)}
    facts: list[AgentFact] = []
    for name in agents:
        agent, found = load_agent(name), there.get(name)
        version, path = ("", "") if found is None else (found.version, found.path)
        is_npm = agent.registry == "npm"
        facts.append(AgentFact(name, agent.title, install_command(agent), agent.minimum_version, is_npm, version, path))
    node = run_command(("node", "--version"), world.environment, _NODE_LIMIT_S).stdout.strip()
    return Programs(tuple(facts), node, is_named=len(agents) < len(AGENTS))


def seen(facts: Programs) -> tuple[str, ...]:
    """What is there."""
    lines = [
        f"{fact.title} {fact.version or 'of unknown version'} at {fact.path}" for fact in facts.agents if fact.path
    ]
    return (*lines, *((f"Node {facts.node.removeprefix('v')}",) if facts.node else ()))


def judge(facts: Programs) -> Iterator[Finding]:
    """A missing agent breaks a launch only when it is the one that was asked about: a launch offers to install it."""
    for agent in facts.agents:
        yield from _agent(agent, is_named=facts.is_named)
    if not facts.is_named and not any(agent.path for agent in facts.agents):
        told = "no agent is installed; a launch installs the one that you name"
        yield will_bite("no-agent", told, f"agentlaunch {_first(facts.agents)} --model demo --yes")
    yield from _node(facts)


def _agent(agent: AgentFact, *, is_named: bool) -> Iterator[Finding]:
    if not agent.path:
        if is_named:
            yield broken("agent-missing", f"{agent.title} is not installed", agent.install)
        return
    version, minimum = parse_version(agent.version), parse_version(agent.minimum)
    if minimum is None:  # an agent that nobody tried
        return
    if version is None:
        told = f"`{agent.path}` does not tell its version; {agent.minimum} or newer is needed"
        yield note("agent-version", told, f"{agent.path} --version")
    elif version < minimum:
        told = f"{agent.title} {agent.version} at `{agent.path}` is too old; the oldest that works is {agent.minimum}"
        yield broken("agent-too-old", told, agent.install)


def _node(facts: Programs) -> Iterator[Finding]:
    version = parse_version(facts.node)
    is_wanted = facts.is_named or not any(agent.path for agent in facts.agents)
    if not facts.node and is_wanted and any(agent.needs_node and not agent.path for agent in facts.agents):
        told = "there is no Node.js on PATH, which installing an agent from npm needs"
        yield will_bite("node-missing", told, "install Node.js 20 or newer: https://nodejs.org")
    elif version is not None and version < OLDEST_NODE:
        told = f"Node.js {facts.node} is too old: agents from npm need 20 or newer"
        yield will_bite("node-too-old", told, "install Node.js 20 or newer: https://nodejs.org")


def _first(agents: Sequence[AgentFact]) -> str:
    return agents[0].name if agents else "claude"
