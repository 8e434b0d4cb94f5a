"""`verify MODEL`: the battery over a real model through a session of the shim, scored and kept."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from time import monotonic, sleep, time
from typing import TYPE_CHECKING

from agentlaunch.app.choose_order import choose_model, settings_for
from agentlaunch.app.fingerprint import fingerprint
from agentlaunch.app.limits import max_output_for
from agentlaunch.app.models import ModelTarget, resolve_model
from agentlaunch.app.orders import LaunchFlags, ModelFlags, ModelOrder
from agentlaunch.app.prompts import DEFAULT_AGENT
from agentlaunch.app.session_routing import choose_routing
from agentlaunch.app.verify_asking import GENERAL_WIRE, AskedCase, Bounds, ask_all
from agentlaunch.app.verify_store import Verified, keep
from agentlaunch.app.window import Terms
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.verify.agent_tools import AGENTS_WITH_TOOLS
from agentlaunch.core.verify.score import BATTERY_VERSION, CaseResult, battery, score_of
from agentlaunch.errors import AgentlaunchError, Bug, MachineError, UserError
from agentlaunch.shim.protocol import OpenSession, SessionGrant
from agentlaunch.system.dirs import usage_path
from agentlaunch.system.process import identify

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.verify.case import Case

USAGE_WAIT_S = 3.0
"""How long the shim may take to write down its last request; it writes within half a second."""
_POLL_S = 0.1


@dataclass(frozen=True)
class VerifyFlags:
    """The flags of `verify` that are not about the model. `agent` empty: the tools of the usual agents.

    `only` names cases; such a run is not kept.
    """

    agent: str = ""
    only: tuple[str, ...] = ()
    is_long: bool = False
    yes: bool = False
    force: bool = False


@dataclass(frozen=True)
class VerifyOrder:
    """What to verify, and how much it may take."""

    model: ModelOrder
    flags: VerifyFlags
    bounds: Bounds = field(default_factory=Bounds)


def choose_verify(flags: ModelFlags, own: VerifyFlags, bounds: Bounds, world: World) -> VerifyOrder:
    """The order from flags, environment and files. Raises UserError, `no-tool-set` for an agent without one."""
    if own.agent and own.agent not in AGENTS_WITH_TOOLS:
        known = ", ".join(AGENTS_WITH_TOOLS)
        raise UserError("no-tool-set", f"no tool set of `{own.agent}` to verify with", f"known: {known}")
    settings = settings_for(flags, LaunchFlags(yes=own.yes), world)
    model = choose_model(flags, settings, world, own.agent or DEFAULT_AGENT)
    return VerifyOrder(model, replace(own, yes=settings.yes.value), bounds)


def verify(order: VerifyOrder, world: World) -> Verified:
    """Load the model as a launch would, ask every case, and keep the score.

    Every request goes to this model: a policy's routes are left out, its privacy is kept. Raises what a launch raises.
    """
    _cases(order.flags, 0)  # a name that is no case's is told before a model is loaded
    terms = Terms(order.flags.agent or DEFAULT_AGENT, None, order.flags.yes, order.flags.force)
    routing = choose_routing(order.model, resolve_model(order.model, world, terms), world)
    model = routing.target
    grant = _open(model, world)
    try:
        asked = _ask(order, _cases(order.flags, grant.context_window), grant, world)
        asked = _with_mended(asked, grant.id, world)
    finally:
        with suppress(AgentlaunchError):
            world.shims.close_session(grant.id)
    verified = Verified(
        model=model.name,
        runtime=model.runtime,
        agent=order.flags.agent,
        context_window=grant.context_window,
        fingerprint=_fingerprint(model),
        battery=BATTERY_VERSION,
        at=time(),
        score=score_of([one.result for one in asked]),
        asked=asked,
    )
    if order.flags.only:
        return verified
    return replace(verified, record=str(keep(verified, _names(order.model, model), world.dirs)))


def _open(model: ModelTarget, world: World) -> SessionGrant:
    own = identify(os.getpid())
    if own is None:
        raise Bug("no-own-process", "the system does not know our own process")
    request = OpenSession(
        agent="verify",
        model=model.name,
        process=own,
        target=model.target,
        context_window=model.context_window,
        max_output_tokens=max_output_for(model.context_window),
        project=world.project,
    )
    with world.talk.waiting(f"loading `{model.name}`"):
        return world.shims.open_session(request, None)


def _cases(flags: VerifyFlags, context_window: int) -> tuple[Case, ...]:
    """Raises UserError `unknown-case`."""
    cases = battery(flags.agent, context_window, is_long=flags.is_long)
    if not flags.only:
        return cases
    known = [case.name for case in cases]
    for name in flags.only:
        if name not in known:
            raise UserError("unknown-case", f"unknown case `{name}`", f"known: {', '.join(known)}")
    return tuple(case for case in cases if case.name in flags.only)


def _ask(order: VerifyOrder, cases: Sequence[Case], grant: SessionGrant, world: World) -> tuple[AskedCase, ...]:
    from agentlaunch.agents.base import load_agent

    wire = load_agent(order.flags.agent).wire if order.flags.agent else GENERAL_WIRE

    def tell(result: CaseResult) -> None:
        why = f": {result.why}" if result.why else ""
        world.talk.progress(f"{result.outcome:<10} {result.name} ({result.seconds:.1f} s){why}")

    with world.talk.waiting(f"asking `{grant.model}` what coding agents ask"):
        return ask_all(cases, grant, wire, order.bounds, tell)


def _with_mended(asked: tuple[AskedCase, ...], session: str, world: World) -> tuple[AskedCase, ...]:
    """What the shim has repaired in each answer, out of its own book; unknown where the book does not tell."""
    rows = _mended_counts(session, sum(1 for one in asked if one.result.seconds), world)
    counts = iter(rows or ())
    return tuple(
        replace(one, result=replace(one.result, mended=next(counts, None) if one.result.seconds else None))
        for one in asked
    )


def _mended_counts(session: str, expected: int, world: World) -> tuple[int, ...] | None:
    """One number for each request of the session, in order; None when there are not as many as were asked."""
    from agentlaunch.app.usage import UsageOrder, find_requests

    until = monotonic() + USAGE_WAIT_S
    while True:
        try:
            found = find_requests(UsageOrder(days=2), 0, world.dirs, date.today()).requests
        except MachineError:
            return None
        counts = tuple(row.mended for row in found if row.session == session)
        if len(counts) == expected:
            return counts
        if monotonic() > until or not usage_path(world.dirs).parent.exists():
            return None
        sleep(_POLL_S)


def _fingerprint(model: ModelTarget) -> str:
    """Of a file its bytes; of what a server has, who has it and under what name."""
    target = model.target
    if isinstance(target, EngineSpec):
        with suppress(OSError):
            return fingerprint(Path(target.model_path))
        return f"{target.runtime}:{target.model_path}"
    return f"{target.name}:{target.model}"


def _names(order: ModelOrder, model: ModelTarget) -> tuple[str, ...]:
    """Everything that the model is called: as typed, as agents call it, its path or tag, its id in the catalogue."""
    from agentlaunch.app.knowledge import load_catalog
    from agentlaunch.core.catalog import Match

    target = model.target
    place = target.model_path if isinstance(target, EngineSpec) else target.model
    found = load_catalog().find(order.model)
    typed = "" if order.model.lower().endswith(".gguf") else order.model  # a path means another file elsewhere
    return (typed, model.name, place, found.model.id if isinstance(found, Match) else "")
