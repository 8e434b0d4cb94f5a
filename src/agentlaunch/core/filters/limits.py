"""Whether an answer ended because it ran into its limit, whatever the upstream calls its end."""

from __future__ import annotations

from agentlaunch.core.ir import Finished, StopReason, Usage


def hit_limit(end: Finished, usage: Usage | None, max_output_tokens: int | None) -> bool:
    """By the reason, or by the count: vLLM says `tool_calls` for a call that its limit cut (field report B124)."""
    if end.reason in (StopReason.MAX_TOKENS, StopReason.CONTEXT_FULL):
        return True
    return max_output_tokens is not None and usage is not None and 0 < max_output_tokens <= usage.output_tokens
