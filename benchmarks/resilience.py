"""Kill -9 of engines and of upstreams during sessions of the real agents: how many were lost, and why.

    python benchmarks/resilience.py                           100 kills of the engine, then 100 of an upstream
    python benchmarks/resilience.py --what engine --kills 5   a short one

An agent's session writes three files in three turns on the scripted model, which the real llama.cpp runs; meanwhile the
process is killed again and again at random moments. `engine`: the child of the shim; the shim has to bring it back.
`upstream`: one of two `agentlaunch serve`, never both at once; it is started again at its port as a supervisor would.

A session is lost when the agent ends with an error, does not end, or has a file wrong. A lost session counts as ours
when one of its requests had failed before anything of its answer was sent: a retry could have saved that one. Behind
the first words only the agent itself can ask again. The exit code is 1 when a session of the first kind was lost.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import psutil
from machine import describe_machine

from agentlaunch.core.scripted_gguf import Call, Script, Turn, scripted_gguf

What = Literal["engine", "upstream"]

WINDOW = 65536
SESSION_LIMIT_S = 240
PAUSES_S = (0.3, 5.0)
"""Between a process that is ready (again) and its next kill: from before a request to after several."""
BOOKS_S = 0.5
"""The books are written that much later at most (system/usage_recorder.py gathers for 0.2 s)."""
FALLBACKS_SHARE = 0.25
"""The part of the kills that the fallback gets."""
FILES = {f"part{number}.txt": f"these are the words of part {number}\n" for number in (1, 2, 3)}
ARGUMENTS: dict[str, tuple[str, ...]] = {
    "claude": ("-p", "Write the three parts", "--allowedTools", "Write"),
    "codex": ("exec", "-s", "workspace-write", "--skip-git-repo-check", "Write the three parts"),
    "opencode": ("run", "Write the three parts"),
}
AGENTS_FOLDER = Path(__file__).parent.parent / "tests" / "agents_pinned" / "node_modules" / ".bin"


def script_for(agent: str, project: Path) -> Script:
    """What the model answers this agent: a file in each turn, by the agent's own tool."""
    turns: list[Turn] = []
    for name, content in FILES.items():
        path = str(project / name)
        match agent:
            case "claude":
                call = Call("Write", {"file_path": path, "content": content})
            case "codex":
                call = Call("exec_command", {"cmd": f"cat > {name} <<'EOF'\n{content}EOF"})
            case _:
                call = Call("write", {"content": content, "filePath": path})
        turns.append(Turn(text=f"Now {name} is written by me.", calls=(call,)))
    return Script(turns=tuple(turns), final=Turn(text="The three parts are there."))


@dataclass(frozen=True)
class Home:
    """A user's home; what runs in it gets nothing of this process's environment."""

    path: Path

    def environment(self) -> dict[str, str]:
        node = shutil.which("node")
        if node is None:
            raise SystemExit("Node is missing")
        folders = [str(AGENTS_FOLDER), str(Path(node).parent), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
        return {
            "PATH": os.pathsep.join(folders),
            "HOME": str(self.path),
            "AGENTLAUNCH_HOME": str(self.path / "agentlaunch"),
            "UPSTREAM_KEY": "benchmark-key",
            "IS_SANDBOX": "1",
            "TERM": "xterm",
            "LANG": "C.UTF-8",
        }

    def run(
        self, *arguments: str, folder: Path | None = None, limit_s: float = 120
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "agentlaunch", *arguments],
            cwd=folder or self.path,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit_s,
            check=False,
        )

    def requests(self) -> list[dict[str, object]]:
        """The requests of all sessions in this home, oldest first."""
        told = self.run("usage", "--requests", "--json", "--limit", "0")
        if told.returncode:
            raise SystemExit(f"`agentlaunch usage` failed: {told.stderr}")
        found: list[dict[str, object]] = json.loads(told.stdout)["data"]["requests"]
        return found


# --- what is killed ------------------------------------------------------------------------------------------------


class Engine:
    """The engine of the shim in this home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._killed: set[int] = set()

    def kill(self) -> bool:
        """Kill it where one is running; whether there was one that was not killed before."""
        state = self._home.path / "agentlaunch" / "state" / "shim.json"
        try:
            shim = psutil.Process(json.loads(state.read_text())["pid"])
            engines = [child for child in shim.children() if child.pid not in self._killed]
        except (OSError, ValueError, psutil.NoSuchProcess):
            return False
        for engine in engines:
            self._killed.add(engine.pid)
            engine.kill()
        return bool(engines)

    def mend(self) -> None:
        """The shim does."""

    def settle(self) -> None:
        """End the shim: the next session meets one that has seen no crash, or the pauses before a restart add up."""
        self._home.run("stop", "--yes")


class Upstreams:
    """Two `agentlaunch serve` on one model; at most one is down."""

    def __init__(self, folder: Path, model: Path, chance: random.Random) -> None:
        self._model = model
        self._chance = chance
        self.homes = [Home(folder / name) for name in ("a", "b")]
        self.ports = [_free_port() for _ in self.homes]
        self._running = [self._start(index) for index in (0, 1)]
        self._down: int | None = None

    def _start(self, index: int) -> subprocess.Popen[bytes]:
        home = self.homes[index]
        home.path.mkdir(exist_ok=True)
        argv = [
            sys.executable, "-m", "agentlaunch", "serve", "--model", str(self._model), "--context", str(WINDOW),
            "--port", str(self.ports[index]), "--force", "--json",
        ]  # fmt: skip
        environment = home.environment() | {"AGENTLAUNCH_TOKEN": "benchmark-key"}
        log = (home.path / "serve.log").open("ab")
        process = subprocess.Popen(argv, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        if not _answers(self.ports[index], process):
            raise SystemExit(f"an upstream does not start: {(home.path / 'serve.log').read_text()[-2000:]}")
        return process

    def kill(self) -> bool:
        """Kill one of the two, most often the one that is asked first."""
        self._down = int(self._chance.random() < FALLBACKS_SHARE)
        self._running[self._down].kill()
        self._running[self._down].wait()
        return True

    def mend(self) -> None:
        """Start the killed one again at its port."""
        if self._down is not None:
            self._running[self._down] = self._start(self._down)
            self._down = None

    def settle(self) -> None:
        """Both are up again already."""

    def close(self) -> None:
        for process in self._running:
            process.terminate()
            process.wait(60)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int, process: subprocess.Popen[bytes], limit_s: float = 60) -> bool:
    deadline = time.monotonic() + limit_s
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.02)
    return False


@contextmanager
def killing(victim: Engine | Upstreams, limit: int, chance: random.Random) -> Iterator[list[float]]:
    """Kill it at random moments until the block ends; gives the moments, in seconds from the block's start."""
    kills: list[float] = []
    is_over = threading.Event()
    start = time.monotonic()

    def work() -> None:
        while len(kills) < limit and not is_over.wait(chance.uniform(*PAUSES_S)):
            if victim.kill():
                kills.append(time.monotonic() - start)
                victim.mend()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield kills
    finally:
        is_over.set()
        thread.join()


# --- sessions ------------------------------------------------------------------------------------------------------


@dataclass
class Tally:
    """What became of an agent's sessions; `lost` are the ones that a retry could have saved, with what was wrong."""

    sessions: int = 0
    kills: int = 0
    requests: int = 0
    moved: int = 0
    failed: int = 0
    cut: int = 0
    seconds: float = 0.0
    lost: list[str] = field(default_factory=list)
    lost_behind_words: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Bench:
    """One agent before what is killed."""

    agent: str
    home: Home
    model: tuple[str, ...]
    victim: Engine | Upstreams
    chance: random.Random

    @property
    def project(self) -> Path:
        return self.home.path / "project"

    def session(self, tally: Tally, limit: int) -> None:
        """One session with at most `limit` kills, counted into `tally`."""
        for name in FILES:
            (self.project / name).unlink(missing_ok=True)
        known = len(self.home.requests())
        started = time.monotonic()
        with killing(self.victim, limit, self.chance) as kills:
            wrong = self._run()
        time.sleep(BOOKS_S)
        self.victim.settle()
        rows = self.home.requests()[known:]
        failed = [row for row in rows if row["status"] not in ("ok", "cancelled")]
        cut = [row for row in failed if row["first_byte_ms"] is not None]
        tally.sessions += 1
        tally.kills += len(kills)
        tally.requests += len(rows)
        tally.moved += sum(int(str(row["attempts"])) > 1 for row in rows)
        tally.failed += len(failed) - len(cut)
        tally.cut += len(cut)
        tally.seconds += time.monotonic() - started
        if wrong:
            is_ours = len(failed) > len(cut) or not cut
            (tally.lost if is_ours else tally.lost_behind_words).append(f"{wrong} {_brief(failed)}")

    def _run(self) -> str:
        """The agent to its end; what is wrong then, empty when all is well."""
        arguments = (self.agent, *self.model, "--quiet", "--", *ARGUMENTS[self.agent])
        try:
            ended = self.home.run(*arguments, folder=self.project, limit_s=SESSION_LIMIT_S)
        except subprocess.TimeoutExpired:
            return f"did not end within {SESSION_LIMIT_S} s"
        if ended.returncode:
            return f"ended with {ended.returncode}: {(ended.stdout + ended.stderr).strip()[-300:]}"
        for name, content in FILES.items():
            path = self.project / name
            found = path.read_text() if path.exists() else None
            if found != content:
                return f"{name} is {found!r}"
        return ""


def _brief(failed: Sequence[dict[str, object]]) -> str:
    return "; ".join(f"{row['status']} at {row['upstream']}, first byte {row['first_byte_ms']}" for row in failed)


@contextmanager
def bench(what: What, agent: str, folder: Path, chance: random.Random) -> Iterator[Bench]:
    """A fresh home with the agent, a shim, and what will be killed."""
    home = Home(folder / f"{what}-{agent}")
    project = home.path / "project"
    project.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", str(project)], check=True)
    model = home.path / "scripted.gguf"
    model.write_bytes(scripted_gguf(script_for(agent, project)))
    with ExitStack() as stack:
        stack.callback(lambda: home.run("stop", "--yes"))
        if what == "engine":
            order = ("--model", str(model), "--context", str(WINDOW))
            yield Bench(agent, home, order, Engine(home), chance)
            return
        upstreams = Upstreams(home.path, model, chance)
        stack.callback(upstreams.close)
        for name, port in zip("ab", upstreams.ports, strict=True):
            home.run(
                "upstream", "add", name, "--kind", "openai", "--url", f"http://127.0.0.1:{port}", "--model", "scripted",
                "--key-env", "UPSTREAM_KEY", "--context", str(WINDOW),
            )  # fmt: skip
        yield Bench(agent, home, ("--upstream", "a", "--fallback", "b"), upstreams, chance)


def kill_and_count(what: What, agent: str, kills: int, deadline: float, chance: random.Random) -> Tally:
    """Sessions of one agent until so many kills were made or the time is up."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder, bench(what, agent, Path(folder), chance) as made:
        made.home.run(agent, *made.model, "--quiet", "--", *ARGUMENTS[agent], folder=made.project, limit_s=240)  # warm
        while tally.kills < kills and time.monotonic() < deadline:
            made.session(tally, kills - tally.kills)
    return tally


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--what", choices=("engine", "upstream"), action="append")
    parser.add_argument("--agent", choices=tuple(ARGUMENTS), action="append")
    parser.add_argument("--kills", type=int, default=100, help="of each kind, shared by the agents")
    parser.add_argument("--minutes", type=float, default=30, help="after which no session begins")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    agents = options.agent or list(ARGUMENTS)
    deadline = time.monotonic() + options.minutes * 60
    print(describe_machine())
    print(f"seed {options.seed}; a kill {PAUSES_S[0]} to {PAUSES_S[1]} s after the process is ready")
    lost = 0
    for what in options.what or ("engine", "upstream"):
        print(f"\n{what:9} sessions  kills  requests  asked again  failed  cut off  lost  lost behind words  s/session")
        for place, agent in enumerate(agents):
            share = options.kills // len(agents) + (place < options.kills % len(agents))
            chance = random.Random(f"{options.seed} {what} {agent}")
            tally = kill_and_count(what, agent, share, deadline, chance)
            print(
                f"{agent:9} {tally.sessions:8} {tally.kills:6} {tally.requests:9} {tally.moved:12} {tally.failed:7}"
                f" {tally.cut:8} {len(tally.lost):5} {len(tally.lost_behind_words):18}"
                f" {tally.seconds / max(1, tally.sessions):10.1f}",
                flush=True,
            )
            for why in (*tally.lost, *tally.lost_behind_words):
                print(f"    {why}")
            lost += len(tally.lost)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
