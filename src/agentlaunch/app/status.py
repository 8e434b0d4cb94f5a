"""What is running, and its end."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from agentlaunch.app.world import World
from agentlaunch.core.engine import EngineStatus
from agentlaunch.errors import AgentlaunchError, UserError
from agentlaunch.shim.protocol import SessionStatus, ShimStatus


class StopOutcome(Enum):
    """How `stop` ended."""

    NOT_RUNNING = "nothing was running"
    ENDED = "stopped"
    KILLED = "it did not answer and was killed"
    KEPT = "left running"


@dataclass(frozen=True)
class Running:
    """The shim behind launches, None when it does not run, and each `agentlaunch serve`, the latest first."""

    shim: ShimStatus | None
    serves: tuple[ShimStatus, ...] = ()


@dataclass(frozen=True)
class Stopping:
    """How the shim's end went, and how many `agentlaunch serve` were ended with it."""

    outcome: StopOutcome
    serves: int = 0


def find_running(world: World) -> Running:
    """Every server of this user with its sessions and engines. Raises ShimUnreachable."""
    return Running(world.shims.status(), world.shims.serves())


def shared_engines(world: World) -> tuple[EngineStatus, ...]:
    """The engines that a launch may join: the shim's; none where it does not answer, or is about to end."""
    try:
        shim = world.shims.status()
    except AgentlaunchError:
        return ()
    return () if shim is None else shim.engines


def loaded_engines(world: World) -> tuple[EngineStatus, ...]:
    """The engines of every server of this user that answers: what holds memory, whoever may use it."""
    return shared_engines(world) + tuple(engine for server in world.shims.serves() for engine in server.engines)


def stop(world: World, *, yes: bool) -> Stopping:
    """End the shim, each `agentlaunch serve`, and their engines.

    Agents that use the shim are named first, and need a yes; who uses a `serve` is not known. Raises UserError
    `sessions-open` when there is nobody to ask, MachineError when one does not end.
    """
    open_sessions = _sessions(world)
    if open_sessions and not yes:
        names = ", ".join(f"{session.agent} (process {session.pid})" for session in open_sessions)
        if not world.talk.is_interactive:
            raise UserError("sessions-open", f"in use by {names}", "quit them first, or: agentlaunch stop --yes")
        if not world.talk.confirm(f"In use by {names}. Stop anyway?"):
            return Stopping(StopOutcome.KEPT)
    ended = StopOutcome[world.shims.stop().name]
    return Stopping(ended, world.shims.stop_serves())


def _sessions(world: World) -> tuple[SessionStatus, ...]:
    """Who would lose their model; a shim that does not answer serves nobody."""
    from agentlaunch.shim.control_client import ShimStopping, ShimUnreachable

    try:
        status = world.shims.status()
    except (ShimUnreachable, ShimStopping):
        return ()
    return () if status is None else status.sessions
