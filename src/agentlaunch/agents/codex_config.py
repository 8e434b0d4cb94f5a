"""Codex CLI's own config.toml, pointed at our server."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace

from agentlaunch.agents.codex import PROVIDER as LAUNCH_PROVIDER
from agentlaunch.agents.codex import Codex
from agentlaunch.agents.configuration import ConfigChange, ConfigContext, folder
from agentlaunch.agents.documents import Document, Json, merge
from agentlaunch.core.config_edit import Format
from agentlaunch.core.config_edit.steps import Wanted

PROVIDER = "agentlaunch-serve"
"""Not the launch's name: Codex lays `-c` over the file key by key, and refuses a provider with both ways to a token."""


class CodexConfiguration:
    """The overrides of a launch, in the user's own file."""

    form: Format = "toml"

    def paths(self, home: str, environment: Mapping[str, str]) -> tuple[str, ...]:
        """CODEX_HOME moves all of Codex's files (field report B255)."""
        return (f"{folder(environment, 'CODEX_HOME', f'{home}/.codex')}/config.toml",)

    def change(self, context: ConfigContext) -> ConfigChange:
        """What the launch says by `-c`, and its catalogue of models as a file that stays.

        The token comes from a command (`auth`), so that no variable has to be set in every shell; tried with 0.169.0.
        """
        plan = Codex().plan(replace(context.launch, arguments=()))
        said: Document = {}
        for option, override in zip(plan.argv[1::2], plan.argv[2::2], strict=True):
            if option == "-c":
                said = merge(said, tomllib.loads(override))
        provider = _launch_provider(said)
        provider.pop("env_key")
        provider["auth"] = _print_token(context)
        changed: Document = {**said, "model_provider": PROVIDER, "model_providers": {PROVIDER: provider}}
        return ConfigChange(Wanted(changed), plan.files)


def _launch_provider(said: Document) -> Document:
    providers = said["model_providers"]
    provider = providers[LAUNCH_PROVIDER] if isinstance(providers, dict) else None
    if not isinstance(provider, dict):
        raise TypeError("Codex's plan has no provider")
    return dict(provider)


def _print_token(context: ConfigContext) -> dict[str, Json]:
    if context.is_windows:
        return {"command": "cmd", "args": ["/d", "/c", "type", context.token_path]}
    return {"command": "cat", "args": [context.token_path]}
