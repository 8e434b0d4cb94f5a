"""Public reports of Codex that the plan of its launch answers."""

from __future__ import annotations

import json
import tomllib

import pytest

from agentlaunch.agents.codex import Codex
from agentlaunch.core.launch_plan import AgentContext

CONTEXTS = [
    AgentContext("/bin/codex", "http://127.0.0.1:4711", "token", "qwen3-coder", window, window // 8, lean, "/s")
    for window, lean in ((65_536, False), (16_384, True))
]
every_context = pytest.mark.parametrize("context", CONTEXTS, ids=["full", "lean"])


def settings(context: AgentContext) -> dict[str, object]:
    """The overrides as the one TOML document that Codex makes of them: `-c KEY=VALUE`, dotted keys from the root."""
    argv = Codex().plan(context).argv
    lines = [argv[place + 1] for place, word in enumerate(argv) if word == "-c"]
    return tomllib.loads("\n".join(lines))


@pytest.mark.report("B010")
@every_context
def test_codex_is_given_a_provider_that_it_never_compacts_remotely(context: AgentContext) -> None:
    told = settings(context)
    providers = told["model_providers"]
    assert isinstance(providers, dict)
    provider = providers[told["model_provider"]]
    assert provider["name"].lower() not in ("openai", "azure")
    assert "openai" not in provider["base_url"]


@pytest.mark.report("B032")
@every_context
def test_codex_is_told_the_window_and_compacts_inside_it(context: AgentContext) -> None:
    told = settings(context)
    assert told["model_context_window"] == context.context_window
    limit = told["model_auto_compact_token_limit"]
    assert isinstance(limit, int)
    assert 0 < limit < context.context_window - context.max_output_tokens


@pytest.mark.report("B034", "B086")
@every_context
def test_codex_is_always_told_a_model_whose_entry_has_a_shell_a_patch_tool_and_instructions(
    context: AgentContext,
) -> None:
    told = settings(context)
    assert (told["model"], told["model_catalog_json"]) == (context.model, "/s/codex-models.json")
    (file,) = Codex().plan(context).files
    (entry,) = json.loads(file.content)["models"]
    assert (entry["slug"], entry["context_window"], entry["apply_patch_tool_type"]) == (
        context.model,
        context.context_window,
        "freeform",
    )
    assert entry["shell_type"] not in (None, "disabled")
    assert entry["base_instructions"]
