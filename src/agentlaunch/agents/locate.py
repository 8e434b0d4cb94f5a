"""Finds an agent's program and its version, on PATH or where we installed it."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.agents.base import Agent, install_command
from agentlaunch.agents.command import Run, run_command
from agentlaunch.agents.documents import parse_document
from agentlaunch.errors import MachineError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.programs import find_program

VERSION_TIMEOUT_S = 20.0
PARENTS_SEARCHED = 6

MAKERS_PLACES = (".local/bin", ".claude/local", ".opencode/bin")
"""Where installers of the makers put agents below the home. The shell knows some by an alias alone, or once a new one
is opened; an editor's terminal may never (musistudio/claude-code-router 31)."""

Version = tuple[int, int, int]


@dataclass(frozen=True)
class LocatedAgent:
    """An agent on this machine. `path` is absolute; `version` is None when it does not say one."""

    path: str
    version: Version | None

    @property
    def version_text(self) -> str:
        """As in `1.2.3`; empty when unknown."""
        return "" if self.version is None else ".".join(str(number) for number in self.version)


def parse_version(text: str) -> Version | None:
    """The first `1.2.3` in `text`; None when there is none. What follows it, such as `-beta.1`, does not count."""
    found = re.search(r"(?<![\d.])(\d+)\.(\d+)\.(\d+)", text)
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def agent_prefix(agent: Agent, dirs: Dirs) -> Path:
    """Our npm prefix for one agent. Each has its own: a failed install of one never touches another."""
    return dirs.data / "npm" / agent.name


def install_marker(agent: Agent, dirs: Dirs) -> Path:
    """The file that says that the install was finished; it holds the version."""
    return agent_prefix(agent, dirs) / "installed"


def locate_agent(
    agent: Agent, environment: Mapping[str, str], dirs: Dirs, run: Run = run_command
) -> LocatedAgent | None:
    """The agent on PATH, else the one that we installed, else one that is new enough where its makers put it.

    None when there is none. A copy of ours counts only with its marker, so that an install cut short is never started.
    """
    path = find_program(agent.executable, environment) or _installed(agent, dirs)
    if path is not None:
        return _with_version(agent, path, environment, run)
    path = find_program(agent.executable, {**environment, "PATH": _makers_path(environment)})
    found = None if path is None else _with_version(agent, path, environment, run)
    return found if found is not None and _is_supported(agent, found) else None


def require_supported(agent: Agent, located: LocatedAgent) -> None:
    """Refuse an agent that is older than the oldest version that worked; an unknown version passes.

    Raises MachineError `agent-too-old`.
    """
    if _is_supported(agent, located):
        return
    raise MachineError(
        "agent-too-old",
        f"`{located.path}` is {agent.title} {located.version_text}; the oldest that works is {agent.minimum_version}",
        install_command(agent),
    )


def _is_supported(agent: Agent, located: LocatedAgent) -> bool:
    minimum = parse_version(agent.minimum_version)
    return located.version is None or minimum is None or located.version >= minimum


def _makers_path(environment: Mapping[str, str]) -> str:
    home = environment.get("HOME") or environment.get("USERPROFILE")
    return os.pathsep.join(str(Path(home, place)) for place in MAKERS_PLACES) if home else ""


def _with_version(agent: Agent, path: Path, environment: Mapping[str, str], run: Run) -> LocatedAgent:
    return LocatedAgent(str(path), _package_version(agent, path) or _asked_version(path, environment, run))


def _installed(agent: Agent, dirs: Dirs) -> Path | None:
    ending = ".cmd" if sys.platform == "win32" else ""
    program = agent_prefix(agent, dirs) / "node_modules" / ".bin" / f"{agent.executable}{ending}"
    return program if install_marker(agent, dirs).is_file() and program.is_file() else None


def _package_version(agent: Agent, path: Path) -> Version | None:
    """The version in the package that the program belongs to: 1 ms, where `--version` takes up to 0.6 s."""
    for file in _package_files(agent, path):
        try:
            document = parse_document(file.read_text("utf-8"))
        except (OSError, ValueError):
            continue
        version = document.get("version")
        if document.get("name") == agent.package and isinstance(version, str):
            return parse_version(version)
    return None


def _package_files(agent: Agent, path: Path) -> Iterator[Path]:
    """npm links the program to its package on POSIX; on Windows a script stands beside `node_modules`, or in it."""
    for folder in path.resolve().parents[:PARENTS_SEARCHED]:
        yield folder / "package.json"
    yield path.parent / "node_modules" / agent.package / "package.json"
    yield path.parent.parent / agent.package / "package.json"


def _asked_version(path: Path, environment: Mapping[str, str], run: Run) -> Version | None:
    """For programs that no npm package holds, such as Claude Code's own installer's."""
    return parse_version(run((str(path), "--version"), environment, VERSION_TIMEOUT_S).stdout)
