"""The model of a launch that names none and has no predecessor: the best for this machine that is here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.fit.result import ModelFit

_TRY = "try --model demo, or --model PATH.gguf; more: agentlaunch check"


@dataclass(frozen=True)
class Recommended:
    """A model as an order names it, and what it runs in; empty where its name tells. `holder` is who has it."""

    model: str
    runtime: str = ""
    holder: str = ""


def recommend_model(world: World, agent: str, runtime: str = "", *, yes: bool = False) -> Recommended:
    """The best one that a running server has loaded, that is a file, or that Ollama has; said aloud. `runtime` is the
    one that it must be for, empty for any.

    With nothing here it is the best one there is, where somebody can say yes to fetching it; else raises UserError
    `model-needed` that names it and how to get it.
    """
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.machine import look_at
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.app.prompts import demand_of
    from agentlaunch.core.fit.choice import recommend

    knowledge = load_knowledge()
    report = look_at(MachineFlags(), world.folder, world.look)
    found = recommend(report, knowledge, demand_of(agent))
    fits = () if found.best is None else (found.best, *found.alternatives)
    loaded = [] if runtime else _loaded(knowledge.catalog, world)
    files, tags = _files(knowledge.catalog, world, runtime), _tags(fits, knowledge.catalog, world, runtime)
    here = dict(reversed([*loaded, *files, *tags]))
    for fit in fits:
        chosen = here.get(fit.model)
        if chosen is not None:
            held = f", which {chosen.holder} has," if chosen.holder else ","
            world.talk.say(f"no model was named: taking {fit.name}{held} the best for this machine that is here")
            return chosen
    if loaded:
        other = loaded[0][1]
        world.talk.say(f"no model was named: taking `{other.model}`, which {other.holder} has loaded")
        return other
    if found.best is None:
        raise UserError("model-needed", "no model was chosen, and none that we know is usable on this machine", _TRY)
    if yes or world.talk.is_interactive:
        world.talk.say(f"no model was named: the best for this machine is {found.best.name}")
        published = knowledge.catalog.models[found.best.model].gguf
        return Recommended(f"{found.best.model}:{found.best.quant}" if published else found.best.model, runtime)
    raise _not_here(found.best, knowledge.catalog, agent)


def _loaded(catalog: Catalog, world: World) -> list[tuple[str, Recommended]]:
    """What running servers have loaded, by the catalogue's model, empty for one that is not in it; the one with the
    largest window first."""
    from agentlaunch.app.running_servers import catalogue_id, loaded_models

    return [
        (catalogue_id(model.name, catalog), Recommended(model.name, server.kind.name, server.kind.title))
        for server, model in loaded_models(world)
    ]


def _files(catalog: Catalog, world: World, runtime: str) -> Iterator[tuple[str, Recommended]]:
    from agentlaunch.app.local_models import find_local_models
    from agentlaunch.app.ollama_models import RUNTIME

    if runtime != RUNTIME:
        for local in find_local_models(catalog, world.environment, world.folder, world.dirs):
            yield local.model, Recommended(str(local.path), runtime)


def _tags(
    fits: tuple[ModelFit, ...], catalog: Catalog, world: World, runtime: str
) -> Iterator[tuple[str, Recommended]]:
    from agentlaunch.app.ollama_models import RUNTIME, find_tag

    if runtime in ("", RUNTIME):
        for fit in fits:
            tag = find_tag(catalog.models[fit.model].ollama, world)
            if tag is not None:
                yield fit.model, Recommended(tag, RUNTIME, "Ollama")


def _not_here(best: ModelFit, catalog: Catalog, agent: str) -> UserError:
    from agentlaunch.app.obtain import way_to_get

    size = f"{best.file_bytes / 2**30:.1f} GiB"
    message = f"no model was chosen; the best for this machine, `{best.model}` in {best.quant} ({size}), is not here"
    way = way_to_get(catalog.models[best.model], best.quant, agent).sentence
    return UserError("model-needed", message, f"{way}; or {_TRY}")
