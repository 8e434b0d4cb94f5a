"""What a launch will do, as data: nothing here has been done yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentlaunch.core.policy import Role, with_role


@dataclass(frozen=True)
class OverlayFile:
    """A file of ours that the agent reads; written 0600 into the session's own folder, gone with the session."""

    path: str
    content: str


@dataclass(frozen=True)
class AgentContext:
    """What an agent's plan is made from. `context_window` and `max_output_tokens` are the real ones, in tokens.

    `user_files` holds the text of the files that the agent's `files_read` asked for, by the name it asked with.
    `routed_roles` are those that the policy has routes for.
    """

    executable: str
    shim_url: str
    token: str
    model: str
    context_window: int
    max_output_tokens: int
    lean: bool
    session_dir: str
    arguments: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    user_files: Mapping[str, str] = field(default_factory=dict)
    routed_roles: frozenset[Role] = frozenset()

    def model_for(self, role: Role) -> str:
        """What the agent asks for in this role: the model, with the role behind it where the policy routes by it."""
        return with_role(self.model, role) if role in self.routed_roles else self.model


@dataclass(frozen=True)
class LaunchPlan:
    """argv, the environment's changes and the overlay files of one launch.

    `env` is laid over the user's environment; `unset` names variables that would defeat the launch and are left out.
    Secrets stand only in `env` and in `files`, never in `argv`.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    files: tuple[OverlayFile, ...] = ()
    notes: tuple[str, ...] = ()
