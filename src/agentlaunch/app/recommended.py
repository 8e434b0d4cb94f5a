"""The model of a launch that names none and has no predecessor: the best for this machine whose file is here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.fit.result import ModelFit

_TRY = "try --model demo, or --model PATH.gguf; more: agentlaunch check"


def recommended_file(world: World, agent: str) -> str:
    """The file's path, said aloud. Raises UserError `model-needed` that names the best model and how to get it."""
    from agentlaunch.app.knowledge import load_knowledge
    from agentlaunch.app.local_models import find_local_models
    from agentlaunch.app.machine import MachineFlags, look_at
    from agentlaunch.app.prompts import demand_of
    from agentlaunch.core.fit.choice import recommend

    knowledge = load_knowledge()
    report = look_at(MachineFlags(), world.folder, world.look)
    found = recommend(report, knowledge, demand_of(agent))
    if found.best is None:
        raise UserError("model-needed", "no model was chosen, and none that we know is usable on this machine", _TRY)
    local = find_local_models(knowledge.catalog, world.environment, world.folder, world.dirs)
    for fit in (found.best, *found.alternatives):
        path = next((file.path for file in local if file.model == fit.model), None)
        if path is not None:
            world.talk.say(f"no model was named: taking {fit.name}, the best for this machine that is here")
            return str(path)
    raise _not_here(found.best, knowledge.catalog, agent)


def _not_here(best: ModelFit, catalog: Catalog, agent: str) -> UserError:
    from agentlaunch.app.obtain import way_to_get

    size = f"{best.file_bytes / 2**30:.1f} GiB"
    message = f"no model was chosen; the best for this machine, `{best.model}` in {best.quant} ({size}), is not here"
    way = way_to_get(catalog.models[best.model], best.quant, agent).sentence
    return UserError("model-needed", message, f"{way}; or {_TRY}")
