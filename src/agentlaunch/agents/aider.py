"""Aider: pointed at the shim by model settings of ours, which no variable and no .env file overrides."""

from __future__ import annotations

from agentlaunch.agents.arguments import has_option
from agentlaunch.agents.base import TINY_WINDOW_BELOW_TOKENS, Evidence, PromptTokens, Registry
from agentlaunch.agents.documents import Document, dump_document
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan, OverlayFile

REQUEST_TIMEOUT_S = 3600
QUIET_OPTIONS = ("--no-analytics", "--no-check-update", "--no-show-release-notes", "--no-show-model-warnings")


MODEL_OPTIONS = ("--model", "--weak-model", "--editor-model")
"""What a user's .aider.conf.yml and .env may say as well. A `weak-model` there wrote commit messages elsewhere, with
the diff in its request (seen with 0.86.2)."""


class Aider:
    """Aider, over the OpenAI Chat Completions API. It calls no tools: its edits are text, which it applies itself."""

    name = "aider"
    title = "Aider"
    executable = "aider"
    one_answer = "-m"
    registry: Registry = "pypi"
    package = "aider-chat"
    evidence: Evidence = "edits"
    tested_version = "0.86.2"
    minimum_version = "0.86.2"
    wire = "openai_chat"
    user_configs = ()
    prompt_tokens = PromptTokens(full=2_300, lean=600, tiny=600)

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:  # noqa: ARG002 - the protocol's signature
        """None: a user's own entry for our model stands before ours, and the last one counts."""
        return ()

    def plan(self, context: AgentContext) -> LaunchPlan:
        """By options, since Aider lets the .env files of home, repository and folder replace variables (0.86.2).

        Address and token stand in the model's `extra_params`, which go into each request. In a lean launch files are
        written whole, which small models do better, and a tiny window gets no map of the repository.
        """
        settings, sizes = (f"{context.session_dir}/aider-{name}.json" for name in ("settings", "metadata"))
        unsaid = (option for option in MODEL_OPTIONS if not has_option(context.arguments, option))
        return LaunchPlan(
            argv=(
                context.executable,
                *(word for option in unsaid for word in (option, _name(context))),
                *("--model-settings-file", settings, "--model-metadata-file", sizes),
                *("--timeout", str(REQUEST_TIMEOUT_S)),
                *QUIET_OPTIONS,
                *_lean_options(context),
                *context.arguments,
            ),
            # The key is a word, for Aider will not start without one. The cost map is 1 MB from GitHub otherwise.
            env={"OPENAI_API_KEY": "agentlaunch", "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            files=(
                OverlayFile(settings, dump_list(_settings(context))),
                OverlayFile(sizes, dump_document({_name(context): _sizes(context)})),
            ),
            warnings=_warnings(context),
        )


def dump_list(entry: Document) -> str:
    """A list of one entry: YAML, which Aider reads, has JSON in it."""
    return f"[{dump_document(entry)}]"


def _name(context: AgentContext) -> str:
    return f"openai/{context.model}"


def _settings(context: AgentContext) -> Document:
    return {
        "name": _name(context),
        "edit_format": "whole" if context.lean else "diff",
        "weak_model_name": _name(context),
        "use_repo_map": not _is_tiny(context),
        "extra_params": {
            "api_base": f"{context.shim_url}/v1",
            "api_key": context.token,
            "max_tokens": context.max_output_tokens,
        },
    }


def _sizes(context: AgentContext) -> Document:
    return {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_tokens": context.max_output_tokens,
        "max_output_tokens": context.max_output_tokens,
        "max_input_tokens": max(1, context.context_window - context.max_output_tokens),
        "input_cost_per_token": 0,
        "output_cost_per_token": 0,
    }


def _is_tiny(context: AgentContext) -> bool:
    return context.context_window < TINY_WINDOW_BELOW_TOKENS


def _lean_options(context: AgentContext) -> tuple[str, ...]:
    chosen = has_option(context.arguments, "--map-tokens")
    return ("--map-tokens", "0") if _is_tiny(context) and not chosen else ()


def _warnings(context: AgentContext) -> tuple[str, ...]:
    given = {"MCP servers": context.mcp_servers, "skills": context.skills}
    return tuple(f"Aider calls no tools and takes no {what}: yours are left out" for what in given if given[what])
