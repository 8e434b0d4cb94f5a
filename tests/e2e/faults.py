"""A faulty upstream before our shim, and one real agent run against it: what it asked, how it ended, what it said."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer
from tests.e2e.conftest import AGENTS, Home
from tests.shim.doubles import DONE, STARTED, TOKEN, USAGE, OneSession, chunk, make_session, serving

from agentlaunch.agents.base import load_agent
from agentlaunch.core.launch_environment import launch_environment
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan
from agentlaunch.shim.answer import KeepAlive
from agentlaunch.shim.application import build_application
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.upstream import UpstreamClient

SIGNS_OF_LIFE = KeepAlive(after_s=1.0, every_s=1.0)
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "claude": ("-p", "hi", "--allowedTools", "Bash"),
    "codex": ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "hi"),
    "opencode": ("run", "hi"),
}
SAID = "All is well again."
GENEROUS_S = 150.0
OURS_MS = 3_600_000
"""What our launches tell each agent to wait."""


@dataclass(frozen=True)
class Answer:
    """What the upstream does with one request: a body in pieces with a silence among them, then its end or a cut."""

    pieces: tuple[bytes, ...] = ()
    status: int = 200
    content_type: str = "text/event-stream"
    headers: tuple[tuple[str, str], ...] = ()
    silent_s: float = 0.0
    silent_before: int = 0
    """The piece that the silence comes before; 0: the headers have gone out, and nothing else."""
    is_cut: bool = False

    def reply(self) -> HttpReply:
        """As the double's server sends it."""
        return HttpReply(self.status, self._body(), self.content_type, self.headers)

    async def _body(self) -> AsyncIterator[bytes]:
        for number, piece in enumerate(self.pieces):
            await asyncio.sleep(self.silent_s if number == self.silent_before else 0)
            yield piece
        if self.is_cut:
            raise Cut


def refusal(status: int, message: str, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    """An error in OpenAI's form."""
    body = json.dumps({"error": {"message": message, "type": "x"}}).encode()
    return Answer((body,), status, "application/json", headers)


def text(*pieces: bytes, finish: str | None = "stop") -> Answer:
    """A stream of these frames and its end, without which where `finish` is None."""
    end = () if finish is None else (chunk({}, finish, USAGE),)
    return Answer((STARTED, *pieces, *end, DONE))


GOOD = text(chunk({"content": SAID}))


@dataclass
class Faulty:
    """Gives these answers, one a request, then the last one for ever."""

    answers: Sequence[Answer]
    bodies: list[dict[str, object]] = field(default_factory=list)

    async def answer(self, request: HttpRequest) -> HttpReply:
        self.bodies.append(json.loads(request.body))
        answer = self.answers[min(len(self.bodies), len(self.answers)) - 1]
        if answer.is_cut and not answer.pieces:
            raise Cut
        return answer.reply()


@dataclass(frozen=True)
class Run:
    """One run of an agent. `code` is None for one that was still trying when its time was over."""

    code: int | None
    requests: tuple[dict[str, object], ...]
    said: str

    def results(self) -> list[str]:
        """What the agent told the model of its calls, in the last request."""
        messages = self.requests[-1]["messages"]
        assert isinstance(messages, list)
        return [json.dumps(message["content"]) for message in messages if message["role"] == "tool"]


@dataclass(frozen=True)
class Patience:
    """How long the agent may run after its first request, in seconds; how long it waits for an event, milliseconds."""

    limit_s: float = GENEROUS_S
    event_ms: int = OURS_MS


def run_agent(home: Home, agent: str, answers: Sequence[Answer], patience: Patience = Patience()) -> Run:
    """Run the agent to its end, or until its time is over, before an upstream that gives `answers`."""
    upstream = Faulty(answers)
    with HttpServer(upstream.answer).running() as server:
        code, said = asyncio.run(_run(home, agent, upstream, server.url, patience))
    return Run(code, tuple(upstream.bodies), said)


async def _run(home: Home, agent: str, faulty: Faulty, url: str, patience: Patience) -> tuple[int | None, str]:
    upstream = UpstreamClient()
    # Ids of its own for each answer: Claude Code takes answers of one id for pieces of one message.
    options = RelayOptions(keep_alive=SIGNS_OF_LIFE)
    application = build_application(OneSession(make_session(url)), upstream, options=options)
    try:
        async with serving(application) as shim_url:
            plan = _plan(home, agent, shim_url, patience.event_ms)
            with (home.path / "output").open("w+b") as output:
                process = await asyncio.create_subprocess_exec(
                    *plan.argv,
                    cwd=home.project,
                    env=launch_environment(home.environment(), plan),
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
                code = await _ended(process, faulty, patience.limit_s)
                output.seek(0)
                return code, output.read().decode("utf-8", "replace")
    finally:
        await upstream.aclose()


def _plan(home: Home, agent: str, url: str, event_ms: int) -> LaunchPlan:
    """The launch's plan, its files written, with `event_ms` in place of the hour that we give every agent."""
    context = AgentContext(
        str(AGENTS / agent), url, TOKEN, "local-model", 65_536, 4_096, False, str(home.path), ARGUMENTS[agent]
    )
    plan = load_agent(agent).plan(context)
    told = [*plan.argv, *plan.env.values(), *(file.content for file in plan.files)]
    ours, theirs = str(OURS_MS), str(event_ms)
    assert any(ours in word for word in told), "the plan has no time-out of ours"
    for file in plan.files:
        Path(file.path).write_text(file.content.replace(ours, theirs), "utf-8")
    argv = tuple(word.replace(ours, theirs) for word in plan.argv)
    return replace(plan, argv=argv, env={name: value.replace(ours, theirs) for name, value in plan.env.items()})


async def _ended(process: asyncio.subprocess.Process, faulty: Faulty, limit_s: float) -> int | None:
    try:
        async with asyncio.timeout(GENEROUS_S):
            while not faulty.bodies and process.returncode is None:  # noqa: ASYNC110 - two threads and a process
                await asyncio.sleep(0.05)
        return await asyncio.wait_for(process.wait(), limit_s)
    except TimeoutError:
        return None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def call(name: str, arguments: str, call_id: str = "call_1", index: int = 0) -> bytes:
    """A frame with a whole call."""
    function = {"name": name, "arguments": arguments}
    return chunk({"tool_calls": [{"index": index, "id": call_id, "type": "function", "function": function}]})


def calls(*frames: bytes) -> Answer:
    """An answer of calls."""
    return text(*frames, finish="tool_calls")
