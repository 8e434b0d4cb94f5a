"""Real `agentlaunch serve` processes for tests: each in a home of its own, killed like any other server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.shim.doubles import PATHS, read_events, request_body

from agentlaunch.core.ir import ChatEvent

TOKEN = "a-token-of-the-tests"
WINDOW = 65536
GENEROUS_S = 120.0
READ_FILE = {
    "name": "read_file",
    "description": "Reads a file.",
    "parameters": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
}
"""A tool, in the form of Chat's `function`."""


@dataclass(frozen=True)
class Served:
    """A running server; `home` is its AGENTLAUNCH_HOME and `process` may be killed."""

    url: str
    home: Path
    process: subprocess.Popen[str] = field(repr=False)

    def ask(self, wire: str = "openai_chat", *, stream: bool = True, **extra: object) -> httpx.Response:
        body = request_body(wire, stream=stream, **extra)
        headers = {"authorization": f"Bearer {TOKEN}"}
        return httpx.post(self.url + PATHS[wire], headers=headers, json=body, trust_env=False, timeout=GENEROUS_S)

    def events(self, wire: str = "openai_chat", **extra: object) -> list[ChatEvent]:
        """What a streamed answer says."""
        reply = self.ask(wire, **extra)
        assert reply.status_code == 200, reply.text
        return read_events(wire, reply.content)

    def rows(self, count: int = 0) -> list[dict[str, object]]:
        """Its requests as `usage` tells them, oldest first, once there are `count`: the books are a moment behind."""
        deadline = time.monotonic() + GENEROUS_S
        while True:
            told = agentlaunch(self.home, "usage", "--requests", "--json", "--limit", "0")
            found: list[dict[str, object]] = json.loads(told)["data"]["requests"]
            if len(found) >= count or time.monotonic() > deadline:
                return found
            time.sleep(0.2)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()
        self.process.wait(30)


def tools_of(wire: str) -> dict[str, object]:
    """The fields of a request that offer READ_FILE on this wire."""
    match wire:
        case "anthropic_messages":
            schema = {"name": READ_FILE["name"], "description": "Reads.", "input_schema": READ_FILE["parameters"]}
            return {"tools": [schema]}
        case "openai_responses":
            return {"tools": [{"type": "function", **READ_FILE}]}
        case _:
            return {"tools": [{"type": "function", "function": READ_FILE}]}


def clean_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """What our programs get: nothing of whoever runs the tests."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(home),
        "AGENTLAUNCH_HOME": str(home),
        "LANG": "C.UTF-8",
        **(more or {}),
    }


def agentlaunch(home: Path, *arguments: str, more: Mapping[str, str] | None = None) -> str:
    """Run our command to its end; its stdout."""
    home.mkdir(parents=True, exist_ok=True)
    ended = subprocess.run(
        [sys.executable, "-m", "agentlaunch", *arguments],
        cwd=home,
        env=clean_environment(home, more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=GENEROUS_S,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@contextmanager
def serving(home: Path, *arguments: str, more: Mapping[str, str] | None = None, port: int = 0) -> Iterator[Served]:
    """`agentlaunch serve` with these arguments until the block ends."""
    home.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "agentlaunch", "serve", *arguments, "--port", str(port), "--json"]
    environment = clean_environment(home, {"AGENTLAUNCH_TOKEN": TOKEN, **(more or {})})
    errors = home / "serve.stderr"
    with (
        errors.open("ab") as log,
        subprocess.Popen(
            argv, cwd=home, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line.startswith('{"url"'), line + process.stdout.read() + errors.read_text()
            yield Served(json.loads(line)["url"], home, process)
        finally:
            process.terminate()
            process.wait(60)


@contextmanager
def engine(home: Path, model: Path, port: int = 0) -> Iterator[Served]:
    """`serve` on a model file, which the real llama.cpp runs."""
    with serving(home, "--model", str(model), "--context", str(WINDOW), "--force", port=port) as served:
        yield served
