"""Lines of our logs: what a model, an upstream or a client has said begins none of its own."""

from __future__ import annotations

import logging

from agentlaunch.core.terminal_text import one_line


class LosingFileHandler(logging.FileHandler):
    """A log file that loses what the disk has no room for: no record is worth a traceback on the user's screen."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Nothing."""


class OneLineFormatter(logging.Formatter):
    """A message takes one line, whatever is in it; a traceback behind it keeps its lines."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's own name
        """The record's line, without what could command a terminal that shows it."""
        return one_line(super().formatMessage(record))
