"""Turns at an engine of ours: one generation at a time, each conversation in its slot, its prefix there beforehand."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from itertools import count

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.prefix_probe import conversation_key, is_opening, other_words
from agentlaunch.core.ir import ChatEvent, ChatRequest, Tool, ToolChoice, Usage, UsageReport
from agentlaunch.core.prefix_cache import token_count
from agentlaunch.core.wire.base import load_wire
from agentlaunch.core.wire.options import wire_for_call
from agentlaunch.shim.prefix_keeper import Held, Place, PrefixKeeper, Prompt
from agentlaunch.shim.prompt_sizes import body_tokens, most_new_tokens, most_tokens
from agentlaunch.shim.session import Session
from agentlaunch.shim.translation import EventFilter
from agentlaunch.shim.upstream import UpstreamClient

_log = logging.getLogger(__name__)

Encode = Callable[[ChatRequest], bytes]

_RESERVED_TURNS = 8
"""For so many turns a slot that was filled for a session's opening waits for it: agents ask for titles before."""

_REMEMBERED = 16
"""So many engine processes, those used last, are remembered: each start of an engine makes another one."""

_SUMMARY_TOKENS = 2048
"""What an agent's summary of a conversation takes at most, or nearly."""

Remember = Callable[[Session, ChatRequest], None]
"""Told each request, as its upstream got it, once that has told its usage: the agent's opening may be among them."""


def _forget(_session: Session, _request: ChatRequest) -> None:
    pass


@dataclass
class _Slot:
    """One slot as far as we know it: whose conversation it holds, how many tokens, and when it was used last.

    `beforehand` is set until its first use where it was filled for the session `patron` that has just opened. `tools`
    are those that the conversation was last asked with.
    """

    number: int
    conversation: bytes = b""
    tokens: int = 0
    turn: int = 0
    beforehand: Held | None = None
    patron: str = ""
    tools: tuple[Tool, ...] = ()

    def forget(self) -> None:
        """It holds nobody's conversation any more."""
        self.conversation, self.tokens, self.beforehand, self.patron, self.tools = b"", 0, None, "", ()


@dataclass
class _Demand:
    """How many requests want an upstream or have it; `warming` is what is asked of it while none does."""

    callers: int = 0
    warming: asyncio.Task[None] | None = None

    @contextmanager
    def calling(self) -> Iterator[None]:
        """A request, from before it waits until its answer has ended."""
        self.callers += 1
        try:
            yield
        finally:
            self.callers -= 1

    async def call_off(self) -> None:
        """End the warming; its connection is closed on return."""
        if self.warming is not None:
            self.warming.cancel()
            await asyncio.wait({self.warming})


@dataclass
class _Engine:
    """One engine process: its queue, its slots, and its prefixes."""

    slots: list[_Slot]
    keeper: PrefixKeeper | None
    window: int
    demand: _Demand = field(default_factory=_Demand)
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: Iterator[int] = field(default_factory=lambda: count(1))

    @property
    def is_idle(self) -> bool:
        """Whether nobody asks it, or has it compute anything."""
        return not self.demand.callers and not self.queue.locked()

    def slot_for(self, conversation: bytes, patron: str, *, is_work: bool) -> _Slot:
        """The conversation's own slot, else the one that was filled for this session's opening (`patron`, empty for
        other requests), else the one that was left alone the longest.

        What is no work, a title or a classifier, takes the slot that holds the least: while a subagent works, the
        conversation that waits for it was left alone the longest, and is the dearest to compute again.
        """
        own = next((slot for slot in self.slots if slot.conversation == conversation), None)
        filled = (slot for slot in self.slots if patron and slot.patron == patron)
        return own or next(filled, None) or (self.idlest() if is_work else self.smallest())

    def smallest(self) -> _Slot:
        """The slot that holds the fewest tokens, not one that waits for a session's opening."""
        return min(self.slots, key=lambda slot: (slot.patron != "", slot.tokens, slot.turn))

    def idlest(self) -> _Slot:
        """The slot that was left alone the longest; one that was filled for a session counts as used later."""
        return self._idlest_first()[0]

    def slot_to_warm(self, tokens: int) -> _Slot:
        """The slot that was left alone the longest, else the next one that has room for so many tokens: what it holds
        gives way then. Never for the one that was used last."""
        first, *others = self._idlest_first()
        return next((slot for slot in (first, *others[:-1]) if tokens <= self.room_beside(slot)), first)

    def _idlest_first(self) -> list[_Slot]:
        return sorted(self.slots, key=lambda slot: slot.turn + (_RESERVED_TURNS if slot.patron else 0))

    def room_beside(self, slot: _Slot) -> int:
        """Tokens that this slot may hold without another one losing its own."""
        held = sum(other.tokens for other in self.slots if other is not slot)
        return (self.window or sys.maxsize) - held

    def has_room_for_tools(self, slot: _Slot, request: ChatRequest) -> bool:
        """Whether a compaction without tools fits with them, and with a summary behind it.

        Most templates say the tools first: without them nothing of the conversation is what the engine has computed.
        """
        if request.tools or not slot.tools or is_opening(request):
            return False
        needed = slot.tokens + most_tokens(request.messages[-1]) + _SUMMARY_TOKENS
        return not self.window or needed <= self.window

    def others(self, slot: _Slot) -> list[_Slot]:
        """All but this one, the longest unused first."""
        return sorted((other for other in self.slots if other is not slot), key=lambda other: other.turn)

    def in_the_way(self, slot: _Slot, tokens: int) -> list[_Slot]:
        """Whom to empty so that this slot may hold `tokens`: the longest unused, never the one that was used last.

        That one, a main conversation or the subagent beside this one, is about to go on. llama.cpp would empty slots by
        their number, and the main conversation's is the first. So with two slots there is nobody to choose.
        """
        missing = tokens - self.room_beside(slot)
        chosen: list[_Slot] = []
        for other in self.others(slot)[:-1]:
            if missing > 0 and other.tokens:
                chosen.append(other)
                missing -= other.tokens
        return chosen

    def fill(self, slot: _Slot, tokens: int) -> None:
        """The slot holds `tokens` now. Past the window llama.cpp has cleared others, since all share one cache."""
        slot.tokens = tokens
        if self.window and sum(each.tokens for each in self.slots) > self.window:
            for other in self.slots:
                if other is not slot:
                    other.forget()


class EngineTurns:
    """The queues of all engines of ours; one instance for the shim's life. Other upstreams are passed through."""

    def __init__(self, remember: Remember = _forget) -> None:
        self._remember = remember
        self._engines: dict[tuple[str, str], _Engine] = {}
        self._demands: dict[tuple[str, str], _Demand] = {}

    def turn(self, request: ChatRequest, endpoint: Endpoint, encode: Encode, session: Session | None = None) -> Turn:
        """A turn for `request`, which is as the upstream gets it; `encode` makes the upstream's body of a request.

        Nothing is remembered without `session`, or where a route leads to another upstream than the session's own.
        Raises what `encode` raises.
        """
        engine = self._engine(endpoint) if endpoint.slots else None
        demand = self._demand(endpoint) if engine is None else engine.demand
        own = session if session is not None and _is_own(session, endpoint) else None
        return Turn(_Passage(engine, demand, own, self._remember), request, encode)

    async def warm(self, session: Session, opening: ChatRequest, upstream: UpstreamClient) -> None:
        """Have the session's upstream compute the opening that it will be asked next, unless it has anything to do.

        A request that comes meanwhile has it end: an engine of ours after a step of `STEP_S`, another upstream as it
        notices that the connection is closed. Raises UpstreamFailed, ProtocolError.
        """
        endpoint = session.endpoint
        encode = wire_for_call(load_wire(endpoint.wire), endpoint, opening).encode_request
        if endpoint.slots:
            await _warm_slot(self._engine(endpoint), session.id, _prompt(opening, encode), upstream)
            return
        demand = self._demand(endpoint)
        if demand.callers or demand.warming is not None:
            return
        warming = demand.warming = asyncio.create_task(_warm_other(endpoint, opening, upstream))
        try:
            await asyncio.wait({warming})
            if not warming.cancelled():
                warming.result()
        finally:
            await demand.call_off()
            demand.warming = None

    def _engine(self, endpoint: Endpoint) -> _Engine:
        identity = endpoint.base_url, endpoint.key  # each engine process has a key of its own, a port may come again
        engine = self._engines.pop(identity, None)
        if engine is None:
            keeper = PrefixKeeper(endpoint) if endpoint.prefix_store else None
            slots = [_Slot(number) for number in range(endpoint.slots)]
            engine = _Engine(slots, keeper, endpoint.context_window or 0)
        idle = [known for known, other in self._engines.items() if other.is_idle]
        for known in idle[: max(0, len(self._engines) + 1 - _REMEMBERED)]:
            del self._engines[known]
        self._engines[identity] = engine  # behind all others: used last
        return engine

    def _demand(self, endpoint: Endpoint) -> _Demand:
        return self._demands.setdefault((endpoint.base_url, endpoint.model), _Demand())


def _is_own(session: Session, endpoint: Endpoint) -> bool:
    return (session.endpoint.name, session.endpoint.model) == (endpoint.name, endpoint.model)


@dataclass(frozen=True)
class _Passage:
    """What a turn goes through: the engine, if it is one of ours, and who is told of it."""

    engine: _Engine | None
    demand: _Demand
    session: Session | None
    remember: Remember


class Turn:
    """One request's turn. `taken` is entered once; events pass through `observing` on their way to the client."""

    def __init__(self, passage: _Passage, request: ChatRequest, encode: Encode) -> None:
        self._passage = passage
        self._engine = passage.engine
        self._request = request
        self._encode = encode
        self._body = encode(request)
        self._slot: _Slot | None = None
        self._restored = 0

    @asynccontextmanager
    async def taken(self, upstream: UpstreamClient) -> AsyncIterator[bytes]:
        """Wait for the engine, which is ours while the block runs; gives the body to send. May be cancelled any time.

        Local engines share one machine: two generations at once take twice as long each, and a prompt computed beside
        an answer stops that answer. So requests wait in the order of their arrival.
        """
        engine, demand = self._engine, self._passage.demand
        with demand.calling():
            if engine is None:
                await demand.call_off()
                yield self._body
                return
            async with engine.queue:
                slot = await self._prepared(engine, upstream)
                yield with_slot(self._body, slot.number)

    def observing(self, behind: EventFilter) -> EventFilter:
        """A filter before `behind` that learns from the usage what the engine had cached."""
        return behind if self._engine is None and self._passage.session is None else UsageTap(self._observe, behind)

    async def _prepared(self, engine: _Engine, upstream: UpstreamClient) -> _Slot:
        """The slot for this conversation, with its prefix in it if that could be had."""
        conversation = conversation_key(self._request)
        slot = engine.slot_for(conversation, self._patron(), is_work=bool(self._request.tools))
        slot.turn = next(engine.turns)
        await self._make_room(engine, slot, upstream, is_new=slot.conversation != conversation)
        if slot.conversation != conversation:
            beforehand = slot.beforehand
            slot.forget()  # and stay so, should we be cancelled in the middle
            if engine.keeper is not None:
                others = tuple(each.number for each in engine.others(slot))
                place = Place(slot.number, others, beforehand)
                self._restored = await self._primed(engine, engine.keeper, place, upstream)
            slot.conversation = conversation
        elif engine.has_room_for_tools(slot, self._request):
            self._body = self._encode(_with_tools(self._request, slot.tools))
        slot.tools = self._request.tools or slot.tools
        self._slot = slot
        return slot

    async def _make_room(self, engine: _Engine, slot: _Slot, upstream: UpstreamClient, *, is_new: bool) -> None:
        """Empty the slots that are in the way of this request, as far as its tokens can be told without asking."""
        if engine.keeper is None:
            return
        grown = slot.tokens + most_new_tokens(self._request)
        for other in engine.in_the_way(slot, body_tokens(self._body) if is_new else grown):
            other.forget()
            await engine.keeper.erase(upstream, other.number)

    def _patron(self) -> str:
        """The session, for its opening: titles have no tools."""
        session, request = self._passage.session, self._request
        return session.id if session is not None and request.tools and is_opening(request) else ""

    async def _primed(self, engine: _Engine, keeper: PrefixKeeper, place: Place, upstream: UpstreamClient) -> int:
        """Have the prefix brought into the slot; how many tokens were restored."""
        primed = await keeper.prime(upstream, place, _prompt(self._request, self._encode))
        for number in primed.erased:
            engine.slots[number].forget()
        return primed.restored

    def _observe(self, usage: Usage) -> None:
        if self._passage.session is not None:
            self._passage.remember(self._passage.session, self._request)
        engine, slot = self._engine, self._slot
        if engine is None or slot is None:
            return
        engine.fill(slot, usage.input_tokens + usage.output_tokens)
        _log.info(
            "slot %d: %d prompt tokens, %d cached, %d of them restored",
            slot.number, usage.input_tokens, usage.cached_tokens, min(self._restored, usage.cached_tokens),
        )  # fmt: skip
        if engine.keeper is not None and self._restored:
            engine.keeper.verify(self._restored, usage.cached_tokens)
            self._restored = 0


def _with_tools(request: ChatRequest, tools: tuple[Tool, ...]) -> ChatRequest:
    """The same request with tools that are shown and cannot be called, as Claude Code's own compactions have them."""
    return msgspec.structs.replace(request, tools=tools, tool_choice=ToolChoice("none"))


def _prompt(request: ChatRequest, encode: Encode) -> Prompt:
    other = other_words(request)
    return Prompt(encode(request), encode(other) if other else None)


async def _warm_slot(engine: _Engine, session_id: str, prompt: Prompt, upstream: UpstreamClient) -> None:
    """Fill the idlest slot, which then counts as just used, or the agent's title would take it."""
    if engine.keeper is None:
        return
    async with engine.queue:
        slot = engine.slot_to_warm(body_tokens(prompt.body))
        if engine.demand.callers:
            return
        conversation, tokens = slot.conversation, slot.tokens
        place = Place(slot.number, room=engine.room_beside(slot))
        slot.forget()
        held = await engine.keeper.warm(upstream, place, prompt, lambda: not engine.demand.callers)
        if held is None:
            slot.conversation, slot.tokens = conversation, tokens
            return
        slot.beforehand, slot.patron, slot.turn = held, session_id, next(engine.turns)
        slot.tokens = token_count(held.tokens)


async def _warm_other(endpoint: Endpoint, opening: ChatRequest, upstream: UpstreamClient) -> None:
    """Ask for one token of an answer, which nobody reads."""
    asked = msgspec.structs.replace(opening, max_output_tokens=1, stream=True)
    wire = wire_for_call(load_wire(endpoint.wire), endpoint, asked)
    async with upstream.post(endpoint, wire.path, wire.encode_request(asked)) as response:
        await response.read()


def with_slot(body: bytes, slot: int) -> bytes:
    """The same JSON object with llama.cpp's `id_slot`: it chooses that slot and no other."""
    return b'%b,"id_slot":%d}' % (body.rstrip()[:-1], slot)


class UsageTap:
    """Lets everything pass, and tells the token counts."""

    def __init__(self, tell: Callable[[Usage], None], behind: EventFilter) -> None:
        self._tell = tell
        self._behind = behind

    def feed(self, event: ChatEvent) -> Iterator[ChatEvent]:
        """Translate one event."""
        if isinstance(event, UsageReport):
            self._tell(event.usage)
        return self._behind.feed(event)

    def finish(self) -> Iterator[ChatEvent]:
        """The stream has ended."""
        return self._behind.finish()
