"""Tells the user when another model answers than the one that was meant to: once each time that it changes."""

from __future__ import annotations

import logging

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import TextDelta
from agentlaunch.shim.router import Routed, label_of

_log = logging.getLogger(__name__)


class Switches:
    """Who answered last, by session and route; one instance for the shim's life."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], str] = {}

    def is_due(self, session_id: str, routed: Routed, answering: Endpoint) -> bool:
        """Whether `notice` would tell something."""
        return self._last.get((session_id, routed.route), routed.preferred) != label_of(answering)

    def notice(self, session_id: str, routed: Routed, answering: Endpoint) -> TextDelta | None:
        """The sentence that goes before the answer; None while the same one answers as before.

        It is part of the conversation from then on: a model that reads it knows that the words before were another's.
        """
        place = session_id, routed.route
        label = label_of(answering)
        if not self.is_due(session_id, routed, answering):
            return None
        before = self._last.get(place, routed.preferred)
        self._last[place] = label
        _log.warning("session %s, route %s: %s answers in place of %s", session_id, routed.route, label, before)
        return TextDelta(f"[agentlaunch: `{label}` answers in place of `{before}`]\n\n")
