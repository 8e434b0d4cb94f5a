"""Claude Code: pointed at the shim by a settings file of ours, above the user's, the project's and the environment."""

from __future__ import annotations

from agentlaunch.agents.arguments import Option, find_options, has_option, without_options
from agentlaunch.agents.base import TINY_WINDOW_BELOW_TOKENS, Evidence, PromptTokens, Registry
from agentlaunch.agents.claude_window import state_window, tool_output_limits
from agentlaunch.agents.documents import Document, Json, dump_document, merge, parse_document
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.mcp_documents import mcp_document
from agentlaunch.agents.skills_plugin import skills_plugin
from agentlaunch.core.launch_environment import LOOPBACK_HOSTS, NO_PROXY_VARIABLES
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.errors import UserError

LEAN_TOOLS = "Bash,Edit,Read,Write,Grep,Glob"
TINY_TOOLS = "Bash,Edit,Read,Write"

PROVIDER_SWITCHES = tuple(
    f"CLAUDE_CODE_USE_{provider}"
    for provider in ("BEDROCK", "VERTEX", "FOUNDRY", "ANTHROPIC_AWS", "ANTHROPIC_GOOGLE_CLOUD", "MANTLE", "GATEWAY")
)
"""Each, set to 1, sends requests elsewhere; "0" in the settings file beat it in the user's and the project's settings
and in the process's environment (2.1.331)."""

OTHER_CREDENTIALS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_FEDERATION_RULE_ID",
    "ANTHROPIC_IDENTITY_TOKEN",
    "ANTHROPIC_IDENTITY_TOKEN_FILE",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_UNIX_SOCKET",
    "CLAUDE_CODE_OAUTH_TOKEN",
)
"""Who the user is elsewhere. Empty in the settings file: the user's key then never reaches the shim. The process's
ANTHROPIC_UNIX_SOCKET wins over the settings file ("Unable to connect to API"), so all of them are unset as well."""

OUTER_SESSION = (
    "CLAUDECODE",
    "CLAUDE_CODE_ENTRYPOINT",
    "CLAUDE_CODE_CHILD_SESSION",
    "CLAUDE_CODE_HOST_AUTH_ENV_VAR",
    "CLAUDE_CODE_PROVIDER_MANAGED_BY_HOST",
    "CLAUDE_CODE_SDK_HAS_HOST_AUTH_REFRESH",
)
"""What Claude Code, and the desktop application that hosts it, set for the commands that they run. Some versions refuse
to start below another session, others take themselves for a part of it (anthropics/claude-code 25434, 32618); below a
host that has the login ours is not taken ("Not logged in" with 2.1.331 and either of the host's first two variables;
getpaseo/paseo 3618). A launch is a session of its own."""

MODEL_VARIABLES = (
    "ANTHROPIC_MODEL",
    "ANTHROPIC_DEFAULT_OPUS_MODEL",
    "ANTHROPIC_DEFAULT_SONNET_MODEL",
    "ANTHROPIC_DEFAULT_HAIKU_MODEL",
    "ANTHROPIC_DEFAULT_FABLE_MODEL",
    "CLAUDE_CODE_SUBAGENT_MODEL",
)

KEEP_USER_MODEL = {"CLAUDE_CODE_DISABLE_1M_CONTEXT": "1", "CLAUDE_CODE_DISABLE_LEGACY_MODEL_REMAP": "1"}
"""Without them Claude Code 2.1.331 rewrites `model` in the user's own settings.json at a first start: `opus` becomes
`opus[1m]` as soon as ANTHROPIC_DEFAULT_OPUS_MODEL is set, `claude-opus-4-1` becomes `opus` (measured, both)."""

REQUEST_TIMEOUT_MS = 3_600_000
"""An hour: a cold prefill of 10k tokens takes minutes on a CPU."""


class ClaudeCode:
    """Claude Code, over the Anthropic Messages API."""

    name = "claude"
    title = "Claude Code"
    executable = "claude"
    one_answer = "-p"
    registry: Registry = "npm"
    package = "@anthropic-ai/claude-code"
    evidence: Evidence = "tool loop"
    tested_version = "2.1.331"
    minimum_version = "2.1.251"
    wire = "anthropic_messages"
    user_configs = ()
    prompt_tokens = PromptTokens(full=12_434, lean=4_797, tiny=2_073)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """The user's own `--settings FILE`."""
        last = _user_settings(arguments)[-1:]
        return tuple(option.value for option in last if not _is_inline(option.value))

    def plan(self, context: AgentContext) -> LaunchPlan:
        """Our settings file and, in a lean launch, fewer tools; then the user's arguments.

        Of two `--settings` the last alone counts (measured: ours first and theirs last ended in "Not logged in"). So
        the user's own is taken out of the arguments and merged below ours.
        """
        theirs = _user_settings(context.arguments)
        path = f"{context.session_dir}/claude-settings.json"
        content = dump_document(merge(_read_settings(theirs, context), _settings(context)))
        servers = _mcp_files(context)
        skills = skills_plugin(context)
        return LaunchPlan(
            # `--tools` and `--mcp-config` take all words up to the next option, so one of ours must stand behind them.
            argv=(
                context.executable,
                *_lean_options(context),
                *(word for file in servers for word in ("--mcp-config", file.path)),
                *skills.options,
                "--settings",
                path,
                *without_options(context.arguments, theirs),
            ),
            unset=(
                "ANTHROPIC_AUTH_TOKEN",
                "ANTHROPIC_BASE_URL",
                *OTHER_CREDENTIALS,
                *PROVIDER_SWITCHES,
                *OUTER_SESSION,
            ),
            files=(OverlayFile(path, content), *servers, *skills.files),
            links=skills.links,
            notes=("your own --settings are merged with ours",) if theirs else (),
        )


def _mcp_files(context: AgentContext) -> tuple[OverlayFile, ...]:
    """The user's servers beside those that Claude Code knows already: a second `--mcp-config` adds to the first."""
    if not context.mcp_servers:
        return ()
    path = f"{context.session_dir}/claude-mcp.json"
    return (OverlayFile(path, dump_document(mcp_document(context.mcp_servers))),)


def _user_settings(arguments: tuple[str, ...]) -> tuple[Option, ...]:
    return find_options(arguments, "--settings")


def _is_inline(value: str) -> bool:
    return value.lstrip().startswith("{")


def _read_settings(options: tuple[Option, ...], context: AgentContext) -> Document:
    """The settings that the user's last `--settings` names; Claude Code ignores the ones before it."""
    if not options:
        return {}
    value = options[-1].value
    text = value if _is_inline(value) else context.user_files.get(value)
    if text is None:
        raise UserError("bad-agent-settings", f"cannot read `{value}`, given to --settings", f"ls -l {value}")
    try:
        return parse_document(text)
    except ValueError as error:
        shown = "the JSON given to --settings" if _is_inline(value) else f"`{value}`, given to --settings,"
        hint = "mend it, or leave --settings away: what it says is merged with ours"
        raise UserError("bad-agent-settings", f"{shown} cannot be used: {error}", hint) from error


def _lean_options(context: AgentContext) -> tuple[str, ...]:
    """Fewer tools, and in a tiny window our own short instructions; what the user chose stands.

    First requests, measured in bytes: full 48,425; six tools 19,023; four tools and short instructions 8,205. `--bare`
    (4,124) ignores `--tools`, has no Write tool, and drops the user's CLAUDE.md and hooks.
    """
    if not context.lean or has_option(context.arguments, "--bare"):
        return ()
    options: tuple[str, ...] = ()
    if not has_option(context.arguments, "--tools"):
        options = ("--tools", TINY_TOOLS if _is_tiny(context) else LEAN_TOOLS)
    if _is_tiny(context) and not has_option(context.arguments, "--system-prompt", "--system-prompt-file"):
        options = (*options, "--system-prompt", instructions_with("File paths are absolute."))
    return options


def _is_tiny(context: AgentContext) -> bool:
    return context.lean and context.context_window < TINY_WINDOW_BELOW_TOKENS


def _settings(context: AgentContext) -> Document:
    """Our settings. Auto mode asks Anthropic's server whether a command is safe; offline it stops the turn (6)."""
    variables: Document = {
        **dict.fromkeys((*OTHER_CREDENTIALS,), ""),
        **dict.fromkeys(PROVIDER_SWITCHES, "0"),
        **dict.fromkeys(MODEL_VARIABLES, context.model),
        "ANTHROPIC_DEFAULT_HAIKU_MODEL": context.model_for("background"),
        "CLAUDE_CODE_SUBAGENT_MODEL": context.model_for("subagent"),
        **_connection(context),
        **_window_variables(context),
        **_lean_variables(context),
    }
    return {"env": variables, "permissions": {"disableAutoMode": "disable"}, "apiKeyHelper": ""}


def _connection(context: AgentContext) -> dict[str, str]:
    """Where the shim is, and silence towards everybody else (facts/agents.md 1.1 and 7)."""
    said = ",".join(context.environment.get(name, "") for name in NO_PROXY_VARIABLES)
    hosts = dict.fromkeys([*(host for host in said.replace(" ", ",").split(",") if host), *LOOPBACK_HOSTS])
    return {
        "ANTHROPIC_BASE_URL": context.shim_url,
        "ANTHROPIC_AUTH_TOKEN": context.token,
        "API_TIMEOUT_MS": str(REQUEST_TIMEOUT_MS),
        "CLAUDE_CODE_MAX_RETRIES": "2",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_ATTRIBUTION_HEADER": "0",
        "CLAUDE_CODE_DISABLE_BACKGROUND_TASKS": "1",
        "DISABLE_AUTOUPDATER": "1",
        **KEEP_USER_MODEL,
        # The user's settings may set a proxy where the launcher cannot see it.
        **dict.fromkeys(NO_PROXY_VARIABLES, ",".join(hosts)),
    }


def _window_variables(context: AgentContext) -> dict[str, str]:
    sizes = ClaudeCode.prompt_tokens
    lean_size = sizes.tiny if _is_tiny(context) else sizes.lean
    first_prompt = lean_size if context.lean else sizes.full
    window = state_window(context.context_window, context.max_output_tokens, first_prompt)
    return {
        "CLAUDE_CODE_MAX_CONTEXT_TOKENS": str(window.stated_window),
        "CLAUDE_CODE_MAX_OUTPUT_TOKENS": str(window.max_output_tokens),
        **tool_output_limits(context.context_window),
    }


def _lean_variables(context: AgentContext) -> dict[str, Json]:
    """Without git's instructions the request is 2 KB shorter; without tool search a tool that calls nothing is gone.

    Tool search stays outside of a tiny window: without it all tools are sent at once (88 KB) if the user's `--tools`
    or MCP servers bring them.
    """
    if not context.lean:
        return {}
    tiny: dict[str, Json] = {}
    if _is_tiny(context) and not has_option(context.arguments, "--tools"):
        tiny = {"ENABLE_TOOL_SEARCH": "0"}
    return {"CLAUDE_CODE_DISABLE_GIT_INSTRUCTIONS": "1", **tiny}
