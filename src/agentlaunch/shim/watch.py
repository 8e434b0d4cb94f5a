"""When sessions, engines and the shim itself end: the decisions, pure, from what one look finds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import UserError

LOOK_INTERVAL_S = 1.0
DEFAULT_ENGINE_IDLE_S = 600.0
"""A model stays loaded this long without a session: restarting an agent must not cost a reload."""
DEFAULT_STOP_IDLE_S = 600.0


@dataclass(frozen=True)
class IdlePolicy:
    """How long what nobody uses is kept, in seconds. `stop_s` None: the shim never ends by itself (`serve`)."""

    engine_s: float = DEFAULT_ENGINE_IDLE_S
    stop_s: float | None = DEFAULT_STOP_IDLE_S


@dataclass(frozen=True)
class SessionSeen:
    """One session at the moment of a look. `engine` is None when it uses an upstream."""

    id: str
    engine: EngineSpec | None
    process_lives: bool


@dataclass(frozen=True)
class Idle:
    """Since when (monotonic seconds) there is no session, and which engine has had no session since when."""

    since: float | None
    engines: Mapping[EngineSpec, float]


@dataclass(frozen=True)
class CloseSession:
    """Its process has ended."""

    id: str


@dataclass(frozen=True)
class ReleaseEngine:
    """No session has used it for long enough."""

    spec: EngineSpec


@dataclass(frozen=True)
class StopShim:
    """There has been no session for long enough."""


Decision = CloseSession | ReleaseEngine | StopShim


def look(
    before: Idle, now: float, sessions: tuple[SessionSeen, ...], engines: frozenset[EngineSpec], policy: IdlePolicy
) -> tuple[Idle, tuple[Decision, ...]]:
    """What to end at `now` (monotonic seconds), and what to remember for the next look.

    A session whose process is gone counts as closed at once, so that its engine's idle time begins with this look.
    """
    alive = tuple(session for session in sessions if session.process_lives)
    used = {session.engine for session in alive if session.engine is not None}
    idle_engines = {spec: before.engines.get(spec, now) for spec in engines if spec not in used}
    since = None if alive else (now if before.since is None else before.since)
    released = {spec for spec, start in idle_engines.items() if now - start >= policy.engine_s}
    decisions: list[Decision] = [CloseSession(session.id) for session in sessions if not session.process_lives]
    decisions += [ReleaseEngine(spec) for spec in sorted(released, key=repr)]
    if since is not None and policy.stop_s is not None and now - since >= policy.stop_s:
        decisions.append(StopShim())
    kept = {spec: start for spec, start in idle_engines.items() if spec not in released}
    return Idle(since, kept), tuple(decisions)


def read_idle_policy(environment: Mapping[str, str]) -> IdlePolicy:
    """The policy of the background shim; AGENTLAUNCH_IDLE_SECONDS sets both times.

    Raises UserError `setting-invalid` when it is no positive number.
    """
    text = environment.get("AGENTLAUNCH_IDLE_SECONDS", "").strip()
    if not text:
        return IdlePolicy()
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < float("inf"):
        raise UserError(
            "setting-invalid",
            f"AGENTLAUNCH_IDLE_SECONDS is `{text}`, which is no positive number of seconds",
            "unset it, or try: AGENTLAUNCH_IDLE_SECONDS=600 agentlaunch ...",
        )
    return IdlePolicy(engine_s=seconds, stop_s=seconds)
