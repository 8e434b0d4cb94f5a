"""One request from the client's bytes to the last byte of its answer: peers raced, one attempt alive at a time."""

from __future__ import annotations

import asyncio
import logging
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from starlette.types import Receive

from agentlaunch.core.context import LoopRisk
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.failover import Ask, Cause, Choice, Effect, Failover, Failure, GiveUp
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.filters.parser_failures import second_try
from agentlaunch.core.ir import ChatEvent, ChatFault, ChatRequest, ErrorKind, Failed, Finished
from agentlaunch.core.metering import CANCELLED, OK
from agentlaunch.core.wire.base import NewId, ProtocolError, Wire, load_wire
from agentlaunch.shim.answer import ClientAnswer, KeepAlive, Stage, first_content
from agentlaunch.shim.counting import TokenCounter
from agentlaunch.shim.engine_return import EngineLost, Reach, engine_back, engine_fault
from agentlaunch.shim.engine_turns import EngineTurns
from agentlaunch.shim.inbox import Arrival, ClientGone, Ended, Inbox, Piece, Refused, RunningInboxes, Silence
from agentlaunch.shim.openings import Openings
from agentlaunch.shim.output_limits import OutputLimits
from agentlaunch.shim.overflow_streaks import OverflowStreaks, Streak
from agentlaunch.shim.router import Routed, Router
from agentlaunch.shim.session import Session
from agentlaunch.shim.switches import Switches
from agentlaunch.shim.traffic import RequestTrace, Traffic, unmetered
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed, UpstreamUnreached
from agentlaunch.shim.upstream_call import CallMaking, Lower, UpstreamCall, ask_upstream, prepare_call, verbatim_call
from agentlaunch.shim.verbatim import Original, vendor_headers

LINGER_S = 1.0
"""How long an upstream may take to end its body after its last event: then the connection serves the next request."""

SILENCE_S = 600.0
"""How long a hosted upstream may say nothing where nobody else can be asked: our signs of life keep agents waiting, so
the end has to come from us. It is what OpenAI's and Anthropic's SDKs wait by default, ten minutes."""

_LEFT_ALONE = ChatFault(ErrorKind.UNAVAILABLE, "it failed a moment ago, and is left alone while others may answer")

_log = logging.getLogger(__name__)

_CHAT_WIRE = "openai_chat"
"""Spoken by OpenCode, which compacts for ever (facts/agents.md 4.4)."""


def make_id(prefix: str) -> str:
    """A fresh id that nobody can guess."""
    return prefix + secrets.token_hex(12)


@dataclass(frozen=True)
class RelayOptions:
    """What the relay takes from outside. `now` is in Unix seconds. Without `reach`, a lost engine stays lost."""

    lower: Lower = tool_forms.lower
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    new_id: NewId = make_id
    now: Callable[[], float] = time.time
    turns: EngineTurns = field(default_factory=EngineTurns)
    streaks: OverflowStreaks = field(default_factory=OverflowStreaks)
    running: RunningInboxes = field(default_factory=RunningInboxes)
    reach: Reach | None = None
    router: Router = field(default_factory=Router)
    traffic: Traffic = field(default_factory=unmetered)
    switches: Switches = field(default_factory=Switches)
    wire_named: Callable[[str], Wire] = load_wire
    counter: TokenCounter | None = None
    silence_s: float = SILENCE_S
    openings: Openings = field(default_factory=Openings)
    limits: OutputLimits = field(default_factory=OutputLimits)

    def making(self) -> CallMaking:
        """What calls are made with."""
        return CallMaking(self.lower, self.turns, self.wire_named, self.counter, self.openings, self.limits)


@dataclass(frozen=True)
class ClientRequest:
    """The client's side of a request: what it asks, on which wire, where that may go, and how its leaving is heard."""

    session: Session
    wire: Wire
    request: ChatRequest
    routed: Routed
    trace: RequestTrace
    receive: Receive
    original: Original

    def streak(self, options: RelayOptions) -> Streak:
        """Its place among the session's overflows."""
        risk = LoopRisk(compacts_for_ever=self.wire.name == _CHAT_WIRE, counts_as_success=bool(self.request.tools))
        return options.streaks.streak(self.session.id, self.session.context_window, risk=risk)


async def relay(client: ClientRequest, answer: ClientAnswer, upstream: UpstreamClient, options: RelayOptions) -> None:
    """Ask the upstreams of the route, one after the other, and pass the answer on.

    Returns when the answer is whole or the client is gone. The upstream's connection is closed at once when the client
    leaves, before the first byte as well as after it: a local model would compute on for nobody.
    """
    inbox = Inbox()
    with options.running.holding(inbox):
        async with asyncio.TaskGroup() as group:
            watch = group.create_task(_watch(client.receive, inbox))
            try:
                await _Run(client, answer, _Peers(upstream, inbox, options)).to_the_end(group)
            finally:
                watch.cancel()


async def _watch(receive: Receive, inbox: Inbox) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    inbox.close(ClientGone())


@dataclass(frozen=True)
class _Peers:
    """What a run works with: the client towards upstreams, the place where all that happens arrives, the options."""

    upstream: UpstreamClient
    inbox: Inbox
    options: RelayOptions


@dataclass
class _Attempt:
    """One attempt; the call is another one once a lost engine has come back.

    `heard_at`, on the loop's clock, is the upstream's last sign of life, or when it was asked.
    """

    call: UpstreamCall
    ask: Ask
    heard_at: float


class _Run:
    """The attempts of one request, at most one of them alive."""

    def __init__(self, client: ClientRequest, answer: ClientAnswer, peers: _Peers) -> None:
        self._client = client
        self._answer = answer
        self._inbox = peers.inbox
        self._upstream = peers.upstream
        self._options = peers.options
        self._visits = peers.options.router.visits()
        self._streak = client.streak(peers.options)
        self._endpoints = list(client.routed.endpoints)
        self._choices = [self._choice(endpoint) for endpoint in self._endpoints]
        self._failover = Failover(self._choices)
        self._request = client.request
        self._is_second_try = False
        self._has_content = False
        self._status = CANCELLED
        self._mended = 0

    async def to_the_end(self, group: asyncio.TaskGroup) -> None:
        """Attempt after attempt, until the answer is closed or the client gone."""
        ask: Ask | None = self._failover.begin()
        try:
            while ask is not None:
                ask = await self._attempt(ask, group)
        finally:
            self._visits.close()
            self._client.trace.finish(self._status, self._mended)

    def _choice(self, endpoint: Endpoint) -> Choice:
        router = self._options.router
        return Choice(
            name=endpoint.name,
            context_window=endpoint.context_window,
            is_revived=self._is_ours(endpoint) and self._options.reach is not None,
            has_answered=router.has_answered(endpoint),
            stall_s=router.stall_s(endpoint),
        )

    def _is_ours(self, endpoint: Endpoint) -> bool:
        """Whether it is the engine that the shim keeps running for this session."""
        return self._client.session.engine is not None and endpoint.name == self._client.session.endpoint.name

    async def _attempt(self, ask: Ask, group: asyncio.TaskGroup) -> Ask | None:
        """One attempt to its end, its connection closed; what to ask next, None when there is nothing left to do."""
        endpoint = self._endpoints[ask.index]
        if not self._visits.admits(endpoint) and self._failover.has_others:
            return await self._unasked(_LEFT_ALONE, endpoint)
        try:
            call = self._verbatim(endpoint) or self._written_anew(endpoint)
        except ProtocolError as error:
            return await self._unasked(ChatFault(ErrorKind.BAD_REQUEST, str(error)), endpoint)
        if call.overflow is not None:
            return await self._unasked(call.overflow, endpoint)
        self._client.trace.attempt(endpoint.name, endpoint.model, endpoint.prices)
        attempt = _Attempt(call, ask, _now() + ask.after_s)
        pump = group.create_task(self._pump(attempt))
        try:
            return await self._listen(attempt)
        finally:
            self._note_mending(attempt.call)
            if self._answer.stage is Stage.CLOSED:
                await asyncio.wait({pump}, timeout=LINGER_S)
            pump.cancel()
            await asyncio.wait({pump})

    async def _unasked(self, fault: ChatFault, endpoint: Endpoint) -> Ask | None:
        """What follows where we know beforehand that asking `endpoint` is of no use."""
        return await self._pass([Failed(fault)], endpoint, Cause.OURSELVES)

    def _written_anew(self, endpoint: Endpoint) -> UpstreamCall:
        """Raises ProtocolError for a request that the endpoint's wire cannot say."""
        client = self._client
        call = prepare_call(self._request, client.session, endpoint, self._options.making())
        return replace(call, headers=vendor_headers(client.original, endpoint))

    def _verbatim(self, endpoint: Endpoint) -> UpstreamCall | None:
        """The call in the client's own bytes, where there is nothing for us to say or mend."""
        client = self._client
        if (
            self._is_second_try
            or self._answer.stage is not Stage.HELD
            or self._options.switches.is_due(client.session.id, client.routed, endpoint)
        ):
            return None
        return verbatim_call(client.original, self._request, endpoint, self._options.making())

    async def _pump(self, attempt: _Attempt) -> None:
        """Everything that the upstream says into the inbox, an outcome last."""
        ask = attempt.ask
        try:
            if ask.after_s:
                await asyncio.sleep(ask.after_s)
            if ask.revive:
                await self._revive(attempt)
            self._inbox.end(await ask_upstream(attempt.call, self._upstream, self._inbox))
        except UpstreamFailed as failure:
            self._inbox.end(Refused(failure.fault, isinstance(failure, UpstreamUnreached)))
        except EngineLost as lost:
            self._inbox.end(Refused(lost.fault))

    def _note_mending(self, call: UpstreamCall) -> None:
        self._mended = call.mended()
        if self._mended:
            _log.info("session %s: mended %s", self._client.session.id, dict(call.mending.mended))

    async def _revive(self, attempt: _Attempt) -> None:
        """Wait for our engine and make the call anew: it has another address. Raises EngineLost."""
        session = self._client.session
        found = await engine_back(session, attempt.call.endpoint, self._options.reach)
        if found is not None:
            self._endpoints[attempt.ask.index] = found
            attempt.call = self._written_anew(found)

    async def _listen(self, attempt: _Attempt) -> Ask | None:
        """Give the client what comes, until the answer is closed or this attempt has failed."""
        while self._answer.stage is not Stage.CLOSED:
            arrival = await self._inbox.take(self._patience_s(attempt))
            match arrival:
                case ClientGone():
                    return None
                case Silence() if _now() < self._silent_at(attempt):
                    await self._answer.keep_alive()
                    continue
                case Silence():
                    events: list[ChatEvent] = [Failed(_silent(attempt.call.endpoint))]
                case _:
                    attempt.heard_at = _now()
                    events = attempt.call.events(arrival)
            verbatim = arrival.data if attempt.call.is_verbatim and isinstance(arrival, Piece) else None
            ask = await self._pass(events, attempt.call.endpoint, _cause(arrival), verbatim)
            if ask is not None:
                return ask
        return None

    async def _pass(
        self, events: list[ChatEvent], endpoint: Endpoint, cause: Cause, verbatim: bytes | None = None
    ) -> Ask | None:
        """Give the events to the client; the next attempt in their place when they fail before any of them went out.

        With `verbatim` the client gets these bytes, which say the events. `cause` is that of a failure among them.
        """
        last = events[-1] if events else None
        content_at = None if self._has_content else first_content(events)
        if content_at is not None:
            self._visits.began(endpoint)
        if isinstance(last, Failed):
            is_engines = cause is Cause.CONNECTION and self._is_ours(endpoint)
            fault = engine_fault(self._client.session, last.fault) if is_engines else last.fault
            if self._answer.is_committed():
                self._visits.failed(endpoint, Failure(fault, cause))
            else:
                match self._after(Failure(fault, cause), endpoint):
                    case Ask() as ask:
                        return ask
                    case GiveUp(last_word):
                        fault = last_word
            self._status = fault.kind
            events = [*events[:-1], Failed(fault)]
        elif isinstance(last, Finished):
            self._status = OK
            self._visits.finished(endpoint)
        for event in events:
            self._client.trace.event(event)
        told = self._streak.judged(self._introduced(events, content_at, endpoint))
        if verbatim is None:
            await self._answer.feed(told)
        else:
            await self._answer.forward(verbatim, told)
        return None

    def _after(self, failure: Failure, endpoint: Endpoint) -> Effect:
        """What follows a failure of which the client knows nothing yet. A server that stops makes no new attempt.

        An engine that could not read its own model's answer, or make a grammar, is asked again once, in another way.
        """
        is_asked = failure.cause is not Cause.OURSELVES
        again = second_try(self._request, failure.fault) if is_asked and not self._is_second_try else None
        effect: Effect
        if again is not None:
            self._options.limits.learn(endpoint, failure.fault)
            self._request, self._is_second_try = again, True
            effect = self._failover.again()
        else:
            effect = self._failover.failed(failure)
            if isinstance(effect, GiveUp) or not effect.revive:
                self._visits.failed(endpoint, failure)
        if isinstance(effect, Ask):
            if not self._inbox.restart():
                return GiveUp(failure.fault)
            self._answer.restart()
            self._has_content = False
            _log.info("session %s: `%s` has failed: %s", self._client.session.id, endpoint.name, failure.fault.message)
        return effect

    def _introduced(self, events: list[ChatEvent], at: int | None, endpoint: Endpoint) -> list[ChatEvent]:
        """The events; before the first that tells something, number `at`, stands who answers, if that is not who was
        meant to."""
        if at is None:
            return events
        self._has_content = True
        self._answer.headers |= {"x-agentlaunch-upstream": endpoint.name, "x-agentlaunch-model": endpoint.model}
        client = self._client
        notice = self._options.switches.notice(client.session.id, client.routed, endpoint)
        if notice is None or not client.request.tools:  # a title or a summary is read by a program
            return events
        return [*events[:at], notice, *events[at:]]

    def _silent_at(self, attempt: _Attempt) -> float:
        """When the upstream counts as silent, on the loop's clock: sooner while another may be asked in its place."""
        if self._choices[attempt.ask.index].stall_s is None:
            return math.inf
        stall_s = None if self._answer.is_committed() else attempt.ask.stall_s
        return attempt.heard_at + (self._options.silence_s if stall_s is None else stall_s)

    def _patience_s(self, attempt: _Attempt) -> float:
        """Until the next sign of life is due, or the upstream counts as silent."""
        return min(self._answer.patience_s(), max(0.0, self._silent_at(attempt) - _now()))


def _now() -> float:
    return asyncio.get_running_loop().time()


def _cause(arrival: Arrival) -> Cause:
    """What a failure that this arrival tells has come from."""
    match arrival:
        case Ended() | Refused(_, True):
            return Cause.CONNECTION
        case _:
            return Cause.ANSWER


def _silent(endpoint: Endpoint) -> ChatFault:
    return ChatFault(ErrorKind.TIMEOUT, f"the upstream `{endpoint.name}` has said nothing for too long")
