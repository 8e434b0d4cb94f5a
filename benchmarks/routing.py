"""What routing costs for each request; the budget is 150 microseconds. And what a look for secrets costs.

    python benchmarks/routing.py

A request of Claude Code's shape in its hundredth turn: facts, decision over a policy with four routes and five
upstreams, the breakers asked and told, the cost counted. The best of five rounds counts: the others measure what else
the machine was doing. The look for secrets is made only for bodies that leave this machine; here it is our own source.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import agentlaunch
from agentlaunch.core.egress import leak_in
from agentlaunch.core.endpoint import Prices
from agentlaunch.core.health import FailureKind, Health
from agentlaunch.core.ir import ChatRequest, FunctionTool, Message, Reasoning, Role, TextPart, Usage
from agentlaunch.core.metering import list_cost_usd
from agentlaunch.core.policy import Caps, Policy, Route, RouteMatch
from agentlaunch.core.routing import Spent, UpstreamFacts, decide, facts_of

BUDGET_US = 150.0
ROUNDS = 5
REPEATS = 2000
LOOKS = 20
BODY_BYTES = 300_000

POLICY = Policy(
    privacy="prefer-local",
    routes=(
        Route("background", RouteMatch(role="background"), ("local",)),
        Route("thinking", RouteMatch(role="thinking"), ("openrouter/big", "hpc")),
        Route("named", RouteMatch(model="gpt-*"), ("openai",)),
        Route("long", RouteMatch(min_prompt_tokens=60_000), ("hpc", "openrouter/long", "local")),
    ),
    fallbacks=("hpc", "spare", "openrouter/last"),
    budget_day_usd=5.0,
)
UPSTREAMS = {
    name: UpstreamFacts(name, name == "local", window, False, name == "openrouter")
    for name, window in (("local", 65_536), ("hpc", 131_072), ("spare", 32_768), ("openrouter", None), ("openai", None))
}
TURNS = (
    Message(Role.USER, (TextPart("Find it, and mend it."),)),
    Message(Role.ASSISTANT, (TextPart("I look at the file first."),)),
) * 100
REQUEST = ChatRequest(
    "qwen3-coder",
    (Message(Role.SYSTEM, (TextPart("You are an agent."),)), *TURNS),
    tools=tuple(FunctionTool(name) for name in ("Read", "Write", "Edit", "Bash", "Grep")),
    reasoning=Reasoning(enabled=True, effort="high"),
)
PRICES = Prices(3.0, 15.0, 0.3)
USAGE = Usage(input_tokens=90_000, cached_tokens=80_000, output_tokens=500)


def one_request(health: Health) -> None:
    """All of the decision and its bookkeeping for one request that fails over once."""
    facts = facts_of(REQUEST, 90_000, POLICY.long_context_tokens)
    decision = decide(POLICY, facts, "local", UPSTREAMS, Spent(1.0, 0.5), health.is_open)
    first, second = decision.candidates[0].upstream, decision.candidates[1].upstream
    health.allows(first)
    health.failed(first, FailureKind.SERVER_ERROR)
    health.allows(second)
    health.succeeded(second)
    health.succeeded(first)
    list_cost_usd(USAGE, PRICES)


def microseconds(run: Callable[[], object], repeats: int) -> float:
    """One run, on average over the best round."""
    rounds = []
    for _ in range(ROUNDS):
        begin = time.perf_counter()
        for _ in range(repeats):
            run()
        rounds.append((time.perf_counter() - begin) / repeats * 1e6)
    return min(rounds)


def source_body() -> bytes:
    """A body of our own source, as an agent would send it."""
    folder = Path(agentlaunch.__file__).parent
    text = "\n".join(path.read_text("utf-8") for path in sorted(folder.rglob("*.py")))[: BODY_BYTES * 9 // 10]
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def main() -> None:
    """Print the figures; fail above the budget."""
    health = Health(time.monotonic)
    spent = microseconds(lambda: one_request(health), REPEATS)
    print(f"decision and bookkeeping  {spent:7.1f} us a request, budget {BUDGET_US:.0f}")
    body = source_body()
    for what, caps in (
        ("secrets", Caps()),
        ("secrets and paths", Caps(paths=("**/no-such-folder/**", "*.no-such-ending"))),
        ("secrets and patterns", Caps(patterns=("ACME-[0-9]{8}",))),
    ):
        if leak_in(body, caps) is not None:
            sys.exit(f"a leak in our own source: {leak_in(body, caps)}")
        look = microseconds(lambda caps=caps: leak_in(body, caps), LOOKS)  # type: ignore[misc]
        print(f"{what:24}  {look:7.1f} us for {len(body):,} bytes")
    if spent > BUDGET_US:
        sys.exit("over the budget")


if __name__ == "__main__":
    main()
