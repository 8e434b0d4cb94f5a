"""Claude Code's own settings.json, pointed at our server."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import replace

from agentlaunch.agents.claude_code import ClaudeCode
from agentlaunch.agents.configuration import ConfigChange, ConfigContext, folder
from agentlaunch.agents.documents import merge, parse_document
from agentlaunch.core.config_edit import Format
from agentlaunch.core.config_edit.steps import Wanted


class ClaudeCodeConfiguration:
    """The settings of a launch, in the user's own file."""

    form: Format = "json"

    def paths(self, home: str, environment: Mapping[str, str]) -> tuple[str, ...]:
        """CLAUDE_CONFIG_DIR moves all of Claude Code's files (facts/agents.md 1.1)."""
        return (f"{folder(environment, 'CLAUDE_CONFIG_DIR', f'{home}/.claude')}/settings.json",)

    def change(self, context: ConfigContext) -> ConfigChange:
        """The overlay of a full launch, with the token fetched by `apiKeyHelper`: Claude Code 2.1.331 sends what it
        prints, also when the shell has an ANTHROPIC_API_KEY of its own, and asks nothing.

        A lean launch is one by options (`--tools`), which no settings file has.
        """
        plan = ClaudeCode().plan(replace(context.launch, lean=False, arguments=()))
        settings = parse_document(plan.files[0].content)
        wanted = merge(settings, {"env": {"ANTHROPIC_AUTH_TOKEN": ""}, "apiKeyHelper": _print_token(context)})
        note = "Claude Code has fewer tools for a small window only when it is launched: agentlaunch claude"
        return ConfigChange(Wanted(wanted), notes=(note,) if context.launch.lean else ())


def _print_token(context: ConfigContext) -> str:
    if context.is_windows:
        return f'type "{context.token_path}"'
    return f"cat {shlex.quote(context.token_path)}"
