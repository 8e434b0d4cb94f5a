"""Runs a program to its end and keeps what it said: the seam of locate and install."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from agentlaunch.system.programs import startable


@dataclass(frozen=True)
class Completed:
    """How a program ended. `code` is None when it could not be started or was stopped after its time limit."""

    code: int | None
    stdout: str
    stderr: str


class Run(Protocol):
    """Runs `argv` for at most `timeout_s` seconds, in exactly this environment. A program's failure is data."""

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
        """See the class."""
        ...


def run_command(argv: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> Completed:
    """The real one. Its standard input is empty, so that nothing can ask a question.

    Raises UserError `argument-not-passable`, on Windows alone.
    """
    try:
        done = subprocess.run(
            startable(argv, environment),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Completed(None, "", f"stopped after {timeout_s:.0f} seconds")
    except OSError as error:
        return Completed(None, "", error.strerror or str(error))
    return Completed(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))
