"""What this machine is, what is installed on it, what fits it, and what to run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.inventory import FoundRuntime, InstalledAgent, find_agents, find_runtimes
from agentlaunch.app.knowledge import load_knowledge
from agentlaunch.app.local_models import find_local_models
from agentlaunch.app.machine import THIS_MACHINE, MachineFlags, look_at
from agentlaunch.app.prompts import DEFAULT_AGENT, demand_of

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.fit.machine import Machine
    from agentlaunch.core.fit.result import ModelFit, Recommendation
    from agentlaunch.core.hardware import HardwareReport


@dataclass(frozen=True)
class CheckOrder:
    """Which machine to check, and for which agent. `lean` judges by the agent's lean prompt."""

    machine: MachineFlags = THIS_MACHINE
    agent: str = DEFAULT_AGENT
    lean: bool = False


@dataclass(frozen=True)
class Checked:
    """The answer. `agents` and `runtimes` are None for a described machine: nothing is known of what runs there.

    `lean` is the best model for a lean launch where nothing is usable without; `files` are those of the models named
    in the answer that lie on this machine already, by model.
    """

    order: CheckOrder
    agent_title: str
    report: HardwareReport
    machine: Machine
    agents: tuple[InstalledAgent, ...] | None
    runtimes: tuple[FoundRuntime, ...] | None
    recommendation: Recommendation
    lean: ModelFit | None
    catalog: Catalog
    files: dict[str, Path]


def check(order: CheckOrder, world: World) -> Checked:
    """Look and compute; asks nothing, and no network. Raises UserError for a described machine that cannot be."""
    from agentlaunch.core.fit.choice import recommend
    from agentlaunch.core.fit.machine import machine_of

    demand = demand_of(order.agent, lean=order.lean)
    report = look_at(order.machine, world.folder, world.look)
    knowledge = load_knowledge()
    found = recommend(report, knowledge, demand)
    lean = None
    if found.best is None and not order.lean:
        lean = recommend(report, knowledge, demand_of(order.agent, lean=True)).best
    here = not order.machine.are_given
    return Checked(
        order=order,
        agent_title=demand.agent,
        report=report,
        machine=machine_of(report, knowledge.calibration),
        agents=find_agents(world.environment, world.dirs) if here else None,
        runtimes=find_runtimes(world.environment) if here else None,
        recommendation=found,
        lean=lean,
        catalog=knowledge.catalog,
        files=_files(knowledge.catalog, world) if here else {},
    )


def _files(catalog: Catalog, world: World) -> dict[str, Path]:
    """The first file of each model."""
    found = find_local_models(catalog, world.environment, world.folder, world.dirs)
    return {local.model: local.path for local in reversed(found)}
