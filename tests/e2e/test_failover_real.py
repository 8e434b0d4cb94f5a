"""The real agents go on at the second upstream when the first is killed, whenever that happens; the real llama.cpp."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import httpx
import pytest
from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer
from tests.e2e.conftest import Home
from tests.e2e.serving import TOKEN, WINDOW, Served, engine

from agentlaunch.core.scripted_gguf import Call, Script, Turn

pytestmark = [
    pytest.mark.real,
    pytest.mark.timeout(600),
    pytest.mark.skipif(sys.platform == "win32", reason="stops and kills processes by signals"),
]

ROOT = Path(__file__).parents[2]
Moment = Literal["never", "between turns", "asked", "answering"]
MOMENTS: tuple[Moment, ...] = ("between turns", "asked", "answering")
NAMES = ("one.txt", "two.txt", "three.txt")
CONTENT = "some words of a file\n"
NOTICE = "answers in place of"
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "claude": ("-p", "Write them", "--allowedTools", "Write", "--output-format", "stream-json", "--verbose"),
    "codex": ("exec", "-s", "workspace-write", "--skip-git-repo-check", "--json", "Write them"),
    "opencode": ("run", "--format", "json", "Write them"),
}


def script_for(agent: str, project: Path) -> Script:
    """A file in each turn, by the agent's own tool."""
    turns: list[Turn] = []
    for name in NAMES:
        match agent:
            case "claude":
                call = Call("Write", {"file_path": str(project / name), "content": CONTENT})
            case "codex":
                call = Call("exec_command", {"cmd": f"cat > {name} <<'EOF'\n{CONTENT}EOF"})
            case _:
                call = Call("write", {"content": CONTENT, "filePath": str(project / name)})
        turns.append(Turn(text=f"I am about to write the file {name}.", calls=(call,)))
    return Script(turns=tuple(turns), final=Turn(text="The files are written."))


@dataclass
class Gate:
    """The way to an upstream, which keeps what has passed and kills the upstream in the turn that follows `NAMES[0]`.

    `between turns`: before anything of the request is there. `asked`: the upstream has all of the request and has said
    nothing. `answering`: the client has got a piece of the text. After that the upstream's port is closed, and
    connections here are dropped.
    """

    upstream: Served
    moment: Moment
    passed: list[HttpRequest] = field(default_factory=list)
    is_killed: bool = False

    @contextmanager
    def running(self) -> Iterator[str]:
        with HttpServer(self.answer).running() as server:
            yield server.url

    @property
    def conversations(self) -> list[str]:
        """The calls that each request has told of."""
        return [_calls(request) for request in self.passed]

    async def answer(self, request: HttpRequest) -> HttpReply:
        moment = self.moment if _has_written(request, 1) else "never"
        if moment == "between turns":
            self.kill()
        if self.is_killed:
            raise Cut
        self.passed.append(request)
        if moment == "asked":
            await self._ask_in_vain(request)
        client = httpx.AsyncClient(trust_env=False, timeout=None)  # noqa: S113 - the agent's patience counts
        headers = {name: request.headers[name] for name in ("authorization", "content-type") if name in request.headers}
        url = self.upstream.url + request.path
        sent = client.build_request(request.method, url, headers=headers, content=request.body)
        response = await client.send(sent, stream=True)
        body = self._frames(client, response, kills=moment == "answering")
        return HttpReply(response.status_code, body, response.headers["content-type"])

    async def _ask_in_vain(self, request: HttpRequest) -> None:
        """Give the whole request to an upstream that was stopped and then is killed. Raises Cut."""
        self.upstream.process.send_signal(signal.SIGSTOP)
        parts = urlsplit(self.upstream.url)
        _, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"POST {request.path} HTTP/1.1\r\nhost: {parts.netloc}\r\ncontent-length: {len(request.body)}\r\n\r\n"
        writer.write(head.encode() + request.body[:100_000])
        await asyncio.sleep(0)
        self.kill()
        writer.close()
        raise Cut

    async def _frames(
        self, client: httpx.AsyncClient, response: httpx.Response, *, kills: bool
    ) -> AsyncIterator[bytes]:
        rest = b""
        async for piece in response.aiter_raw():
            *frames, rest = (rest + piece).split(b"\n\n")
            for frame in frames:
                yield frame + b"\n\n"
                if kills and b"about" in frame:
                    self.kill()
                    raise Cut
        if rest:
            yield rest
        await client.aclose()

    def kill(self) -> None:
        if not self.is_killed:
            self.is_killed = True
            self.upstream.kill()


def _calls(request: HttpRequest) -> str:
    """The arguments of the calls in a conversation."""
    if request.method != "POST":
        return ""
    return json.dumps([message.get("tool_calls") for message in json.loads(request.body)["messages"]])


def _has_written(request: HttpRequest, count: int) -> bool:
    """Whether this is the turn after so many files."""
    told = _calls(request)
    return all((name in told) is (place < count) for place, name in enumerate(NAMES))


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("agent", ARGUMENTS)
def test_a_session_goes_on_at_the_second_upstream_and_its_user_is_told_once(
    home: Home, tmp_path: Path, scripted_model: Callable[[Script], Path], agent: str, moment: Moment
) -> None:
    model = scripted_model(script_for(agent, home.project))
    with engine(tmp_path / "first", model) as first, engine(tmp_path / "second", model) as second:
        gates = Gate(first, moment), Gate(second, "never")
        with gates[0].running() as first_url, gates[1].running() as second_url:
            add(home, "first", first_url)
            add(home, "second", second_url)
            ended = home.run(agent, "--upstream", "first", "--fallback", "second", "--quiet", "--", *ARGUMENTS[agent])
    said = ended.stdout + ended.stderr
    assert ended.returncode == 0, said
    assert [(home.project / name).read_text() for name in NAMES] == [CONTENT] * 3
    before, after = (gate.conversations for gate in gates)
    assert gates[0].is_killed
    assert not any(NAMES[1] in calls for calls in before)
    assert any(NAMES[0] in calls and NAMES[1] not in calls for calls in after)
    assert any(NAMES[2] in calls for calls in after)
    assert said.count(NOTICE) == 1, said


def add(home: Home, name: str, url: str) -> None:
    """Store an upstream, with its key in a file of the user's."""
    key = home.path / "key"
    key.write_text(TOKEN)
    key.chmod(0o600)
    known = ("--kind", "openai", "--url", url, "--model", "scripted", "--key-file", str(key), "--context", str(WINDOW))
    added = home.run("upstream", "add", name, *known)
    assert added.returncode == 0, added.stderr


@pytest.mark.parametrize("what", ["engine", "upstream"])
def test_no_session_is_lost_that_a_retry_could_save_while_processes_are_killed(what: str) -> None:
    program = ROOT / "benchmarks" / "resilience.py"
    ended = subprocess.run(
        [sys.executable, str(program), "--what", what, "--kills", "6", "--minutes", "5"],
        capture_output=True,
        text=True,
        timeout=560,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
