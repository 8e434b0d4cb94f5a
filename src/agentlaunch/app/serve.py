"""Runs the shim alone, in this process, for clients that are not launched by us."""

from __future__ import annotations

import logging
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from agentlaunch import __version__
from agentlaunch.app.choose_order import choose_model, settings_for
from agentlaunch.app.knowledge import reference_prices
from agentlaunch.app.limits import max_output_for
from agentlaunch.app.models import resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder
from agentlaunch.app.prompts import DEFAULT_AGENT
from agentlaunch.app.session_routing import choose_routing
from agentlaunch.app.standing import read_standing, standing_order, standing_token, token_path
from agentlaunch.app.usage import kept_days
from agentlaunch.app.window import Terms
from agentlaunch.app.world import World
from agentlaunch.errors import MachineError, UserError
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.state import ShimState, remove_serve, write_serve
from agentlaunch.system.dirs import Dirs, usage_path
from agentlaunch.system.files import make_private_dir, open_log
from agentlaunch.system.log_lines import LosingFileHandler, OneLineFormatter
from agentlaunch.system.process import ProcessId, identify

TOKEN_VARIABLE = "AGENTLAUNCH_TOKEN"  # noqa: S105 - a variable's name


@dataclass(frozen=True)
class ServeOrder:
    """What to serve, and to whom. `token` is empty when a new one is to be made, `token_file` is where it is from."""

    model: ModelOrder
    port: int
    token: str = field(default="", repr=False)
    yes: bool = False
    force: bool = False
    token_file: str = ""


@dataclass(frozen=True)
class Served:
    """The server answers. `context_window` in tokens."""

    url: str
    token: str = field(repr=False)
    is_new_token: bool
    model: str
    context_window: int
    token_file: str = ""


@dataclass(frozen=True)
class ServeFlags:
    """The flags of `serve` that are not about the model; `token` None: the variable's, or a new one.

    Where neither is given, the port, token and model are those that agents are configured for, if any are; without
    them `port` None is a free one.
    """

    port: int | None = None
    token: str | None = field(default=None, repr=False)
    yes: bool = False
    force: bool = False


def choose_serve(flags: ModelFlags, own: ServeFlags, world: World) -> ServeOrder:
    """The order from flags, environment and files. Raises UserError."""
    settings = settings_for(flags, LaunchFlags(yes=own.yes), world)
    token = own.token
    chosen = world.environment.get(TOKEN_VARIABLE, "") if token is None else token
    if token is not None and not token:
        raise UserError("bad-token", "the token is empty", "leave --token away: a new one is made and printed")
    if not chosen.isascii() or not chosen.isprintable() or " " in chosen:
        raise UserError(
            "bad-token", "the token has characters that an HTTP header cannot carry", "use letters and digits"
        )
    standing = None if chosen else read_standing(world.dirs)
    if standing is not None and own.port in (None, standing.port):
        model = standing_order(standing, flags, settings) or choose_model(flags, settings, world, DEFAULT_AGENT)
        where = str(token_path(world.dirs))
        return ServeOrder(model, standing.port, standing_token(world.dirs), settings.yes.value, own.force, where)
    model = choose_model(flags, settings, world, DEFAULT_AGENT)
    return ServeOrder(model, own.port or 0, chosen, settings.yes.value, own.force)


def serve(order: ServeOrder, world: World, on_ready: Callable[[Served], None]) -> None:
    """Serve until Ctrl-C or SIGTERM. Raises MachineError `port-taken`, and whatever the model's start raises."""
    resolved = resolve_model(order.model, world, Terms(yes=order.yes, force=order.force))
    routing = choose_routing(order.model, resolved, world)
    model = routing.target
    for note in routing.notes:
        world.talk.say(note)
    token, control_token = order.token or secrets.token_urlsafe(24), secrets.token_urlsafe(32)
    me = identify(os.getpid()) or ProcessId(os.getpid(), 0.0)
    request = OpenSession(
        agent="serve",
        model=model.name,
        process=None,
        target=model.target,
        context_window=model.context_window,
        max_output_tokens=max_output_for(model.context_window),
        routing=routing.session,
        project=world.project,
    )
    from agentlaunch.runtimes.hosts import RuntimeHosts
    from agentlaunch.shim.server import PresetSession, ServerConfig, run_server

    with logging_to(world.dirs.logs / "serve.log"), ExitStack() as loading:
        loading.enter_context(world.talk.waiting(f"loading `{model.name}`"))

        def ready(url: str) -> None:
            loading.close()
            _publish(ShimState(url, os.getpid(), me.started, control_token, __version__), world.dirs)
            on_ready(Served(url, token, not order.token, model.name, model.context_window, order.token_file))

        config = ServerConfig(
            port=order.port,
            control_token=control_token,
            preset=PresetSession(request, token),
            usage_path=usage_path(world.dirs),
            usage_days=kept_days(world.dirs, world.environment),
            reference=reference_prices(),
            on_ready=ready,
            on_stop=lambda: remove_serve(world.dirs, os.getpid()),
        )
        run_server(config, RuntimeHosts(world.dirs.logs, world.environment))


def _publish(state: ShimState, dirs: Dirs) -> None:
    """For `status`, `top` and `stop`; where it cannot be written, they know nothing of this server, which serves."""
    with suppress(MachineError, OSError):
        write_serve(dirs, state)


@contextmanager
def logging_to(path: Path) -> Iterator[None]:
    """What the server logs goes to a file, warnings and worse; stderr has the one line that `serve` ends with.

    A file that cannot be written is no reason not to serve.
    """
    handler: logging.Handler
    try:
        make_private_dir(path.parent)
        os.close(open_log(path, os.O_APPEND))  # logging would make it as the umask says
        handler = LosingFileHandler(path, encoding="utf-8")
    except (MachineError, OSError):
        handler = logging.NullHandler()
    handler.setLevel(logging.WARNING)
    handler.setFormatter(OneLineFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
        handler.close()
