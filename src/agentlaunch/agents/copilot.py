"""GitHub Copilot CLI: pointed at the shim by its variables for a provider of one's own; it needs no GitHub account."""

from __future__ import annotations

from agentlaunch.agents.arguments import has_option
from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import dump_document
from agentlaunch.agents.mcp_documents import mcp_document
from agentlaunch.agents.skills_plugin import skills_plugin
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile

OTHER_PROVIDER = (
    "COPILOT_PROVIDER_API_KEY_COMMAND",
    "COPILOT_PROVIDER_AZURE_API_VERSION",
    "COPILOT_PROVIDER_BEARER_TOKEN",
    "COPILOT_PROVIDER_HEADERS",
    "COPILOT_PROVIDER_MODEL_ID",
    "COPILOT_PROVIDER_TRANSPORT",
    "COPILOT_PROVIDER_WIRE_MODEL",
)
"""Each of them, set for another provider, would win over or change what we say (`copilot help environment`)."""

LEAN_TOOLS_OFF = (
    "fetch_copilot_cli_documentation",
    "list_agents",
    "list_bash",
    "read_agent",
    "read_bash",
    "session_store_sql",
    "sql",
    "stop_bash",
    "task",
    "write_agent",
)
"""First requests, measured in bytes: 48,611 with all 17 tools, 23,373 with the seven that are left."""

COMMANDS = (
    *("app", "completion", "config", "help", "init", "instruction", "login", "lsp", "mcp", "memories", "plugin"),
    *("sandbox", "sessions", "skill", "update", "version", "workflow"),
)
"""Not a session: no option of a session may stand before them."""


class Copilot:
    """GitHub Copilot CLI, over the OpenAI Chat Completions API."""

    name = "copilot"
    title = "GitHub Copilot CLI"
    executable = "copilot"
    one_answer = "-p"
    registry: Registry = "npm"
    package = "@github/copilot"
    evidence: Evidence = "tool loop"
    tested_version = "1.0.102"
    minimum_version = "1.0.102"
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=12_169, lean=5_850, tiny=5_850)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: a provider in the environment is one for the whole process."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """The provider in the environment, servers, skills and fewer tools by options; then the user's arguments.

        A `--model` of the user's would be asked of the shim, which maps every name to the session's model.
        """
        env = _environment(context)
        if context.arguments[:1] and context.arguments[0] in COMMANDS:
            return LaunchPlan(argv=(context.executable, *context.arguments), env=env, unset=OTHER_PROVIDER)
        servers, skills = _mcp_files(context), skills_plugin(context)
        return LaunchPlan(
            argv=(
                context.executable,
                *_lean_options(context),
                *(word for file in servers for word in ("--additional-mcp-config", f"@{file.path}")),
                *skills.options,
                *context.arguments,
            ),
            env=env,
            unset=OTHER_PROVIDER,
            files=(*servers, *skills.files),
            links=skills.links,
        )


def _environment(context: AgentContext) -> dict[str, str]:
    """Offline, Copilot leaves telemetry, GitHub's servers and updates alone (`copilot help environment`)."""
    return {
        "COPILOT_PROVIDER_BASE_URL": f"{context.shim_url}/v1",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_PROVIDER_WIRE_API": "completions",
        "COPILOT_PROVIDER_API_KEY": context.token,
        "COPILOT_PROVIDER_MAX_PROMPT_TOKENS": str(max(1, context.context_window - context.max_output_tokens)),
        "COPILOT_PROVIDER_MAX_OUTPUT_TOKENS": str(context.max_output_tokens),
        "COPILOT_MODEL": context.model,
        "COPILOT_OFFLINE": "true",
        "COPILOT_AUTO_UPDATE": "false",
    }


def _mcp_files(context: AgentContext) -> tuple[OverlayFile, ...]:
    if not context.mcp_servers:
        return ()
    path = f"{context.session_dir}/copilot-mcp.json"
    return (OverlayFile(path, dump_document(mcp_document(context.mcp_servers))),)


def _lean_options(context: AgentContext) -> tuple[str, ...]:
    chosen = has_option(context.arguments, "--available-tools", "--excluded-tools")
    return (f"--excluded-tools={','.join(LEAN_TOOLS_OFF)}",) if context.lean and not chosen else ()
