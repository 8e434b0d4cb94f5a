"""What the filters over an answer cost for each delta of plain text; the budget is 10 microseconds.

    python benchmarks/answer_filters.py

Prose word by word, code four characters at a time, and reasoning, through all filters of a request with five tools.
Processor time, and the best of five rounds: what else the machine does is not measured.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import ChatEvent, ChatRequest, FunctionTool, Started, TextDelta, ThinkingDelta

BUDGET_US = 10.0
ROUNDS = 5
REQUEST = ChatRequest("m", (), tools=tuple(FunctionTool(name) for name in ("Read", "Write", "Edit", "Bash", "Grep")))
WORDS = ("The quick brown fox jumps over the lazy dog, and then it writes some code for the user. " * 400).split()
CODE = Path(__file__).read_text(encoding="utf-8") * 10
STREAMS: dict[str, list[ChatEvent]] = {
    "prose": [TextDelta(f"{word}{number} ") for number, word in enumerate(WORDS)],
    "code": [TextDelta(CODE[start : start + 4]) for start in range(0, len(CODE), 4)],
    "reasoning": [ThinkingDelta(f"{word}{number} ") for number, word in enumerate(WORDS)],
}


def microseconds_a_delta(events: list[ChatEvent]) -> float:
    """One answer through fresh filters."""
    chain = FilterChain(answer_filters(REQUEST))
    list(chain.feed(Started()))
    begin = time.process_time()
    for event in events:
        for _ in chain.feed(event):
            pass
    return (time.process_time() - begin) / len(events) * 1e6


def main() -> int:
    worst = 0.0
    for name, events in STREAMS.items():
        cost = min(microseconds_a_delta(events) for _ in range(ROUNDS))
        worst = max(worst, cost)
        print(f"{name:10} {len(events):6} deltas   {cost:5.2f} us each")
    print(f"budget {BUDGET_US} us: {'kept' if worst <= BUDGET_US else 'MISSED'}")
    return 0 if worst <= BUDGET_US else 1


if __name__ == "__main__":
    sys.exit(main())
