"""How a use case talks to the user; `cli` provides the real one, tests a recording one."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from agentlaunch.weights.progress import OnProgress, Progress


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

    def progress(self, line: str) -> None:
        """One line for somebody who watches a long piece of work; nothing where nobody does."""
        ...

    def waiting(self, what: str) -> AbstractContextManager[None]:
        """Shows `what` to somebody who watches while the block runs, once it has taken longer than a second."""
        ...

    def transferring(self) -> AbstractContextManager[OnProgress]:
        """Shows how far a transfer is while the block runs, which tells it."""
        ...


class Silence:
    """Nobody to ask and nothing to show: for a look at what would happen."""

    is_interactive = False

    def confirm(self, question: str) -> bool:  # noqa: ARG002 - as Talk has it
        """No."""
        return False

    def say(self, line: str) -> None:
        """Nothing."""

    def progress(self, line: str) -> None:
        """Nothing."""

    def waiting(self, what: str) -> AbstractContextManager[None]:  # noqa: ARG002 - as Talk has it
        """Nothing is shown."""
        return nullcontext()

    def transferring(self) -> AbstractContextManager[OnProgress]:
        """Nothing is shown."""
        return nullcontext(_unseen)


def _unseen(progress: Progress) -> None:
    pass


def agrees(question: str, talk: Talk, *, yes: bool) -> bool:
    """Whether the user wants it: said beforehand, or asked now; without a terminal nobody is asked and it is a no."""
    return yes or (talk.is_interactive and talk.confirm(question))
