"""How Windows starts a program that is a batch file: past cmd.exe where npm wrote it, else quoted for cmd.exe."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from agentlaunch.errors import UserError

BATCH_ENDINGS = (".bat", ".cmd")
PROGRAM_ENDINGS = (".com", ".exe", *BATCH_ENDINGS)
"""What a process can be made of. PATHEXT may name more (.JS, .VBS), which only a shell starts."""

COMMAND_LINE_LIMIT = 8191
"""Characters that cmd.exe takes (Microsoft, "Command prompt line string limitation")."""

_STARTED = re.compile(
    r'^(?P<by>endLocal[^\r\n"]*"%_prog%"\s+)?"%dp0%\\(?P<program>[^"%\r\n]+)"\s+%\*\s*$',
    re.MULTILINE | re.IGNORECASE,
)
_INTERPRETER = re.compile(r'SET "_prog=(?P<name>[^"%\r\n]+)"', re.IGNORECASE)
_EMPTY = "%cd:~,%"
"""Expands to nothing with the command extensions on, and so ends a variable's name before it has begun."""


@dataclass(frozen=True)
class NpmShim:
    """What a `NAME.cmd` of npm's starts: `program` below the script's folder, run by `interpreter`, empty for none."""

    program: str
    interpreter: str = ""


def parse_npm_shim(text: str) -> NpmShim | None:
    """What the script of npm 10's cmd-shim starts; None for any other batch file."""
    started = _STARTED.search(text)
    if started is None:
        return None
    if started["by"] is None:
        return NpmShim(started["program"])
    named = _INTERPRETER.search(text)
    return None if named is None else NpmShim(started["program"], named["name"])


def batch_command_line(interpreter: str, argv: Sequence[str]) -> str:
    """The command line on which cmd.exe, at `interpreter`, runs the batch file `argv[0]` with exactly these arguments.

    CreateProcess starts cmd.exe for a batch file by itself, and then what a quoted argument holds may run as a command
    (CVE-2024-24576 and CVE-2024-27980). So: no AutoRun (/d), no delayed expansion (/v:off), each argument in quotes,
    a quotation mark doubled, and no percent sign that begins a variable.

    Raises UserError `argument-not-passable` for what no quoting carries: a line break, a NUL, too long a line.
    """
    for word in argv:
        if re.search(r"[\r\n\0]", word):
            raise _refused(argv[0], "a line break")
    if '"' in argv[0] or argv[0].endswith("\\"):
        raise _refused(argv[0], "such a name")
    words = " ".join((f'"{_without_variables(argv[0])}"', *map(_quoted, argv[1:])))
    line = f'"{interpreter}" /d /e:on /v:off /c "{words}"'
    if len(line) > COMMAND_LINE_LIMIT:
        raise _refused(argv[0], f"more than {COMMAND_LINE_LIMIT} characters")
    return line


def _quoted(argument: str) -> str:
    """In quotes for cmd.exe and for the C runtime: backslashes before a quotation mark count double there."""
    doubled = re.sub(r'(\\*)("|$)', lambda found: found[1] * 2 + ('""' if found[2] else ""), argument)
    return f'"{_without_variables(doubled)}"'


def _without_variables(text: str) -> str:
    return text.replace("%", f"%{_EMPTY}")


def _refused(script: str, what: str) -> UserError:
    return UserError(
        "argument-not-passable",
        f"`{script}` is a batch file, and Windows cannot pass it {what}",
        "put the text into a file and name that, or install the agent as a program (.exe)",
    )
