"""What a launch will do, as data: nothing here has been done yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from agentlaunch.core.mcp import McpServer
from agentlaunch.core.policy import Role, with_role
from agentlaunch.core.skills import Skill


@dataclass(frozen=True)
class OverlayFile:
    """A file of ours that the agent reads; written 0600 into the session's own folder, gone with the session."""

    path: str
    content: str


@dataclass(frozen=True)
class OverlayLink:
    """A folder of the user's that the agent shall see at `path`, in the session's own folder; gone with the session."""

    path: str
    target: str


@dataclass(frozen=True)
class AgentContext:
    """What an agent's plan is made from. `context_window` and `max_output_tokens` are the real ones, in tokens.

    `user_files` holds the text of the files that the agent's `files_read` asked for, by the name it asked with, and of
    those that its `user_configs` found, by their paths.
    `routed_roles` are those that the policy has routes for. `mcp_servers` and `skills` are what the user hands to
    any agent; `skills_dir` is the folder whose folders hold the skills, absolute, empty without skills.
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
    mcp_servers: tuple[McpServer, ...] = ()
    skills_dir: str = ""
    skills: tuple[Skill, ...] = ()

    def model_for(self, role: Role) -> str:
        """What the agent asks for in this role: the model, with the role behind it where the policy routes by it."""
        return with_role(self.model, role) if role in self.routed_roles else self.model


@dataclass(frozen=True)
class LaunchPlan:
    """argv, the environment's changes and the overlay files of one launch.

    `env` is laid over the user's environment; `unset` names variables that would defeat the launch and are left out.
    Secrets stand only in `env` and in `files`, never in `argv`. `notes` are for a dry run; `warnings` are told at every
    launch too: what was ordered and the agent cannot take.
    """

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    unset: tuple[str, ...] = ()
    files: tuple[OverlayFile, ...] = ()
    links: tuple[OverlayLink, ...] = ()
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
