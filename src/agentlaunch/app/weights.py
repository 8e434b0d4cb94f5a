"""Brings a model's weights to this machine: from Hugging Face, through Ollama, or the demo model's package."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.offline import refuse_offline, require_network
from agentlaunch.app.talk import agrees
from agentlaunch.app.weights_list import catalogue_id, files_here, find_reference, fit_of
from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.weight_names import (
    HubReference,
    Incomplete,
    NoSuchQuant,
    WeightSet,
    choose_set,
    ollama_page,
    parse_reference,
    same_quant,
    weight_sets,
)
from agentlaunch.errors import AgentlaunchError, Interrupted, MachineError, RemoteError, UserError
from agentlaunch.system.programs import find_program
from agentlaunch.weights.hub_settings import HubSettings, read_hub_settings
from agentlaunch.weights.hugging_face import RepositoryListing, list_repository, offline
from agentlaunch.weights.progress import OnProgress, Progress, size_text

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.core.fit.choice import Knowledge
    from agentlaunch.weights.found import Holding

HEAD_ROOM = 0.85
"""The share of the budget that weights of which nothing but the size is known may take: the rest is for the window."""


@dataclass(frozen=True)
class PullOrder:
    """What to bring. `quant` empty: the one that fits best; `through` is `ollama`, or empty for the shortest way."""

    name: str
    quant: str = ""
    through: str = ""
    yes: bool = False

    @property
    def again(self) -> str:
        """The command that goes on with it."""
        quant = f" --quant {self.quant}" if self.quant else ""
        through = f" --runtime {self.through}" if self.through else ""
        return f"agentlaunch models pull {self.name}{quant}{through}"


@dataclass(frozen=True)
class Pulled:
    """A model that is here now. `name` is what `--model` takes; `path` its first file, None where it cannot be seen.

    `runtime` is `ollama` for what Ollama has fetched, else empty.
    """

    name: str
    path: Path | None
    quant: str
    size_bytes: int
    was_here: bool
    runtime: str = ""


def pull(order: PullOrder, world: World, on_progress: OnProgress) -> Pulled:
    """Bring it, or find that it is here. Ctrl-C keeps what was fetched and raises Interrupted with the way to go on.

    Raises UserError `unknown-model`, `unknown-quant`, `unknown-repository`, `no-weights`, MachineError `does-not-fit`,
    `hub-missing`, and what weights.download.fetch and Ollama's pull raise.
    """
    reference = parse_reference(order.name)
    if order.name == "demo":
        return _demo(order, world)
    page = ollama_page(order.name)
    if order.through == "ollama" or page:
        return _through_ollama(page or _ollama_tag(order.name), order, world, on_progress)
    if reference is not None:
        wanted = replace(reference, quant=order.quant or reference.quant)
        return _from_hub(wanted, None, order, world, on_progress)
    return _known(order, world, on_progress)


def _demo(order: PullOrder, world: World) -> Pulled:
    from agentlaunch.runtimes.demo_model import find_demo_model, install_demo_model

    found = find_demo_model(world.dirs)
    if found is None:
        require_network("the model `demo` is not installed", order.again, world)
    path = found or install_demo_model(world.dirs, world.run)
    return Pulled(order.name, path, "Q4_1", path.stat().st_size, was_here=found is not None)


def _known(order: PullOrder, world: World, on_progress: OnProgress) -> Pulled:
    """A model of the catalogue, in the quantisation that is named or that fits this machine best."""
    from agentlaunch.app.knowledge import load_knowledge

    knowledge = load_knowledge()
    model, named = _in_catalog(order.name, knowledge.catalog)
    named = order.quant or named
    for holding in files_here(world):
        is_it = catalogue_id(holding, knowledge.catalog) == model.id and not holding.missing_parts
        if is_it and (not named or same_quant(holding.quant, named)):
            name = f"{model.id}:{holding.quant}" if holding.quant else model.id
            return Pulled(name, holding.path, holding.quant, holding.size_bytes, was_here=True)
    if not model.gguf or _has_only_ollama(model, world):
        if not model.ollama:
            raise UserError(
                "no-weights",
                f"nobody is known to publish `{model.id}` as GGUF",
                f"its makers' files: {model.repository or model.name}; or another: agentlaunch models search TEXT",
            )
        return _through_ollama(model.ollama[0], order, world, on_progress)
    if named:
        return _first_repository(model, named, order, world, on_progress)
    quant = _fitting_quant(model, order, knowledge, world)
    try:
        return _first_repository(model, quant, order, world, on_progress)
    except UserError as error:
        if error.code != "unknown-quant":
            raise
        # The best one is published by nobody whom we know: then by its size, out of what there is.
        return _first_repository(model, "", order, world, on_progress)


def _in_catalog(name: str, catalog: Catalog) -> tuple[Model, str]:
    from agentlaunch.core.catalog import Match

    found = catalog.find(name)
    if isinstance(found, Match):
        return found.model, found.quant or ""
    near = f"nearest: {', '.join(found.nearest)}; " if found.nearest else ""
    others = f"any repository: hf:OWNER/REPO[:QUANT]; Ollama's: agentlaunch models pull {name} --runtime ollama"
    raise UserError("unknown-model", f"unknown model `{name}`", near + others)


def _has_only_ollama(model: Model, world: World) -> bool:
    """Whether Ollama is the way that is open: it is installed, and the package for Hugging Face is not."""
    from importlib.util import find_spec

    if not model.ollama or find_spec("huggingface_hub") is not None:
        return False
    return find_program("ollama", world.environment) is not None


def _fitting_quant(model: Model, order: PullOrder, knowledge: Knowledge, world: World) -> str:
    """What core/fit takes; empty where no size is known. Raises MachineError `does-not-fit` unless agreed to."""
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags

    if not model.quants:
        return ""
    found = fit_of(model, "", None, (knowledge, look_at(MachineFlags(), world.folder, world.look)))
    if not found.fits:
        needs = f"{size_text(found.placement.total_bytes)} of {size_text(found.placement.budget_bytes)}"
        _agree_to_misfit(
            f"`{model.id}` does not fit this machine, even in {found.quant}: it takes {needs}", order, world
        )
    return found.quant


def _agree_to_misfit(sentence: str, order: PullOrder, world: World) -> None:
    if not agrees(f"{sentence}. Fetch it all the same?", world.talk, yes=order.yes):
        hint = f"a model that fits: agentlaunch check; all the same: {order.again} --yes"
        raise MachineError("does-not-fit", sentence, hint)


def _first_repository(model: Model, quant: str, order: PullOrder, world: World, on_progress: OnProgress) -> Pulled:
    """The first of its repositories that has the quantisation; the last one's complaint where none has."""
    complaint: AgentlaunchError | None = None
    for repository in model.gguf:
        try:
            return _from_hub(HubReference(repository, quant), model, order, world, on_progress)
        except UserError as error:
            if error.code not in ("unknown-quant", "unknown-repository", "no-weights"):
                raise
            complaint = complaint or error
    assert complaint is not None  # noqa: S101 - the caller has looked: there is a repository
    raise complaint


def _from_hub(
    reference: HubReference, model: Model | None, order: PullOrder, world: World, on_progress: OnProgress
) -> Pulled:
    here = find_reference(reference, world) if reference.quant else None
    if here is not None:
        return _as_here(reference, here, model)
    settings = read_hub_settings(world.environment)
    try:
        listing = _asked(reference, order, world, settings)
    except RemoteError:
        # What is here works without the hub, which only says whether another quantisation would fit better.
        here = find_reference(reference, world)
        if here is None:
            raise
        return _as_here(reference, here, model)
    chosen = _chosen(reference, listing, None if reference.quant else _budget(world))
    if model is None:
        _check_size(chosen, order, world)
    from agentlaunch.weights.download import FetchOrder, check_room, fetch, missing_bytes

    fetch_order = FetchOrder(listing, chosen.files, settings, order.again)
    missing = missing_bytes(fetch_order)
    check_room(fetch_order)
    if missing:
        parts = f" in {len(chosen.files)} files" if len(chosen.files) > 1 else ""
        world.talk.say(f"fetching {reference.repository} {chosen.quant or chosen.base}, {size_text(missing)}{parts}")
    with _interruptible(order, lambda: missing_bytes(fetch_order), chosen.size_bytes):
        paths = fetch(fetch_order, on_progress)
    return Pulled(_called(reference, chosen.quant, model), paths[0], chosen.quant, chosen.size_bytes, not missing)


def _as_here(reference: HubReference, here: Holding, model: Model | None) -> Pulled:
    return Pulled(_called(reference, here.quant, model), here.path, here.quant, here.size_bytes, was_here=True)


def _asked(reference: HubReference, order: PullOrder, world: World, settings: HubSettings) -> RepositoryListing:
    """Raises what `_listing` does, and RemoteError `offline` or `no-network`."""
    may_go = refuse_offline if is_loopback(settings.endpoint) else require_network
    may_go(f"`{reference}` is not here", order.again, world)
    if settings.is_offline:
        raise offline(f"`{reference}` is not here")
    with world.talk.waiting(f"asking for the files of `{reference.repository}`"):
        return _listing(reference.repository, settings)


def _listing(repository: str, settings: HubSettings) -> RepositoryListing:
    """Raises what list_repository does, for an unknown one with the nearest that we know."""
    try:
        return list_repository(repository, settings)
    except UserError as error:
        if error.code != "unknown-repository":
            raise
        raise UserError(error.code, error.message, f"{_near(repository)}; {error.hint}") from error


def _called(reference: HubReference, quant: str, model: Model | None) -> str:
    if model is not None:
        return f"{model.id}:{quant}" if quant else model.id
    return str(replace(reference, quant=quant))


def _chosen(reference: HubReference, listing: RepositoryListing, budget: int | None) -> WeightSet:
    """Raises UserError `unknown-quant`, `no-weights`, RemoteError `parts-missing`."""
    repository = reference.repository
    match choose_set(weight_sets(listing.files), reference.quant, budget):
        case WeightSet() as chosen:
            return chosen
        case Incomplete(base, has, count):
            what = f"`{repository}` has only {has} of the {count} parts of `{base}`"
            raise RemoteError("parts-missing", what, "take another quantisation: --quant Q")
        case NoSuchQuant(()):
            what = f"`{repository}` has no GGUF files"
            raise UserError("no-weights", what, f"repositories with such files end in -GGUF; {_near(repository)}")
        case NoSuchQuant(known):
            from difflib import get_close_matches

            near = get_close_matches(reference.quant.upper(), known, 3, 0.5)
            hint = f"nearest: {', '.join(near)}; all: {', '.join(known)}" if near else f"it has: {', '.join(known)}"
            raise UserError("unknown-quant", f"`{repository}` has no quantisation `{reference.quant}`", hint)


def _near(repository: str) -> str:
    from difflib import get_close_matches

    from agentlaunch.app.knowledge import load_catalog

    known = [name for model in load_catalog().models.values() for name in model.gguf]
    near = get_close_matches(f"{repository.removesuffix('-GGUF')}-GGUF", known, 3, 0.5)
    return f"nearest known: {', '.join(near)}" if near else "none that we know is spelled alike"


def _budget(world: World) -> int:
    """Bytes that weights may take here."""
    from agentlaunch.app.knowledge import load_calibration
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.core.fit.machine import machine_of

    report = look_at(MachineFlags(), world.folder, world.look)
    return int(machine_of(report, load_calibration()).budget_bytes * HEAD_ROOM)


def _check_size(chosen: WeightSet, order: PullOrder, world: World) -> None:
    budget = _budget(world)
    if chosen.size_bytes > budget:
        size = f"{size_text(chosen.size_bytes)}, more than the {size_text(budget)} that weights may take here"
        _agree_to_misfit(f"`{order.name}` in {chosen.quant or chosen.base} has {size}", order, world)


@contextmanager
def _interruptible(order: PullOrder, missing: Callable[[], int], total_bytes: int) -> Iterator[None]:
    try:
        yield
    except KeyboardInterrupt as stop:
        kept = f"{size_text(total_bytes - missing())} of {size_text(total_bytes)} are kept"
        raise Interrupted("interrupted", f"interrupted: {kept}; go on with: {order.again}", order.again) from stop


def _ollama_tag(name: str) -> str:
    """The catalogue's tag for a model of its own, else the name as it is: Ollama's library has more than we know."""
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.core.catalog import Match

    catalog = load_catalog()
    found = catalog.find(name)
    known = isinstance(found, Match) and name.lower() == found.model.id and found.model.ollama
    return found.model.ollama[0] if isinstance(found, Match) and known else name


def _through_ollama(tag: str, order: PullOrder, world: World, on_progress: OnProgress) -> Pulled:
    """Ollama fetches, resumes and checks itself; its server is started for it where none runs."""
    from agentlaunch.app.ollama_models import find_tag
    from agentlaunch.runtimes.ollama import OllamaHost
    from agentlaunch.runtimes.ollama_files import find_weights

    was_here = find_tag((tag,), world) is not None
    require_network(f"Ollama would fetch `{tag}`", order.again, world)
    last = Progress("fetching", 0, 0)

    def note(status: str, completed: int, total: int) -> None:
        nonlocal last
        if total and not last.total_bytes:
            _warn_of_room(total - completed, world)
        last = Progress("fetching" if "pulling" in status else "checking", completed, total)
        on_progress(last)

    async def run() -> None:
        host = OllamaHost(world.dirs.logs, world.environment)
        try:
            await host.pull(tag, lambda news: note(news.status, news.completed_bytes, news.total_bytes))
        finally:
            await host.close()

    world.dirs.logs.mkdir(parents=True, exist_ok=True)
    with _interruptible(order, lambda: last.total_bytes - last.done_bytes, last.total_bytes):
        asyncio.run(run())
    return Pulled(tag, find_weights(tag, world.environment), "", last.total_bytes, was_here, "ollama")


def _warn_of_room(missing: int, world: World) -> None:
    """A warning and no more: a server of another user may keep its models elsewhere (reports B295, B305)."""
    from agentlaunch.runtimes.ollama_address import find_address
    from agentlaunch.runtimes.ollama_files import model_folders
    from agentlaunch.weights.hub_cache import free_bytes

    folder = next((folder for folder in model_folders(world.environment) if folder.is_dir()), None)
    if folder is None or not find_address(world.environment).is_local or free_bytes(folder) >= missing:
        return
    has = f"`{folder}`, where Ollama seems to keep its models, has {size_text(free_bytes(folder))} free"
    world.talk.say(f"{has}, and {size_text(missing)} are to come: it may fail")
