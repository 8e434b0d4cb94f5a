"""How an agent that its user starts by hand is pointed at our server: the contract, and the table of those that can."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from agentlaunch.core.config_edit import Format
from agentlaunch.core.config_edit.steps import Wanted
from agentlaunch.core.launch_plan import AgentContext, OverlayFile


@dataclass(frozen=True)
class ConfigContext:
    """What a lasting configuration is made from.

    `launch` is what a launch's plan would be made from, with the server's lasting address, an empty token, and a folder
    of ours that stays as `session_dir`. The token is in the file `token_path`: no configuration says the token itself.
    """

    launch: AgentContext
    token_path: str
    is_windows: bool = False


@dataclass(frozen=True)
class ConfigChange:
    """What the agent's file shall say, files of ours that it points to, and sentences for the user."""

    wanted: Wanted
    files: tuple[OverlayFile, ...] = ()
    notes: tuple[str, ...] = ()


class Configuration(Protocol):
    """One agent's own configuration. Pure."""

    form: Format

    def paths(self, home: str, environment: Mapping[str, str]) -> tuple[str, ...]:
        """Where the agent reads its user's settings. The first that exists is changed, else the last one is made."""
        ...

    def change(self, context: ConfigContext) -> ConfigChange:
        """What must be in that file: the launch's plan, less what only a launch can or should do."""
        ...


CONFIGURATIONS: dict[str, str] = {
    "claude": "agentlaunch.agents.claude_code_config:ClaudeCodeConfiguration",
    "codex": "agentlaunch.agents.codex_config:CodexConfiguration",
    "opencode": "agentlaunch.agents.opencode_config:OpenCodeConfiguration",
}


def load_configuration(agent: str) -> Configuration:
    """The configuration of the agent called `agent`. Raises KeyError for one that is not in `CONFIGURATIONS`."""
    module, _, attribute = CONFIGURATIONS[agent].partition(":")
    configuration: Configuration = getattr(import_module(module), attribute)()
    return configuration


def folder(environment: Mapping[str, str], variable: str, otherwise: str) -> str:
    """The folder that a variable names; an empty one counts as unset."""
    return environment.get(variable) or otherwise
