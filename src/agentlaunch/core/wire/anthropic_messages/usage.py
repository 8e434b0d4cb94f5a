"""Token counts and stop reasons, between the wire's and the representation's."""

from __future__ import annotations

from typing import assert_never

from agentlaunch.core.ir import StopReason, Usage
from agentlaunch.core.wire.anthropic_messages.types import OutputTokensDetails, WireUsage

NO_USAGE = WireUsage()


def wire_usage(usage: Usage) -> WireUsage:
    """The wire's counts: `input_tokens` leaves out the cached part, so that the two add up to the prompt (B012)."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    thinking = OutputTokensDetails(usage.reasoning_tokens) if usage.reasoning_tokens else None
    return WireUsage(usage.input_tokens - cached, 0, cached, usage.output_tokens, thinking)


def usage_of(wire: WireUsage) -> Usage:
    """The representation's counts: what was read from the cache and written to it belongs to the prompt."""
    cached = wire.cache_read_input_tokens or 0
    fresh = (wire.input_tokens or 0) + (wire.cache_creation_input_tokens or 0)
    details = wire.output_tokens_details
    return Usage(fresh + cached, cached, wire.output_tokens or 0, details.thinking_tokens if details else 0)


def merged_usage(earlier: WireUsage, later: WireUsage) -> WireUsage:
    """Both reports as one. Counts are cumulative, so the larger holds; some upstreams send zeros at the end."""
    return WireUsage(
        _larger(earlier.input_tokens, later.input_tokens),
        _larger(earlier.cache_creation_input_tokens, later.cache_creation_input_tokens),
        _larger(earlier.cache_read_input_tokens, later.cache_read_input_tokens),
        _larger(earlier.output_tokens, later.output_tokens),
        later.output_tokens_details or earlier.output_tokens_details,
    )


def _larger(one: int | None, other: int | None) -> int | None:
    if one is None or other is None:
        return one if other is None else other
    return max(one, other)


def wire_stop_reason(reason: StopReason, calls: int) -> str:
    """The wire's word. It is `tool_use` exactly when the answer holds `calls` (B007), unless something cut it short.

    Claude Code asks once more after a `tool_use` without calls (facts/agents.md 4.3).
    """
    match reason:
        case StopReason.END_TURN | StopReason.STOP_SEQUENCE | StopReason.TOOL_CALLS if calls:
            return "tool_use"
        case StopReason.END_TURN | StopReason.TOOL_CALLS:
            return "end_turn"
        case StopReason.STOP_SEQUENCE:
            return "stop_sequence"
        case StopReason.MAX_TOKENS:
            return "max_tokens"
        case StopReason.REFUSAL:
            return "refusal"
        case StopReason.CONTEXT_FULL:
            return "model_context_window_exceeded"
        case _:
            assert_never(reason)


_STOP_REASONS = {
    "max_tokens": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "refusal": StopReason.REFUSAL,
    "model_context_window_exceeded": StopReason.CONTEXT_FULL,
    "length": StopReason.MAX_TOKENS,  # OpenAI's words, which look-alike servers pass on
    "content_filter": StopReason.REFUSAL,
}


def stop_reason_of(word: str | None, calls: int) -> StopReason:
    """The representation's reason; `end_turn`, `tool_use`, `pause_turn`, none and new words go by the `calls`."""
    return _STOP_REASONS.get(word or "", StopReason.TOOL_CALLS if calls else StopReason.END_TURN)
