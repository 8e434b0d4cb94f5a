"""The control API between our own commands and the running shim: messages as plain data, JSON on loopback."""

from __future__ import annotations

from dataclasses import dataclass, field

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.shim.session import SessionRouting
from agentlaunch.system.process import ProcessId

CONTROL_PREFIX = "/agentlaunch/v1"
"""Control routes, each with the control token: GET {prefix}/ping, GET {prefix}/status, POST {prefix}/sessions,
DELETE {prefix}/sessions/ID, POST {prefix}/stop (`?when=idle` stops only a shim without sessions)."""

CONTROL_VERSION = 4
"""Raised when these messages change so that an older launcher or shim would misread them."""


@dataclass(frozen=True)
class OpenSession:
    """A launch asks for a session. `target` is a local model to run, or an upstream that is there already.

    `model` is the name the agent uses; `process` is the launcher, which becomes the agent by exec, and None stands for
    a session that no process's end closes (`serve`). `context_window` and `max_output_tokens` are in tokens. `project`
    is the folder that the agent works in, `variant` as in shim.session.Session.
    """

    agent: str
    model: str
    process: ProcessId | None
    target: EngineSpec | Endpoint
    context_window: int
    max_output_tokens: int
    routing: SessionRouting | None = None
    project: str = ""
    variant: str = ""


@dataclass(frozen=True)
class SessionGrant:
    """The session that was opened: the agent's token and the folder for its overlay files.

    `notes` are sentences for the user about how the model was really loaded.
    """

    id: str
    token: str = field(repr=False)
    url: str
    model: str
    context_window: int
    session_dir: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ping:
    """Who answers at the shim's address, and whether anybody uses it. `sessions` counts those being opened too."""

    pid: int
    version: str
    control_version: int
    sessions: int


@dataclass(frozen=True)
class SessionStatus:
    """One open session, for `status`. Times are Unix seconds; `pid` is 0 for a session without a process."""

    id: str
    agent: str
    model: str
    pid: int
    opened_at: float
    requests: int
    context_window: int


@dataclass(frozen=True)
class ShimStatus:
    """What `status` shows."""

    url: str
    pid: int
    version: str
    started_at: float
    sessions: tuple[SessionStatus, ...]
    engines: tuple[EngineStatus, ...]
    idle_stop_s: float
