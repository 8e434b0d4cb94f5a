"""The screen and the JSON of `agentlaunch agents`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from agentlaunch.cli.fitted_table import narrow_table

if TYPE_CHECKING:
    from agentlaunch.app.agents_list import ListedAgent

_WORKS = {
    "tool loop": "tool calls",
    "edits": "edits, no tools",
    "plan only": "untested",
}
"""What is known to work, in a word."""


def agents_data(listed: Sequence[ListedAgent]) -> dict[str, object]:
    """The keys of `agents --json`; what is unknown or not there is empty."""
    return {"agents": [asdict(agent) for agent in listed]}


def agents_text(listed: Sequence[ListedAgent], columns: int | None = None) -> str:
    """A line an agent, then how to install those that are not here or too old."""
    rows = [
        (agent.name, agent.title, _version(agent), agent.minimum or "-", _tested(agent), agent.wire) for agent in listed
    ]
    missing = [agent for agent in listed if agent.is_too_old or not agent.path]
    width = max((len(agent.name) for agent in missing), default=0)
    lines = [f"  {agent.name.ljust(width)}  {agent.install}" for agent in missing]
    header = ("AGENT", "NAME", "HERE", "OLDEST", "WORKS", "WIRE")
    parts = [narrow_table(header, rows, columns, ("WIRE", "OLDEST", "NAME"))]
    return "\n".join([*parts, *(["", "To install:", *lines] if lines else [])])


def _version(agent: ListedAgent) -> str:
    if not agent.path:
        return "-"
    return f"{agent.version or '?'} too old" if agent.is_too_old else agent.version or "?"


def _tested(agent: ListedAgent) -> str:
    return f"{_WORKS[agent.evidence]} {agent.tested}".rstrip()
