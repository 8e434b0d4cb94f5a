"""Installs an agent with npm into a folder of ours; the user's own npm folders stay as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path

from agentlaunch.agents.base import Agent
from agentlaunch.agents.command import Completed, Run, run_command
from agentlaunch.agents.documents import dump_document
from agentlaunch.agents.locate import LocatedAgent, agent_prefix, install_marker, locate_agent
from agentlaunch.errors import AgentlaunchError, Bug, MachineError, RemoteError
from agentlaunch.system.dirs import Dirs
from agentlaunch.system.files import make_private_dir, write_private
from agentlaunch.system.locks import held
from agentlaunch.system.programs import find_program

INSTALL_TIMEOUT_S = 1800.0
"""200 to 400 MB over a slow line."""

LAST_LINES = 6

OWN_WAY = (
    *("--no-global", "--location=project", "--no-dry-run", "--no-package-lock-only", "--bin-links"),
    *("--omit=dev", "--include=optional"),
)
"""What a user's `.npmrc` or `npm_config_*` may say otherwise, and the agent is then not where we look for it, or lacks
the program for this machine (each tried with npm 11.19.1)."""

Say = Callable[[str], None]


def install_agent(
    agent: Agent,
    dirs: Dirs,
    environment: Mapping[str, str],
    say: Say,
    run: Run = run_command,
    wait_s: float = INSTALL_TIMEOUT_S,
) -> LocatedAgent:
    """Install the tested version and check that it starts. `say` tells progress; a second caller waits
    for the first, at most `wait_s` seconds.

    Raises MachineError `npm-missing` or `agent-install-busy`, RemoteError `agent-install-failed`.
    """
    npm = find_program("npm", environment)
    if npm is None:
        raise MachineError(
            "npm-missing",
            f"`npm` is not on PATH, and {agent.title} is installed with it",
            "install Node.js 20 or newer from https://nodejs.org, then repeat the command",
        )
    prefix = agent_prefix(agent, dirs)
    with held(prefix.with_name(f"{agent.name}.lock"), wait_s) as ours:
        if not ours:
            raise MachineError(
                "agent-install-busy",
                f"another install of `{agent.name}` is still running",
                "wait for it, then repeat the command",
            )
        if not _is_current(agent, dirs):
            _install(agent, dirs, str(npm), environment, (say, run))
    return _located(agent, dirs, environment, run)


def _is_current(agent: Agent, dirs: Dirs) -> bool:
    """Whether the tested version has been installed, perhaps by whom we waited for."""
    try:
        return install_marker(agent, dirs).read_text("utf-8") == agent.tested_version
    except OSError:
        return False


def _install(agent: Agent, dirs: Dirs, npm: str, environment: Mapping[str, str], seams: tuple[Say, Run]) -> None:
    """The marker goes first and comes back last: whatever cuts this short leaves an agent that is not installed."""
    say, run = seams
    prefix = agent_prefix(agent, dirs)
    with contextlib.suppress(FileNotFoundError):
        install_marker(agent, dirs).unlink()
    make_private_dir(prefix)
    write_private(prefix / "package.json", _package_file(agent).encode())
    wanted = f"{agent.package}@{agent.tested_version}"
    say(f"installing {wanted} with npm into {prefix} (200 to 400 MB)")
    argv = (npm, "install", "--prefix", str(prefix), "--no-fund", "--no-audit", *OWN_WAY, wanted)
    done = run(argv, environment, INSTALL_TIMEOUT_S)
    if done.code != 0:
        raise _failed(agent, done, f"npm could not install `{wanted}`")
    checked = _started(agent, prefix, environment, run)
    if checked.code != 0:
        # `ignore-scripts` holds back all scripts, and the agent's own one puts its program in place: it alone is run.
        rebuild = (npm, "rebuild", "--prefix", str(prefix), "--ignore-scripts=false", *OWN_WAY, agent.package)
        if run(rebuild, environment, INSTALL_TIMEOUT_S).code == 0:
            checked = _started(agent, prefix, environment, run)
    if checked.code != 0:
        raise _failed(agent, checked, f"`{wanted}` was installed, but does not start")
    write_private(install_marker(agent, dirs), agent.tested_version.encode())
    say(f"installed {agent.title} {agent.tested_version}")


def _started(agent: Agent, prefix: Path, environment: Mapping[str, str], run: Run) -> Completed:
    """How the installed program answers when it is asked for its version."""
    program = prefix / "node_modules" / ".bin" / agent.executable
    started = find_program(program.name, {**environment, "PATH": str(program.parent)}) or program
    return run((str(started), "--version"), environment, 60.0)


def _package_file(agent: Agent) -> str:
    """npm 11 warns about install scripts that are not approved here, and later ones hold them back.

    OpenCode's and Claude Code's scripts put the program for this machine in its place; without them neither starts.
    """
    return dump_document({"name": "agentlaunch-agents", "private": True, "allowScripts": {agent.package: True}})


def _failed(agent: Agent, done: Completed, message: str) -> AgentlaunchError:
    lines = [line for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()][-LAST_LINES:]
    return RemoteError(
        "agent-install-failed",
        "\n  ".join([f"{message}:", *lines]),
        f"try it yourself: npm install -g {agent.package}@{agent.tested_version}",
    )


def _located(agent: Agent, dirs: Dirs, environment: Mapping[str, str], run: Run) -> LocatedAgent:
    """The copy of ours: the search skips PATH, where an older one may stand."""
    without_path = {**environment, "PATH": ""}
    located = locate_agent(agent, without_path, dirs, run)
    if located is None:
        raise Bug(
            "install-vanished", f"`{Path(agent_prefix(agent, dirs))}` has no `{agent.executable}` after its install"
        )
    return located
