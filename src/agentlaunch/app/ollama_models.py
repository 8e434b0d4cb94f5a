"""Models that Ollama serves: which name means one, and the window that it is loaded with."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from agentlaunch.app.offline import refuse_far_offline
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.window import Terms, Window
    from agentlaunch.app.world import World
    from agentlaunch.runtimes.ollama_address import OllamaAddress

RUNTIME = "ollama"

_UNSEEN = "Ollama's files cannot be read from here: {tokens} tokens of window are assumed to fit, see --context"


@dataclass(frozen=True)
class OllamaModel:
    """A model as Ollama is to load it, and sentences about it. `spec.alias` is what the agent calls it."""

    spec: EngineSpec
    notes: tuple[str, ...] = ()


def find_tag(names: Iterable[str], world: World) -> str | None:
    """The first of `names` whose weights Ollama keeps on this machine; no server is asked, and none need run.

    None where OLLAMA_HOST names another machine: then only `--runtime ollama` means it.
    """
    from agentlaunch.runtimes.ollama_address import find_address
    from agentlaunch.runtimes.ollama_files import find_weights

    if not find_address(world.environment).is_local:
        return None
    return next((name for name in names if find_weights(name, world.environment) is not None), None)


def ollama_model(tag: str, order: ModelOrder, terms: Terms, world: World) -> OllamaModel:
    """`tag` with the ordered window, or with the one that fits this machine, as far as Ollama's files can be read.

    Whether the server has it is seen when it is loaded. Raises UserError `ollama-wants-a-name`, `context-too-large`,
    `bad-ollama-host`, and what choose_window does.
    """
    from agentlaunch.runtimes.ollama_address import find_address

    if tag.lower().endswith(".gguf"):
        raise UserError(
            "ollama-wants-a-name",
            f"Ollama runs models by their names, and `{tag}` is a file",
            "leave --runtime away, or name a model of Ollama's: ollama list",
        )
    address = find_address(world.environment)
    refuse_far_offline("OLLAMA_HOST", address.base_url, world)
    window = _window(tag, order, terms, world, address)
    spec = EngineSpec(
        model_path=tag,
        alias=order.model,
        context_window=window.context_window,
        kv_type=window.kv_type,
        runtime=RUNTIME,
        address=address.base_url,
        authorization=address.authorization,
        memory=window.memory,
    )
    return OllamaModel(spec, (*_parallel_note(world, address), *window.notes))


def _parallel_note(world: World, address: OllamaAddress) -> tuple[str, ...]:
    """A warning where a server on this machine keeps several windows in memory, and one was planned (report B185)."""
    slots = world.environment.get("OLLAMA_NUM_PARALLEL", "")
    if not address.is_local or not slots.isdecimal() or int(slots) < 2:
        return ()
    return (f"OLLAMA_NUM_PARALLEL={slots} makes Ollama keep {slots} windows in memory, and one was planned: unset it",)


def _window(tag: str, order: ModelOrder, terms: Terms, world: World, address: OllamaAddress) -> Window:
    from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS
    from agentlaunch.app.window import Window, choose_window
    from agentlaunch.runtimes.model_file import check_model
    from agentlaunch.runtimes.ollama_files import find_weights

    kv_type = order.kv or "f16"
    running = _running_window(tag, world) if order.context is None else None
    if running is not None:
        return Window(running, kv_type)
    weights = find_weights(tag, world.environment) if address.is_local else None
    if weights is None:
        window = order.context or DEFAULT_CONTEXT_TOKENS
        return Window(window, kv_type, () if order.context else (_UNSEEN.format(tokens=window),))
    facts = check_model(weights, 1)
    trained = facts.header.context_length
    if order.context is not None and trained is not None and order.context > trained:
        raise UserError(
            "context-too-large",
            f"a context of `{order.context:,}` tokens is more than `{tag}` was trained for: `{trained:,}`",
            f"use at most that: --context {trained}",
        )
    # Told by its name: the file is called by its digest.
    named = replace(facts, path=Path(f"{tag}.gguf"))
    return choose_window(named, replace(order, kv=kv_type), terms, world)


def _running_window(tag: str, world: World) -> int | None:
    """The window of this model where the shim has it loaded already: it fits, for it is there."""
    from agentlaunch.app.status import shared_engines

    states = ("ready", "loading")
    here = shared_engines(world)
    return next((one.context_window for one in here if one.model_path == tag and one.state in states), None)
