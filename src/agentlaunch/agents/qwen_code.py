"""Qwen Code: pointed at the shim by a settings file of ours in the place of the system's, above the user's."""

from __future__ import annotations

from agentlaunch.agents.arguments import has_option
from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import Document, dump_document
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.mcp_documents import mcp_document
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.core.skills import skills_text

TOKEN_VARIABLE = "AGENTLAUNCH_SESSION_TOKEN"  # noqa: S105 - the variable's name
SETTINGS_VARIABLE = "QWEN_CODE_SYSTEM_SETTINGS_PATH"
REQUEST_TIMEOUT_MS = 3_600_000
"""An hour: a cold prefill of its 19k tokens takes minutes on a CPU."""

LEAN_TOOLS_OFF = ("agent", "get_goal", "list_agents", "notebook_edit", "skill", "update_goal")
"""First requests, measured in bytes: 78,520 full; 34,118 without these tools and with short instructions."""

COMMANDS = (
    "auth",
    "board",
    "channel",
    "extensions",
    "hooks",
    "mcp",
    "review",
    "sandbox",
    "serve",
    "sessions",
    "update",
)
"""Not a session: no option of a session may stand before them."""


class QwenCode:
    """Qwen Code, over the OpenAI Chat Completions API."""

    name = "qwen"
    title = "Qwen Code"
    executable = "qwen"
    one_answer = "-p"
    registry: Registry = "npm"
    package = "@qwen-code/qwen-code"
    evidence: Evidence = "tool loop"
    tested_version = "0.24.4"
    minimum_version = "0.24.4"
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=19_060, lean=8_500, tiny=8_500)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: the user's settings stand below the system's."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """The settings file, its variable and the token's; in a lean launch short instructions; then the arguments.

        Measured with 0.24.4: a user's model, providers, `env` and `.env` file that point elsewhere all lose to it.
        """
        path = f"{context.session_dir}/qwen-settings.json"
        return LaunchPlan(
            argv=(context.executable, *_options(context), *context.arguments),
            env={SETTINGS_VARIABLE: path, TOKEN_VARIABLE: context.token},
            files=(OverlayFile(path, dump_document(_settings(context))),),
        )


def _options(context: AgentContext) -> tuple[str, ...]:
    """What only options can say. Qwen Code has no list of skill folders, so its prompt tells of the user's skills."""
    if context.arguments[:1] and context.arguments[0] in COMMANDS:
        return ()
    options: tuple[str, ...] = ()
    if context.lean and not has_option(context.arguments, "--system-prompt"):
        options = ("--system-prompt", instructions_with("File paths are absolute."))
    skills = skills_text(context.skills)
    if skills and not has_option(context.arguments, "--append-system-prompt"):
        options = (*options, "--append-system-prompt", skills)
    return options


def _settings(context: AgentContext) -> Document:
    """The key names are those of the fourth version of its settings. MCP servers are added to the user's."""
    settings: Document = {
        "$version": 4,
        "security": {"auth": {"selectedType": "openai"}},
        "model": {"name": context.model},
        "modelProviders": {"openai": [_model(context)]},
        "telemetry": {"enabled": False},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"enableAutoUpdate": False},
    }
    if context.lean:
        settings["permissions"] = {"deny": list(LEAN_TOOLS_OFF)}
    return {**settings, **mcp_document(context.mcp_servers)} if context.mcp_servers else settings


def _model(context: AgentContext) -> Document:
    return {
        "id": context.model,
        "name": context.model,
        "baseUrl": f"{context.shim_url}/v1",
        "envKey": TOKEN_VARIABLE,
        "generationConfig": {
            "contextWindowSize": context.context_window,
            "timeout": REQUEST_TIMEOUT_MS,
            "maxRetries": 1,
            "samplingParams": {"max_tokens": context.max_output_tokens},
        },
    }
