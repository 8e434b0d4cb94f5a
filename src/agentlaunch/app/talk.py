"""How a use case talks to the user; `cli` provides the real one, tests a recording one."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentlaunch.weights.progress import OnProgress


class Talk(Protocol):
    """Questions and progress. Everything goes to stderr: stdout is for data."""

    @property
    def is_interactive(self) -> bool:
        """Whether somebody can answer a question."""
        ...

    def confirm(self, question: str) -> bool:
        """Ask a yes-or-no question; Enter means no."""
        ...

    def say(self, line: str) -> None:
        """One line of news."""
        ...

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """Shows `what` while the block runs, once it has taken longer than a second."""
        ...

    def transferring(self) -> AbstractContextManager[OnProgress]:
        """Shows how far a transfer is while the block runs, which tells it."""
        ...


def agrees(question: str, talk: Talk, *, yes: bool) -> bool:
    """Whether the user wants it: said beforehand, or asked now; without a terminal nobody is asked and it is a no."""
    return yes or (talk.is_interactive and talk.confirm(question))
