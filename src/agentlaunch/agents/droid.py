"""Droid: pointed at the shim by runtime settings of ours, which it merges over every file of the user's."""

from __future__ import annotations

from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import Document, dump_document
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.core.skills import skills_text

TOKEN_VARIABLE = "AGENTLAUNCH_SESSION_TOKEN"  # noqa: S105 - the variable's name
MODEL_ID = "custom:agentlaunch"


class Droid:
    """Factory's Droid, over the OpenAI Chat Completions API; it needs no Factory account for a model of one's own."""

    name = "droid"
    title = "Droid"
    executable = "droid"
    one_answer = "exec"
    registry: Registry = "npm"
    package = "droid"
    evidence: Evidence = "tool loop"
    tested_version = "0.215.0"
    minimum_version = "0.215.0"
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=10_140, lean=10_140, tiny=10_140)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: runtime settings stand above the user's and the project's."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """By the variable and not by `--settings`, so that `exec` and other commands get it too. No lean mode: its
        settings take no tool away (`disabledTools` changed nothing in 0.215.0).

        A `--settings` of the user's own takes the variable's place (it sets it), and the shim is then not asked.
        """
        path = f"{context.session_dir}/droid-settings.json"
        told = skills_text(context.skills)
        return LaunchPlan(
            argv=(context.executable, *context.arguments),
            env={
                "FACTORY_RUNTIME_SETTINGS_PATH": path,
                TOKEN_VARIABLE: context.token,
                "FACTORY_AIRGAP_ENABLED": "true",  # no name was looked up (strace); without it telemetry and flags are
                "FACTORY_DROID_AUTO_UPDATE_ENABLED": "false",
                **({"FACTORY_APPEND_SYSTEM_PROMPT": told} if told else {}),
            },
            files=(OverlayFile(path, _settings(context)),),
            warnings=("Droid takes MCP servers from its own mcp.json alone: yours are left out",)
            if context.mcp_servers
            else (),
        )


def _settings(context: AgentContext) -> str:
    model: Document = {
        "id": MODEL_ID,
        "model": context.model,
        "displayName": context.model,
        "baseUrl": f"{context.shim_url}/v1",
        "apiKey": f"${{{TOKEN_VARIABLE}}}",
        "provider": "generic-chat-completion-api",
        "maxOutputTokens": context.max_output_tokens,
        "maxContextLimit": context.context_window,
    }
    return dump_document(
        {
            "customModels": [model],
            "model": MODEL_ID,
            "sessionDefaultSettings": {"model": MODEL_ID},
            "enableTelemetry": False,
            "cloudSessionSync": False,
        }
    )
