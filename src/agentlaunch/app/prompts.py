"""What a model is for: the agent's first prompt in tokens, as fit wants to know it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.app.agents import find_agent

if TYPE_CHECKING:
    from agentlaunch.core.fit.estimate import Demand

DEFAULT_AGENT = "claude"
"""The agent with the longest first prompt: what is usable for it is usable for the others."""


def demand_of(agent_name: str, *, lean: bool = False) -> Demand:
    """The demand of this agent, full or lean. Raises UserError `unknown-agent`."""
    from agentlaunch.core.fit.estimate import Demand

    agent = find_agent(agent_name)
    sizes = agent.prompt_tokens
    return Demand(agent.title, sizes.lean if lean else sizes.full)
