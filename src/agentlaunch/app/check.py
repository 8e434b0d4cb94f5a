"""What this machine is, what is installed on it, what fits it, and what to run."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.bench_store import recommended_with_measured
from agentlaunch.app.inventory import FoundRuntime, InstalledAgent, find_agents, find_runtimes
from agentlaunch.app.knowledge import load_knowledge
from agentlaunch.app.local_models import find_local_models
from agentlaunch.app.machine import look_at
from agentlaunch.app.machine_flags import THIS_MACHINE, MachineFlags
from agentlaunch.app.prompts import DEFAULT_AGENT, demand_of
from agentlaunch.app.verify_store import verified_score

if TYPE_CHECKING:
    from agentlaunch.app.verify_store import VerifiedScore
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
    in the answer that lie on this machine already, by model; `verified` are kept scores of `verify`, by model too.
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
    verified: dict[str, VerifiedScore] = field(default_factory=dict)


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
    if here:
        found = recommended_with_measured(found, demand, world.dirs)
    files = _files(knowledge.catalog, world) if here else {}
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
        files=files,
        verified=_verified(found, lean, files, world) if here else {},
    )


def _verified(
    found: Recommendation, lean: ModelFit | None, files: dict[str, Path], world: World
) -> dict[str, VerifiedScore]:
    """Of the models in the answer: the score of the file that is here, else of the model by its name."""
    fits = [fit for fit in (found.best, lean, *found.alternatives) if fit is not None]
    scores = {}
    for model in dict.fromkeys(fit.model for fit in fits):
        path = files.get(model)
        score = (path and verified_score(str(path), world.dirs)) or verified_score(model, world.dirs)
        if score is not None:
            scores[model] = score
    return scores


def _files(catalog: Catalog, world: World) -> dict[str, Path]:
    """The first file of each model."""
    found = find_local_models(catalog, world.environment, world.folder, world.dirs)
    return {local.model: local.path for local in reversed(found)}
