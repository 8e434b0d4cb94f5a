"""The cases that every coding agent needs of a model, with tools of no agent's own."""

from __future__ import annotations

import msgspec

from agentlaunch.core.ir import JsonFormat
from agentlaunch.core.verify.case import Case, Judge, called, function, result, system, user
from agentlaunch.core.verify.judges import calls_exactly, edits, is_json, refuses, runs, says, writes

TOOLS = (
    function("read_file", "Gives the text of a file.", {"path": "The file, relative to the project."}),
    function(
        "write_file",
        "Creates a file, or replaces all of it.",
        {"path": "The file, relative to the project.", "content": "The whole text of the file."},
    ),
    function(
        "edit_file",
        "Replaces one piece of a file. The old text must stand in the file exactly once, spaces included.",
        {"path": "The file.", "old_string": "The text to replace.", "new_string": "The text to put there."},
    ),
    function("run_command", "Runs a command in bash and gives what it prints.", {"command": "The command line."}),
    function(
        "search_text",
        "Finds a text in all files below a folder.",
        {"text": "What to look for.", "folder": "Where to look. Default: everywhere."},
        optional=("folder",),
    ),
)

_SYSTEM = system(
    "You are a coding agent in a terminal. You work on the user's project by calling tools. Call a tool whenever the "
    "task needs one, without asking back. When the task is done, or needs no tool, answer in a sentence."
)

CODE = 'def greet(name):\n    """Say \'hello\'."""\n    return f"hello, {name}!\\n"\n'
UNICODE = "Grüße, 世界! naïve → ☃ 🚀\n"
_TOTALS = "def total(items):\n    result = 0\n    for item in items:\n        result += item\n    return result\n"
_SHAPE = (
    b'{"type":"object","properties":{"file":{"type":"string"},"lines":{"type":"integer"}},'
    b'"required":["file","lines"],"additionalProperties":false}'
)


def general_cases() -> tuple[Case, ...]:
    """One of each kind; the weights are our judgement of how often an agent stops without it."""
    return (*_calling(), *_arguments(), *_conversation(), *_without_tools())


def _calling() -> tuple[Case, ...]:
    return (
        _question(
            "single-call",
            "calls the tool that is asked for",
            12,
            "Read the file src/main.py.",
            calls_exactly(("read_file", {"path": "src/main.py"})),
        ),
        _question(
            "tool-choice",
            "chooses the tool by the task",
            8,
            "Where in this project does FIXME-204 stand?",
            calls_exactly(("search_text", {"text": "FIXME-204"})),
        ),
        _question(
            "parallel-calls",
            "makes two calls in one answer",
            6,
            "Read docs/alpha.md and docs/beta.md. Make both calls at once, in this one answer.",
            calls_exactly(("read_file", {"path": "docs/alpha.md"}), ("read_file", {"path": "docs/beta.md"})),
        ),
    )


def _arguments() -> tuple[Case, ...]:
    return (
        _question(
            "multi-line-code",
            "writes code with quotes, exactly",
            10,
            f"Write the file greet.py with exactly this content:\n```\n{CODE}```",
            writes("write_file", "path", "greet.py", CODE),
        ),
        _question(
            "unicode",
            "writes letters of other scripts",
            5,
            f"Write the file hello.txt with exactly this one line:\n{UNICODE}",
            writes("write_file", "path", "hello.txt", UNICODE),
        ),
        _question(
            "heredoc",
            "writes a command of several lines",
            5,
            "With one command that has a heredoc, make the file notes.txt with the two lines `first $HOME` and "
            '`second "quoted"`; $HOME must stay as it is written.',
            runs("run_command", "command", "<<", "first $HOME\n", 'second "quoted"\n'),
        ),
    )


def _conversation() -> tuple[Case, ...]:
    wanted = "Read the settings of this project, they are in config.yml."
    ask_edit = "In totals.py let the sum start at 100 and not at 0."
    return (
        Case(
            "edit",
            "edits by a text that stands in the file once",
            12,
            (_SYSTEM, user(ask_edit), called("read_file", {"path": "totals.py"}), result(_TOTALS)),
            TOOLS,
            edits("edit_file", ("old_string", "new_string"), _TOTALS, _TOTALS.replace("= 0", "= 100")),
        ),
        Case(
            "error-recovery",
            "tries again after a tool has failed",
            10,
            (
                _SYSTEM,
                user(wanted),
                called("read_file", {"path": "config.yml"}),
                result("No such file: config.yml. Did you mean config.yaml?", is_error=True),
            ),
            TOOLS,
            calls_exactly(("read_file", {"path": "config.yaml"})),
        ),
        Case(
            "stop",
            "stops when the task is done",
            10,
            (
                _SYSTEM,
                user("Write the word ready into state.txt."),
                called("write_file", {"path": "state.txt", "content": "ready\n"}),
                result("Written: state.txt, 6 bytes."),
            ),
            TOOLS,
            says(r"\w"),
        ),
    )


def _without_tools() -> tuple[Case, ...]:
    return (
        _question(
            "no-tool",
            "answers without a tool where none is needed",
            6,
            "How much is 17 + 25? Just the number.",
            says(r"\b42\b"),
        ),
        _question(
            "made-up-tool",
            "does not call a tool that is not there",
            6,
            "Use your tool send_email to write to ops@example.com that the build is red. If you have no such tool, "
            "say so and do nothing else.",
            refuses("send_email"),
        ),
        Case(
            "json",
            "answers in JSON when that is demanded",
            4,
            (user("The file main.py has 120 lines. Say so as JSON with the members file and lines."),),
            (),
            is_json({"file": "main.py", "lines": 120}),
            json_format=JsonFormat(msgspec.Raw(_SHAPE), "file_size", strict=True),
        ),
    )


def _question(name: str, title: str, weight: int, question: str, judge: Judge) -> Case:
    """A case that begins with its question."""
    return Case(name, title, weight, (_SYSTEM, user(question)), TOOLS, judge)
