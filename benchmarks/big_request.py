"""What a request of 300 KB costs on its way through us: decode, lower, stabilise, simplify, encode. Processor time.

    python benchmarks/big_request.py

A long agent conversation: 30 tools, 120 turns with tool calls and results. Our own limit is 5 ms added.
"""

from __future__ import annotations

import json
import time

from machine import describe_machine, spread

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.wire.base import load_wire
from agentlaunch.shim.counting import estimate_tokens
from agentlaunch.shim.engine_turns import EngineTurns
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream_call import CallMaking, prepare_call

RUNS = 60


def body() -> bytes:
    """A Messages request of about 300 KB."""
    properties = {f"p{i}": {"type": "string", "description": "words " * 8} for i in range(8)}
    schema = {"type": "object", "properties": properties}
    messages: list[dict[str, object]] = [{"role": "user", "content": "Mend the build. " * 40}]
    for turn in range(120):
        call = {"type": "tool_use", "id": f"toolu_{turn}", "name": f"tool_{turn % 30}", "input": {"p0": f"file {turn}"}}
        result = {"type": "tool_result", "tool_use_id": f"toolu_{turn}", "content": "a line of output\n" * 99}
        messages.append({"role": "assistant", "content": [{"type": "text", "text": "I look. " * 10}, call]})
        messages.append({"role": "user", "content": [result]})
    return json.dumps({
        "model": "m", "max_tokens": 4096, "stream": True, "system": "You are a coding agent. " * 800,
        "messages": messages,
        "tools": [{"name": f"tool_{i}", "description": "does " * 60, "input_schema": schema} for i in range(30)],
    }).encode()  # fmt: skip


def main() -> None:
    """Print the machine, the size and the figure."""
    data = body()
    print(describe_machine())
    for wire in ("openai_chat", "ollama_chat", "anthropic_messages"):
        endpoint = Endpoint("engine", wire, "http://127.0.0.1:9", "m", context_window=131072)
        session = Session("s", "t", "claude", "m", endpoint, 131072, 4096)
        making = CallMaking(lower, EngineTurns(), load_wire)
        took_ms: list[float] = []
        for _ in range(RUNS):
            begun = time.process_time()
            request = load_wire("anthropic_messages").decode_request(data)
            estimate_tokens(request, data)
            prepare_call(request, session, endpoint, making)
            took_ms.append((time.process_time() - begun) * 1e3)
        print(f"{len(data) / 1024:.0f} KB, Messages to {wire}: {spread(took_ms[5:], 'ms')}")


if __name__ == "__main__":
    main()
