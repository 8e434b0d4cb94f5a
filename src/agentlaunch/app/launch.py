"""Launches an agent on a model: decide, open a session, write the overlay files, become the agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import time
from typing import NoReturn

from agentlaunch.agents.base import TINY_WINDOW_BELOW_TOKENS, Agent
from agentlaunch.agents.locate import LocatedAgent
from agentlaunch.app.agents import find_agent, find_or_install
from agentlaunch.app.choose_order import settings_for
from agentlaunch.app.handed import NOTHING_HANDED, Handed, link_folders, read_handed
from agentlaunch.app.key_variables import key_variables
from agentlaunch.app.last_launch import write_record
from agentlaunch.app.limits import LEAN_BELOW_TOKENS, max_output_for
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, LaunchOrder, ModelFlags
from agentlaunch.app.session_routing import Routing, choose_routing
from agentlaunch.app.talk import Silence
from agentlaunch.app.user_files import read_user_files
from agentlaunch.app.weights_use import note_use
from agentlaunch.app.window import Terms
from agentlaunch.app.world import World
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.launch_environment import launch_environment, proxy_note
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan
from agentlaunch.core.policy import Role
from agentlaunch.errors import AgentlaunchError, Bug, MachineError, RemoteError, UserError
from agentlaunch.shim.protocol import OpenSession, SessionGrant
from agentlaunch.shim.session import SessionRouting
from agentlaunch.shim.state import shim_log
from agentlaunch.system.files import write_private
from agentlaunch.system.process import identify

MASK = "********"
"""Stands for the session's token where a plan is shown."""


@dataclass(frozen=True)
class Prepared:
    """Everything that is known before a session is opened. `context_window` is in tokens."""

    order: LaunchOrder
    agent: Agent
    program: LocatedAgent
    model: ModelTarget
    context_window: int
    routing: SessionRouting | None = None
    handed: Handed = NOTHING_HANDED

    @property
    def lean(self) -> bool:
        """Ordered, or decided by the window."""
        return self.context_window < LEAN_BELOW_TOKENS if self.order.lean is None else self.order.lean

    @property
    def max_output_tokens(self) -> int:
        """The longest answer that the agent may ask for, in tokens."""
        return max_output_for(self.context_window)


@dataclass(frozen=True)
class DryRun:
    """What a launch would do. `shim` is None when one would be started; `cleanup` is what goes with the session."""

    prepared: Prepared
    plan: LaunchPlan
    shim: str | None
    cleanup: tuple[str, ...]


def prepare(order: LaunchOrder, world: World) -> Prepared:
    """Find the agent and the model; installs what is missing if the user says so. Opens nothing.

    Raises UserError for what was ordered, MachineError for what is missing.
    """
    agent = find_agent(order.agent)
    handed = read_handed(order)
    try:
        program = find_or_install(agent, order, world)
    except MachineError:
        _check_typed(order, world)
        raise
    routing = _routing(order, world)
    model = replace(routing.target, notes=(*routing.notes, *routing.target.notes))
    return Prepared(order, agent, program, model, model.context_window, routing.session, handed)


def _routing(order: LaunchOrder, world: World) -> Routing:
    resolved = resolve_model(order.model, world, Terms(order.agent, order.lean, order.yes, order.force))
    return choose_routing(order.model, resolved, world)


def _check_typed(order: LaunchOrder, world: World) -> None:
    """What was typed wrong is told before what the machine lacks. Asks and fetches nothing. Raises UserError."""
    try:
        _routing(replace(order, yes=False), replace(world, talk=Silence()))
    except (MachineError, RemoteError):
        return
    except UserError as error:
        if error.code != "consent-needed":  # nobody has been asked yet
            raise


def rehearse(prepared: Prepared, world: World) -> DryRun:
    """The plan with a masked token and masked secrets of MCP servers; nothing is started, opened or written."""
    url = world.shims.url()
    grant = SessionGrant(
        id="SESSION",
        token=MASK,
        url=url or "http://127.0.0.1:PORT",
        model=prepared.model.name,
        context_window=prepared.context_window,
        session_dir=str(world.dirs.sessions / "SESSION"),
    )
    masked = replace(prepared, handed=prepared.handed.masked(MASK))
    return DryRun(prepared, _plan(masked, grant, world), url, (grant.session_dir,))


def run(prepared: Prepared, world: World) -> NoReturn:
    """Open the session and become the agent. Whatever fails, or Ctrl-C, closes the session again."""
    with _session(prepared, world) as grant:
        model = replace(prepared.model, notes=(*grant.notes, *prepared.model.notes))
        granted = replace(prepared, model=model, context_window=grant.context_window)
        plan = _plan(granted, grant, world)
        for file in plan.files:
            write_private(Path(file.path), file.content.encode())
        link_folders(plan.links)
        write_record(_as_recorded(granted), world.dirs)
        if isinstance(granted.model.target, EngineSpec):
            note_use(granted.model.target.model_path, world.dirs, time())
        told = (f"  {warning}" for warning in plan.warnings)
        for line in (*banner(granted, grant.url, str(shim_log(world.dirs))), *told, *_terminal_note(granted, world)):
            world.talk.say(line)
        world.become(plan.argv, launch_environment(world.environment, plan))
    raise Bug("launch-returned", "the agent's process returned to its launcher")


@contextmanager
def _session(prepared: Prepared, world: World) -> Iterator[SessionGrant]:
    """The session until the process becomes the agent, from when on the shim watches the process itself."""
    own = identify(os.getpid())
    if own is None:
        raise Bug("no-own-process", "the system does not know our own process")
    model = prepared.model
    request = OpenSession(
        agent=prepared.order.agent,
        model=model.name,
        process=own,
        target=model.target,
        context_window=prepared.context_window,
        max_output_tokens=prepared.max_output_tokens,
        routing=prepared.routing,
        project=world.project,
        variant=_variant(prepared, world),
    )
    with world.talk.waiting(f"loading `{model.name}`"):
        grant = world.shims.open_session(request, prepared.order.idle_seconds)
    try:
        yield grant
    finally:
        with suppress(AgentlaunchError):
            world.shims.close_session(grant.id)


def _variant(prepared: Prepared, world: World) -> str:
    """What the agent's first prompt depends on beside the folder; empty where it is not to be computed beforehand."""
    if not settings_for(ModelFlags(), LaunchFlags(), world).prewarm.value:
        return ""
    return f"{prepared.order.agent} {prepared.program.version_text} {'lean' if prepared.lean else 'full'}"


def _plan(prepared: Prepared, grant: SessionGrant, world: World) -> LaunchPlan:
    context = AgentContext(
        executable=prepared.program.path,
        shim_url=grant.url,
        token=grant.token,
        model=prepared.model.name,
        context_window=prepared.context_window,
        max_output_tokens=prepared.max_output_tokens,
        lean=prepared.lean,
        session_dir=grant.session_dir,
        arguments=prepared.order.arguments,
        environment=world.environment,
        user_files=read_user_files(prepared.agent, prepared.order.arguments, world),
        routed_roles=_routed_roles(prepared),
        mcp_servers=prepared.handed.servers,
        skills_dir=prepared.order.skills,
        skills=prepared.handed.skills,
    )
    return _without_keys(prepared.agent.plan(context), prepared, world)


def _without_keys(plan: LaunchPlan, prepared: Prepared, world: World) -> LaunchPlan:
    """The plan that also takes away the variables with upstreams' keys; what the agent's own plan sets is no key."""
    routed = () if prepared.routing is None else prepared.routing.upstreams
    keys = [each.key for each in (prepared.model.target, *routed) if isinstance(each, Endpoint)]
    found = key_variables(prepared.order.model.key_variable, keys, world)
    more = tuple(name for name in found if name not in plan.env and name not in plan.unset)
    if not more:
        return plan
    note = f"not in the agent's environment, since the local server presents upstreams' keys: {', '.join(more)}"
    return replace(plan, unset=(*plan.unset, *more), notes=(*plan.notes, note))


def _routed_roles(prepared: Prepared) -> frozenset[Role]:
    if prepared.routing is None:
        return frozenset()
    return frozenset(route.match.role for route in prepared.routing.policy.routes if route.match.role is not None)


def _as_recorded(prepared: Prepared) -> LaunchOrder:
    """The order as `again` repeats it from any folder: a file under its absolute path."""
    order, target = prepared.order, prepared.model.target
    if not isinstance(target, EngineSpec) or order.model.model == target.alias:
        return order
    return replace(order, model=replace(order.model, model=target.model_path))


def banner(prepared: Prepared, shim_url: str, log: str) -> tuple[str, ...]:
    """At most four lines before the agent has the screen."""
    model = prepared.model
    title = f"{prepared.agent.title} {prepared.program.version_text}".rstrip()
    lines = (
        f"agentlaunch: {title} on `{model.name}` ({model.runtime})",
        f"  window {prepared.context_window} tokens, answers up to {prepared.max_output_tokens}{_lean_text(prepared)}",
        f"  shim {shim_url}, log {log}",
    )
    return (*lines, *(f"  {note}" for note in (*_window_note(prepared), *model.notes)[:1]))


def _window_note(prepared: Prepared) -> tuple[str, ...]:
    """A warning where the agent's own first prompt and an answer overflow the window, with the flag that helps."""
    window, answer, sizes = prepared.context_window, prepared.max_output_tokens, prepared.agent.prompt_tokens
    lean = sizes.tiny if window < TINY_WINDOW_BELOW_TOKENS else sizes.lean
    prompt = lean if prepared.lean else sizes.full
    if prompt + answer <= window:
        return ()
    larger = -(-prompt * 4 // 3 // 4096) * 4096  # an answer takes a quarter of a window of this size
    enlarge = prepared.model.enlarge.replace("{tokens}", str(larger)) or f"--context {larger}"
    helps = "--lean" if not prepared.lean and lean + answer <= window else enlarge
    title = prepared.agent.title
    return (f"too small for {title}: its first prompt of about {prompt} tokens leaves no room for an answer; {helps}",)


def _terminal_note(prepared: Prepared, world: World) -> tuple[str, ...]:
    """Where nobody can type, an agent that was given nothing to do ends with an error of its own (report B288)."""
    if prepared.order.arguments or world.talk.is_interactive:
        return ()
    word = prepared.agent.one_answer
    return (f"  there is no terminal; for one answer: agentlaunch {prepared.order.agent} -- {word} 'PROMPT'",)


def _background_note(prepared: Prepared) -> str:
    """Where titles, summaries and subagents go: agents' own defaults send them to their makers (report B231)."""
    routed = " and ".join(sorted(_routed_roles(prepared)))
    elsewhere = f"; {routed} by your policy's routes" if routed else ""
    return f"titles, summaries and subagents ask `{prepared.model.name}` as well{elsewhere}"


def _lean_text(prepared: Prepared) -> str:
    if not prepared.lean:
        return ""
    chosen = "" if prepared.order.lean else f": the window is below {LEAN_BELOW_TOKENS}; --full for every tool"
    return f"; lean{chosen}"


def notes(rehearsal: DryRun, world: World) -> tuple[str, ...]:
    """Everything worth knowing about a plan that is not in it."""
    proxy = proxy_note(world.environment)
    prepared = rehearsal.prepared
    background = _background_note(prepared)
    return (
        *_window_note(prepared),
        *prepared.model.notes,
        *rehearsal.plan.warnings,
        *rehearsal.plan.notes,
        background,
        *((proxy,) if proxy else ()),
    )
