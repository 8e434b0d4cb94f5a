"""From a model's name to something that can answer: a local model to load, or an upstream that is there already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.ollama_models import RUNTIME as OLLAMA
from agentlaunch.app.ollama_models import find_tag, ollama_model
from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.talk import agrees
from agentlaunch.app.window import DEFAULT_CONTEXT_TOKENS, Terms, choose_window
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.weight_names import HubReference, parse_reference
from agentlaunch.errors import MachineError, UserError

if TYPE_CHECKING:
    from agentlaunch.app.weights import PullOrder
    from agentlaunch.core.catalog import Model

DEMO = "demo"
RUNTIME = "llamacpp"

_FOLDER_LOOK = 2000
"""Directory entries looked at for a suggestion; a folder with more is not searched for a typing mistake."""


@dataclass(frozen=True)
class ModelTarget:
    """What answers. `name` is what the agent calls it, `context_window` is in tokens, `runtime` is who runs it."""

    name: str
    target: EngineSpec | Endpoint
    runtime: str
    context_window: int
    notes: tuple[str, ...] = ()


def resolve_model(order: ModelOrder, world: World, terms: Terms) -> ModelTarget:
    """What `order` names. Raises UserError for a name or a window that cannot be, MachineError for a missing part, and
    for a file that does not fit this machine."""
    if order.upstream:
        return _resolve_upstream(order, world)
    if order.runtime == OLLAMA:
        return _resolve_ollama(order, terms, world)
    if order.model == DEMO:
        return _local_target(_demo_file(world, yes=terms.yes), DEMO, (order, terms), world)
    reference = parse_reference(order.model)
    if reference is not None:
        return _resolve_reference(reference, order, terms, world)
    if is_path(order.model):
        path = find_model_file(order.model, world.folder)
        return _local_target(path, path.stem, (order, terms), world)
    if not order.runtime and find_tag((order.model,), world) is not None:
        return _ollama_target(order.model, order, terms, world)
    return _resolve_known(order, terms, world)


def find_model_file(name: str, folder: Path) -> Path:
    """The file that `name` means, absolute, whether it exists or not. Raises UserError `model-not-found`."""
    try:
        return (folder / Path(name).expanduser()).absolute()
    except RuntimeError as error:  # `~name` of a user who is not known here
        raise UserError(
            "model-not-found", f"`{name}` names the home of nobody here", "write the path out: --model /PATH/MODEL.gguf"
        ) from error


def is_path(name: str) -> bool:
    """Whether `name` means a file, which need not exist; `hf:OWNER/REPO` does not."""
    return not name.startswith("hf:") and (name.lower().endswith(".gguf") or "/" in name or "\\" in name)


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
        raise _unknown(order.model, world.folder, found.nearest)
    wanted = found.quant.upper() if found.quant else ""
    for local in find_local_models(catalog, world.environment, world.folder, world.dirs):
        if local.model == found.model.id and wanted in ("", local.quant):
            return _local_target(local.path, local.path.stem, (order, terms), world)
    tag = None if order.runtime or found.quant else find_tag(found.model.ollama, world)
    if tag is not None:
        return _ollama_target(tag, order, terms, world)
    quant = found.quant or _best_quant(found.model, world, terms.agent)
    message = f"`{found.model.id}` is known and not on this machine"
    missing = MachineError("model-missing", message, way_to_get(found.model, quant, terms.agent).sentence)
    return _fetched(
        PullOrder(found.model.id, found.quant or ""), missing, (order, terms), world, _size(found.model, quant)
    )


def _resolve_reference(reference: HubReference, order: ModelOrder, terms: Terms, world: World) -> ModelTarget:
    """A repository's model: some program's file, else Ollama's, which calls it `hf.co/OWNER/REPO`, else fetched."""
    from agentlaunch.app.weights import PullOrder, find_reference

    holding = find_reference(reference, world)
    if holding is not None and holding.path is not None:
        return _local_target(holding.path, holding.path.stem, (order, terms), world)
    tag = str(reference).replace("hf:", "hf.co/", 1)
    if not order.runtime and find_tag((tag,), world) is not None:
        return _ollama_target(tag, order, terms, world)
    hint = f"fetch it: agentlaunch models pull {reference}"
    missing = MachineError("model-missing", f"`{reference}` is not on this machine", hint)
    return _fetched(PullOrder(str(reference)), missing, (order, terms), world)


def _fetched(
    wanted: PullOrder, missing: MachineError, ordered: tuple[ModelOrder, Terms], world: World, size: str = ""
) -> ModelTarget:
    """Fetch the model where that is agreed to, else raise `missing`; then as for one that was here."""
    from agentlaunch.app.weights import pull

    order, terms = ordered
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
    from agentlaunch.app.machine import THIS_MACHINE, look_at
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
    spec = EngineSpec(str(path), alias, chosen.context_window, chosen.kv_type)
    return ModelTarget(alias, spec, RUNTIME, chosen.context_window, chosen.notes)


def _demo_file(world: World, *, yes: bool) -> Path:
    """Raises MachineError `demo-missing` when it is not there and nobody agreed to fetch it."""
    from agentlaunch.runtimes.demo_model import find_demo_model, install_demo_model

    found = find_demo_model(world.dirs)
    if found is not None:
        return found
    question = "The demo model (SmolLM2-135M, 100 MB) is not installed. Fetch it?"
    if agrees(question, world.talk, yes=yes):
        return install_demo_model(world.dirs, world.run)
    raise MachineError("demo-missing", "the model `demo` is not installed", "fetch it: add --yes")


def _resolve_upstream(order: ModelOrder, world: World) -> ModelTarget:
    """Raises UserError `bad-upstream-url`, `key-missing`, and what the upstream's own reading of its words raises."""
    from agentlaunch.upstreams.kind import endpoint

    kind, sign, url = order.upstream.partition("=")
    if sign and not url.strip():  # an unset variable in a script must not send a prompt to the vendor
        raise UserError(
            "bad-upstream-url",
            f"`{order.upstream}` has no address behind `=`",
            f"write --upstream {kind}=http://127.0.0.1:8080, or --upstream {kind} for its usual address",
        )
    window = order.context or DEFAULT_CONTEXT_TOKENS
    notes = (
        () if order.context else (f"the window of `{order.model}` is unknown: {window} tokens assumed, see --context",)
    )
    return ModelTarget(order.model, endpoint(kind, url, order.model, _key(order, world), window), kind, window, notes)


def _key(order: ModelOrder, world: World) -> str:
    """The upstream's key, out of the variable that the user named and from nowhere else."""
    if not order.key_variable:
        return ""
    found = world.environment.get(order.key_variable, "")
    if not found:
        raise UserError(
            "key-missing",
            f"the variable `{order.key_variable}` is not set",
            f"export {order.key_variable}=..., then again",
        )
    return found


def _unknown(name: str, folder: Path, nearest: Sequence[str]) -> UserError:
    close = f"nearest: {', '.join(nearest)}" if nearest else ""
    others = "known: `demo`, a .gguf file, what `agentlaunch models search` lists, any name behind --upstream KIND=URL"
    said = (close, others, _suggest(name, folder))
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
