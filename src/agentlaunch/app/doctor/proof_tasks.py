"""What each agent is told to do in a proof, in its own arguments, and what the scripted model answers to it.

The names of tools and arguments are those that the tested versions send (tests/e2e/test_doctor_real.py runs them all).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from agentlaunch.core.scripted_gguf import Call, Script, Turn

WINDOW_TOKENS = 65_536
WIDE_WINDOW_TOKENS = 200_000
"""For Qwen Code: its full first prompt of 78 KB, in the scripted model's tokens of a byte or two."""
CONTENT = "written by the agent\n"
DONE = "The file is there now."


@dataclass(frozen=True)
class Task:
    """What an agent is told, by `arguments` of its own, and the model that answers; `window` in tokens."""

    arguments: tuple[str, ...]
    script: Script
    window: int = WINDOW_TOKENS


def _one_call(tool: str, arguments: Mapping[str, object]) -> Script:
    """The file by one call, then the last words."""
    return Script(turns=(Turn(calls=(Call(tool, arguments),)),), final=Turn(text=DONE))


def _claude(target: Path) -> Task:
    script = _one_call("Write", {"file_path": str(target), "content": CONTENT})
    return Task(("-p", f"Write {target.name}", "--allowedTools", "Write"), script)


def _codex(target: Path) -> Task:
    command = f"printf '%s' '{CONTENT}' > {target.name}"
    words = ("exec", "-s", "workspace-write", "--skip-git-repo-check", f"Write {target.name}")
    return Task(words, _one_call("exec_command", {"cmd": command}))


def _opencode(target: Path) -> Task:
    return Task(("run", f"Write {target.name}"), _one_call("write", {"content": CONTENT, "filePath": str(target)}))


def _pi(target: Path) -> Task:
    return Task(("-p", f"Write {target.name}"), _one_call("write", {"path": str(target), "content": CONTENT}))


def _qwen(target: Path) -> Task:
    script = _one_call("write_file", {"file_path": str(target), "content": CONTENT})
    words = ("--approval-mode", "auto-edit", "-p", f"Write {target.name}")
    return Task(words, script, WIDE_WINDOW_TOKENS)


def _copilot(target: Path) -> Task:
    script = _one_call("create", {"path": str(target), "file_text": CONTENT})
    return Task(("--allow-tool", "write", "-p", f"Write {target.name}"), script)


def _droid(target: Path) -> Task:
    script = _one_call("Create", {"file_path": str(target), "content": CONTENT})
    return Task(("exec", "--auto", "low", f"Write {target.name}"), script)


def _aider(target: Path) -> Task:
    """An edit in the answer's text, in the blocks that a full launch asks for: no request of Aider's has tools."""
    edit = f"{target.name}\n```\n<<<<<<< SEARCH\n=======\n{CONTENT}>>>>>>> REPLACE\n```\n\n{DONE}"
    words = ("--yes-always", "--no-git", "--no-pretty", "-m", f"Write {target.name}")
    return Task(words, Script(untooled=Turn(text=edit)))


TASKS: Mapping[str, Callable[[Path], Task]] = {
    "claude": _claude,
    "codex": _codex,
    "opencode": _opencode,
    "pi": _pi,
    "qwen": _qwen,
    "copilot": _copilot,
    "droid": _droid,
    "aider": _aider,
}

UNPROVABLE: Mapping[str, str] = {
    "goose": "no registry has it, so we have never seen which tool it writes files with",
}
"""Why there is no task for the agents that `TASKS` has none for."""
