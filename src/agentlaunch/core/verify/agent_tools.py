"""The tools of each agent as a model meets them, in our own words and with the agents' own names and arguments.

Names and arguments are those of the tested versions (facts/agents.md 2); the texts are ours and much shorter.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

import msgspec

from agentlaunch.core.ir import CustomTool, Message
from agentlaunch.core.verify.case import Case, called, function, result, system, user
from agentlaunch.core.verify.judges import calls_exactly, edits, runs, writes

_SYSTEM = system(
    "You are a coding agent. The project is in /work/app. Change files and run commands with your tools, without "
    "asking back."
)
_COUNTER = "class Counter:\n    step = 1\n\n    def next(self, value):\n        return value + self.step\n"

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
            return ()


AGENTS_WITH_TOOLS = ("claude", "codex", "opencode")


def _claude() -> tuple[Case, ...]:
    wire, path, content = "anthropic_messages", "/work/app/status.txt", 'claude: it\'s "ready"\n'
    edited = _COUNTER.replace("step = 1", "step = 5")
    history = _read_before("Make the step of the counter 5.", "Read", {"file_path": "/work/app/counter.py"})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("claude-write", "writes with Claude Code's Write", 4, _asked(write), CLAUDE,
             writes("Write", "file_path", path, content), wire),
        Case("claude-edit", "edits with Claude Code's Edit", 4, history, CLAUDE,
             edits("Edit", ("old_string", "new_string"), _COUNTER, edited), wire),
        Case("claude-bash", "runs a command with Claude Code's Bash", 2, _asked("Run: git log --oneline -5"), CLAUDE,
             calls_exactly(("Bash", {"command": "git log --oneline -5"})), wire),
    )  # fmt: skip


def _codex() -> tuple[Case, ...]:
    wire = "openai_responses"
    patch = "Use apply_patch to create the file added.py that holds the one line: print('patched')"
    return (
        Case("codex-exec", "runs a command with Codex's exec_command", 5, _asked("Run: git status --short"), CODEX,
             calls_exactly(("exec_command", {"cmd": "git status --short"})), wire),
        Case("codex-patch", "adds a file with Codex's apply_patch", 5, _asked(patch), CODEX,
             runs("apply_patch", "input", "*** Begin Patch\n*** Add File: added.py\n", "+print('patched')\n",
                  "*** End Patch"), wire),
    )  # fmt: skip


def _opencode() -> tuple[Case, ...]:
    wire, path, content = "openai_chat", "/work/app/notes.md", "# opencode <notes> & more\n"
    edited = _COUNTER.replace("value + self", "value - self")
    history = _read_before("Let the counter count down.", "read", {"filePath": "/work/app/counter.py"})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("opencode-write", "writes with OpenCode's write", 5, _asked(write), OPENCODE,
             writes("write", "filePath", path, content), wire),
        Case("opencode-edit", "edits with OpenCode's edit", 5, history, OPENCODE,
             edits("edit", ("oldString", "newString"), _COUNTER, edited), wire),
    )  # fmt: skip


def _asked(question: str) -> tuple[Message, ...]:
    return (_SYSTEM, user(question))


def _read_before(question: str, tool: str, arguments: Mapping[str, str]) -> tuple[Message, ...]:
    """The agent has just read the counter's file."""
    return (_SYSTEM, user(question), called(tool, dict(arguments)), result(_COUNTER))
