"""What pre-warming saves and what it costs, on the real llama.cpp.

    python benchmarks/prewarm.py [--model PATH|demo|scripted] [--tokens N] [--context N] [--trials N] [--wait S]
                                 [--server PROGRAM]

`idle`: a request with another prefix at an engine that does nothing. `middle`: the same sort of request S seconds after
a session has opened, whose opening of N tokens is being computed. Each trial has openings and words of its own, so
nothing is cached. `first` is the time to the answer's first piece; then the session's own first request, cold and after
its warming. The load of the machine is printed: figures of a busy one say little.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.prefix import find_model
from tests.shim.doubles import TOKEN, OneSession, make_session, serving

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.ir import ChatRequest, FunctionTool, Message, Role, TextPart
from agentlaunch.core.prefix_openings import Opening, opening_name, opening_of
from agentlaunch.runtimes.hosts import RuntimeHosts
from agentlaunch.shim.application import build_application
from agentlaunch.shim.prewarm import Prewarm
from agentlaunch.shim.prewarm_files import write_opening
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream import UpstreamClient

TOOL = {"type": "function", "function": {"name": "Write", "parameters": {"type": "object", "properties": {}}}}
VARIANT = "claude 2.1 lean"


def rules(number: int, tokens: int) -> str:
    return f"Opening {number}. " + " ".join(f"Rule {n}: do what is asked." for n in range(tokens // 16))


class Bench:
    """One engine behind one shim with one session."""

    def __init__(self, http: httpx.AsyncClient, prewarm: Prewarm, session: Session, folder: Path) -> None:
        self._http, self._prewarm, self._session, self._folder = http, prewarm, session, folder

    async def first_s(self, system: str, words: str, *, tools: bool) -> tuple[float, int]:
        """Seconds to the first piece, and the tokens that were computed in the request itself."""
        messages = [{"role": "system", "content": system}, {"role": "user", "content": words}]
        body: dict[str, object] = {"model": "m", "messages": messages, "max_tokens": 4, "stream": True}
        body |= {"stream_options": {"include_usage": True}} | ({"tools": [TOOL]} if tools else {})
        began, first, computed = time.monotonic(), 0.0, 0
        async with self._http.stream("POST", "/v1/chat/completions", json=body) as response:
            async for line in response.aiter_lines():
                if not first and ('"content":"' in line or '"tool_calls"' in line) and '"content":""' not in line:
                    first = time.monotonic() - began
                if '"prompt_tokens":' in line:
                    computed = count(line, '"prompt_tokens":') - count(line, '"cached_tokens":')
        return first or time.monotonic() - began, computed

    async def open(self, system: str) -> None:
        """A session opens whose agent was last seen to begin like this."""
        text = (Message(Role.SYSTEM, (TextPart(system),)), Message(Role.USER, (TextPart("Mend it"),)))
        opening = opening_of(ChatRequest("m", text, (FunctionTool("Write"),)))
        assert opening is not None
        name = opening_name(VARIANT, "", self._session.endpoint)
        await asyncio.to_thread(write_opening, self._folder, name, Opening("m", time.time(), opening))
        self._prewarm.begin(self._session.id)

    async def quiet(self) -> None:
        while self._prewarm.is_busy:  # noqa: ASYNC110 - nobody tells when it ends
            await asyncio.sleep(0.01)


def count(line: str, key: str) -> int:
    digits = line.partition(key)[2]
    return int(digits[: next((at for at, letter in enumerate(digits) if not letter.isdigit()), 0)] or 0)


async def measure(model: Path, home: Path, options: argparse.Namespace) -> None:
    hosts = RuntimeHosts(home / "logs", {**os.environ, "AGENTLAUNCH_HOME": str(home)})
    upstream = UpstreamClient()
    runtime = "llama_server" if options.server else "llama_cpp"
    folder = home / "cache" / "prefixes"
    try:
        spec = EngineSpec(str(model), "m", options.context, runtime=runtime, program=options.server)
        session = replace(make_session(), endpoint=await hosts.ensure(spec), variant=VARIANT)
        prewarm = Prewarm(folder, upstream, lambda _id: session)
        app = build_application(OneSession(session), upstream, options=RelayOptions(turns=prewarm.turns))
        headers = {"authorization": f"Bearer {TOKEN}"}
        async with (
            serving(app) as url,
            httpx.AsyncClient(base_url=url, headers=headers, trust_env=False, timeout=600) as http,
        ):
            await trials(Bench(http, prewarm, session, folder), options)
            await prewarm.aclose()
    finally:
        await upstream.aclose()
        await hosts.close()


async def trials(bench: Bench, options: argparse.Namespace) -> None:
    await bench.first_s("Warm up.", "Say yes.", tools=False)
    costs: list[float] = []
    print(f"{'trial':>5} {'idle: first':>12} {'middle: first':>14} {'cost':>8}")
    for number in range(options.trials):
        idle, _ = await bench.first_s(f"Short {number}.", f"Question {number} of the idle engine?", tools=False)
        await bench.open(rules(number, options.tokens))
        await asyncio.sleep(options.wait)
        middle, _ = await bench.first_s(f"Other {number}.", f"Question {number} amid its work?", tools=False)
        await bench.quiet()
        costs.append(middle - idle)
        print(f"{number:5} {idle:11.3f}s {middle:13.3f}s {(middle - idle) * 1000:6.0f}ms", flush=True)
    print(f"cost: median {statistics.median(costs) * 1000:.0f} ms, most {max(costs) * 1000:.0f} ms")
    cold, computed = await bench.first_s(rules(100, options.tokens), "Explain it", tools=True)
    began = time.monotonic()
    await bench.open(rules(101, options.tokens))
    await bench.quiet()
    took = time.monotonic() - began
    warm, left = await bench.first_s(rules(101, options.tokens), "Explain it", tools=True)
    print(
        f"first request: cold {cold:.2f} s ({computed} tokens behind its prefix), warmed {warm:.2f} s ({left} tokens)"
    )
    print(f"the warming took {took:.2f} s in the background")


def main() -> None:
    """Run, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="demo")
    parser.add_argument("--tokens", type=int, default=2000)
    parser.add_argument("--context", type=int, default=8192, help="the window, which holds two openings")
    parser.add_argument("--trials", type=int, default=5)
    parser.add_argument("--wait", type=float, default=1.0)
    parser.add_argument("--server", default="", help="an installed llama-server in place of the embedded llama.cpp")
    options = parser.parse_args()
    print(f"model {options.model}, openings of about {options.tokens} tokens, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(find_model(options.model, Path(folder)), Path(folder), options))
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
