"""One model in detail, here or not; and the catalogue's models that a text finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.app.verify_store import verified_score
from agentlaunch.app.weights_list import Listed, ListedModel, fit_of, list_models, sized
from agentlaunch.app.weights_remove import find_listed
from agentlaunch.core.weight_names import WeightSet, parse_reference, weight_sets
from agentlaunch.errors import AgentlaunchError, UserError

if TYPE_CHECKING:
    from agentlaunch.app.verify_store import VerifiedScore
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog, Model
    from agentlaunch.core.fit.result import ModelFit
    from agentlaunch.core.gguf import GgufHeader

CONTEXTS = (16_384, 32_768, 65_536, 131_072)


@dataclass(frozen=True)
class ShownModel:
    """`here` None: it is not on this machine. `header` None: its file cannot be seen, or is not a good one.

    `fits` at several windows, in tokens, up to the trained length. `verified` is the kept score of `verify`.
    """

    name: str
    here: ListedModel | None
    model: Model | None
    header: GgufHeader | None
    fits: tuple[ModelFit, ...]
    verified: VerifiedScore | None = None


@dataclass(frozen=True)
class ShownRepository:
    """What a repository on Hugging Face has, smallest first."""

    repository: str
    sets: tuple[WeightSet, ...]


@dataclass(frozen=True)
class SearchHit:
    """A model of the catalogue, with the setting that fits this machine best; `here` are its quantisations here."""

    model: Model
    fit: ModelFit | None
    here: tuple[str, ...]


def show_model(name: str, world: World) -> ShownModel | ShownRepository:
    """A model that is here; else the catalogue's facts; else, for `hf:OWNER/REPO`, what the repository has.

    Raises UserError `unknown-model`, `ambiguous`, and for a repository what list_repository raises.
    """
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.core.catalog import Match

    knowledge = load_knowledge()
    try:
        return _shown(find_listed(name, list_models(world), "agentlaunch models show"), world)
    except UserError as error:
        if error.code != "unknown-model":
            raise
        missing = error
    reference = parse_reference(name)
    if reference is not None:
        return _repository(reference.repository, world)
    found = knowledge.catalog.find(name)
    if not isinstance(found, Match):
        near = f"nearest: {', '.join(found.nearest)}" if found.nearest else missing.hint
        raise UserError("unknown-model", f"unknown model `{name}`", near)
    return ShownModel(found.model.id, None, found.model, None, _fits(found.model, found.quant or "", world))


def search_models(text: str, world: World) -> tuple[SearchHit, ...]:
    """Models whose names hold every word of `text`, the best first; all of them for an empty text. No network."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags

    knowledge = load_knowledge()
    report = look_at(MachineFlags(), world.folder, world.look)
    listed = list_models(world)
    words = text.lower().replace("_", "-").split()
    hits = []
    for model in knowledge.catalog.models.values():
        if all(word in _haystack(model) for word in words):
            fit = fit_of(model, "", None, (knowledge, report)) if model.quants else None
            hits.append(SearchHit(model, fit, _quants_here(model, listed)))
    hits.sort(key=_rank)
    return tuple(hits)


def nearest_models(text: str, catalog: Catalog) -> tuple[str, ...]:
    """Ids that are spelled like `text`."""
    from agentlaunch.core.catalog import UnknownModel

    found = catalog.find(text)
    return found.nearest if isinstance(found, UnknownModel) else (found.model.id,)


def _shown(here: ListedModel, world: World) -> ShownModel:
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.runtimes.model_file import check_model

    header = None
    model = None
    if not here.holding.missing_parts:
        model, _ = sized(here.holding, here.id, load_catalog())
        if here.holding.path is not None:
            try:
                header = check_model(here.holding.path, 1).header
            except AgentlaunchError:
                header = None  # `here.problem` tells why
    fits = _fits(model, here.quant, world) if model is not None and here.fit is not None else ()
    path = here.holding.path
    score = (path and verified_score(str(path), world.dirs)) or verified_score(here.name, world.dirs)
    return ShownModel(here.name, here, model, header, fits, score)


def _fits(model: Model, quant: str, world: World) -> tuple[ModelFit, ...]:
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags

    if not model.quants:
        return ()
    facts = (load_knowledge(), look_at(MachineFlags(), world.folder, world.look))
    longest = model.context_trained or CONTEXTS[-1]
    chosen = quant or fit_of(model, "", None, facts).quant
    windows = sorted({*(context for context in CONTEXTS if context < longest), longest})
    return tuple(fit_of(model, chosen, context, facts) for context in windows)


def _repository(repository: str, world: World) -> ShownRepository:
    from agentlaunch.weights.hub_settings import read_hub_settings
    from agentlaunch.weights.hugging_face import list_repository

    with world.talk.waiting(f"asking for the files of `{repository}`"):
        listing = list_repository(repository, read_hub_settings(world.environment))
    whole = (one for one in weight_sets(listing.files) if isinstance(one, WeightSet))
    return ShownRepository(repository, tuple(sorted(whole, key=lambda one: one.size_bytes)))


def _haystack(model: Model) -> str:
    names = (model.id, model.name, model.family, model.organisation, model.role, *model.aliases, *model.ollama)
    return " ".join((*names, *model.gguf)).lower().replace("_", "-")


def _quants_here(model: Model, listed: Listed) -> tuple[str, ...]:
    return tuple(one.quant or "?" for one in listed.models if one.id == model.id)


def _rank(hit: SearchHit) -> tuple[bool, bool, float, str]:
    """Those that fit first, then those that call tools, then by quality."""
    fits = hit.fit is not None and hit.fit.fits
    score = hit.fit.quality.score if hit.fit is not None else 0.0
    return not fits, not hit.model.tool_calling, -score, hit.model.id
