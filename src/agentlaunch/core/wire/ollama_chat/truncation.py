"""Prompts that were cut without a word: what Ollama counted against what we had sent."""

from __future__ import annotations

from agentlaunch.core.context import Expectation
from agentlaunch.core.estimate import estimate_prompt

__all__ = ["Expectation", "estimate_prompt"]
