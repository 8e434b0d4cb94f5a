"""State files and the shim's lock: how a command finds this user's servers, and when it must not believe a file."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from agentlaunch.shim.protocol import CONTROL_VERSION
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import write_private
from agentlaunch.system.locks import is_held
from agentlaunch.system.process import ProcessId, is_alive


@dataclass(frozen=True)
class ShimState:
    """How the running shim is reached. `started` as in system.process.ProcessId."""

    url: str
    pid: int
    started: float
    control_token: str = field(repr=False)
    version: str
    control_version: int = CONTROL_VERSION


def shim_lock(dirs: Dirs) -> Path:
    """The lock that the shim holds for its whole life."""
    return dirs.state / "shim.lock"


def launch_lock(dirs: Dirs) -> Path:
    """The lock under which a shim is started or replaced."""
    return dirs.state / "launch.lock"


def shim_log(dirs: Dirs) -> Path:
    """What the shim has to say; never tokens or bodies."""
    return dirs.logs / "shim.log"


def find_shim(dirs: Dirs) -> ShimState | None:
    """The running shim, None when there is none.

    The lock decides, not the file: a file left by a killed shim says nothing, whoever has its pid or port by now.
    """
    state = _read(dirs.shim_state)
    return state if state is not None and is_held(shim_lock(dirs)) else None


def write_state(dirs: Dirs, state: ShimState) -> None:
    """Publish the address. Only the holder of the lock does this, and only once it listens."""
    write_private(dirs.shim_state, json.dumps(asdict(state)).encode())


def remove_state(dirs: Dirs) -> None:
    """Take the address back; harmless when there is none, or when the folder has become read-only.

    A file that stays is not believed once our lock is gone.
    """
    with contextlib.suppress(OSError):
        dirs.shim_state.unlink()


def find_serves(dirs: Dirs) -> tuple[ShimState, ...]:
    """Each `agentlaunch serve` of this user that answers requests, the latest first.

    The process decides, not the file: one that was killed has left its file, and another may have its pid by now.
    """
    found = [state for path in _serve_folder(dirs).glob("*.json") if (state := _read(path)) is not None]
    running = [state for state in found if is_alive(ProcessId(state.pid, state.started))]
    return tuple(sorted(running, key=lambda state: state.started, reverse=True))


def write_serve(dirs: Dirs, state: ShimState) -> None:
    """Publish the address of a `serve`, and remove what killed ones have left. Raises MachineError."""
    running = {str(each.pid) for each in find_serves(dirs)}
    for path in _serve_folder(dirs).glob("*.json"):
        if path.stem not in running:
            path.unlink(missing_ok=True)
    write_private(_serve_folder(dirs) / f"{state.pid}.json", json.dumps(asdict(state)).encode())


def remove_serve(dirs: Dirs, pid: int) -> None:
    """Take the address of a `serve` back; harmless when there is none, or when the folder has become read-only."""
    with contextlib.suppress(OSError):
        (_serve_folder(dirs) / f"{pid}.json").unlink()


def _serve_folder(dirs: Dirs) -> Path:
    return dirs.state / "serves"


def _read(path: Path) -> ShimState | None:
    """What the file says; None for no file, half a file or a file of some other program."""
    try:
        data: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    match data:
        case {
            "url": str(url),
            "pid": int(pid),
            "started": float(started),
            "control_token": str(token),
            "version": str(version),
            "control_version": int(control_version),
        }:
            return ShimState(url, pid, started, token, version, control_version)
        case _:
            return None
