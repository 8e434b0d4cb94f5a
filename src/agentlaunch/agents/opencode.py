"""OpenCode: pointed at the shim by a configuration in one environment variable, above every file of the user's."""

from __future__ import annotations

from typing import assert_never

from agentlaunch.agents.base import TINY_WINDOW_BELOW_TOKENS, Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import Document, Json, dump_document, merge
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.opencode_agents import USER_CONFIGS, models_of_their_own, read_opencode_config, set_to
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan
from agentlaunch.core.mcp import HttpServer, McpServer, StdioServer
from agentlaunch.core.policy import Role
from agentlaunch.errors import UserError

PROVIDER = "agentlaunch"
CONFIG_VARIABLE = "OPENCODE_CONFIG_CONTENT"
LSP_DOWNLOAD_OFF = "OPENCODE_DISABLE_LSP_DOWNLOAD"
EVENT_TIMEOUT_MS = 3_600_000
"""OpenCode resends after five minutes of silence (facts/agents.md 4.6); a cold prefill may take longer."""

BUILT_IN_AGENTS = ("build", "plan", "general", "explore")
"""A user's own `agent.build.model` names a provider that is not enabled: OpenCode then fails before any request."""
SUBAGENTS = ("general", "explore")
ROUTED_ROLES: tuple[Role, ...] = ("background", "subagent")
"""What OpenCode can be told another model for."""

LEAN_TOOLS_OFF = ("task", "todowrite", "webfetch", "websearch", "codesearch", "skill", "question")
TINY_TOOLS_OFF = ("glob", "grep")

OWN_OUTPUT_LIMIT_BYTES = 51_200
"""OpenCode's own limit for one tool result."""


class OpenCode:
    """OpenCode, over the OpenAI Chat Completions API."""

    name = "opencode"
    title = "OpenCode"
    executable = "opencode"
    one_answer = "run"
    registry: Registry = "npm"
    package = "opencode-ai"
    evidence: Evidence = "tool loop"
    tested_version = "1.18.33"
    minimum_version = "1.15.13"
    wire = "openai_chat"
    user_configs = USER_CONFIGS
    prompt_tokens = PromptTokens(full=7_591, lean=3_497, tiny=2_883)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: OpenCode's own files stand below our configuration."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """Our configuration in the environment, merged over the user's own in the same variable."""
        theirs = _user_config(context)
        above = merge(_their_agents(context, theirs), _config(context))
        config = merge(merge(merge(_lean_config(context), _handed_on(context)), theirs), above)
        return LaunchPlan(
            argv=(context.executable, *context.arguments),
            env={
                CONFIG_VARIABLE: dump_document(config),
                "OPENCODE_DISABLE_AUTOUPDATE": "1",
                "OPENCODE_DISABLE_MODELS_FETCH": "1",
                # Language servers that are installed still run; none is fetched unless the user says so (report B249).
                LSP_DOWNLOAD_OFF: context.environment.get(LSP_DOWNLOAD_OFF, "1"),
            },
            notes=(f"your own {CONFIG_VARIABLE} is merged with ours",) if theirs else (),
        )


def _user_config(context: AgentContext) -> Document:
    text = context.environment.get(CONFIG_VARIABLE, "")
    try:
        return read_opencode_config(text) if text.strip() else {}
    except ValueError as error:
        raise UserError(
            "bad-agent-settings",
            f"the variable `{CONFIG_VARIABLE}` cannot be used: {error}",
            f"unset {CONFIG_VARIABLE}, or set it to a JSON object",
        ) from error


def _their_agents(context: AgentContext, theirs: Document) -> Document:
    """The user's own agents, modes and commands, on our models: those that they name are not enabled."""
    ours, for_subagents = (f"{PROVIDER}/{model}" for model in (context.model, context.model_for("subagent")))
    return set_to(ours, for_subagents, models_of_their_own(iter([theirs]), context.user_files))


def _config(context: AgentContext) -> Document:
    """What must hold. The title agent is off: its request would queue before the first one (facts/agents.md 2)."""
    model = f"{PROVIDER}/{context.model}"
    agents: Document = {name: {"model": model} for name in BUILT_IN_AGENTS}
    agents |= {name: {"model": f"{PROVIDER}/{context.model_for('subagent')}"} for name in SUBAGENTS}
    return {
        "model": model,
        "small_model": f"{PROVIDER}/{context.model_for('background')}",
        "autoupdate": False,
        "share": "disabled",
        "enabled_providers": [PROVIDER],
        "disabled_providers": [],
        "agent": {**agents, "title": {"disable": True}},
        "provider": {PROVIDER: _provider(context)},
    }


def _provider(context: AgentContext) -> Document:
    limit: Json = {"context": context.context_window, "output": context.max_output_tokens}
    names = dict.fromkeys((context.model, *(context.model_for(role) for role in ROUTED_ROLES)))
    return {
        "npm": "@ai-sdk/openai-compatible",  # bundled: works without a network (facts/agents.md 1.3)
        "name": PROVIDER,
        "options": {
            "baseURL": f"{context.shim_url}/v1",
            "apiKey": context.token,
            "timeout": False,
            "headerTimeout": False,
            "chunkTimeout": EVENT_TIMEOUT_MS,
        },
        "models": {name: {"name": name, "tool_call": True, "limit": limit} for name in names},
    }


def _lean_config(context: AgentContext) -> Document:
    """What the user's own configuration may take back: smaller tool results, and in a lean launch fewer tools.

    First requests, measured in bytes: full 30,722; six tools 21,492; six tools and short instructions 13,479; four
    tools 11,179. `tool_output` with 4096 bytes cut a tool result from 14.2 to 3.7 KB.
    """
    config: Document = {}
    if context.context_window < OWN_OUTPUT_LIMIT_BYTES:  # a quarter of the window at four bytes a token
        config["tool_output"] = {"max_bytes": context.context_window}
    if not context.lean:
        return config
    tiny = TINY_TOOLS_OFF if context.context_window < TINY_WINDOW_BELOW_TOKENS else ()
    prompt = instructions_with("File paths are absolute.")
    off = (*LEAN_TOOLS_OFF, *tiny)
    return {
        **config,
        "tools": {name: False for name in off if not (name == "skill" and context.skills_dir)},
        "agent": {"build": {"prompt": prompt}, "plan": {"prompt": prompt}},
    }


def _handed_on(context: AgentContext) -> Document:
    """The user's MCP servers and skills, beside those in OpenCode's own files (1.18.33: both are merged by name)."""
    config: Document = {}
    if context.mcp_servers:
        config["mcp"] = {server.name: _server(server) for server in context.mcp_servers}
    if context.skills_dir:
        config["skills"] = {"paths": [context.skills_dir]}
    return config


def _server(server: McpServer) -> Document:
    match server:
        case StdioServer(_, command, args, env):
            return {"type": "local", "command": [command, *args], "environment": dict(env), "enabled": True}
        case HttpServer(_, url, headers):
            return {"type": "remote", "url": url, "headers": dict(headers), "enabled": True}
        case _:
            assert_never(server)
