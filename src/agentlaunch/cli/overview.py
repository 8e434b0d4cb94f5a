"""The help of the bare command: every agent and command on one screen, in groups, without the option parser."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from textwrap import wrap

from agentlaunch.agents.base import AGENTS, agent_title

COLUMNS = 80
GROUPS: Mapping[str, tuple[str, ...]] = {
    "Launch": ("again", "agents"),
    "Models and machine": ("check", "fit", "models", "verify", "bench", "runtime"),
    "Serving": ("serve", "config", "status", "top", "stop", "logs"),
    "Routing and cost": ("upstream", "policy", "usage", "cache"),
    "Trouble": ("doctor", "completion"),
}
"""The commands in the order in which they are shown; one that stands nowhere here is shown behind the last."""

_USAGE = """\
Usage: agentlaunch AGENT [--model M] [OPTIONS] [-- AGENT ARGS...]
       agentlaunch COMMAND [OPTIONS]
       agentlaunch                          choose agent and model from lists"""
_NARROW_USAGE = """\
Usage: agentlaunch AGENT [--model M]
       agentlaunch COMMAND [OPTIONS]
       agentlaunch"""
_OPTIONS = "--version, --help; a command's own: agentlaunch claude --help"


def overview_text(commands: Mapping[str, str], columns: int = COLUMNS) -> str:
    """The whole help, `columns` wide; `commands` are the names and lines of our own commands."""
    width = max(len(name) for name in commands) + 2
    parts = [_USAGE if columns >= max(map(len, _USAGE.splitlines())) else _NARROW_USAGE]
    for title, names in grouped(commands).items():
        told = {"AGENT": f"Launch one on a model: {', '.join(AGENTS)}."} if title == "Launch" else {}
        told |= {name: commands[name] for name in names}
        lines = [line for name, text in told.items() for line in _entry(name.ljust(width), text, columns)]
        parts.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join([*parts, "\n".join(["Options:", *_entry("", _OPTIONS, columns)])])


def grouped(commands: Iterable[str]) -> dict[str, list[str]]:
    """The names of `commands` by their group's title, every one exactly once."""
    known = list(commands)
    groups = {title: [name for name in names if name in known] for title, names in GROUPS.items()}
    placed = {name for names in groups.values() for name in names}
    groups[next(reversed(groups))] += [name for name in known if name not in placed]
    return groups


def _entry(name: str, text: str, columns: int) -> list[str]:
    """A name and its text beside it, on as few lines as they take."""
    first = f"  {name}"
    return wrap(text, max(columns, len(first) + 20), initial_indent=first, subsequent_indent=" " * len(first))


def agent_help(name: str) -> str:
    """The first lines of an agent's own help."""
    return f"Launch {agent_title(name)} on a model: a local one, or one behind --upstream."
