"""When Claude Code compacts, by its own formula, for the windows that we state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.agents.claude_window import ClaudeWindow, state_window, tool_output_limits
from agentlaunch.agents.codex import compact_limit


@pytest.mark.parametrize(
    ("window", "output", "prompt", "expected"),
    [
        (8_192, 2_048, 2_073, ClaudeWindow(23_240, 2_048, 8_192)),
        (16_384, 4_096, 4_797, ClaudeWindow(26_312, 4_096, 9_216)),
        (24_576, 6_144, 12_434, ClaudeWindow(43_720, 6_144, 24_576)),
        (32_768, 8_192, 12_434, ClaudeWindow(41_672, 8_192, 20_480)),
        (65_536, 8_192, 12_434, ClaudeWindow(72_392, 8_192, 51_200)),
        (262_144, 8_192, 12_434, ClaudeWindow(262_144, 8_192, 240_952)),
    ],
)
def test_the_stated_window_for_common_windows(window: int, output: int, prompt: int, expected: ClaudeWindow) -> None:
    assert state_window(window, output, prompt) == expected


@given(st.integers(1, 2_000_000), st.integers(1, 64_000), st.integers(1, 20_000))
def test_claude_never_compacts_on_every_turn_and_leaves_room_for_a_summary(
    window: int, output: int, prompt: int
) -> None:
    stated = state_window(window, output, prompt)
    counted = min(output, 20_000)
    assert stated.compacts_at == stated.stated_window - counted - 13_000
    assert stated.stated_window >= window
    early = stated.compacts_at < window
    assert not early or prompt + min(counted, 4_096) <= stated.compacts_at <= window - counted - 2_048


def test_only_windows_that_claude_codes_own_limits_overflow_get_smaller_tool_results() -> None:
    assert tool_output_limits(100_000) == {}
    assert tool_output_limits(32_768) == {
        "CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS": "8192",
        "MAX_MCP_OUTPUT_TOKENS": "8192",
    }
    assert tool_output_limits(8_192) == {
        "BASH_MAX_OUTPUT_LENGTH": "8192",
        "CLAUDE_CODE_FILE_READ_MAX_OUTPUT_TOKENS": "2048",
        "MAX_MCP_OUTPUT_TOKENS": "2048",
    }


@pytest.mark.parametrize(
    ("window", "output", "expected"),
    [(8_192, 2_048, 5_632), (32_768, 8_192, 22_528), (262_144, 8_192, 235_929), (100, 200, 1)],
)
def test_codex_compacts_before_an_answer_no_longer_fits(window: int, output: int, expected: int) -> None:
    assert compact_limit(window, output) == expected
