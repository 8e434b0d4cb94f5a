"""Where each request of a session goes: the policy's decision over its endpoints, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from time import monotonic
from typing import assert_never

from agentlaunch.core.addresses import is_loopback
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.failover import Cause, Failure
from agentlaunch.core.health import BreakerStatus, FailureKind, Health
from agentlaunch.core.ir import ChatFault, ChatRequest, ErrorKind
from agentlaunch.core.policy import LOCAL
from agentlaunch.core.routing import NO_ROUTE, Spent, UpstreamFacts, decide, facts_of
from agentlaunch.shim.session import Session
from agentlaunch.shim.upstream import KEPT_HERE

STALL_S = 60.0
"""How long a hosted upstream may say nothing at all before another is asked: a started prefill is lost by it, and
vLLM under load and reasoning models need tens of seconds to their first byte."""

_HOSTED = frozenset({"anthropic", "litellm", "openai", "openrouter", "vllm"})
"""Kinds that run on servers. The others run on laptops, where a prefill takes minutes and is no stall."""


@dataclass(frozen=True)
class Routed:
    """Where one request may go: the route's name and the upstreams in order. `preferred` is who should answer."""

    route: str
    endpoints: tuple[Endpoint, ...]
    preferred: str


def _nothing_spent(_session_id: str) -> Spent:
    return Spent()


class Router:
    """Decides, and remembers how the upstreams are; one instance for the shim's life.

    Upstreams are told apart by their address: two launches may call two servers by one name.
    """

    def __init__(
        self,
        health: Health | None = None,
        spent: Callable[[str], Spent] = _nothing_spent,
        stall_s: float = STALL_S,
    ) -> None:
        self._health = health or Health(monotonic)
        self._spent = spent
        self._stall_s = stall_s
        self._answered: set[str] = set()

    def route(self, request: ChatRequest, session: Session, prompt_tokens: int) -> Routed | ChatFault:
        """Where `request` may go, or what its client is told."""
        routing, own = session.routing, session.endpoint
        if routing is None:
            return Routed(NO_ROUTE, (own,), label_of(own))
        primary = LOCAL if is_loopback(own.base_url) else own.name
        endpoints = {endpoint.name: endpoint for endpoint in routing.upstreams} | {primary: own}
        decision = decide(
            routing.policy,
            facts_of(request, prompt_tokens, routing.policy.long_context_tokens),
            primary,
            {name: _facts(name, endpoint) for name, endpoint in endpoints.items()},
            self._spent(session.id),
            lambda name: name in endpoints and self._health.is_open(_address(endpoints[name])),
        )
        if decision.refusal:
            return ChatFault(ErrorKind.PERMISSION, decision.refusal, code="policy")
        chosen = tuple(dict.fromkeys(_endpoint(each.upstream, each.model, endpoints) for each in decision.candidates))
        name, _, model = decision.preferred.partition("/")
        return Routed(decision.route, chosen, label_of(_endpoint(name, model, endpoints)))

    def has_answered(self, endpoint: Endpoint) -> bool:
        """Whether it has ever answered: then a refused connection is likely a restart, not a wrong address."""
        return _address(endpoint) in self._answered

    def stall_s(self, endpoint: Endpoint) -> float | None:
        """Silence after which the endpoint counts as stalled; None where a long prefill is no stall."""
        return self._stall_s if endpoint.kind in _HOSTED else None

    def visits(self) -> Visits:
        """The visits of one request."""
        return Visits(self._health, self._answered)

    def breakers(self) -> tuple[BreakerStatus, ...]:
        """Which upstreams have failed, for display; their names here are addresses."""
        return self._health.states()


class Visits:
    """Which upstreams one request may ask, and what it learns about them. `close` when it is over, however it ends."""

    def __init__(self, health: Health, answered: set[str]) -> None:
        self._health = health
        self._answered = answered
        self._unjudged: set[str] = set()
        self._begun: set[str] = set()

    def admits(self, endpoint: Endpoint) -> bool:
        """Whether it may be asked now; takes the place of the one probe where the breaker is half-open.

        Whom this request was let to, it may ask again, as long as it has learnt nothing there.
        """
        address = _address(endpoint)
        if address not in self._unjudged and self._health.allows(address):
            self._unjudged.add(address)
        return address in self._unjudged

    def began(self, endpoint: Endpoint) -> None:
        """The first word of its answer has come."""
        address = self._judged(endpoint)
        self._answered.add(address)
        self._begun.add(address)
        self._health.began(address)

    def finished(self, endpoint: Endpoint) -> None:
        """Its answer is whole."""
        self._health.finished(self._judged(endpoint))

    def failed(self, endpoint: Endpoint, failure: Failure) -> None:
        """An attempt there has failed, for good: it is not waited for to be started again."""
        if failure.cause is Cause.OURSELVES or failure.fault.code in KEPT_HERE:
            self._release(_address(endpoint))  # it has heard nothing of this request, and takes the next
            return
        address = self._judged(endpoint)
        kind = _failure_kind(failure, has_begun=address in self._begun)
        self._begun.discard(address)
        if kind is None:
            self._health.answered(address)
        else:
            self._health.failed(address, kind, failure.fault.retry_after_s)

    def close(self) -> None:
        """Nothing more will be learnt: a probe that has told nothing makes room for the next."""
        for address in tuple(self._unjudged):
            self._release(address)

    def _judged(self, endpoint: Endpoint) -> str:
        address = _address(endpoint)
        self._unjudged.discard(address)
        return address

    def _release(self, address: str) -> None:
        if address in self._unjudged:
            self._unjudged.discard(address)
            self._health.released(address)


def _failure_kind(failure: Failure, *, has_begun: bool) -> FailureKind | None:
    """How the upstream failed; None where the request was at fault and the upstream is well."""
    kind = failure.fault.kind
    match kind:
        case ErrorKind.BAD_REQUEST | ErrorKind.CONTEXT_OVERFLOW | ErrorKind.TOO_LARGE:
            return None
        case ErrorKind.NOT_FOUND:
            return FailureKind.NOT_FOUND
        case ErrorKind.AUTHENTICATION:
            return FailureKind.AUTHENTICATION
        case ErrorKind.PERMISSION:
            return FailureKind.PERMISSION
        case ErrorKind.RATE_LIMITED:
            return FailureKind.RATE_LIMITED
        case ErrorKind.TIMEOUT:
            return FailureKind.STALLED
        case ErrorKind.UNAVAILABLE if failure.cause is Cause.CONNECTION:
            return FailureKind.BROKEN if has_begun else FailureKind.REFUSED
        case ErrorKind.OVERLOADED | ErrorKind.UNAVAILABLE | ErrorKind.INTERNAL:
            return FailureKind.SERVER_ERROR
        case never:
            assert_never(never)


def _endpoint(name: str, model: str, endpoints: Mapping[str, Endpoint]) -> Endpoint:
    endpoint = endpoints[name]
    return replace(endpoint, model=model, context_window=None) if model else endpoint


def _facts(name: str, endpoint: Endpoint) -> UpstreamFacts:
    return UpstreamFacts(
        name=name,
        is_local=is_loopback(endpoint.base_url),
        context_window=endpoint.context_window,
        takes_images=endpoint.takes_images,
        is_priced=endpoint.prices is not None,
    )


def _address(endpoint: Endpoint) -> str:
    return endpoint.base_url


def label_of(endpoint: Endpoint) -> str:
    """The upstream and its model, as the user named them."""
    return f"{endpoint.name}/{endpoint.model}"
