"""Window arithmetic that launching and serving share. Tokens everywhere."""

from __future__ import annotations

DEFAULT_CONTEXT_TOKENS = 32_768
"""The window where nothing can be computed: enough for a coding agent's 8k to 12k of prompt (facts/agents.md 2)."""
LEAN_BELOW_TOKENS = 24_000
"""Below this window an agent's full prompt (8k to 12k tokens, facts/agents.md 2) leaves too little room to work."""


def max_output_for(context_window: int) -> int:
    """How many tokens an answer may have in a window of so many: a quarter, at most 8192.

    Enough to write a file of 30 KB; the agents' own plans make their compaction fit it.
    """
    return min(8192, max(1, context_window // 4))
