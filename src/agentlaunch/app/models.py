"""From a model's name to something that can answer: a local model to load, or an upstream that is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS
from agentlaunch.app.llama_engine import llama_engine
from agentlaunch.app.model_names import DEMO, find_model_file, means_file, repository_hint
from agentlaunch.app.offline import require_network
from agentlaunch.app.ollama_models import RUNTIME as OLLAMA
from agentlaunch.app.ollama_models import find_tag, ollama_model
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.running_servers import Served, find_loaded, served, served_model, short_name
from agentlaunch.app.talk import agrees
from agentlaunch.app.upstreams import known_upstreams, names_upstream, ordered_endpoint
from agentlaunch.app.window import Terms, choose_window
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.weight_names import HubReference, parse_reference, same_quant
from agentlaunch.errors import MachineError, UserError
from agentlaunch.probes.servers import SERVERS

if TYPE_CHECKING:
    from agentlaunch.app.weights import PullOrder
    from agentlaunch.core.catalog import Model

_FOLDER_LOOK = 2000
"""Directory entries looked at for a suggestion; a folder with more is not searched for a typing mistake."""


@dataclass(frozen=True)
class ModelTarget:
    """What answers. `name` is what the agent calls it, `context_window` is in tokens, `runtime` is who runs it.

    `enlarge` is what to type for a window of {tokens}, where that is no flag of ours: a server that runs already.
    """

    name: str
    target: EngineSpec | Endpoint
    runtime: str
    context_window: int
    notes: tuple[str, ...] = ()
    enlarge: str = ""


def resolve_model(order: ModelOrder, world: World, terms: Terms) -> ModelTarget:
    """What `order` names. Raises UserError for a name or a window that cannot be, MachineError for a missing part, and
    for a file that does not fit this machine."""
    if order.upstream or names_upstream(order, world):
        return _resolve_upstream(order, world, yes=terms.yes)
    if order.runtime in SERVERS:
        _refuse_quant(order, f"{order.runtime} runs already")
        return _served_target(served_model(order, world))
    if order.runtime == OLLAMA:
        _refuse_quant(order, "Ollama's tags tell the quantisation")
        return _resolve_ollama(order, terms, world)
    return _resolve_here(order, terms, world)


def _resolve_here(order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    """A file, a tag of Ollama's, what a running server has loaded, a model of the catalogue; in this order."""
    reference = parse_reference(order.model)
    if reference is not None:
        return _resolve_reference(reference, order, terms, world)
    if order.model == DEMO:
        _refuse_quant(order, f"`{DEMO}` is one file")
        return _local_target(_demo_file(world, yes=terms.yes), DEMO, (order, terms), world)
    running = None if means_file(order.model, world.folder) else _find_running(order, world)
    if running is not None:
        return _served_target(running)
    if means_file(order.model, world.folder):
        _refuse_quant(order, f"`{order.model}` is a file")
        path = find_model_file(order.model, world.folder)
        return _local_target(path, path.stem, (order, terms), world)
    if not (order.runtime or order.quant) and find_tag((order.model,), world) is not None:
        return _ollama_target(order.model, order, terms, world)
    return _resolve_known(order, terms, world)


def _find_running(order: ModelOrder, world: World) -> Served | None:
    """The model at a server that has it loaded as ordered; a quantisation or a cache's type is nothing to order there,
    and Ollama's own tags are Ollama's."""
    if order.runtime or order.quant or order.kv is not None or find_tag((order.model,), world) is not None:
        return None
    found = find_loaded(order.model, world)
    if found is None:
        return None
    server, model = found
    if server.facts.wants_key or (order.context or 0) > (model.context_window or order.context or 0):
        return None
    return served(server, model, order, world)


def _served_target(found: Served) -> ModelTarget:
    endpoint = found.endpoint
    name = short_name(endpoint.model) if endpoint.model.lower().endswith(".gguf") else endpoint.model
    return ModelTarget(name, endpoint, endpoint.name, found.context_window, found.notes, found.enlarge)


def _refuse_quant(order: ModelOrder, why: str) -> None:
    """Raises UserError `quant-option` where a quantisation was named and nothing is there to choose."""
    if order.quant:
        what = f"--quant chooses among files of one model, and {why}"
        raise UserError("quant-option", what, f"leave --quant {order.quant} away")


def _resolve_known(order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    """A model of the catalogue that is on this machine: its file, else what Ollama has of it.

    Raises UserError `unknown-model`, MachineError `model-missing` that says how to get it.
    """
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.app.local_models import find_local_models
    from agentlaunch.app.obtain import way_to_get
    from agentlaunch.app.weights import PullOrder
    from agentlaunch.core.catalog import Match

    catalog = load_catalog()
    found = catalog.find(order.model)
    if not isinstance(found, Match):
        raise _unknown(order.model, world, found.nearest)
    wanted = _one_quant(order, found.quant or "")
    for local in find_local_models(catalog, world.environment, world.folder, world.dirs):
        if local.model == found.model.id and (not wanted or same_quant(local.quant, wanted)):
            return _local_target(local.path, local.path.stem, (order, terms), world)
    tag = None if order.runtime or wanted else find_tag(found.model.ollama, world)
    if tag is not None:
        return _ollama_target(tag, order, terms, world)
    quant = wanted or _best_quant(found.model, world, terms.agent)
    message = f"`{found.model.id}` is known and not on this machine"
    by_hand = way_to_get(found.model, quant, terms.agent).sentence
    missing = MachineError("model-missing", message, f"add --yes to fetch it, or: {by_hand}")
    return _fetched(PullOrder(found.model.id, wanted), missing, (order, terms), world, _size(found.model, quant))


def _resolve_reference(reference: HubReference, order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    """A repository's model: some program's file, else Ollama's, which calls it `hf.co/OWNER/REPO`, else fetched."""
    from agentlaunch.app.weights import PullOrder
    from agentlaunch.app.weights_list import find_reference

    reference = replace(reference, quant=_one_quant(order, reference.quant))
    holding = find_reference(reference, world)
    if holding is not None and holding.path is not None:
        return _local_target(holding.path, holding.path.stem, (order, terms), world)
    tag = str(reference).replace("hf:", "hf.co/", 1)
    if not order.runtime and find_tag((tag,), world) is not None:
        return _ollama_target(tag, order, terms, world)
    hint = f"add --yes to fetch it, or: agentlaunch models pull {reference}"
    missing = MachineError("model-missing", f"`{reference}` is not on this machine", hint)
    return _fetched(PullOrder(str(reference)), missing, (order, terms), world)


def _one_quant(order: ModelOrder, named: str) -> str:
    """The quantisation that --quant or the name tells; empty for none. Raises UserError `quant-option` for two."""
    if order.quant and named and not same_quant(order.quant, named):
        what = f"--quant says `{order.quant}`, and the name says `{named}`"
        raise UserError("quant-option", what, "leave one of them away")
    return order.quant or named


def _fetched(
    wanted: PullOrder, missing: MachineError, ordered: tuple[ModelOrder, Terms], world: World, size: str = ""
) -> ModelTarget:
    """Fetch the model where that is agreed to, else raise `missing`; then as for one that was here."""
    from agentlaunch.app.weights import pull

    order, terms = ordered
    require_network(missing.message, wanted.again, world)
    if not agrees(f"`{wanted.name}`{size} is not on this machine. Fetch it?", world.talk, yes=terms.yes):
        raise missing
    with world.talk.transferring() as on_progress:
        pulled = pull(replace(wanted, yes=terms.yes), world, on_progress)
    if pulled.runtime == OLLAMA or pulled.path is None:
        return _ollama_target(pulled.name, order, terms, world)
    return _local_target(pulled.path, pulled.path.stem, (order, terms), world)


def _size(model: Model, quant: str) -> str:
    """What a download brings, in brackets; empty where it is not known."""
    from agentlaunch.weights.progress import size_text

    known = model.quant(quant)
    return "" if known is None else f" ({known.name}, about {size_text(known.file_bytes)})"


def _resolve_ollama(order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    """The name as Ollama has it; a name of the catalogue's that it has not under a tag of Ollama's that it has."""
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.core.catalog import Match

    tag = find_tag((order.model,), world)
    if tag is None:
        found = load_catalog().find(order.model)
        tag = find_tag(found.model.ollama, world) if isinstance(found, Match) else None
    return _ollama_target(tag or order.model, order, terms, world)


def _ollama_target(tag: str, order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    model = ollama_model(tag, order, terms, world)
    return ModelTarget(order.model, model.spec, OLLAMA, model.spec.context_window, model.notes)


def _best_quant(model: Model, world: World, agent: str) -> str:
    """The quantisation to get for this machine."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import THIS_MACHINE
    from agentlaunch.app.prompts import demand_of
    from agentlaunch.core.fit.choice import fit_model

    if not model.quants:
        return ""
    report = look_at(THIS_MACHINE, world.folder, world.look)
    return fit_model(report, model, load_knowledge(), None, demand_of(agent)).quant


def _local_target(path: Path, alias: str, wanted: tuple[ModelOrder, Terms], world: World) -> ModelTarget:
    """Raises what check_model raises, for the file is read before anything is started, and what choose_window does."""
    from agentlaunch.runtimes.model_file import check_model

    order, terms = wanted
    facts = check_model(path, order.context or 1)
    chosen = choose_window(facts, order, terms, world)
    spec, runtime = llama_engine((path, alias), chosen, order.runtime, terms, world)
    return ModelTarget(alias, spec, runtime, chosen.context_window, chosen.notes)


def _demo_file(world: World, *, yes: bool) -> Path:
    """Raises MachineError `demo-missing` when it is not there and nobody agreed to fetch it."""
    from agentlaunch.runtimes.demo_model import find_demo_model, install_demo_model

    found = find_demo_model(world.dirs)
    if found is not None:
        return found
    require_network("the model `demo` is not installed", "agentlaunch models pull demo", world)
    question = "The demo model (SmolLM2-135M, 100 MB) is not installed. Fetch it?"
    if agrees(question, world.talk, yes=yes):
        return install_demo_model(world.dirs, world.run)
    raise MachineError("demo-missing", "the model `demo` is not installed", "fetch it: add --yes")


def _resolve_upstream(order: ModelOrder, world: World, *, yes: bool) -> ModelTarget:
    """Raises what `ordered_endpoint` does: bad names and addresses, a missing key, a consent that was not given."""
    endpoint = ordered_endpoint(order, world, yes=yes)
    window = order.context or endpoint.context_window or DEFAULT_CONTEXT_TOKENS
    notes: tuple[str, ...] = ()
    if not (order.context or endpoint.context_window):
        notes = (f"the window of `{endpoint.model}` is unknown: {window} tokens assumed, see --context",)
    return ModelTarget(endpoint.model, replace(endpoint, context_window=window), endpoint.name, window, notes)


def _unknown(name: str, world: World, nearest: Sequence[str]) -> UserError:
    is_upstream = any(upstream.name == name for upstream in known_upstreams(world))
    instead = f"an upstream is called so: --upstream {name}" if is_upstream else ""
    close = f"nearest: {', '.join(nearest)}" if nearest else ""
    others = "known: `demo`, a .gguf file, what `agentlaunch models search` lists, any name behind --upstream KIND=URL"
    said = (instead, close, repository_hint(name), others, _suggest(name, world.folder))
    return UserError("unknown-model", f"unknown model `{name}`", "; ".join(part for part in said if part))


def _suggest(name: str, folder: Path) -> str:
    """A sentence that names the nearest GGUF files of a folder, nothing when it has none."""
    found = sorted(islice(_gguf_names(folder), _FOLDER_LOOK))
    if not found:
        return ""
    by_stem = {Path(file).stem.lower(): file for file in found}
    wanted = Path(name).name.lower().removesuffix(".gguf")
    near = [by_stem[stem] for stem in get_close_matches(wanted, by_stem, 3, 0.5)] or found[:3]
    return f"GGUF files in `{folder}`: {', '.join(near)}"


def _gguf_names(folder: Path) -> Iterator[str]:
    try:
        for path in islice(folder.iterdir(), _FOLDER_LOOK):
            if path.suffix.lower() == ".gguf":
                yield path.name
    except OSError:
        return
