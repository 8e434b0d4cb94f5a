"""What Claude Code must be told so that it compacts at the right moment: pure arithmetic on token counts."""

from __future__ import annotations

from dataclasses import dataclass

OUTPUT_COUNTED_AT_MOST = 20_000
SAFETY_MARGIN = 13_000
SUMMARY_REQUEST = 2_048
"""Room for the 6.5 KB instruction (about 1.6k tokens) that a compaction request appends (facts/agents.md 3.3)."""
SUMMARY_AT_MOST = 4_096
"""A generous guess at what a summary and the exchange kept beside it take in the compacted conversation."""

BASH_OUTPUT_CHARACTERS = 30_000
READ_OUTPUT_TOKENS = 25_000
"""Claude Code's own limits for one tool result; a small window cannot hold them."""


@dataclass(frozen=True)
class ClaudeWindow:
    """Values for CLAUDE_CODE_MAX_CONTEXT_TOKENS and CLAUDE_CODE_MAX_OUTPUT_TOKENS.

    `compacts_at` is the reported usage, in tokens, from which Claude Code compacts before its next request.
    """

    stated_window: int
    max_output_tokens: int
    compacts_at: int


def state_window(context_window: int, max_output_tokens: int, first_prompt_tokens: int) -> ClaudeWindow:
    """The window to state for a real one of `context_window` tokens.

    Claude Code compacts at `stated - min(max_output, 20000) - 13000` (facts/agents.md 4.5, and confirmed on 2.1.331
    with a stub: stated 18692 / output 2048 compacted between reported 3500 and 3700; stated 43268 / 8192 between 22000
    and 22400). Its 13000 tokens of margin do not fit small windows. Stating the real window, measured: 8192 / 2048 asks
    for a summary after every turn and ends with exit code 1, "Autocompact is thrashing"; 32768 / 8192 compacts at
    11576, below its own first prompt. Switching auto-compaction off (DISABLE_AUTO_COMPACT, DISABLE_COMPACT or
    `autoCompactEnabled: false`) is worse: with 8192 / 2048 Claude then stopped by itself at a usage of 4000, "Prompt is
    too long", and where a larger stated window avoided that, an overflow error from the server ended the session (first
    and third switch). With auto-compaction on, the same error compacted and went on (4 of 4 runs).

    So auto-compaction stays on and the stated window is chosen such that the formula gives the point we want: early
    enough for the summary's instruction, its answer and one more tool result. Where even that point would lie below the
    first prompt plus a summary, every turn would compact again; there the point is the end of the real window, and the
    shim's overflow error starts the compaction. From about 175,000 tokens on, the real window itself is stated.
    """
    counted = min(max_output_tokens, OUTPUT_COUNTED_AT_MOST)
    reserve = min(SAFETY_MARGIN, SUMMARY_REQUEST + context_window // 16)
    point = context_window - counted - reserve
    if point < first_prompt_tokens + min(counted, SUMMARY_AT_MOST):
        point = context_window
    return ClaudeWindow(point + counted + SAFETY_MARGIN, max_output_tokens, point)


def tool_output_limits(context_window: int) -> dict[str, str]:
    """Variables that keep one tool result within about a quarter of the window; empty where Claude's own limits do.

    Measured with 8192 and 2048: a longer Bash output became a 2 KB preview and a file name, a longer Read was cut.
    """
    limits = {}
    if context_window < BASH_OUTPUT_CHARACTERS:  # a quarter of the window at four characters a token
        limits["BASH_MAX_OUTPUT_LENGTH"] = str(context_window)
    if context_window // 4 < READ_OUTPUT_TOKENS:
        limits["CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS"] = str(context_window // 4)
        limits["MAX_MCP_OUTPUT_TOKENS"] = str(context_window // 4)
    return limits
