"""The user's skills as a plugin of the session's own, for the agents that load plugins by folder."""

from __future__ import annotations

from dataclasses import dataclass

from agentlaunch.agents.documents import dump_document
from agentlaunch.core.launch_plan import AgentContext, OverlayFile, OverlayLink

PLUGIN_NAME = "handed"
"""The skill `review` is `handed:review` in a plugin of this name."""


@dataclass(frozen=True)
class SkillsPlugin:
    """The options that load it and what they point to; all empty without skills."""

    options: tuple[str, ...] = ()
    files: tuple[OverlayFile, ...] = ()
    links: tuple[OverlayLink, ...] = ()


def skills_plugin(context: AgentContext) -> SkillsPlugin:
    """`--plugin-dir` with a manifest and a link `skills` to the user's folder.

    Claude Code 2.1.331 and Copilot CLI 1.0.102 both listed a skill of such a plugin.
    """
    if not context.skills_dir:
        return SkillsPlugin()
    folder = f"{context.session_dir}/plugin"
    manifest = dump_document({"name": PLUGIN_NAME, "version": "1.0.0", "description": "Skills handed on at the launch"})
    return SkillsPlugin(
        options=("--plugin-dir", folder),
        files=(OverlayFile(f"{folder}/.claude-plugin/plugin.json", manifest),),
        links=(OverlayLink(f"{folder}/skills", context.skills_dir),),
    )
