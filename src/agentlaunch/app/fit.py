"""One model on one machine: every quantisation at several contexts, and the best of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.bench_store import with_measured
from agentlaunch.app.knowledge import load_knowledge
from agentlaunch.app.local_models import model_of_file
from agentlaunch.app.machine import look_at
from agentlaunch.app.machine_flags import THIS_MACHINE, MachineFlags
from agentlaunch.app.prompts import DEFAULT_AGENT, demand_of
from agentlaunch.core.settings import resolve_settings
from agentlaunch.core.weight_names import HubReference, WeightSet, parse_reference, same_quant, weight_sets
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.core.fit.estimate import Demand
    from agentlaunch.core.fit.machine import Machine
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.core.hardware import HardwareReport
    from agentlaunch.weights.hub_settings import HubSettings
    from agentlaunch.weights.hugging_face import RepositoryListing

CONTEXTS = (16_384, 32_768, 65_536, 131_072)


@dataclass(frozen=True)
class FitOrder:
    """Which model on which machine, and for which agent. `quant`, `context` (tokens), `kv` None: each is tried."""

    model: str
    machine: MachineFlags = THIS_MACHINE
    agent: str = DEFAULT_AGENT
    lean: bool = False
    quant: str | None = None
    context: int | None = None
    kv: str | None = None


@dataclass(frozen=True)
class Fitted:
    """The answer. `table` holds each quantisation at each context, those of one quantisation together."""

    order: FitOrder
    model: Model
    report: HardwareReport
    machine: Machine
    demand: Demand
    best: ModelFit
    table: tuple[ModelFit, ...]
    path: Path | None


def fit(order: FitOrder, world: World) -> Fitted:
    """Compute. Raises UserError `unknown-model`, `unknown-quant`, `context-too-large`, `bad-setting`, what look_at
    raises, for a file what check_model raises, and for `hf:OWNER/REPO` what list_repository does."""
    from agentlaunch.core.fit.choice import Wanted, fit_model
    from agentlaunch.core.fit.machine import machine_of

    knowledge = load_knowledge()
    kv = None if order.kv is None else resolve_settings({"kv": order.kv}, {}, ()).kv.value
    model, quant, path = find_model(order, knowledge.catalog, world)
    demand = demand_of(order.agent, lean=order.lean)
    report = look_at(order.machine, world.folder, world.look)
    best = fit_model(report, model, knowledge, Wanted(quant, order.context, kv), demand)
    table = tuple(
        fit_model(report, model, knowledge, Wanted(tried.name, context, kv), demand)
        for tried in model.quants
        if quant is None or tried.name.lower() == quant.lower()
        for context in _contexts(order, model)
    )
    if not order.machine.are_given:
        best, *rest = with_measured((best, *table), demand, world.dirs, path)
        table = tuple(rest)
    return Fitted(order, model, report, machine_of(report, knowledge.calibration), demand, best, table, path)


def _contexts(order: FitOrder, model: Model) -> list[int]:
    """The windows of the table: the usual ones up to the trained length, and that itself."""
    if order.context is not None:
        return [order.context]
    longest = model.context_trained or CONTEXTS[-1]
    return sorted({*(context for context in CONTEXTS if context < longest), longest})


def find_model(order: FitOrder, catalog: Catalog, world: World) -> tuple[Model, str | None, Path | None]:
    """The model, its quantisation where one was named, and its file where the name is a path."""
    _check_here(order.model, world)
    reference = parse_reference(order.model)
    path = None
    if reference is not None:
        model, named, path = _of_repository(reference, order, catalog, world)
    else:
        path = _named_file(order.model, world)
        model, named = find_in_catalog(order.model, catalog) if path is None else (model_of_file(path), None)
    quant = order.quant or named
    if quant is not None and model.quant(quant) is None:
        known = ", ".join(known.name for known in model.quants)
        raise UserError("unknown-quant", f"`{model.id}` has no quantisation `{quant}`", f"known: {known}")
    if order.context is not None and 0 < model.context_trained < order.context:
        trained = model.context_trained
        message = f"a context of `{order.context:,}` tokens is more than `{model.id}` was trained for: `{trained:,}`"
        raise UserError("context-too-large", message, f"use at most that: --context {trained}")
    return model, quant, path


def _check_here(name: str, world: World) -> None:
    """Raises UserError `runs-elsewhere` for `UPSTREAM/MODEL`."""
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.upstreams import names_upstream

    if names_upstream(ModelOrder(name), world):
        head = name.partition("/")[0]
        told = f"`{name}` runs at the upstream `{head}`, and `fit` tells what runs on this machine"
        raise UserError("runs-elsewhere", told, f"what it is there: agentlaunch upstream test {head}")


def _of_repository(
    reference: HubReference, order: FitOrder, catalog: Catalog, world: World
) -> tuple[Model, str | None, Path | None]:
    """The model of a repository with the sizes of its files, and the quantisation that was named.

    A file of it that is here tells all; else the catalogue its architecture, or the header of one file, which is read
    there. Raises what `weights.hugging_face.list_repository` does, UserError `no-weights`, `quant-option`.
    """
    from agentlaunch.app.weights_list import find_reference
    from agentlaunch.weights.hub_settings import read_hub_settings
    from agentlaunch.weights.hugging_face import list_repository

    if order.quant and reference.quant and not same_quant(order.quant, reference.quant):
        what = f"--quant says `{order.quant}`, and the name says `{reference.quant}`"
        raise UserError("quant-option", what, "leave one of them away")
    wanted = HubReference(reference.repository, order.quant or reference.quant)
    holding = find_reference(wanted, world) if wanted.quant else None
    if holding is not None and holding.path is not None:
        model = model_of_file(holding.path)
        return model, model.quants[0].name, holding.path
    settings = read_hub_settings(world.environment)
    with world.talk.waiting(f"asking for the files of `{reference.repository}`"):
        listing = list_repository(reference.repository, settings)
        model = _published(listing, _known_model(reference.repository, catalog), settings)
    named = next((quant.name for quant in model.quants if same_quant(quant.name, wanted.quant)), wanted.quant)
    return model, named or None, None


def _known_model(repository: str, catalog: Catalog) -> Model | None:
    """The catalogue's model that this repository publishes."""
    own = (model for model in catalog.models.values() if repository.lower() in map(str.lower, model.gguf))
    return next(own, None)


def _published(listing: RepositoryListing, known: Model | None, settings: HubSettings) -> Model:
    """The model with a quantisation for each of the repository's. Raises UserError `no-weights`."""
    from msgspec.structs import replace

    from agentlaunch.core.catalog import Quant
    from agentlaunch.core.fit.from_gguf import model_from_gguf
    from agentlaunch.weights.remote_header import read_remote_header

    sets = [one for one in weight_sets(listing.files) if isinstance(one, WeightSet)]
    if not sets:
        what = f"`{listing.repository}` has no GGUF files"
        raise UserError("no-weights", what, "repositories with such files end in -GGUF")
    smallest = min(sets, key=lambda one: one.size_bytes)
    if known is None:
        header = read_remote_header(listing, smallest.files[0], settings)
        known = model_from_gguf(header, smallest.size_bytes, f"hf:{listing.repository}")
    sizes = {one.quant or one.base: one.size_bytes for one in sorted(sets, key=lambda one: -one.size_bytes)}
    return replace(known, quants=tuple(Quant(name, size, "file") for name, size in sizes.items()))


def _named_file(name: str, world: World) -> Path | None:
    """The file that a path or `demo` means; None for another name. Raises MachineError `demo-missing`."""
    from agentlaunch.app.model_names import DEMO, find_model_file, means_file
    from agentlaunch.runtimes.demo_model import find_demo_model

    if name == DEMO:
        path = find_demo_model(world.dirs)
        if path is None:
            fetch = "agentlaunch claude --model demo --yes"
            raise MachineError("demo-missing", "the model `demo` is not installed", fetch)
        return path
    return find_model_file(name, world.folder) if means_file(name, world.folder) else None


def find_in_catalog(name: str, catalog: Catalog) -> tuple[Model, str | None]:
    """The model that `name` means, and the quantisation in the name. Raises UserError `unknown-model`."""
    from agentlaunch.core.catalog import Match

    found = catalog.find(name)
    if isinstance(found, Match) and found.model.quants:
        return found.model, found.quant
    if isinstance(found, Match):
        raise UserError("unknown-model", f"the size of `{found.model.id}` is not known", "name a .gguf file of it")
    from agentlaunch.app.model_names import repository_hint

    near = f"nearest: {', '.join(found.nearest)}" if found.nearest else ""
    others = "all known ones: agentlaunch models search; a file: agentlaunch fit PATH.gguf"
    hint = "; ".join(part for part in (near, repository_hint(name), others) if part)
    raise UserError("unknown-model", f"unknown model `{name}`", hint)
