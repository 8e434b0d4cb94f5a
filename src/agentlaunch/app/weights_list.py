"""What models are on this machine, from every program that keeps some: size, window, fit, last use."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.local_models import model_of_name
from agentlaunch.core.weight_names import HubReference, same_quant
from agentlaunch.errors import AgentlaunchError
from agentlaunch.weights.found import Holding, find_holdings, weight_places

if TYPE_CHECKING:
    from collections.abc import Iterator

    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.core.hardware import HardwareReport
    from agentlaunch.probes.servers.finding import RunningServer

OLLAMA_LIMIT_S = 2.0
"""How long a server that runs may take to list its models."""


@dataclass(frozen=True)
class ListedModel:
    """A model that is here. `id` is the catalogue's, empty for none; `name` what `--model` and `rm` take.

    `context_trained` in tokens, None where it is not known; `fit` None where the file cannot be sized, and `problem`
    says why. `used_at` in Unix seconds, None for never.
    """

    holding: Holding
    id: str
    name: str
    quant: str
    context_trained: int | None
    fit: ModelFit | None
    used_at: float | None
    problem: str = ""


@dataclass(frozen=True)
class BegunDownload:
    """Bytes of a repository that were fetched without its file being whole."""

    repository: str
    fetched_bytes: int
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Listed:
    """All models, the ones that were used last first; downloads that were begun; servers that run here with theirs."""

    models: tuple[ListedModel, ...]
    begun: tuple[BegunDownload, ...]
    servers: tuple[RunningServer, ...] = ()


def list_models(world: World) -> Listed:
    """Look everywhere. The only network are servers that run on this machine. Raises UserError `bad-servers`."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.app.running_servers import running_servers
    from agentlaunch.app.weights_use import last_uses

    knowledge = load_knowledge()
    holdings = holdings_here(world)
    report = look_at(MachineFlags(), world.folder, world.look) if holdings else None
    uses = last_uses(world.dirs)
    listed = [_listed(holding, knowledge, report, uses) for holding in holdings]
    listed.sort(key=lambda model: (-(model.used_at or 0), model.name, model.quant))
    return Listed(tuple(listed), begun_downloads(world), running_servers(world.environment))


def holdings_here(world: World) -> tuple[Holding, ...]:
    """The files in every place, then Ollama's models."""
    return (*files_here(world), *_demo(world), *_ollama(world))


def files_here(world: World) -> tuple[Holding, ...]:
    """The files that llama.cpp can load as they are, by name."""
    return find_holdings(weight_places(world.environment, world.folder, world.dirs.cache / "models"))


def begun_downloads(world: World) -> tuple[BegunDownload, ...]:
    """In the Hugging Face cache, which is where ours go."""
    from agentlaunch.weights.hub_cache import incomplete
    from agentlaunch.weights.hub_settings import read_hub_settings

    return tuple(BegunDownload(*found) for found in incomplete(read_hub_settings(world.environment).cache))


def catalogue_id(holding: Holding, catalog: Catalog) -> str:
    """The catalogue's model that the file's name, or Ollama's tag, tells; empty for none."""
    if holding.owner == "ollama":
        for model in catalog.models.values():
            if holding.name in model.ollama or holding.name.removesuffix(":latest") in model.ollama:
                return model.id
        return ""
    return model_of_name(holding.model, catalog)


def find_reference(reference: HubReference, world: World) -> Holding | None:
    """The reference's weights where some program has them already; without a quantisation the only one that is here.

    A file of which nobody knows the repository counts when its name tells that it is the same model.
    """
    from agentlaunch.app.knowledge import load_catalog

    catalog = load_catalog()
    repository = reference.repository.lower()
    published = {model.id for model in catalog.models.values() if repository in map(str.lower, model.gguf)}
    here = [
        holding
        for holding in files_here(world)
        if holding.repository.lower() == repository
        or (not holding.repository and catalogue_id(holding, catalog) in published)
        if not holding.missing_parts and (not reference.quant or same_quant(holding.quant, reference.quant))
    ]
    return here[0] if here and (reference.quant or len(here) == 1) else None


def _demo(world: World) -> Iterator[Holding]:
    from agentlaunch.runtimes.demo_model import find_demo_model

    path = find_demo_model(world.dirs)
    if path is not None:
        yield Holding("demo", "agentlaunch", path, (path,), path.stat().st_size, "Q4_1", "demo")


def _ollama(world: World) -> Iterator[Holding]:
    """From its files, and from the server where they cannot be read: a service's belong to another user."""
    from agentlaunch.runtimes.ollama_files import all_weights

    seen: set[str] = set()
    for name, path in all_weights(world.environment):
        seen.add(name.lower())
        yield Holding(name, "ollama", path, (path,), path.stat().st_size, "", name)
    for name, size in _served(world).items():
        if name.lower() not in seen:
            yield Holding(name, "ollama", None, (), size, "", name)


def _served(world: World) -> dict[str, int]:
    """Names and bytes as a server on this machine tells them; nothing where none runs, or it has trouble."""
    from agentlaunch.app.inventory import find_ollama

    if find_ollama(world.environment).state != "running":
        return {}
    from agentlaunch.runtimes.ollama_address import find_address
    from agentlaunch.runtimes.ollama_control import OllamaControl, Refused

    async def ask() -> dict[str, int]:
        control = OllamaControl(find_address(world.environment), OLLAMA_LIMIT_S)
        try:
            return await control.models()
        finally:
            await control.close()

    try:
        return asyncio.run(ask())
    except (AgentlaunchError, Refused):
        return {}


def _listed(
    holding: Holding, knowledge: Knowledge, report: HardwareReport | None, uses: dict[str, float]
) -> ListedModel:
    model_id = catalogue_id(holding, knowledge.catalog)
    called = (holding.name, holding.name.removesuffix(":latest")) if holding.owner == "ollama" else (str(holding.path),)
    used = max((uses[name] for name in called if name in uses), default=None)
    model: Model | None = None
    problem = f"{holding.missing_parts} of its parts are missing" if holding.missing_parts else ""
    if not problem:
        model, problem = sized(holding, model_id, knowledge.catalog)
    name = f"{model_id}:{holding.quant}" if model_id and holding.quant and holding.owner != "ollama" else holding.name
    quant = holding.quant or (model.quants[0].name if model is not None and not model_id else "")
    fit = None
    if model is not None and report is not None and model.architecture.layers and model.architecture.embedding:
        fit = fit_of(model, quant, None, (knowledge, report))
        quant = quant or fit.quant
    trained = (model.context_trained or None) if model is not None else None
    return ListedModel(holding, model_id, name, quant, trained, fit, used, problem)


def fit_of(model: Model, quant: str, context: int | None, facts: tuple[Knowledge, HardwareReport]) -> ModelFit:
    """`model` on this machine, with the window that is best or with `context` tokens, never more than trained for."""
    from agentlaunch.app.prompts import DEFAULT_AGENT, demand_of
    from agentlaunch.core.fit.choice import Wanted, fit_model

    knowledge, report = facts
    demand = demand_of(DEFAULT_AGENT)
    found = fit_model(report, model, knowledge, Wanted(quant or None, context), demand)
    if 0 < model.context_trained < found.context:
        found = fit_model(report, model, knowledge, Wanted(quant or None, model.context_trained), demand)
    return found


def sized(holding: Holding, model_id: str, catalog: Catalog) -> tuple[Model | None, str]:
    """The model as the catalogue knows it, with this very file; else from the file's header; else why not."""
    from agentlaunch.app.local_models import model_of_file
    from agentlaunch.core.catalog import Quant, with_quant

    if model_id and holding.quant:
        known = catalog.models[model_id]
        return with_quant(known, Quant(holding.quant, holding.size_bytes, "file")), ""
    if holding.path is None:
        return (catalog.models[model_id] if model_id and catalog.models[model_id].quants else None), ""
    try:
        return model_of_file(holding.path), ""
    except AgentlaunchError as error:
        return None, error.message
