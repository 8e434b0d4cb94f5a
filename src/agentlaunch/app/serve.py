"""Runs the shim alone, in this process, for clients that are not launched by us."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from agentlaunch.app.limits import max_output_for
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder, choose_model, settings_for
from agentlaunch.app.world import World
from agentlaunch.errors import UserError
from agentlaunch.shim.protocol import OpenSession

TOKEN_VARIABLE = "AGENTLAUNCH_TOKEN"  # noqa: S105 - a variable's name


@dataclass(frozen=True)
class ServeOrder:
    """What to serve, and to whom. `token` is empty when a new one is to be made."""

    model: ModelOrder
    port: int
    token: str = field(default="", repr=False)
    yes: bool = False


@dataclass(frozen=True)
class Served:
    """The server answers. `context_window` in tokens."""

    url: str
    token: str = field(repr=False)
    is_new_token: bool
    model: str
    context_window: int


def choose_serve(flags: ModelFlags, *, port: int, token: str | None, yes: bool, world: World) -> ServeOrder:
    """The order from flags, environment and files. Raises UserError."""
    settings = settings_for(flags, LaunchFlags(yes=yes), world)
    chosen = world.environment.get(TOKEN_VARIABLE, "") if token is None else token
    if token is not None and not token:
        raise UserError("bad-token", "the token is empty", "leave --token away: a new one is made and printed")
    if not chosen.isascii() or not chosen.isprintable() or " " in chosen:
        raise UserError(
            "bad-token", "the token has characters that an HTTP header cannot carry", "use letters and digits"
        )
    return ServeOrder(choose_model(flags, settings, world), port, chosen, settings.yes.value)


def serve(order: ServeOrder, world: World, on_ready: Callable[[Served], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises MachineError `port-taken`, and whatever the model's start raises."""
    model = resolve_model(order.model, world, yes=order.yes)
    token = order.token or secrets.token_urlsafe(24)
    request = OpenSession(
        agent="serve",
        model=model.name,
        process=None,
        target=model.target,
        context_window=model.context_window,
        max_output_tokens=max_output_for(model.context_window),
    )
    from agentlaunch.runtimes.llama_cpp import LlamaCppHost
    from agentlaunch.shim.server import PresetSession, ServerConfig, run_server

    with ExitStack() as loading:
        loading.enter_context(world.talk.waiting(f"loading `{model.name}`"))

        def ready(url: str) -> None:
            loading.close()
            on_ready(Served(url, token, not order.token, model.name, model.context_window))

        config = ServerConfig(port=order.port, preset=PresetSession(request, token), on_ready=ready)
        run_server(config, LlamaCppHost(world.dirs.logs, world.environment))
