"""What is installed here: agents and runtimes with their versions, found without starting or importing any of them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from agentlaunch.agents.base import AGENTS, load_agent
from agentlaunch.agents.command import Completed
from agentlaunch.agents.locate import locate_agent, parse_version

if TYPE_CHECKING:
    from agentlaunch.system.dirs import Dirs

State = Literal["running", "installed", "missing"]

ANSWER_LIMIT_S = 0.05
"""A server on this machine accepts within a millisecond; a busy one is not waited for."""
_ANSWER_PARTS = 16
OLLAMA_PORT, LM_STUDIO_PORT = 11434, 1234
_LOOPBACK = "127.0.0.1"


@dataclass(frozen=True)
class InstalledAgent:
    """An agent on this machine. `version` is empty where only the program itself could tell."""

    name: str
    title: str
    path: str
    version: str


@dataclass(frozen=True)
class FoundRuntime:
    """A runtime. `version` is empty when it is not known, `url` when it does not run."""

    name: str
    title: str
    state: State
    version: str = ""
    url: str = ""


def find_agents(environment: Mapping[str, str], dirs: Dirs) -> tuple[InstalledAgent, ...]:
    """The installed ones of our agents. None is started: a version that no file tells stays unknown."""
    found = []
    for name in AGENTS:
        agent = load_agent(name)
        located = locate_agent(agent, environment, dirs, _not_started)
        if located is not None:
            version = located.version_text or _version_in_path(located.path)
            found.append(InstalledAgent(name, agent.title, located.path, version))
    return tuple(found)


def find_runtimes(environment: Mapping[str, str]) -> tuple[FoundRuntime, ...]:
    """Every runtime that we know, installed or not. The only connections are to ports of this machine."""
    return (_embedded(), _llama_server(environment), _ollama(environment), _lm_studio(environment))


def _not_started(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
    """Stands for running a program: `--version` of an agent takes up to 0.6 s."""
    del argv, environment, timeout_s
    return Completed(None, "", "")


def _version_in_path(path: str) -> str:
    """Installers keep a program under its version: `.../versions/2.1.331`, `Caskroom/codex/0.169.0/`."""
    with suppress(OSError):
        for part in reversed(Path(path).resolve().parts):
            version = parse_version(part)
            if version is not None:
                return ".".join(str(number) for number in version)
    return ""


def _embedded() -> FoundRuntime:
    spec = find_spec("xllamacpp")
    if spec is None or spec.origin is None:
        return FoundRuntime("llamacpp", "llama.cpp", "missing")
    # importlib.metadata would tell as well, after 20 ms of imports.
    infos = Path(spec.origin).parent.parent.glob("xllamacpp-*.dist-info")
    version = next((info.name.removesuffix(".dist-info").partition("-")[2] for info in infos), "")
    return FoundRuntime("llamacpp", "llama.cpp", "installed", version)


def _llama_server(environment: Mapping[str, str]) -> FoundRuntime:
    there = _on_path("llama-server", environment)
    return FoundRuntime("llama-server", "llama-server", "installed" if there else "missing")


def _ollama(environment: Mapping[str, str]) -> FoundRuntime:
    """Asked for its version where it listens on this machine; an OLLAMA_HOST elsewhere is not asked."""
    port = _own_port(environment.get("OLLAMA_HOST", ""))
    answer = None if port is None else _ask(port, "/api/version")
    if answer is not None:
        version = answer.get("version")
        known = version if isinstance(version, str) else ""
        return FoundRuntime("ollama", "Ollama", "running", known, f"http://{_LOOPBACK}:{port}")
    return FoundRuntime("ollama", "Ollama", "installed" if _on_path("ollama", environment) else "missing")


def _lm_studio(environment: Mapping[str, str]) -> FoundRuntime:
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "~").expanduser()
    program = home / ".lmstudio" / "bin" / "lms"
    there = _on_path("lms", environment) or program.is_file() or program.with_suffix(".exe").is_file()
    if not there:
        return FoundRuntime("lmstudio", "LM Studio", "missing")
    if _ask(LM_STUDIO_PORT, "/v1/models") is None:
        return FoundRuntime("lmstudio", "LM Studio", "installed")
    return FoundRuntime("lmstudio", "LM Studio", "running", "", f"http://{_LOOPBACK}:{LM_STUDIO_PORT}")


def _on_path(program: str, environment: Mapping[str, str]) -> bool:
    return shutil.which(program, path=environment.get("PATH", "")) is not None


def _own_port(host: str) -> int | None:
    """The port of an OLLAMA_HOST that means this machine; None for another's, or for one that cannot be read."""
    if not host.strip():
        return OLLAMA_PORT
    from agentlaunch.errors import UserError
    from agentlaunch.runtimes.ollama_address import parse_address

    try:
        address = parse_address(host)
    except UserError:
        return None
    if not address.is_local:
        return None
    port = address.base_url.rpartition(":")[2].partition("/")[0]
    return int(port) if port.isdecimal() else None


def _ask(port: int, path: str) -> Mapping[str, object] | None:
    """The JSON object that a server on this machine answers, None for anything else. No client library: 100 ms."""
    import socket

    request = f"GET {path} HTTP/1.0\r\nHost: {_LOOPBACK}:{port}\r\n\r\n".encode()
    try:
        with socket.create_connection((_LOOPBACK, port), ANSWER_LIMIT_S) as connection:
            connection.sendall(request)
            parts = (connection.recv(65536) for _ in range(_ANSWER_PARTS))
            answer = b"".join(takewhile(bool, parts))
        content: object = json.loads(answer.partition(b"\r\n\r\n")[2])
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
