"""Finding the shim of this user or starting it, opening a session on it, and ending it and each `serve`."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from time import monotonic, sleep

from agentlaunch import __version__
from agentlaunch.errors import AgentlaunchError, MachineError
from agentlaunch.shim.control_client import ControlClient, ShimGone, ShimStopping, ShimUnreachable
from agentlaunch.shim.protocol import CONTROL_VERSION, OpenSession, Ping, SessionGrant
from agentlaunch.shim.state import ShimState, find_serves, find_shim, launch_lock, shim_lock, shim_log
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.locks import held, is_held

READY_TIMEOUT_S = 60.0
"""From spawning to listening takes about half a second; a loaded machine with a cold disk gets this much."""
END_TIMEOUT_S = 30.0
"""A stopping shim ends its engines first."""
_POLL_S = 0.02
_ATTEMPTS = 3


class Verdict(Enum):
    """What to do with a shim that is running already."""

    USE = "use"
    REPLACE = "replace"
    REFUSE = "refuse"


class Stopped(Enum):
    """How `stop_shim` found the shim."""

    NOT_RUNNING = "not running"
    ENDED = "ended"
    KILLED = "killed"


def open_session(dirs: Dirs, environment: Mapping[str, str], request: OpenSession) -> SessionGrant:
    """A session on the running shim, started when there is none; a shim that ends meanwhile is replaced.

    Raises what `ensure_shim` raises, and the engine's or the upstream's own AgentlaunchError.
    """
    failure: AgentlaunchError | None = None
    for _ in range(_ATTEMPTS):
        state = ensure_shim(dirs, environment)
        try:
            return ControlClient(state).open_session(request)
        except (ShimGone, ShimStopping) as error:
            failure = error
    raise failure or MachineError("shim-failed", "no shim could be reached", "agentlaunch stop")


def ensure_shim(dirs: Dirs, environment: Mapping[str, str]) -> ShimState:
    """The running shim, started when there is none; launches at one moment get the same one.

    Raises MachineError `shim-failed` when it does not come up, `shim-version` when one of another version is in use,
    ShimUnreachable when one is running and does not answer.
    """
    state = find_shim(dirs)
    if state is not None and state.version == __version__:
        with contextlib.suppress(ShimGone):
            ControlClient(state).ping()
            return state
    with held(launch_lock(dirs), READY_TIMEOUT_S) as taken:
        if not taken:
            raise MachineError(
                "shim-failed",
                f"another launch has been starting the shim for {READY_TIMEOUT_S:.0f} s",
                "end it and try again: agentlaunch stop",
            )
        return _find_or_start(dirs, environment)


def judge(state: ShimState, ping: Ping) -> Verdict:
    """Whether this version of ours can use a running shim, or may end it."""
    if state.version == __version__:
        return Verdict.USE
    if ping.sessions == 0:
        return Verdict.REPLACE
    return Verdict.USE if ping.control_version == CONTROL_VERSION else Verdict.REFUSE


def stop_shim(dirs: Dirs, timeout_s: float = END_TIMEOUT_S) -> Stopped:
    """End the shim with its engines and wait for its end; one that does not answer is killed.

    Raises MachineError `shim-not-ended` when it lives on.
    """
    state = find_shim(dirs)
    if state is not None:
        with contextlib.suppress(ShimUnreachable, ShimStopping):
            ControlClient(state).stop()
            if _ended(dirs, timeout_s):
                return Stopped.ENDED
        if _ended(dirs, _POLL_S):
            return Stopped.ENDED
        _kill(state)
        if _ended(dirs, timeout_s):
            return Stopped.KILLED
    elif not is_held(shim_lock(dirs)):
        return Stopped.NOT_RUNNING
    elif _ended(dirs, timeout_s):
        return Stopped.ENDED
    pid = f" (process `{state.pid}`)" if state is not None else ""
    raise MachineError("shim-not-ended", f"the shim{pid} does not end", f"see what it does: tail {shim_log(dirs)}")


def stop_serves(dirs: Dirs, timeout_s: float = END_TIMEOUT_S) -> int:
    """End each `agentlaunch serve` with its engines and wait for its end; how many there were.

    One that does not answer is killed. Raises MachineError `serve-not-ended` when it lives on.
    """
    found = find_serves(dirs)
    for state in found:
        with contextlib.suppress(ShimUnreachable, ShimStopping):
            ControlClient(state).stop()
            if _has_gone(state, timeout_s):
                continue
        _kill(state)
        if not _has_gone(state, timeout_s):
            raise MachineError(
                "serve-not-ended", f"`agentlaunch serve` (process `{state.pid}`) does not end", f"kill {state.pid}"
            )
    return len(found)


def _has_gone(state: ShimState, timeout_s: float) -> bool:
    from agentlaunch.system.process import ProcessId, is_alive

    deadline = monotonic() + timeout_s
    while is_alive(ProcessId(state.pid, state.started)):
        if monotonic() > deadline:
            return False
        sleep(_POLL_S)
    return True


def _find_or_start(dirs: Dirs, environment: Mapping[str, str]) -> ShimState:
    """Under the launch lock. A shim may still be ending, or starting for a launcher that has been killed."""
    deadline = monotonic() + END_TIMEOUT_S
    failure: MachineError | None = None
    while monotonic() < deadline:
        state = find_shim(dirs)
        if state is None and not is_held(shim_lock(dirs)):
            return _start(dirs, environment)
        if state is not None:
            try:
                if _usable(state):
                    return state
            except (ShimGone, ShimStopping) as error:
                failure = error
        sleep(_POLL_S)
    raise failure or MachineError(
        "shim-failed", "a shim is running that says nothing of itself", "end it and try again: agentlaunch stop"
    )


def _usable(state: ShimState) -> bool:
    """Whether to use it as it is; False after asking an older one to end. Raises MachineError `shim-version`."""
    client = ControlClient(state)
    ping = client.ping()
    match judge(state, ping):
        case Verdict.USE:
            return True
        case Verdict.REPLACE:
            with contextlib.suppress(_Busy):
                _stop_idle(client)
            return False
        case Verdict.REFUSE:
            raise MachineError(
                "shim-version",
                f"a shim of version `{state.version}` serves {ping.sessions} running agents; this is `{__version__}`",
                "quit those agents, then: agentlaunch stop",
            )


class _Busy(Exception):
    """Somebody opened a session between the question and the order."""


def _stop_idle(client: ControlClient) -> None:
    try:
        client.stop(only_when_idle=True)
    except MachineError as error:
        if error.code == "shim-busy":
            raise _Busy from error
        raise


def _start(dirs: Dirs, environment: Mapping[str, str]) -> ShimState:
    """Start a shim and wait until it listens. It tells us through a pipe, whose end also tells of its death."""
    from agentlaunch.app.shim_spawn import spawn_shim

    said = spawn_shim(dirs, environment, READY_TIMEOUT_S)
    state = find_shim(dirs)
    if said.ready and state is not None:
        return state
    raise MachineError("shim-failed", f"the shim did not start: {said.last_words}", f"its log: {shim_log(dirs)}")


def _ended(dirs: Dirs, timeout_s: float) -> bool:
    lock: Path = shim_lock(dirs)
    deadline = monotonic() + timeout_s
    while is_held(lock):
        if monotonic() > deadline:
            return False
        sleep(_POLL_S)
    return True


def _kill(state: ShimState) -> None:
    """Kill the process that wrote the state file, and no other one that has its number by now."""
    from agentlaunch.system.process import ProcessId, is_alive

    if is_alive(ProcessId(state.pid, state.started)):
        with contextlib.suppress(OSError):
            if sys.platform == "win32":
                os.kill(state.pid, signal.SIGTERM)  # TerminateProcess there
            else:
                os.kill(state.pid, signal.SIGKILL)
