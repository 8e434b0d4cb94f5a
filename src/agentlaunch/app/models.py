"""From a model's name to something that can answer: a local model to load, or an upstream that is there already."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import islice
from pathlib import Path

from agentlaunch.app.orders import ModelOrder
from agentlaunch.app.talk import agrees
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import MachineError, UserError

DEFAULT_CONTEXT_TOKENS = 32_768
"""The window when the user names none: enough for a coding agent's 8k to 12k of prompt (facts/agents.md 2), and small
enough for the KV cache of a laptop. Whoever can measure the machine decides better; `--context` always wins."""

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


def resolve_model(order: ModelOrder, world: World, *, yes: bool) -> ModelTarget:
    """What `order` names. Raises UserError for a name or a window that cannot be, MachineError for a missing part."""
    if order.upstream:
        return _resolve_upstream(order, world)
    if order.model == DEMO:
        return _local_target(_demo_file(world, yes=yes), DEMO, order)
    path = find_model_file(order.model, world.folder)
    return _local_target(path, path.stem, order)


def find_model_file(name: str, folder: Path) -> Path:
    """The file that `name` means, absolute, whether it exists or not. Raises UserError `unknown-model`."""
    if name.startswith("hf:") or not _is_path(name):
        raise _unknown(name, folder)
    return (folder / Path(name).expanduser()).absolute()


def _local_target(path: Path, alias: str, order: ModelOrder) -> ModelTarget:
    """Raises what check_model raises: the file is read before anything is started."""
    from agentlaunch.runtimes.model_file import check_model

    trained = check_model(path, order.context or 1).header.context_length
    window = order.context or min(trained or DEFAULT_CONTEXT_TOKENS, DEFAULT_CONTEXT_TOKENS)
    return ModelTarget(alias, EngineSpec(str(path), alias, window, order.kv), RUNTIME, window)


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
    """Raises UserError `upstream-unknown`, `key-missing`, and what the upstream's own reading of its URL raises."""
    from agentlaunch.upstreams.kind import endpoint

    kind, _, url = order.upstream.partition("=")
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


def _is_path(name: str) -> bool:
    return name.lower().endswith(".gguf") or "/" in name or "\\" in name


def _unknown(name: str, folder: Path) -> UserError:
    near = _suggest(name, folder)
    tail = f"; {near}" if near else ""
    return UserError(
        "unknown-model",
        f"unknown model `{name}`",
        f"known: `demo`, a path to a .gguf file, or any name behind --upstream KIND=URL{tail}",
    )


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
