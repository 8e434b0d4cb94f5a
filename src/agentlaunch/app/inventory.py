"""What is installed here: agents and runtimes with their versions, found without starting or importing any of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

from agentlaunch.agents.base import AGENTS, load_agent
from agentlaunch.agents.command import Completed
from agentlaunch.agents.locate import locate_agent, parse_version
from agentlaunch.probes.servers.finding import ANSWER_LIMIT_S, LOOPBACK, ask
from agentlaunch.runtimes.llama_package import package_folder, package_version
from agentlaunch.system.programs import find_program

if TYPE_CHECKING:
    from agentlaunch.core.served_model import ServedModel
    from agentlaunch.probes.servers.finding import RunningServer
    from agentlaunch.system.dirs import Dirs

State = Literal["running", "installed", "missing"]

OLLAMA_PORT = 11434


@dataclass(frozen=True)
class InstalledAgent:
    """An agent on this machine. `version` is empty where only the program itself could tell."""

    name: str
    title: str
    path: str
    version: str


@dataclass(frozen=True)
class FoundRuntime:
    """A runtime. `version` is empty when it is not known, `url` when it does not run; `models` are a server's own."""

    name: str
    title: str
    state: State
    version: str = ""
    url: str = ""
    models: tuple[ServedModel, ...] = ()


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
    """The runtimes that we start or know the programs of, installed or not, then the other servers that run.

    The only connections are to ports of this machine. Raises UserError `bad-servers`.
    """
    from agentlaunch.app.running_servers import running_servers

    running = {server.kind.name: _running(server) for server in running_servers(environment)}
    studio = running.pop("lmstudio", None) or _lm_studio(environment)
    return (_embedded(), _llama_server(environment), find_ollama(environment), studio, *running.values())


def _running(server: RunningServer) -> FoundRuntime:
    kind, facts = server.kind, server.facts
    return FoundRuntime(kind.name, kind.title, "running", facts.version, server.url, facts.models)


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
    state: State = "missing" if package_folder() is None else "installed"
    return FoundRuntime("llamacpp", "llama.cpp", state, package_version() or "")


def _llama_server(environment: Mapping[str, str]) -> FoundRuntime:
    """The one that a launch would start; a variable that names no program is `doctor`'s to tell."""
    from agentlaunch.errors import UserError
    from agentlaunch.runtimes import llama_builds

    try:
        there = llama_builds.find_program(environment) is not None
    except UserError:
        there = False
    return FoundRuntime("llama-server", "llama-server", "installed" if there else "missing")


def find_ollama(environment: Mapping[str, str]) -> FoundRuntime:
    """Asked for its version where it listens on this machine; an OLLAMA_HOST elsewhere is not asked."""
    port = _own_port(environment.get("OLLAMA_HOST", ""))
    answer = None if port is None else ask(port, "/api/version", monotonic() + ANSWER_LIMIT_S)
    match None if answer is None else answer.content:
        case {"version": str(version)}:
            return FoundRuntime("ollama", "Ollama", "running", version, f"http://{LOOPBACK}:{port}")
    return FoundRuntime("ollama", "Ollama", "installed" if _on_path("ollama", environment) else "missing")


def _lm_studio(environment: Mapping[str, str]) -> FoundRuntime:
    home = Path(environment.get("HOME") or environment.get("USERPROFILE") or "~").expanduser()
    program = home / ".lmstudio" / "bin" / "lms"
    there = _on_path("lms", environment) or program.is_file() or program.with_suffix(".exe").is_file()
    return FoundRuntime("lmstudio", "LM Studio", "installed" if there else "missing")


def _on_path(program: str, environment: Mapping[str, str]) -> bool:
    return find_program(program, environment) is not None


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
