"""Codex CLI's own config.toml, pointed at our server."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace

from agentlaunch.agents.codex import PROVIDER as LAUNCH_PROVIDER
from agentlaunch.agents.codex import Codex
from agentlaunch.agents.configuration import ConfigChange, ConfigContext, folder
from agentlaunch.agents.documents import Document, Json, merge, object_at
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
        for override in plan.argv[2::2]:  # without arguments of the user's, each stands behind a `-c`
            said = merge(said, tomllib.loads(override))
        provider = object_at(said, "model_providers", LAUNCH_PROVIDER)
        provider.pop("env_key")
        provider["auth"] = _print_token(context)
        changed: Document = {**said, "model_provider": PROVIDER, "model_providers": {PROVIDER: provider}}
        return ConfigChange(Wanted(changed), plan.files)


def _print_token(context: ConfigContext) -> dict[str, Json]:
    if context.is_windows:
        return {"command": "cmd", "args": ["/d", "/c", "type", context.token_path]}
    return {"command": "cat", "args": [context.token_path]}
