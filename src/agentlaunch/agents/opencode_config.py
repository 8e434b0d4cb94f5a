"""OpenCode's own opencode.json or opencode.jsonc, pointed at our server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from agentlaunch.agents.configuration import ConfigChange, ConfigContext, folder
from agentlaunch.agents.documents import Document, object_at, parse_document
from agentlaunch.agents.opencode import CONFIG_VARIABLE, PROVIDER, OpenCode
from agentlaunch.core.config_edit import Format
from agentlaunch.core.config_edit.steps import Wanted

_OF_A_LAUNCH = ("enabled_providers", "disabled_providers", "agent")
"""A launch is on our model alone. Who configures keeps the other providers, and agents that are set to them."""

SCHEMA: Document = {"$schema": "https://opencode.ai/config.json"}
"""OpenCode writes this line into a file without it at its next start; in ours it stands from the beginning."""


class OpenCodeConfiguration:
    """The configuration of a launch, in the user's own file."""

    form: Format = "json"

    def paths(self, home: str, environment: Mapping[str, str]) -> tuple[str, ...]:
        """The strongest of the files that OpenCode 1.18.33 merges: of each folder the .jsonc, and of the places
        OPENCODE_CONFIG_DIR, OPENCODE_CONFIG, the user's (measured with `opencode debug config`)."""
        own, file = environment.get("OPENCODE_CONFIG_DIR"), environment.get("OPENCODE_CONFIG")
        if file and not own:
            return (file,)
        place = own or f"{folder(environment, 'XDG_CONFIG_HOME', f'{home}/.config')}/opencode"
        return (f"{place}/opencode.jsonc", f"{place}/opencode.json")

    def change(self, context: ConfigContext) -> ConfigChange:
        """The launch's model, provider and limits, and what makes it lean; the token is read out of its file."""
        token = f"{{file:{context.token_path.replace(chr(92), '/')}}}"  # slashes on Windows too
        launch = replace(context.launch, token=token, arguments=(), environment={})
        said = parse_document(OpenCode().plan(launch).env[CONFIG_VARIABLE])
        wanted: Document = {key: value for key, value in said.items() if key not in _OF_A_LAUNCH}
        prompts = _lean_prompts(object_at(said, "agent"))
        if prompts:
            wanted["agent"] = prompts
        return ConfigChange(Wanted(wanted, ((("enabled_providers",), PROVIDER),), SCHEMA))


def _lean_prompts(agents: Document) -> Document:
    """Of each agent its prompt, and of an agent without one nothing."""
    return {
        name: {"prompt": agent["prompt"]}
        for name, agent in agents.items()
        if isinstance(agent, dict) and "prompt" in agent
    }
