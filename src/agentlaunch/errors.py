"""The error tree: who is to blame, the exit code, and the next command to type. No rendering here."""

from __future__ import annotations


class AgentlaunchError(Exception):
    """An expected failure, told to the user in one line.

    `message` says what failed, with the value in backticks; `hint` is the next command to type. `code` is a stable
    word for scripts (`errors[].code` in `--json`), `exit_code` the process's own (INTERFACE: exit codes).
    """

    exit_code = 70

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


class UserError(AgentlaunchError):
    """What the user typed or configured cannot be done."""

    exit_code = 2


class MachineError(AgentlaunchError):
    """The machine lacks something: a program, memory, a port, a writable folder."""

    exit_code = 3


class RemoteError(AgentlaunchError):
    """An upstream or a download failed."""

    exit_code = 4


class Bug(AgentlaunchError):
    """Our own fault: an invariant that did not hold."""

    exit_code = 70


class Interrupted(AgentlaunchError):
    """The user pressed Ctrl-C before the agent was started."""

    exit_code = 130
