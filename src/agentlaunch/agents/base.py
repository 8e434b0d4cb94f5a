"""What an agent is: its facts and its pure plan, and the table of all agents."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from agentlaunch.core.launch_plan import AgentContext, LaunchPlan

TINY_WINDOW_BELOW_TOKENS = 12_000
"""Below this window a lean launch also gives up the agent's own instructions and its search tools: the agents' own lean
prompts (3k to 5k tokens, `PromptTokens.lean`) would leave no room for an answer in a window of 8192."""


@dataclass(frozen=True)
class PromptTokens:
    """The size of an agent's first request in tokens, counted with SmolLM2's vocabulary over prompt and tools.

    Of the tested versions, with the plans of this package, sent to a recording stub; bytes / 4 comes within 12 %.

    `tiny` is the lean request in a window below `TINY_WINDOW_BELOW_TOKENS`.
    """

    full: int
    lean: int
    tiny: int


class Agent(Protocol):
    """One coding agent. `plan` is pure; finding and installing the agent is `locate` and `install`."""

    name: str
    title: str
    executable: str
    """The program's name on PATH."""
    package: str
    """Its npm package."""
    tested_version: str
    minimum_version: str
    """The oldest that wrote and read a file in full, lean and tiny launches against a stub; none older was tried.

    Claude Code 2.1.251 also withstood hostile settings and compacted where planned. Codex 0.142.5 fails with
    `--disable unbounded_connection_retries`, which is why the plan says it by `-c`. OpenCode 1.17.20 could not be
    installed: npm no longer has its program."""
    wire: str
    """The API it speaks to the shim, a name in `core.wire.base.WIRES`."""
    prompt_tokens: PromptTokens

    def files_read(self, arguments: tuple[str, ...]) -> tuple[str, ...]:
        """The user's own files that `plan` must know, as the arguments name them; put them in `context.user_files`."""
        ...

    def plan(self, context: AgentContext) -> LaunchPlan:
        """What to start and with what. Raises UserError for arguments or variables that cannot be honoured."""
        ...


AGENTS: dict[str, str] = {
    "claude": "agentlaunch.agents.claude_code:ClaudeCode",
    "codex": "agentlaunch.agents.codex:Codex",
    "opencode": "agentlaunch.agents.opencode:OpenCode",
}


def load_agent(name: str) -> Agent:
    """The agent called `name`. Raises KeyError for a name that is not in `AGENTS`."""
    module, _, attribute = AGENTS[name].partition(":")
    agent: Agent = getattr(import_module(module), attribute)()
    return agent


def agent_title(name: str) -> str:
    """The agent's name as its makers write it. Raises KeyError for a name that is not in `AGENTS`."""
    return load_agent(name).title
