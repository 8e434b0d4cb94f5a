"""The tools of each agent as a model meets them, in our own words and with the agents' own names and arguments.

Names and arguments are those of the tested versions (facts/agents.md 2); the texts are ours and much shorter.
"""

from __future__ import annotations

import json

import msgspec

from agentlaunch.core.ir import CustomTool
from agentlaunch.core.verify.agent_questions import COUNTER, COUNTER_PATH, asked, read_before
from agentlaunch.core.verify.case import Case, function
from agentlaunch.core.verify.judges import calls_exactly, edits, runs, writes
from agentlaunch.core.verify.more_agent_tools import MORE_AGENTS

CLAUDE = (
    function(
        "Bash",
        "Runs a bash command.",
        {"command": "The command.", "description": "What it does, in five words.", "timeout": "integer: Milliseconds."},
        optional=("description", "timeout"),
    ),
    function(
        "Edit",
        "Replaces text in a file that was read before. `old_string` must be unique unless `replace_all` is set.",
        {
            "file_path": "The file, absolute.",
            "old_string": "The text to replace.",
            "new_string": "What to put there.",
            "replace_all": "boolean: Replace every occurrence.",
        },
        optional=("replace_all",),
    ),
    function(
        "Read",
        "Reads a file.",
        {"file_path": "The file, absolute.", "offset": "integer: First line.", "limit": "integer: Lines to read."},
        optional=("offset", "limit"),
    ),
    function(
        "Write",
        "Writes a file, replacing what was there.",
        {"file_path": "The file, absolute.", "content": "The whole text."},
    ),
)

_PATCH_FORM = json.dumps({"type": "grammar", "syntax": "lark", "definition": 'start: "*** Begin Patch" /(.|\\n)+/'})
CODEX = (
    function(
        "exec_command",
        "Runs a command in a terminal and gives its output.",
        {
            "cmd": "The command line.",
            "workdir": "The folder to run it in.",
            "yield_time_ms": "integer: How long to wait for output, in milliseconds.",
            "max_output_tokens": "integer: The most tokens of output.",
        },
        optional=("workdir", "yield_time_ms", "max_output_tokens"),
    ),
    CustomTool(
        "apply_patch",
        "Changes files by a patch that begins with `*** Begin Patch` and ends with `*** End Patch`; between them "
        "`*** Add File: PATH` with lines behind `+`, or `*** Update File: PATH` with hunks behind `@@`.",
        msgspec.Raw(_PATCH_FORM.encode()),
    ),
)

OPENCODE = (
    function(
        "bash",
        "Runs a command.",
        {"command": "The command.", "description": "What it does.", "timeout": "integer: Milliseconds."},
        optional=("timeout",),
    ),
    function(
        "edit",
        "Replaces text in a file.",
        {
            "filePath": "The file, absolute.",
            "oldString": "The text to replace.",
            "newString": "What to put there.",
            "replaceAll": "boolean: Replace every occurrence.",
        },
        optional=("replaceAll",),
    ),
    function("read", "Reads a file.", {"filePath": "The file, absolute."}),
    function("write", "Writes a file.", {"content": "The whole text.", "filePath": "The file, absolute."}),
)


def agent_cases(agent: str) -> tuple[Case, ...]:
    """The cases over an agent's own tools, through the API that it speaks; none for an agent without a set here."""
    match agent:
        case "claude":
            return _claude()
        case "codex":
            return _codex()
        case "opencode":
            return _opencode()
        case _:
            return MORE_AGENTS[agent]() if agent in MORE_AGENTS else ()


USUAL_AGENTS = ("claude", "codex", "opencode")
"""Whose cases a run for no agent has: among them are edits by old and new text, patches and commands, over each API."""
AGENTS_WITH_TOOLS = (*USUAL_AGENTS, *MORE_AGENTS)


def _claude() -> tuple[Case, ...]:
    wire, path, content = "anthropic_messages", "/work/app/status.txt", 'claude: it\'s "ready"\n'
    edited = COUNTER.replace("step = 1", "step = 5")
    history = read_before("Make the step of the counter 5.", "Read", {"file_path": COUNTER_PATH})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("claude-write", "writes with Claude Code's Write", 4, asked(write), CLAUDE,
             writes("Write", "file_path", path, content), wire),
        Case("claude-edit", "edits with Claude Code's Edit", 4, history, CLAUDE,
             edits("Edit", ("old_string", "new_string"), COUNTER, edited), wire),
        Case("claude-bash", "runs a command with Claude Code's Bash", 2, asked("Run: git log --oneline -5"), CLAUDE,
             calls_exactly(("Bash", {"command": "git log --oneline -5"})), wire),
    )  # fmt: skip


def _codex() -> tuple[Case, ...]:
    wire = "openai_responses"
    patch = "Use apply_patch to create the file added.py that holds the one line: print('patched')"
    return (
        Case("codex-exec", "runs a command with Codex's exec_command", 5, asked("Run: git status --short"), CODEX,
             calls_exactly(("exec_command", {"cmd": "git status --short"})), wire),
        Case("codex-patch", "adds a file with Codex's apply_patch", 5, asked(patch), CODEX,
             runs("apply_patch", "input", "*** Begin Patch\n*** Add File: added.py\n", "+print('patched')\n",
                  "*** End Patch"), wire),
    )  # fmt: skip


def _opencode() -> tuple[Case, ...]:
    wire, path, content = "openai_chat", "/work/app/notes.md", "# opencode <notes> & more\n"
    edited = COUNTER.replace("value + self", "value - self")
    history = read_before("Let the counter count down.", "read", {"filePath": COUNTER_PATH})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("opencode-write", "writes with OpenCode's write", 5, asked(write), OPENCODE,
             writes("write", "filePath", path, content), wire),
        Case("opencode-edit", "edits with OpenCode's edit", 5, history, OPENCODE,
             edits("edit", ("oldString", "newString"), COUNTER, edited), wire),
    )  # fmt: skip
