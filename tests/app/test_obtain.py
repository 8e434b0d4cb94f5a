"""app/obtain.py: the two commands for a model that is not here."""

from __future__ import annotations

from msgspec.structs import replace

from agentlaunch.app.knowledge import load_catalog
from agentlaunch.app.obtain import Way, way_to_get

CODER = load_catalog().models["qwen3-coder-30b-a3b"]


def test_a_published_model_is_fetched_in_its_quantisation() -> None:
    assert way_to_get(CODER, "Q4_K_M", "codex") == Way(
        "agentlaunch models pull qwen3-coder-30b-a3b --quant Q4_K_M", "agentlaunch codex --model qwen3-coder-30b-a3b"
    )


def test_one_that_only_ollama_has_is_fetched_and_run_through_it() -> None:
    assert way_to_get(replace(CODER, gguf=()), "Q4_K_M", "claude") == Way(
        "agentlaunch models pull qwen3-coder-30b-a3b --runtime ollama",
        "agentlaunch claude --model qwen3-coder-30b-a3b --runtime ollama",
    )
