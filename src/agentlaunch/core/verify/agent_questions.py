"""The openings that the cases of all agents share: a question to a coding agent, and one behind a file just read."""

from __future__ import annotations

from collections.abc import Mapping

from agentlaunch.core.ir import Message
from agentlaunch.core.verify.case import called, result, system, user

COUNTER = "class Counter:\n    step = 1\n\n    def next(self, value):\n        return value + self.step\n"
COUNTER_PATH = "/work/app/counter.py"
_SYSTEM = system(
    "You are a coding agent. The project is in /work/app. Change files and run commands with your tools, without "
    "asking back."
)


def asked(question: str) -> tuple[Message, ...]:
    """A conversation that begins with this question."""
    return (_SYSTEM, user(question))


def read_before(question: str, tool: str, arguments: Mapping[str, str]) -> tuple[Message, ...]:
    """The agent has just read the counter's file."""
    return (_SYSTEM, user(question), called(tool, dict(arguments)), result(COUNTER))
