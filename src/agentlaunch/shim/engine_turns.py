"""Turns at an engine of ours: one generation at a time, each conversation in its slot, its prefix there beforehand."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.prefix_probe import conversation_key, other_words
from agentlaunch.core.ir import ChatEvent, ChatRequest, Usage, UsageReport
from agentlaunch.shim.prefix_keeper import PrefixKeeper, Prompt
from agentlaunch.shim.translation import EventFilter
from agentlaunch.shim.upstream import UpstreamClient

_log = logging.getLogger(__name__)

Encode = Callable[[ChatRequest], bytes]


@dataclass
class _Slot:
    """One slot as far as we know it: whose conversation it holds, how many tokens, and when it was used last."""

    number: int
    conversation: bytes = b""
    tokens: int = 0
    turn: int = 0

    def forget(self) -> None:
        """It holds nobody's conversation any more."""
        self.conversation, self.tokens = b"", 0


@dataclass
class _Engine:
    """One engine process: its queue, its slots, and its prefixes."""

    slots: list[_Slot]
    keeper: PrefixKeeper | None
    window: int
    queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    turns: Iterator[int] = field(default_factory=lambda: count(1))

    def slot_for(self, conversation: bytes) -> _Slot:
        """The conversation's own slot, else the one that was left alone the longest."""
        own = (slot for slot in self.slots if slot.conversation == conversation)
        return next(own, None) or min(self.slots, key=lambda slot: slot.turn)

    def fill(self, slot: _Slot, tokens: int) -> None:
        """The slot holds `tokens` now. Past the window llama.cpp has cleared others, since all share one cache."""
        slot.tokens = tokens
        if self.window and sum(each.tokens for each in self.slots) > self.window:
            for other in self.slots:
                if other is not slot:
                    other.forget()


class EngineTurns:
    """The queues of all engines of ours; one instance for the shim's life. Other upstreams are passed through."""

    def __init__(self) -> None:
        self._engines: dict[tuple[str, str], _Engine] = {}

    def turn(self, request: ChatRequest, endpoint: Endpoint, encode: Encode) -> Turn:
        """A turn for `request`, which is as the upstream gets it; `encode` makes the upstream's body of a request.

        Raises what `encode` raises.
        """
        return Turn(self._engine(endpoint) if endpoint.slots else None, request, encode)

    def _engine(self, endpoint: Endpoint) -> _Engine:
        identity = endpoint.base_url, endpoint.key  # each engine process has a key of its own, a port may come again
        engine = self._engines.get(identity)
        if engine is None:
            keeper = PrefixKeeper(endpoint) if endpoint.prefix_store else None
            slots = [_Slot(number) for number in range(endpoint.slots)]
            engine = _Engine(slots, keeper, endpoint.context_window or 0)
            self._engines[identity] = engine
        return engine


class Turn:
    """One request's turn. `taken` is entered once; events pass through `observing` on their way to the client."""

    def __init__(self, engine: _Engine | None, request: ChatRequest, encode: Encode) -> None:
        self._engine = engine
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
        engine = self._engine
        if engine is None:
            yield self._body
            return
        async with engine.queue:
            slot = await self._prepared(engine, upstream)
            yield with_slot(self._body, slot.number)

    def observing(self, behind: EventFilter) -> EventFilter:
        """A filter before `behind` that learns from the usage what the engine had cached."""
        return behind if self._engine is None else UsageTap(self._observe, behind)

    async def _prepared(self, engine: _Engine, upstream: UpstreamClient) -> _Slot:
        """The slot for this conversation, with its prefix in it if that could be had."""
        conversation = conversation_key(self._request)
        slot = engine.slot_for(conversation)
        slot.turn = next(engine.turns)
        if slot.conversation != conversation:
            slot.forget()  # and stay so, should we be cancelled in the middle
            if engine.keeper is not None:
                self._restored = await self._primed(engine, engine.keeper, slot, upstream)
            slot.conversation = conversation
        self._slot = slot
        return slot

    async def _primed(self, engine: _Engine, keeper: PrefixKeeper, slot: _Slot, upstream: UpstreamClient) -> int:
        """Have the prefix brought into the slot; how many tokens were restored."""
        other = other_words(self._request)
        prompt = Prompt(self._body, self._encode(other) if other else None)
        others = [each.number for each in engine.slots if each is not slot]
        primed = await keeper.prime(upstream, slot.number, prompt, others)
        for number in primed.erased:
            engine.slots[number].forget()
        return primed.restored

    def _observe(self, usage: Usage) -> None:
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
