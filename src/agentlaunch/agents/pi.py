"""pi: pointed at the shim by an extension of ours that adds a provider; its own folder and settings stay in use."""

from __future__ import annotations

from agentlaunch.agents.arguments import has_option
from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import Document, dump_document
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile

PROVIDER = "agentlaunch"
TOKEN_VARIABLE = "AGENTLAUNCH_SESSION_TOKEN"  # noqa: S105 - the variable's name

COMMANDS = ("install", "remove", "uninstall", "update", "list", "config")
"""Not a session: these count only as the first word, so no option of ours may stand before them."""

RESERVED_TOKENS = 16_384
"""pi compacts when a session is so near to the window that it was told (its `compaction.reserveTokens`)."""
KEPT_TOKENS = 20_000
"""What pi leaves of a session when it compacts (its `compaction.keepRecentTokens`); no option sets either."""


class Pi:
    """pi, over the OpenAI Chat Completions API."""

    name = "pi"
    title = "pi"
    executable = "pi"
    one_answer = "-p"
    registry: Registry = "npm"
    package = "@mariozechner/pi-coding-agent"
    evidence: Evidence = "tool loop"
    tested_version = "0.73.1"
    minimum_version = "0.73.1"
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=1_439, lean=1_439, tiny=1_439)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: the user's own models and settings stand below our options."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """The extension, the model and the skills by options; then the user's arguments. pi is lean as it is.

        An extension's provider wins over one of the same name in the user's models.json (0.73.1).
        """
        if context.arguments[:1] and context.arguments[0] in COMMANDS:
            return LaunchPlan(argv=(context.executable, *context.arguments), env=_environment(context))
        path = f"{context.session_dir}/pi-provider.js"
        model = () if has_option(context.arguments, "--model") else ("--model", f"{PROVIDER}/{context.model}")
        skills = ("--skill", context.skills_dir) if context.skills_dir else ()
        return LaunchPlan(
            argv=(context.executable, "-e", path, *model, *skills, *context.arguments),
            env=_environment(context),
            files=(OverlayFile(path, _extension(context)),),
            warnings=_warnings(context),
        )


def _environment(context: AgentContext) -> dict[str, str]:
    return {TOKEN_VARIABLE: context.token, "PI_OFFLINE": "1", "PI_TELEMETRY": "0", "PI_SKIP_VERSION_CHECK": "1"}


def _extension(context: AgentContext) -> str:
    return f'export default (pi) => pi.registerProvider("{PROVIDER}", {dump_document(_provider(context))});\n'


def _provider(context: AgentContext) -> Document:
    """`apiKey` names the variable that holds the token. The window is told larger than it is by what pi keeps free
    beyond an answer and a sixteenth of the window, so that it compacts where there is need."""
    window, answer = context.context_window, context.max_output_tokens
    stated = max(1, window - answer - window // 16) + RESERVED_TOKENS
    model: Document = {
        "id": context.model,
        "name": context.model,
        "reasoning": False,
        "input": ["text"],
        "contextWindow": stated,
        "maxTokens": answer,
        "cost": {"input": 0, "output": 0, "cacheRead": 0, "cacheWrite": 0},
    }
    return {
        "baseUrl": f"{context.shim_url}/v1",
        "api": "openai-completions",
        "apiKey": TOKEN_VARIABLE,
        "models": [model],
    }


def _warnings(context: AgentContext) -> tuple[str, ...]:
    warnings = ("pi takes no MCP servers: yours are left out",) if context.mcp_servers else ()
    if context.context_window < 2 * KEPT_TOKENS:
        small = (
            f"pi keeps {KEPT_TOKENS} tokens when it compacts, too many for this window: set compaction.keepRecentTokens"
            f" to {context.context_window // 4} in ~/.pi/agent/settings.json"
        )
        return (*warnings, small)
    return warnings
