"""What the data path knows of a session: where its requests go, and how a token finds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.policy import Policy


@dataclass(frozen=True)
class SessionRouting:
    """The policy that holds for a session, and the upstreams beside its own endpoint that the policy may name."""

    policy: Policy
    upstreams: tuple[Endpoint, ...] = ()


@dataclass(frozen=True)
class Session:
    """One agent's lease of the shim. `token` never appears in a repr; sizes are in tokens.

    `engine` is set for an engine that the shim keeps running. Without `routing` every request goes to `endpoint`.
    `project` is the folder that the agent works in, `variant` what else its first prompt depends on: its name, version
    and lean mode; empty where nothing is to be remembered of that prompt.
    """

    id: str
    token: str = field(repr=False)
    agent: str
    model: str
    endpoint: Endpoint
    context_window: int
    max_output_tokens: int
    engine: EngineSpec | None = None
    routing: SessionRouting | None = None
    project: str = ""
    variant: str = ""


class SessionLookup(Protocol):
    """The session table as the data path sees it."""

    def find(self, token: str) -> Session | None:
        """The open session with this token, compared in constant time; None when there is none."""
        ...

    def awaits(self, token: str) -> bool:
        """Whether a session that is still being opened, since its model loads, will have this token."""
        ...

    def touch(self, session_id: str) -> None:
        """A request of this session has begun: count it and keep the shim awake."""
        ...
