"""The tools of the newer agents as a model meets them, and the cases over them; Aider's are edits in the answer's text.

Names, types and what is required are those that the tested versions sent to a recorder (pi 0.73.1; Qwen Code 0.24.4 and
Copilot CLI 1.0.102 in a lean launch; Droid 0.215.0 with `exec --auto medium`, without its tools for tasks and skills;
of what searches, not every option); the texts are ours and much shorter. tests/e2e/test_agent_tool_sets.py compares.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from agentlaunch.core.verify.agent_questions import COUNTER, COUNTER_PATH, asked, read_before
from agentlaunch.core.verify.case import Case, Json, function, system, user
from agentlaunch.core.verify.judges import brings, calls_exactly, edits, writes
from agentlaunch.core.verify.text_edits import edits_by_blocks, gives_whole

_WIRE = "openai_chat"
_LOG = "git log --oneline -5"
_STEP = COUNTER.replace("step = 1", "step = 5")
_ASK_STEP = "Make the step of the counter 5."

_SEVERAL: Mapping[str, Json] = {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
_RANGE: Mapping[str, Json] = {"type": "array", "items": {"type": "integer"}, "description": "First and last line."}


def _choice(*words: str) -> Mapping[str, Json]:
    return {"type": "string", "enum": [*words]}


_REPLACEMENT: Mapping[str, Json] = {
    "type": "object",
    "properties": {"oldText": {"type": "string"}, "newText": {"type": "string"}},
    "required": ["oldText", "newText"],
    "additionalProperties": False,
}

PI = (
    function(
        "read",
        "Reads a file.",
        {"path": "The file.", "offset": "number: First line.", "limit": "number: Lines to read."},
        optional=("offset", "limit"),
    ),
    function(
        "bash",
        "Runs a bash command.",
        {"command": "The command.", "timeout": "number: Seconds."},
        optional=("timeout",),
    ),
    function(
        "edit",
        "Replaces pieces of a file. Each `oldText` must stand in the file exactly once.",
        {
            "path": "The file.",
            "edits": {"type": "array", "items": dict(_REPLACEMENT), "description": "The replacements."},
        },
    ),
    function("write", "Writes a file, replacing what was there.", {"path": "The file.", "content": "The whole text."}),
)

QWEN = (
    function(
        "edit",
        "Replaces text in a file that was read before.",
        {
            "file_path": "The file, absolute.",
            "old_string": "The text to replace.",
            "new_string": "What to put there.",
            "replace_all": "boolean: Replace every occurrence.",
        },
        optional=("replace_all",),
    ),
    function(
        "glob",
        "Finds files by a pattern.",
        {"pattern": "The pattern.", "path": "The folder to look in."},
        optional=("path",),
    ),
    function(
        "grep_search",
        "Searches the contents of files.",
        {"pattern": "A regular expression.", "glob": "Which files.", "path": "Where.", "limit": "integer: Most lines."},
        optional=("glob", "path", "limit"),
    ),
    function(
        "read_file",
        "Reads a file.",
        {
            "file_path": "The file, absolute.",
            "offset": {"type": ["integer", "null"]},
            "limit": {"type": ["integer", "null"]},
            "pages": {"type": ["string", "null"]},
        },
        optional=("offset", "limit", "pages"),
    ),
    function(
        "run_shell_command",
        "Runs a command with bash.",
        {
            "command": "The command.",
            "is_background": "boolean: Do not wait for its end.",
            "timeout": "integer: Milliseconds.",
            "description": "What it does.",
            "directory": "The folder to run it in, absolute.",
        },
        optional=("is_background", "timeout", "description", "directory"),
    ),
    function(
        "tool_call",
        "Calls a tool that tool_search has found.",
        {"name": "The tool.", "arguments": {"type": "object", "description": "Its arguments."}},
    ),
    function(
        "tool_search",
        "Finds further tools.",
        {"query": "What for.", "max_results": "integer: The most tools."},
        optional=("max_results",),
    ),
    function(
        "write_file",
        "Writes a file, replacing what was there.",
        {
            "file_path": "The file, absolute.",
            "content": "The whole text.",
            "record_as_artifact": "boolean: False for what only helps on the way.",
        },
        optional=("record_as_artifact",),
    ),
)

COPILOT = (
    function(
        "bash",
        "Runs a bash command.",
        {
            "command": "The command.",
            "description": "What it does, in a few words.",
            "shellId": "The shell to go on in.",
            "mode": _choice("sync", "async"),
            "detach": "boolean: Let it outlive this session; only with async.",
            "initial_wait": "number: Seconds to wait for output.",
        },
        optional=("shellId", "mode", "detach", "initial_wait"),
    ),
    function(
        "view",
        "Shows a file, or what a folder has.",
        {"path": "The file, absolute.", "view_range": _RANGE, "forceReadLargeFiles": "boolean: However long it is."},
        optional=("view_range", "forceReadLargeFiles"),
    ),
    function(
        "create",
        "Creates a file that is not there yet.",
        {"path": "The file, absolute.", "file_text": "The whole text."},
    ),
    function(
        "edit",
        "Replaces one piece of a file; it must stand there exactly once.",
        {"path": "The file, absolute.", "old_str": "The text to replace.", "new_str": "What to put there."},
        optional=("old_str", "new_str"),
    ),
    function("skill", "Loads a skill.", {"skill": "Its name."}),
    function(
        "grep",
        "Searches the contents of files.",
        {
            "pattern": "A regular expression.",
            "paths": _SEVERAL,
            "output_mode": _choice("content", "files_with_matches", "count"),
            "glob": "Which files.",
            "head_limit": "number: The most lines.",
        },
        optional=("paths", "output_mode", "glob", "head_limit"),
    ),
    function("glob", "Finds files by a pattern.", {"pattern": "The pattern.", "paths": _SEVERAL}, optional=("paths",)),
)

_RISK = ("summary", "riskLevelReason", "riskLevel")
DROID = (
    function(
        "Read",
        "Reads a file.",
        {
            "file_path": "The file, absolute.",
            "offset": "number: First line.",
            "limit": "number: Lines to read.",
            "image_quality": _choice("default", "high"),
        },
        optional=("offset", "limit", "image_quality"),
    ),
    function(
        "LS",
        "Shows what a folder has.",
        {"directory_path": "The folder, absolute.", "ignorePatterns": {"type": "array", "items": {"type": "string"}}},
        optional=("directory_path", "ignorePatterns"),
    ),
    function(
        "Execute",
        "Runs a command in a shell.",
        {
            "summary": {
                "type": "string",
                "pattern": r"^[A-Z]\S*(?:\s+\S+){2,7}$",
                "description": "What it is about, in 3 to 8 words with a capital letter first.",
            },
            "command": "The command.",
            "timeout": "number: Seconds.",
            "riskLevelReason": "Why the risk is what it is, in one sentence.",
            "riskLevel": _choice("low", "medium", "high"),
            "fireAndForget": "boolean: Do not wait for its end.",
        },
        optional=("timeout", "fireAndForget"),
    ),
    function(
        "Edit",
        "Replaces text in a file.",
        {
            "file_path": "The file.",
            "old_str": "The text to replace.",
            "new_str": "What to put there.",
            "change_all": "boolean: Replace every occurrence.",
        },
        optional=("change_all",),
    ),
    function(
        "Grep",
        "Searches the contents of files.",
        {
            "pattern": "A regular expression.",
            "path": "Where.",
            "glob_pattern": "Which files.",
            "output_mode": _choice("file_paths", "content"),
            "head_limit": "number: The most lines.",
        },
        optional=("path", "glob_pattern", "output_mode", "head_limit"),
    ),
    function(
        "Glob",
        "Finds files by patterns.",
        {"patterns": _SEVERAL, "excludePatterns": _SEVERAL, "folder": "The folder to look in."},
        optional=("excludePatterns", "folder"),
    ),
    function("Create", "Creates a file.", {"file_path": "The file.", "content": "The whole text."}),
)

_AIDER_BLOCKS = """\
You edit the user's files by blocks in your answer, one for each place, and call no tool. A block is a line with the
file's path, then inside a fence of three backticks: a line `<<<<<<< SEARCH`, lines that stand in the file exactly so,
a line `=======`, the lines to put there, a line `>>>>>>> REPLACE`. For a new file nothing stands below SEARCH."""
_AIDER_WHOLE = """\
You edit the user's files by giving each changed file whole, and call no tool: a line with the file's path, then the
whole new text inside a fence of three backticks."""
_AIDER_FILE = f"These are the files:\n\ncounter.py\n```\n{COUNTER}```\n\n"


def _pi() -> tuple[Case, ...]:
    content = "pi: 3 < 4 & 'so on'\n"
    history = read_before(_ASK_STEP, "read", {"path": "counter.py"})
    write = f"Create pi.txt with exactly this line:\n{content}"
    return (
        Case("pi-write", "writes with pi's write", 4, asked(write), PI,
             writes("write", "path", "pi.txt", content), _WIRE),
        Case("pi-edit", "edits with pi's edit, which takes a list", 4, history, PI,
             edits("edit", ("oldText", "newText"), COUNTER, _STEP, "edits"), _WIRE),
        Case("pi-bash", "runs a command with pi's bash", 2, asked(f"Run: {_LOG}"), PI,
             calls_exactly(("bash", {"command": _LOG})), _WIRE),
    )  # fmt: skip


def _qwen() -> tuple[Case, ...]:
    path, content = "/work/app/qwen.md", '# Qwen "code" & more\n'
    history = read_before(_ASK_STEP, "read_file", {"file_path": COUNTER_PATH})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("qwen-write", "writes with Qwen Code's write_file", 4, asked(write), QWEN,
             writes("write_file", "file_path", path, content), _WIRE),
        Case("qwen-edit", "edits with Qwen Code's edit", 4, history, QWEN,
             edits("edit", ("old_string", "new_string"), COUNTER, _STEP), _WIRE),
        Case("qwen-shell", "runs a command with Qwen Code's run_shell_command", 2, asked(f"Run: {_LOG}"), QWEN,
             calls_exactly(("run_shell_command", {"command": _LOG})), _WIRE),
    )  # fmt: skip


def _copilot() -> tuple[Case, ...]:
    path, content = "/work/app/copilot.txt", 'copilot says "ready" \\o/\n'
    history = read_before(_ASK_STEP, "view", {"path": COUNTER_PATH})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("copilot-create", "creates a file with Copilot's create", 4, asked(write), COPILOT,
             writes("create", "path", path, content, "file_text"), _WIRE),
        Case("copilot-edit", "edits with Copilot's edit", 4, history, COPILOT,
             edits("edit", ("old_str", "new_str"), COUNTER, _STEP), _WIRE),
        Case("copilot-bash", "runs a command with Copilot's bash", 2, asked(f"Run: {_LOG}"), COPILOT,
             brings("bash", ("description",), calls_exactly(("bash", {"command": _LOG}))), _WIRE),
    )  # fmt: skip


def _droid() -> tuple[Case, ...]:
    path, content = "/work/app/droid.txt", "droid: <ready> & 'waiting'\n"
    history = read_before(_ASK_STEP, "Read", {"file_path": COUNTER_PATH})
    write = f"Create {path} with exactly this line:\n{content}"
    return (
        Case("droid-create", "creates a file with Droid's Create", 4, asked(write), DROID,
             writes("Create", "file_path", path, content), _WIRE),
        Case("droid-edit", "edits with Droid's Edit", 4, history, DROID,
             edits("Edit", ("old_str", "new_str"), COUNTER, _STEP), _WIRE),
        Case("droid-execute", "runs a command with Droid's Execute", 2, asked(f"Run: {_LOG}"), DROID,
             brings("Execute", _RISK, calls_exactly(("Execute", {"command": _LOG}))), _WIRE),
    )  # fmt: skip


def _aider() -> tuple[Case, ...]:
    """A full launch asks for blocks, a lean one for whole files (agents/aider.py)."""
    line = "aider: no tools\n"
    new = f"Make a new file aider.txt with exactly this line:\n{line}"
    blocks, whole = system(_AIDER_BLOCKS), system(_AIDER_WHOLE)
    return (
        Case("aider-edit", "edits by a block of Aider's form", 4, (blocks, user(f"{_AIDER_FILE}{_ASK_STEP}")), (),
             edits_by_blocks("counter.py", COUNTER, _STEP), _WIRE),
        Case("aider-new", "makes a file by a block of Aider's form", 3, (blocks, user(new)), (),
             edits_by_blocks("aider.txt", "", line), _WIRE),
        Case("aider-whole", "gives a changed file whole, as Aider's lean launch asks", 3,
             (whole, user(f"{_AIDER_FILE}{_ASK_STEP}")), (), gives_whole("counter.py", _STEP), _WIRE),
    )  # fmt: skip


MORE_AGENTS: Mapping[str, Callable[[], tuple[Case, ...]]] = {
    "pi": _pi,
    "qwen": _qwen,
    "copilot": _copilot,
    "droid": _droid,
    "aider": _aider,
}
