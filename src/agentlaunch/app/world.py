"""Everything outside of us that a use case touches, in one value: the real one here, a made one in tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, Protocol

from agentlaunch.core.offline import with_offline
from agentlaunch.system.dirs import Dirs, find_dirs

if TYPE_CHECKING:
    from agentlaunch.app.shim_ensure import Stopped
    from agentlaunch.app.talk import Talk
    from agentlaunch.core.hardware import HardwareReport
    from agentlaunch.shim.protocol import OpenSession, SessionGrant, ShimStatus
    from agentlaunch.shim.state import ShimState


class Shims(Protocol):
    """The shim of this user, whether it runs or not. Every call raises AgentlaunchError."""

    def open_session(self, request: OpenSession, idle_seconds: int | None) -> SessionGrant:
        """A session whose engine is ready; a shim is started when there is none, with this idle time."""
        ...

    def close_session(self, session_id: str) -> None:
        """Close a session; harmless when it is closed already, or no shim runs."""
        ...

    def url(self) -> str | None:
        """The address of the running shim, None when there is none."""
        ...

    def status(self) -> ShimStatus | None:
        """Sessions and engines, None when no shim runs."""
        ...

    def stop(self) -> Stopped:
        """End the shim and wait for its end."""
        ...

    def serves(self) -> tuple[ShimStatus, ...]:
        """The same of each `agentlaunch serve` that answers, the latest first."""
        ...

    def stop_serves(self) -> int:
        """End each `agentlaunch serve` and wait for its end; how many there were."""
        ...


Become = Callable[[Sequence[str], Mapping[str, str]], NoReturn]


@dataclass(frozen=True)
class World:
    """The seams. `become` turns this process into another program, and never returns; `run` runs one to its end, its
    output going to the user, and gives its exit code, 127 when there is no such program; `look` probes the machine;
    `is_connected` tells whether a way leads out of it."""

    environment: Mapping[str, str]
    dirs: Dirs
    folder: Path
    talk: Talk
    become: Become
    run: Callable[[Sequence[str]], int]
    shims: Shims
    look: Callable[[], HardwareReport]
    is_connected: Callable[[], bool] = lambda: True

    @property
    def project(self) -> str:
        """The folder as requests are counted under it; bytes of its name that are no UTF-8, which neither JSON nor
        SQLite can carry, become U+FFFD."""
        return os.fsencode(self.folder).decode("utf-8", "replace")


@dataclass(frozen=True)
class UserShims:
    """The real shim, found through its state file."""

    dirs: Dirs
    environment: Mapping[str, str]

    def open_session(self, request: OpenSession, idle_seconds: int | None) -> SessionGrant:
        """See Shims."""
        from agentlaunch.app.shim_ensure import open_session

        idle = {} if idle_seconds is None else {"AGENTLAUNCH_IDLE_SECONDS": str(idle_seconds)}
        return open_session(self.dirs, {**self.environment, **idle}, request)

    def close_session(self, session_id: str) -> None:
        """See Shims."""
        from agentlaunch.shim.control_client import ControlClient
        from agentlaunch.shim.state import find_shim

        state = find_shim(self.dirs)
        if state is not None:
            ControlClient(state).close_session(session_id)

    def url(self) -> str | None:
        """See Shims."""
        from agentlaunch.shim.state import find_shim

        state = find_shim(self.dirs)
        return None if state is None else state.url

    def status(self) -> ShimStatus | None:
        """See Shims."""
        from agentlaunch.shim.state import find_shim

        state = find_shim(self.dirs)
        if state is None:
            return None
        from agentlaunch.shim.control_client import ControlClient

        return ControlClient(state).status()

    def stop(self) -> Stopped:
        """See Shims."""
        from agentlaunch.app.shim_ensure import stop_shim

        return stop_shim(self.dirs)

    def serves(self) -> tuple[ShimStatus, ...]:
        """See Shims."""
        from agentlaunch.shim.state import find_serves

        return tuple(status for state in find_serves(self.dirs) if (status := _status_of(state)) is not None)

    def stop_serves(self) -> int:
        """See Shims."""
        from agentlaunch.app.shim_ensure import stop_serves

        return stop_serves(self.dirs)


def _status_of(state: ShimState) -> ShimStatus | None:
    from agentlaunch.shim.control_client import ControlClient, ShimStopping, ShimUnreachable

    try:
        return ControlClient(state).status()
    except (ShimStopping, ShimUnreachable):
        return None


def real_world(talk: Talk, *, offline: bool = False) -> World:
    """This process's environment, folder and shim; `offline` orders it, as the variable does."""
    dirs = find_dirs(os.environ)
    environment = with_offline(os.environ) if offline else dict(os.environ)
    return World(
        environment=environment,
        dirs=dirs,
        folder=_current_folder(),
        talk=talk,
        become=_become,
        run=_run_shown,
        shims=UserShims(dirs, environment),
        look=lambda: _probe(environment),
        is_connected=_is_connected,
    )


def _become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    from agentlaunch.system.process import exec_replace

    exec_replace(argv, environment)


def _is_connected() -> bool:
    from agentlaunch.system.network import has_route

    return has_route()


def _probe(environment: Mapping[str, str]) -> HardwareReport:
    from agentlaunch.probes.report import probe_machine
    from agentlaunch.system.machine import LocalMachine

    return probe_machine(LocalMachine(environment))


def _run_shown(argv: Sequence[str]) -> int:
    """stdout is for data, so what an installer says goes to stderr as a whole."""
    import subprocess

    from agentlaunch.system.programs import startable

    try:
        return subprocess.run(
            startable(argv, os.environ), stdin=subprocess.DEVNULL, stdout=sys.stderr, check=False
        ).returncode
    except OSError:
        return 127


def _current_folder() -> Path:
    """Where we stand; a folder that has been deleted below us is for the agent to complain about."""
    try:
        return Path.cwd()
    except OSError:
        return Path()
