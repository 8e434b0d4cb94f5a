"""Which models begin their answers inside their reasoning: learnt from answers, for the shim's life."""

from __future__ import annotations

import logging

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.opened_thinking import OpenedThinking, opening_of

_log = logging.getLogger(__name__)


class Openings:
    """The models of which an answer held the end of its reasoning and not the beginning, by address and name."""

    def __init__(self) -> None:
        self._begun_inside: set[tuple[str, str]] = set()

    def filter(self, endpoint: Endpoint, *, is_streamed: bool, is_off: bool = False) -> OpenedThinking:
        """The filter for one answer of `endpoint`, to a client that is streamed to or waits for the whole.

        `is_off`: the server has been told that the model should not think, so nothing is likely.
        """
        place = endpoint.base_url, endpoint.model

        def learn() -> None:
            if place not in self._begun_inside:
                _log.info("`%s` of `%s` begins its answers inside its reasoning", endpoint.model, endpoint.name)
                self._begun_inside.add(place)

        opening = opening_of(
            is_streamed=is_streamed,
            has_begun_inside=place in self._begun_inside and not is_off,
            model="" if is_off else endpoint.model,
        )
        return OpenedThinking(opening, learn)
