"""One request from the client's bytes to the last byte of its answer: both peers raced, either may end it."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

import msgspec
from starlette.types import Receive

from agentlaunch.core.context import clamp_output
from agentlaunch.core.ir import ChatFault, ChatRequest, ErrorKind, Failed
from agentlaunch.core.wire.base import NewId, Wire
from agentlaunch.shim.answer import ClientAnswer, KeepAlive, Stage
from agentlaunch.shim.inbox import ClientGone, Ended, Inbox, Outcome, Piece, Refused, Silence, Whole
from agentlaunch.shim.session import Session
from agentlaunch.shim.translation import EventFilter, Translation
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed, UpstreamResponse

LINGER_S = 1.0
"""How long an upstream may take to end its body after its last event: then the connection serves the next request."""


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
    """What the relay takes from outside. `now` is in Unix seconds."""

    lower: Lower
    keep_alive: KeepAlive = field(default_factory=KeepAlive)
    new_id: NewId = make_id
    now: Callable[[], float] = time.time


@dataclass(frozen=True)
class UpstreamCall:
    """A request as the upstream gets it, and how its answer is read."""

    session: Session
    path: str
    body: bytes
    translation: Translation


def prepare_call(request: ChatRequest, session: Session, upstream_wire: Wire, lower: Lower) -> UpstreamCall:
    """Rewrite the client's request for the session's upstream; upstreams are always asked for a stream."""
    lowered, forms = lower(request)
    outgoing = msgspec.structs.replace(
        lowered,
        model=session.endpoint.model,
        max_output_tokens=clamp_output(lowered.max_output_tokens, session.max_output_tokens),
        stream=True,
    )
    return UpstreamCall(
        session=session,
        path=upstream_wire.path,
        body=upstream_wire.encode_request(outgoing),
        translation=Translation(upstream_wire, session.endpoint.name, forms.restore()),
    )


async def relay(
    call: UpstreamCall, answer: ClientAnswer, upstream: UpstreamClient, upstream_wire: Wire, receive: Receive
) -> None:
    """Ask the upstream and pass its answer on. Returns when the answer is whole or the client is gone.

    The upstream's connection is closed at once when the client leaves, before the first byte as well as after it: a
    local model would compute on for nobody.
    """
    inbox = Inbox()
    async with asyncio.TaskGroup() as group:
        pump = group.create_task(_pump(call, upstream, upstream_wire, inbox))
        watch = group.create_task(_watch(receive, inbox))
        try:
            await _serve(call, answer, inbox)
            if answer.stage is Stage.CLOSED:
                await asyncio.wait({pump}, timeout=LINGER_S)
        finally:
            watch.cancel()
            pump.cancel()


async def _serve(call: UpstreamCall, answer: ClientAnswer, inbox: Inbox) -> None:
    while answer.stage is not Stage.CLOSED:
        match await inbox.take(answer.patience_s()):
            case Piece(data):
                await answer.feed(call.translation.feed(data))
            case Silence():
                await answer.keep_alive()
            case Ended(fault):
                await answer.feed(call.translation.finish(fault))
            case Whole(body):
                await answer.feed(call.translation.whole(body))
            case Refused(fault):
                await answer.feed([Failed(_with_window(fault, call.session.context_window))])
            case ClientGone():
                return
            case never:
                assert_never(never)


def _with_window(fault: ChatFault, context_window: int) -> ChatFault:
    """The same fault; an overflow that does not say which window it overflowed gets the session's, in tokens."""
    if fault.kind is ErrorKind.CONTEXT_OVERFLOW and fault.context_window is None:
        return msgspec.structs.replace(fault, context_window=context_window)
    return fault


async def _watch(receive: Receive, inbox: Inbox) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    inbox.end(ClientGone())


async def _pump(call: UpstreamCall, upstream: UpstreamClient, wire: Wire, inbox: Inbox) -> None:
    """Everything that the upstream says into the inbox, an outcome last."""
    try:
        async with upstream.post(call.session.endpoint, call.path, call.body) as response:
            inbox.end(await _read(response, call, wire, inbox))
    except UpstreamFailed as failure:
        inbox.end(Refused(failure.fault))


async def _read(response: UpstreamResponse, call: UpstreamCall, wire: Wire, inbox: Inbox) -> Outcome:
    name = call.session.endpoint.name
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
            return await _read_stream(response, inbox)


async def _read_stream(response: UpstreamResponse, inbox: Inbox) -> Outcome:
    try:
        async for piece in response.body:
            inbox.put(piece)
            if inbox.is_full:
                await inbox.room()
    except UpstreamFailed as failure:
        return Ended(failure.fault)
    return Ended()
