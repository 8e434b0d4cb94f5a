"""What is running, and its end."""

from __future__ import annotations

from enum import Enum

from agentlaunch.app.world import World
from agentlaunch.errors import UserError
from agentlaunch.shim.protocol import SessionStatus, ShimStatus


class StopOutcome(Enum):
    """How `stop` ended."""

    NOT_RUNNING = "nothing was running"
    ENDED = "stopped"
    KILLED = "it did not answer and was killed"
    KEPT = "left running"


def find_status(world: World) -> ShimStatus | None:
    """The running shim with its sessions and engines, None when there is none. Raises ShimUnreachable."""
    return world.shims.status()


def stop(world: World, *, yes: bool) -> StopOutcome:
    """End the shim and its engines; agents that use it are named first, and need a yes.

    Raises UserError `sessions-open` when there is nobody to ask, MachineError when the shim does not end.
    """
    open_sessions = _sessions(world)
    if open_sessions and not yes:
        names = ", ".join(f"{session.agent} (process {session.pid})" for session in open_sessions)
        if not world.talk.is_interactive:
            raise UserError("sessions-open", f"in use by {names}", "quit them first, or: agentlaunch stop --yes")
        if not world.talk.confirm(f"In use by {names}. Stop anyway?"):
            return StopOutcome.KEPT
    return StopOutcome[world.shims.stop().name]


def _sessions(world: World) -> tuple[SessionStatus, ...]:
    """Who would lose their model; a shim that does not answer serves nobody."""
    from agentlaunch.shim.control_client import ShimStopping, ShimUnreachable

    try:
        status = world.shims.status()
    except (ShimUnreachable, ShimStopping):
        return ()
    return () if status is None else status.sessions
