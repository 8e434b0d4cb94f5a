"""How long the answers of upstreams may be: learnt from their refusals, for the shim's life."""

from __future__ import annotations

import logging

from agentlaunch.core.context import told_output_limit
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatFault

_log = logging.getLogger(__name__)


class OutputLimits:
    """The most output tokens that upstreams have said to give, by address and model."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], int] = {}

    def learn(self, endpoint: Endpoint, fault: ChatFault) -> None:
        """`endpoint` has refused a request with `fault`, which may tell its limit."""
        limit = told_output_limit(fault)
        if limit is not None:
            _log.info("`%s` of `%s` gives answers of at most %d tokens", endpoint.model, endpoint.name, limit)
            self._told[endpoint.base_url, endpoint.model] = limit

    def within(self, endpoint: Endpoint, limit: int) -> int:
        """`limit` tokens, or fewer where `endpoint` has said so."""
        return min(limit, self._told.get((endpoint.base_url, endpoint.model), limit))
