"""Codex CLI: pointed at the shim by `-c` overrides before the user's arguments; its own files stay as they are."""

from __future__ import annotations

from agentlaunch.agents.base import Evidence, PromptTokens, Registry
from agentlaunch.agents.codex_mcp import hand_to_codex
from agentlaunch.agents.documents import Json, dump_document
from agentlaunch.agents.instructions import instructions_with
from agentlaunch.agents.toml_text import toml_string
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile
from agentlaunch.core.skills import skills_text

PROVIDER = "agentlaunch"
TOKEN_VARIABLE = "AGENTLAUNCH_SESSION_TOKEN"  # noqa: S105 - the variable's name; AGENTLAUNCH_TOKEN is one of `serve`
STREAM_IDLE_TIMEOUT_MS = 3_600_000
"""Codex resends a request after five minutes without an event (facts/agents.md 4.6); a cold prefill may take longer."""

OWN_OUTPUT_LIMIT_TOKENS = 10_000
"""Codex's own limit for one tool result."""

DISABLED = ("plugins", "apps", "unbounded_connection_retries")
LEAN_DISABLED = ("multi_agent", "goals", "view_image")

LEAN_HINTS = (
    "Run commands with exec_command: read files with `cat`, search with `grep -rn`, list with `ls`.",
    "Change files with apply_patch; write a new file with it too.",
)
FULL_HINTS = (
    "Start from the instructions that the project gives: AGENTS.md, README, the code's own conventions.",
    "For work of more than three steps, first list the steps in a few words each, then work through them in order.",
    "Before a group of commands, say in one short sentence what you are about to do.",
    (
        "Commands run in a sandbox. When one fails only because the sandbox forbids it, ask for approval with"
        " sandbox_permissions and a one-sentence justification; never work around it."
    ),
    (
        "Files may change while you work, and changes that you did not make are the user's: leave them, and read again"
        " before you edit."
    ),
    "Mend causes and not symptoms. Do not add features, comments or files that nobody asked for.",
    "Run the narrowest test first, then wider ones. Say so plainly when something could not be checked.",
    "In the final answer name the files that changed, as `path:line`, and what is left to do, if anything.",
)


class Codex:
    """Codex CLI, over the OpenAI Responses API."""

    name = "codex"
    title = "Codex CLI"
    executable = "codex"
    one_answer = "exec"
    registry: Registry = "npm"
    package = "@openai/codex"
    evidence: Evidence = "tool loop"
    tested_version = "0.169.0"
    minimum_version = "0.142.5"
    wire = "openai_responses"
    user_configs = ()
    prompt_tokens = PromptTokens(full=5_512, lean=1_965, tiny=1_965)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: Codex's own configuration stands below our overrides."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """Overrides first, so that they reach the TUI, `exec`, `resume` and `review` alike; then the user's arguments.

        The model is set by `-c`, not `-m`, which may be given only once: the user's own `-m` still works and wins. A
        catalogue entry of ours gives the model its window, the freeform `apply_patch` tool and its instructions: an
        entry without `base_instructions` is an error. Codex's built-in text exists only for a model without an entry,
        and then, measured, Codex warns about missing metadata at every start and offers no `apply_patch`; the texts
        that `codex debug models` prints tell other models' names and tools. So the instructions are ours, longer in a
        full launch, where the tools are Codex's own; a lean one leaves out what a small window cannot carry.
        """
        path = f"{context.session_dir}/codex-models.json"
        argv = [context.executable]
        overrides = (*_overrides(context), f"model_catalog_json={toml_string(path)}")
        handed = hand_to_codex(context)
        for override in (*overrides, *(_lean_overrides() if context.lean else ()), *handed.overrides):
            argv += ["-c", override]
        return LaunchPlan(
            argv=(*argv, *context.arguments),
            env={TOKEN_VARIABLE: context.token, **handed.env},
            files=(OverlayFile(path, dump_document(_catalogue(context))),),
            warnings=handed.warnings,
        )


def compact_limit(context_window: int, max_output_tokens: int) -> int:
    """From which reported usage, in tokens, Codex shall compact before its next request.

    Its default, nine tenths of the window (facts/agents.md 4.5), leaves too little for an answer in a small window.
    Codex never compacts after an overflow (4.4), so the limit keeps an answer and a sixteenth of the window free;
    measured with window 8192 and limit 5000: compacted at 5100, not at 4900.
    """
    room = context_window - max_output_tokens - context_window // 16
    return max(1, min(context_window * 9 // 10, room))


def _overrides(context: AgentContext) -> tuple[str, ...]:
    provider = ",".join(
        (
            f"name={toml_string(PROVIDER)}",
            f"base_url={toml_string(context.shim_url + '/v1')}",
            'wire_api="responses"',
            f"env_key={toml_string(TOKEN_VARIABLE)}",
            f"stream_idle_timeout_ms={STREAM_IDLE_TIMEOUT_MS}",
            "request_max_retries=1",
            "stream_max_retries=3",
            "supports_websockets=false",
        )
    )
    return (
        f"model={toml_string(context.model)}",
        f"model_provider={toml_string(PROVIDER)}",
        f"model_providers.{PROVIDER}={{{provider}}}",
        f"model_context_window={context.context_window}",
        f"model_auto_compact_token_limit={compact_limit(context.context_window, context.max_output_tokens)}",
        f"tool_output_token_limit={_output_limit(context)}",
        'web_search="disabled"',
        "analytics.enabled=false",
        "check_for_update_on_startup=false",
        *_disabled(DISABLED),
    )


def _lean_overrides() -> tuple[str, ...]:
    """Without the list of skills the first request is 2.1 KB shorter."""
    return ("skills.include_instructions=false", *_disabled(LEAN_DISABLED))


def _disabled(features: tuple[str, ...]) -> tuple[str, ...]:
    """Not `--disable`: that ends a Codex that does not know the feature (0.142.5: "Unknown feature flag")."""
    return tuple(f"features.{feature}=false" for feature in features)


def _output_limit(context: AgentContext) -> int:
    return min(OWN_OUTPUT_LIMIT_TOKENS, context.context_window // 4)


def _catalogue(context: AgentContext) -> dict[str, Json]:
    """One entry for our model; the keys that Codex requires were found by leaving one out at a time (1.2).

    Codex 0.169.0 finds skills in its own folders alone (`skills.config` only switches those); so the user's are told
    of in the instructions.
    """
    hints = (*LEAN_HINTS, *(() if context.lean else FULL_HINTS))
    instructions = instructions_with(*hints) + skills_text(context.skills)
    entry: dict[str, Json] = {
        "slug": context.model,
        "display_name": context.model,
        "description": "A model served by agentlaunch",
        "default_reasoning_level": None,
        "supported_reasoning_levels": [],
        "shell_type": "shell_command",
        "visibility": "list",
        "supported_in_api": True,
        "priority": 1,
        "upgrade": None,
        "base_instructions": instructions,
        "supports_reasoning_summaries": False,
        "support_verbosity": False,
        "default_verbosity": None,
        "apply_patch_tool_type": "freeform",
        "truncation_policy": {"mode": "tokens", "limit": _output_limit(context)},
        "supports_parallel_tool_calls": True,
        "context_window": context.context_window,
        "max_context_window": context.context_window,
        "effective_context_window_percent": 100,
        "experimental_supported_tools": [],
        "input_modalities": ["text"],
    }
    return {"models": [entry]}
