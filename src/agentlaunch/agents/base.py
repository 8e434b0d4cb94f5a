"""What an agent is: its facts and its pure plan, and the table of all agents."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Literal, Protocol, assert_never

from agentlaunch.core.launch_plan import AgentContext, LaunchPlan

TINY_WINDOW_BELOW_TOKENS = 12_000
"""Below this window a lean launch also gives up the agent's own instructions and its search tools: the agents' own lean
prompts (3k to 5k tokens, `PromptTokens.lean`) would leave no room for an answer in a window of 8192."""


Registry = Literal["npm", "pypi", "page"]
"""Where an agent's `package` is a name: at npm, at PyPI; or `package` is the page that tells how to install it."""

Evidence = Literal["tool loop", "edits", "plan only"]
"""What is known to work with the tested version: tools called through the shim and a file written; a file written by
edits in the answer's text, for an agent without tools; or nothing, since the plan is from the maker's pages alone."""


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
    one_answer: str
    """What it wants before a prompt that is answered without a terminal; each but goose's was run so."""
    registry: Registry
    package: str
    evidence: Evidence
    tested_version: str
    """Empty where `evidence` is "plan only"."""
    minimum_version: str
    """Empty where none is known. The oldest that wrote and read a file in full, lean and tiny launches against a stub;
    none older was tried.

    Claude Code 2.1.251 also withstood hostile settings and compacted where planned. Codex 0.142.5 fails with
    `--disable unbounded_connection_retries`, which is why the plan says it by `-c`. OpenCode 1.17.20 could not be
    installed: npm no longer has its program."""
    wire: str
    """The API it speaks to the shim, a name in `core.wire.base.WIRES`."""
    user_configs: tuple[str, ...]
    """Patterns of more files of the user's that `plan` must know, by their paths in `context.user_files`: `~/` is the
    home, `${NAME}` and `${NAME:-otherwise}` a variable, `.../` this folder and each above it up to the repository's,
    `*` and `**` as in a shell."""
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
    "pi": "agentlaunch.agents.pi:Pi",
    "qwen": "agentlaunch.agents.qwen_code:QwenCode",
    "copilot": "agentlaunch.agents.copilot:Copilot",
    "droid": "agentlaunch.agents.droid:Droid",
    "aider": "agentlaunch.agents.aider:Aider",
    "goose": "agentlaunch.agents.goose:Goose",
}


def load_agent(name: str) -> Agent:
    """The agent called `name`. Raises KeyError for a name that is not in `AGENTS`."""
    module, _, attribute = AGENTS[name].partition(":")
    agent: Agent = getattr(import_module(module), attribute)()
    return agent


def install_command(agent: Agent) -> str:
    """What the user types to install the tested version; for an agent that no registry has, where it is told."""
    match agent.registry:
        case "npm":
            return f"npm install -g {agent.package}@{agent.tested_version}"
        case "pypi":
            return f"uv tool install --python 3.12 {agent.package}=={agent.tested_version}"
        case "page":
            return f"see {agent.package}"
        case _:
            assert_never(agent.registry)


def agent_title(name: str) -> str:
    """The agent's name as its makers write it. Raises KeyError for a name that is not in `AGENTS`."""
    return load_agent(name).title
