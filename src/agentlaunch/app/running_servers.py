"""Model servers that run here already: which has the model that a name means, and what a session on it gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.errors import MachineError, UserError
from agentlaunch.probes.servers import SERVERS

if TYPE_CHECKING:
    from agentlaunch.app.orders import ModelOrder
    from agentlaunch.app.world import World
    from agentlaunch.core.catalog import Catalog
    from agentlaunch.core.endpoint import Endpoint
    from agentlaunch.core.served_model import ServedModel
    from agentlaunch.probes.servers.base import ServerKind
    from agentlaunch.probes.servers.finding import Place, RunningServer

PLACES_VARIABLE = "AGENTLAUNCH_SERVERS"
"""`none`, or NAME=PORT with commas between: where those listen that are not at their usual port."""
ENOUGH_TOKENS = 32_768
"""The window that errors advise: a coding agent's prompt, its files and an answer (facts/agents.md 2)."""


@dataclass(frozen=True)
class Served:
    """A model of a running server as a session uses it. `enlarge` is what to type for a window of {tokens}."""

    endpoint: Endpoint
    context_window: int
    enlarge: str
    notes: tuple[str, ...] = ()


def running_servers(environment: Mapping[str, str]) -> tuple[RunningServer, ...]:
    """Every server that answers on this machine now. Raises UserError `bad-servers`."""
    from agentlaunch.probes.servers.finding import find_servers

    return find_servers(places(environment))


def places(environment: Mapping[str, str]) -> tuple[Place, ...]:
    """Where each kind is looked for. Raises UserError `bad-servers`."""
    from agentlaunch.probes.servers.base import load_kind
    from agentlaunch.probes.servers.finding import Place

    ports = _stated_ports(environment.get(PLACES_VARIABLE, ""))
    if ports is None:
        return ()
    kinds = [load_kind(name) for name in SERVERS]
    return tuple(Place(kind, ports.get(kind.name, kind.port), _key(kind, environment)) for kind in kinds)


def loaded_models(world: World) -> list[tuple[RunningServer, ServedModel]]:
    """What running servers are known to have loaded, the largest window first. Raises UserError `bad-servers`."""
    servers = running_servers(world.environment)
    loaded = [(server, model) for server in servers for model in server.facts.models if model.is_loaded]
    return sorted(loaded, key=lambda found: -(found[1].context_window or 0))


def find_loaded(name: str, world: World) -> tuple[RunningServer, ServedModel] | None:
    """The first running server that has loaded what `name` means: its own name for it, or a name of the catalogue."""
    from agentlaunch.app.knowledge import load_catalog

    servers = running_servers(world.environment)
    if not servers:
        return None
    catalog = load_catalog()
    for server in servers:
        for model in server.facts.models:
            alone = model.is_loaded is None and len(server.facts.models) == 1
            if (model.is_loaded or alone) and _means(name, model.name, catalog):
                return server, model
    return None


def served_model(order: ModelOrder, world: World) -> Served:
    """The model at the server that `order.runtime` names. An empty `order.model` is the one that it has loaded.

    Raises MachineError `server-missing`, `server-key`, `model-not-loaded`, UserError `unknown-model`,
    `context-too-large`, `server-option`.
    """
    from agentlaunch.app.knowledge import load_catalog

    server = _named_server(order.runtime, world)
    models = server.facts.models
    if not order.model:
        chosen = next((model for model in models if model.is_loaded), models[0] if len(models) == 1 else None)
        if chosen is None:
            raise _nothing_loaded(server)
    else:
        catalog = load_catalog()
        matching = [model for model in models if _means(order.model, model.name, catalog)]
        if not matching:
            raise _not_served(order.model, server)
        chosen = next((model for model in matching if model.is_loaded), matching[0])
    if chosen.is_loaded is False:
        raise _not_loaded(chosen, server)
    return served(server, chosen, order, world)


def served(server: RunningServer, model: ServedModel, order: ModelOrder, world: World) -> Served:
    """A session on this model. The window is what the server has loaded, or less where less was ordered.

    Raises UserError `context-too-large`, since no launch reconfigures a server, and `server-option`.
    """
    from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS
    from agentlaunch.core.endpoint import Endpoint

    kind, loaded = server.kind, model.context_window
    if order.kv is not None:
        what = f"--kv is the server's own setting, and {kind.title} runs already"
        raise UserError("server-option", what, "leave --kv away")
    if order.context is not None and loaded is not None and order.context > loaded:
        raise UserError(
            "context-too-large",
            f"{kind.title} has `{model.name}` with a window of `{loaded:,}` tokens, not `{order.context:,}`",
            f"enlarge it there: {enlarging(kind, model.name, order.context)}",
        )
    window = order.context or loaded or DEFAULT_CONTEXT_TOKENS
    endpoint = Endpoint(
        name=kind.name,
        wire="openai_chat",
        base_url=server.url,
        model=model.name,
        key=_key(kind, world.environment),
        context_window=window,
        counting=kind.counting,
        takes_images=model.takes_images,
    )
    return Served(endpoint, window, enlarging(kind, model.name, None), _window_notes(model, order, kind))


def _window_notes(model: ServedModel, order: ModelOrder, kind: ServerKind) -> tuple[str, ...]:
    """What to know of a window that nobody has ordered: it is assumed, or small and how it grows (report B169)."""
    from agentlaunch.app.limits import DEFAULT_CONTEXT_TOKENS, LEAN_BELOW_TOKENS

    loaded = model.context_window
    if order.context is not None or (loaded is not None and loaded >= LEAN_BELOW_TOKENS):
        return ()
    larger = enlarging(kind, model.name, ENOUGH_TOKENS)
    if loaded is None:
        return (f"{kind.title} does not tell its window: {DEFAULT_CONTEXT_TOKENS} tokens assumed, see --context",)
    return (f"{kind.title} gives it a window of only {loaded} tokens; for more: {larger}",)


def enlarging(kind: ServerKind, model: str, tokens: int | None) -> str:
    """What to type for a window of `tokens`; `{tokens}` stays in it for None."""
    return kind.enlarge.replace("{model}", model).replace("{tokens}", "{tokens}" if tokens is None else str(tokens))


def _key(kind: ServerKind, environment: Mapping[str, str]) -> str:
    """The key that the server's own programs read; one that no header can carry is none."""
    key = environment.get(kind.key_variable, "").strip() if kind.key_variable else ""
    return key if key.isascii() and key.isprintable() else ""


def _stated_ports(text: str) -> dict[str, int] | None:
    """Ports by name; None for `none`. Raises UserError `bad-servers`."""
    if text.strip().lower() == "none":
        return None
    ports = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = part.partition("=")
        if name not in SERVERS or not number.isdecimal() or not 0 < int(number) < 1 << 16:
            raise UserError(
                "bad-servers",
                f"`{part}` in {PLACES_VARIABLE} is no NAME=PORT",
                f"export {PLACES_VARIABLE}=lmstudio=1235; names: {', '.join(SERVERS)}; or `none` to look for none",
            )
        ports[name] = int(number)
    return ports


def _named_server(name: str, world: World) -> RunningServer:
    from dataclasses import replace

    from agentlaunch.probes.servers.base import load_kind
    from agentlaunch.probes.servers.finding import LOOPBACK, NAMED_LIMIT_S, find_servers

    kind = load_kind(name)
    wanted = [replace(place, is_named=True) for place in places(world.environment) if place.kind.name == name]
    found = find_servers(wanted, NAMED_LIMIT_S)
    if not found:
        port = wanted[0].port if wanted else kind.port
        keyed = f"; if it wants a key: export {kind.key_variable}=..." if kind.key_variable else ""
        raise MachineError(
            "server-missing",
            f"no {kind.title} answers at `{LOOPBACK}:{port}`",
            f"start its server, or say where it listens: export {PLACES_VARIABLE}={name}=PORT{keyed}",
        )
    if found[0].facts.wants_key:
        what = f"{kind.title} at `{found[0].url}` wants its key"
        raise MachineError("server-key", what, f"export {kind.key_variable}=..., then again")
    return found[0]


def _means(wanted: str, name: str, catalog: Catalog) -> bool:
    """Whether `wanted` is this model: the whole name or its last part, in any case; or both are one of the catalogue's
    models, by a name that tells its size."""
    from agentlaunch.core.catalog import Match

    if wanted.lower() in (name.lower(), short_name(name).lower()):
        return True
    found = catalog.find(wanted)
    return isinstance(found, Match) and catalogue_id(name, catalog) == found.model.id


def catalogue_id(name: str, catalog: Catalog) -> str:
    """The catalogue's model that a server's name for it tells (`qwen/qwen3-coder-30b`); empty for none."""
    from agentlaunch.app.local_models import model_of_name
    from agentlaunch.core.weight_names import without_quant

    stem = without_quant(short_name(name).lower().partition(":")[0])
    by_file = model_of_name(stem, catalog)
    if by_file:
        return by_file
    tags = ((tag.replace(":", "-"), model.id) for model in catalog.models.values() for tag in model.ollama)
    return next((model for tag, model in tags if tag == stem), "")


def short_name(name: str) -> str:
    """The last part of a server's name for a model, without a file's suffix."""
    short = name.replace("\\", "/").rpartition("/")[2]
    return short[: -len(".gguf")] if short.lower().endswith(".gguf") else short


def _nothing_loaded(server: RunningServer) -> MachineError:
    names = [model.name for model in server.facts.models]
    what = f"{server.kind.title} has no model loaded"
    hint = f"name one: --model {names[0]}" if names else f"load one there: {_loading(server.kind, 'MODEL')}"
    return MachineError("model-not-loaded", what, hint)


def _not_served(wanted: str, server: RunningServer) -> UserError:
    names = ", ".join(model.name for model in server.facts.models[:10])
    hint = f"it has: {names}" if names else f"load one there: {_loading(server.kind, wanted)}"
    return UserError("unknown-model", f"{server.kind.title} has no model `{wanted}`", hint)


def _not_loaded(model: ServedModel, server: RunningServer) -> MachineError:
    what = f"`{model.name}` is not loaded in {server.kind.title}, and a launch does not change what runs there"
    return MachineError("model-not-loaded", what, f"load it, then again: {_loading(server.kind, model.name)}")


def _loading(kind: ServerKind, model: str) -> str:
    return kind.load.replace("{model}", model).replace("{tokens}", str(ENOUGH_TOKENS))
