"""One request from the client's bytes to the last byte of its answer: both peers raced, either may end it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol, assert_never

import msgspec
from starlette.types import Receive

from agentlaunch.core.context import LoopRisk, clamp_output
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters import prefix
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import ChatFault, ChatRequest, ErrorKind, Failed
from agentlaunch.core.wire.base import NewId, Wire
from agentlaunch.core.wire.options import wire_for_call
from agentlaunch.shim.answer import ClientAnswer, KeepAlive, Stage
from agentlaunch.shim.engine_return import EngineLost, Reach, engine_back, engine_fault
from agentlaunch.shim.engine_turns import EngineTurns, Turn
from agentlaunch.shim.inbox import ClientGone, Ended, Inbox, Outcome, Piece, Refused, RunningInboxes, Silence, Whole
from agentlaunch.shim.overflow_streaks import OverflowStreaks, Streak
from agentlaunch.shim.session import Session
from agentlaunch.shim.translation import EventFilter, Translation
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed, UpstreamResponse, UpstreamUnreached

LINGER_S = 1.0
"""How long an upstream may take to end its body after its last event: then the connection serves the next request."""

_ANTHROPIC_WIRE = "anthropic_messages"
"""Has a place of its own for notices in mid-conversation, and marks for what to cache: its prompts stay as they are."""

_CHAT_WIRE = "openai_chat"
"""Spoken by OpenCode, which compacts for ever (facts/agents.md 4.4)."""


class ToolForms(Protocol):
    """What lowering has changed in the tools, so that the answer's calls get their own form back."""

    def restore(self) -> EventFilter:
        """A filter for one answer."""
        ...


Lower = Callable[[ChatRequest], tuple[ChatRequest, ToolForms]]
"""Rewrites the tools that only some wires know into functions that every model knows."""


def make_id(prefix: str) -> str:
    """A fresh id that nobody can guess."""
    return prefix + secrets.token_hex(12)


@dataclass(frozen=True)
class RelayOptions:
    """What the relay takes from outside. `now` is in Unix seconds. Without `reach`, a lost engine stays lost."""

    lower: Lower
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    new_id: NewId = make_id
    now: Callable[[], float] = time.time
    turns: EngineTurns = field(default_factory=EngineTurns)
    streaks: OverflowStreaks = field(default_factory=OverflowStreaks)
    running: RunningInboxes = field(default_factory=RunningInboxes)
    reach: Reach | None = None


@dataclass(frozen=True)
class ClientRequest:
    """The client's side of a request: what it asks, on which wire, and how its leaving is heard."""

    wire: Wire
    request: ChatRequest
    receive: Receive

    def streak(self, session: Session, options: RelayOptions) -> Streak:
        """Its place among the session's overflows."""
        risk = LoopRisk(compacts_for_ever=self.wire.name == _CHAT_WIRE, counts_as_success=bool(self.request.tools))
        return options.streaks.streak(session.id, session.context_window, risk=risk)


@dataclass(frozen=True)
class UpstreamCall:
    """A request as the upstream gets it, and how its answer is read. `moved` is the same call at another endpoint."""

    session: Session
    moved: Callable[[Endpoint], UpstreamCall]
    wire: Wire
    turn: Turn
    translation: Translation


def prepare_call(request: ChatRequest, session: Session, upstream_wire: Wire, options: RelayOptions) -> UpstreamCall:
    """Rewrite the client's request for the session's upstream; upstreams are always asked for a stream."""
    lowered, forms = options.lower(request)
    outgoing = msgspec.structs.replace(
        lowered if upstream_wire.name == _ANTHROPIC_WIRE else prefix.stable(lowered),
        model=session.endpoint.model,
        max_output_tokens=clamp_output(lowered.max_output_tokens, session.max_output_tokens),
        stream=True,
    )
    wire = wire_for_call(upstream_wire, session.endpoint, outgoing)
    turn = options.turns.turn(outgoing, session.endpoint, wire.encode_request)
    mending = FilterChain(answer_filters(outgoing), forms.restore())
    return UpstreamCall(
        session=session,
        moved=lambda endpoint: prepare_call(request, replace(session, endpoint=endpoint), upstream_wire, options),
        wire=wire,
        turn=turn,
        translation=Translation(wire, session.endpoint.name, turn.observing(mending)),
    )


@dataclass
class _Attempt:
    """The call as it is being made: at another endpoint once the engine has come back, with nothing answered before."""

    call: UpstreamCall
    streak: Streak
    reach: Reach | None


async def relay(
    call: UpstreamCall, answer: ClientAnswer, request: ClientRequest, upstream: UpstreamClient, options: RelayOptions
) -> None:
    """Ask the upstream and pass its answer on. Returns when the answer is whole or the client is gone.

    The upstream's connection is closed at once when the client leaves, before the first byte as well as after it: a
    local model would compute on for nobody.
    """
    attempt = _Attempt(call, request.streak(call.session, options), options.reach)
    inbox = Inbox()
    with options.running.holding(inbox):
        async with asyncio.TaskGroup() as group:
            pump = group.create_task(_pump(attempt, upstream, inbox))
            watch = group.create_task(_watch(request.receive, inbox))
            try:
                await _serve(attempt, answer, inbox)
                if answer.stage is Stage.CLOSED:
                    await asyncio.wait({pump}, timeout=LINGER_S)
            finally:
                watch.cancel()
                pump.cancel()


async def _serve(attempt: _Attempt, answer: ClientAnswer, inbox: Inbox) -> None:
    while answer.stage is not Stage.CLOSED:
        arrival = await inbox.take(answer.patience_s())
        translation, told = attempt.call.translation, attempt.streak.judged
        match arrival:
            case Piece(data):
                await answer.feed(told(translation.feed(data)))
            case Silence():
                await answer.keep_alive()
            case Ended(fault):
                await answer.feed(told(translation.finish(fault)))
            case Whole(body):
                await answer.feed(told(translation.whole(body)))
            case Refused(fault):
                await answer.feed(told([Failed(fault)]))
            case ClientGone():
                return
            case never:
                assert_never(never)


async def _watch(receive: Receive, inbox: Inbox) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    inbox.end(ClientGone())


async def _pump(attempt: _Attempt, upstream: UpstreamClient, inbox: Inbox) -> None:
    """Everything that the upstream says into the inbox, an outcome last; an engine that was lost is awaited once."""
    session = attempt.call.session
    try:
        try:
            outcome = await _ask(attempt.call, upstream, inbox)
        except UpstreamUnreached:
            endpoint = await engine_back(session, session.endpoint, attempt.reach)
            if endpoint is None:
                raise
            attempt.call = attempt.call.moved(endpoint)
            outcome = await _ask(attempt.call, upstream, inbox)
        inbox.end(outcome)
    except UpstreamFailed as failure:
        inbox.end(Refused(engine_fault(session, failure.fault)))
    except EngineLost as lost:
        inbox.end(Refused(lost.fault))


async def _ask(call: UpstreamCall, upstream: UpstreamClient, inbox: Inbox) -> Outcome:
    async with (
        call.turn.taken(upstream) as body,
        upstream.post(call.session.endpoint, call.wire.path, body) as response,
    ):
        return await _read(response, call, inbox)


async def _read(response: UpstreamResponse, call: UpstreamCall, inbox: Inbox) -> Outcome:
    name = call.session.endpoint.name
    wire = call.wire
    if not 200 <= response.status < 300:
        return Refused(wire.decode_fault(response.status, response.headers, await response.read()))
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "application/json":
            return Whole(await response.read())
        case "text/html":
            what = f"the upstream `{name}` answered with a web page: is its address right?"
            return Refused(ChatFault(ErrorKind.UNAVAILABLE, what))
        case _:
            return await _read_stream(response, call.session, inbox)


async def _read_stream(response: UpstreamResponse, session: Session, inbox: Inbox) -> Outcome:
    try:
        async for piece in response.body:
            inbox.put(piece)
            if inbox.is_full:
                await inbox.room()
    except UpstreamFailed as failure:
        return Ended(engine_fault(session, failure.fault))
    return Ended()
