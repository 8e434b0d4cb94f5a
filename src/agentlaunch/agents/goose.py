"""goose: pointed at the shim by its variables for an OpenAI server. From its documentation; never started by us."""

from __future__ import annotations

from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan

OTHER_SERVER = ("OPENAI_BASE_URL", "OPENAI_CUSTOM_HEADERS", "OPENAI_ORGANIZATION", "OPENAI_PROJECT")


class Goose:
    """goose, over the OpenAI Chat Completions API."""

    name = "goose"
    title = "goose"
    executable = "goose"
    one_answer = "run -t"
    registry: Registry = "page"
    package = "https://goose-docs.ai"
    evidence: Evidence = "plan only"
    tested_version = ""
    minimum_version = ""
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=10_000, lean=10_000, tiny=10_000)
    """A guess, for the note on small windows: never measured."""

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: variables stand above the user's config.yaml."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """The names are those of goose's guide to its environment variables and of its page on providers."""
        given = {"MCP servers": context.mcp_servers, "skills": context.skills}
        return LaunchPlan(
            argv=(context.executable, *context.arguments),
            env={
                "GOOSE_PROVIDER": "openai",
                "GOOSE_MODEL": context.model,
                # A lead or planner of config.yaml's is then asked of us, who know one model by any name.
                "GOOSE_LEAD_PROVIDER": "openai",
                "GOOSE_PLANNER_PROVIDER": "openai",
                "GOOSE_CONTEXT_LIMIT": str(context.context_window),
                "GOOSE_MAX_TOKENS": str(context.max_output_tokens),
                "GOOSE_TELEMETRY_ENABLED": "false",
                "GOOSE_DISABLE_SESSION_NAMING": "true",  # a request that would queue before the first one
                "OPENAI_HOST": context.shim_url,
                "OPENAI_BASE_PATH": "v1/chat/completions",
                "OPENAI_API_KEY": context.token,
                "OPENAI_TIMEOUT": "3600",
            },
            unset=OTHER_SERVER,
            warnings=(
                "the plan for goose is from its documentation and was never tried",
                *(f"goose is handed no {what} yet: yours are left out" for what in given if given[what]),
            ),
        )
