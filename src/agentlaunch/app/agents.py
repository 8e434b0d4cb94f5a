"""From an agent's name to its program: found, checked, and installed if the user says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.agents.base import AGENTS, Agent, install_command, load_agent
from agentlaunch.agents.locate import LocatedAgent, locate_agent, require_supported
from agentlaunch.app.offline import require_network
from agentlaunch.app.talk import agrees
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from agentlaunch.app.orders import LaunchOrder
    from agentlaunch.app.world import World


def find_agent(name: str) -> Agent:
    """The agent called `name`. Raises UserError `unknown-agent`: a record may name one of another version of ours."""
    if name not in AGENTS:
        raise UserError("unknown-agent", f"unknown agent `{name}`", f"known: {', '.join(AGENTS)}")
    return load_agent(name)


def find_or_install(agent: Agent, order: LaunchOrder, world: World) -> LocatedAgent:
    """The agent's program. Raises MachineError `agent-missing`, `agent-too-old`, and what its install raises."""
    located = locate_agent(agent, world.environment, world.dirs)
    if located is None:
        return _install(agent, order, world)
    if not order.force:
        _check_version(agent, located)
    return located


def _install(agent: Agent, order: LaunchOrder, world: World) -> LocatedAgent:
    by_hand = install_command(agent)
    missing = f"{agent.title} is not installed: there is no `{agent.executable}` on PATH"
    if agent.registry != "npm":
        raise MachineError("agent-missing", missing, by_hand)
    require_network(missing, by_hand, world)
    question = f"{agent.title} is not installed. Install {agent.package}@{agent.tested_version} with npm?"
    if not agrees(question, world.talk, yes=order.yes):
        raise MachineError("agent-missing", missing, f"add --yes, or: {by_hand}")
    from agentlaunch.agents.install import install_agent

    with world.talk.waiting(f"installing {agent.title}"):
        return install_agent(agent, world.dirs, world.environment, world.talk.say)


def _check_version(agent: Agent, located: LocatedAgent) -> None:
    try:
        require_supported(agent, located)
    except MachineError as error:
        raise MachineError(error.code, error.message, f"{error.hint}, or try it all the same: --force") from error
