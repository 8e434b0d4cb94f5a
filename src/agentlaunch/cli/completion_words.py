"""`agentlaunch _words KIND`, which completions ask: names of this machine, one a line. It is in no help."""

from __future__ import annotations

import os

from agentlaunch.cli import render


def print_words(kind: str) -> None:
    """The names of this kind; nothing for a kind that is not known."""
    from pathlib import Path

    from agentlaunch.app.known_words import known_words

    words = known_words(kind, os.environ, Path(os.curdir).absolute())
    if words:
        render.data("\n".join(words))
