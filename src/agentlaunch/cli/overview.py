"""The help of the bare command: every agent and command on one screen, without the option parser."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.agents.base import AGENTS, agent_title

_HEAD = """\
Usage: agentlaunch AGENT [OPTIONS] [-- AGENT ARGS...]
       agentlaunch COMMAND [OPTIONS]

From a laptop to a working coding agent on a local model, in one command:
  agentlaunch check
  agentlaunch claude --model demo
  agentlaunch codex --model ~/models/qwen3-coder.gguf -- exec "say hello\""""

_TAIL = """\
Options:
  --version  Print the version.
  --help     Print this, or a command's own options: agentlaunch claude --help"""


def overview_text(commands: Mapping[str, str]) -> str:
    """The whole help; `commands` are the names and lines of our own commands."""
    agents = {name: f"Launch {agent_title(name)}." for name in AGENTS}
    width = max(len(name) for name in (*agents, *commands)) + 2
    parts = [_HEAD, _block("Agents:", agents, width), _block("Commands:", commands, width), _TAIL]
    return "\n\n".join(parts)


def _block(title: str, entries: Mapping[str, str], width: int) -> str:
    return "\n".join([title, *(f"  {name.ljust(width)}{line}" for name, line in entries.items())])


def agent_help(name: str) -> str:
    """The first lines of an agent's own help."""
    return f"Launch {agent_title(name)} on a model: a local one, or one behind --upstream."
