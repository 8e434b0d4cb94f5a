"""The shim of this user: running, of our version, answering; or what a dead one has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch import __version__
from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite
from agentlaunch.errors import AgentlaunchError
from agentlaunch.shim.protocol import CONTROL_VERSION
from agentlaunch.shim.state import find_shim, shim_lock, shim_log
from agentlaunch.system.locks import is_held

if TYPE_CHECKING:
    from agentlaunch.app.world import World

PING_LIMIT_S = 1.5
"""A shim answers within milliseconds also while it serves."""
END = "agentlaunch stop"


@dataclass(frozen=True)
class Shim:
    """`is_held` whether some process holds the shim's lock. `url` and `version` are the state file's, if it is
    believed; `trouble` is why nobody answers there."""

    has_file: bool
    is_held: bool
    log: str
    url: str = ""
    version: str = ""
    control_version: int = CONTROL_VERSION
    sessions: int = 0
    trouble: str = ""


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """There is one for all agents."""
    del agents
    facts = gather(world)
    line = f"shim {facts.version} at {facts.url}, {facts.sessions} sessions"
    return Inspected(tuple(judge(facts)), (line,) if facts.url and not facts.trouble else ())


def gather(world: World) -> Shim:
    """State file, lock, and a ping."""
    from agentlaunch.shim.control_client import ControlClient

    dirs = world.dirs
    has_file, held, log = dirs.shim_state.is_file(), is_held(shim_lock(dirs)), str(shim_log(dirs))
    state = find_shim(dirs)
    if state is None:
        return Shim(has_file, held, log)
    try:
        ping = ControlClient(state).ping(PING_LIMIT_S)
    except AgentlaunchError as error:
        return Shim(has_file, held, log, state.url, state.version, state.control_version, 0, error.message)
    return Shim(has_file, held, log, state.url, ping.version, ping.control_version, ping.sessions)


def judge(facts: Shim) -> Iterator[Finding]:
    """What the next launch would meet."""
    if facts.is_held and not facts.url:
        told = "a shim is starting or ending, or hangs there: it holds its lock and tells no address"
        yield will_bite("shim-silent", told, END)
    elif facts.trouble:
        yield broken("shim-wedged", f"{facts.trouble}; its log: {facts.log}", END)
    elif facts.has_file and not facts.is_held:
        told = "a killed shim has left its state file; it is not believed, and the next launch replaces it"
        yield note("shim-stale", told)
    elif facts.url and facts.version != __version__:
        yield _other_version(facts)


def _other_version(facts: Shim) -> Finding:
    told = f"the shim is version {facts.version}, this is {__version__}"
    if not facts.sessions:
        return note("shim-version", f"{told}; the next launch replaces it", END)
    if facts.control_version == CONTROL_VERSION:
        return will_bite("shim-version", f"{told}; {facts.sessions} agents use it", f"quit those agents, then: {END}")
    return broken("shim-version", f"{told}; {facts.sessions} agents hold it", f"quit those agents, then: {END}")
