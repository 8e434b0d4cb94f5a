"""Prefixes of one engine: restored into a slot before a conversation's first request, saved when they are new."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.prefix_cache import (
    LOST_TOKENS,
    MIN_TOKENS,
    KeptPrefix,
    Match,
    best_match,
    common_tokens,
    first_tokens,
    is_worth_keeping,
    token_count,
)
from agentlaunch.core.prefix_openings import FIRST_STEP_TOKENS, next_step
from agentlaunch.core.prefix_store import PrefixStore
from agentlaunch.errors import Bug, MachineError
from agentlaunch.shim import prefix_files
from agentlaunch.shim.llama_cpp_slots import LlamaCppSlots, SlotRefused
from agentlaunch.shim.prefix_files import NotKept, Refusal, state_name
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

_MAX_FAILURES = 2
"""After so many restored states of which the engine used nothing, it is not asked again."""

WHOLE_ONLY = "only whole prefixes are restored: its state (recurrent, or with a sliding window) cannot be cut"

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """A chat request's body, and the same with other words of the user's: None when nothing is to be kept of it."""

    body: bytes
    other: bytes | None


@dataclass(frozen=True)
class Held:
    """What a slot holds before anybody has asked for it: packed tokens, and the kept prefix that was read for them."""

    tokens: bytes = b""
    match: Match | None = None


@dataclass(frozen=True)
class Place:
    """A slot for a prompt, and what was put there `beforehand`.

    `others` may be emptied, in this order, when the cache has no room for what is restored; `room` are the tokens that
    fit without.
    """

    slot: int
    others: tuple[int, ...] = ()
    beforehand: Held | None = None
    room: int = 0


@dataclass(frozen=True)
class Primed:
    """What was done for a prompt: tokens restored, and the other slots that had to be emptied for them."""

    restored: int = 0
    erased: tuple[int, ...] = ()


_FAILURES = (SlotRefused, UpstreamFailed, TimeoutError, msgspec.MsgspecError, NotKept, OSError)


class PrefixKeeper:
    """One engine's prefixes. Never fails a request: what goes wrong ends in a plain prefill and a line in the log."""

    def __init__(self, endpoint: Endpoint) -> None:
        if endpoint.prefix_store is None:
            raise Bug("no-prefix-store", f"`{endpoint.name}` keeps no prefixes")
        self._store: PrefixStore = endpoint.prefix_store
        self._folder = Path(self._store.folder)
        self._model = endpoint.model
        self._endpoint = endpoint
        self._last: Match | None = None
        self._whole_only = False
        self._failures = 0
        self._refusal = ""

    @property
    def refusal(self) -> str:
        """Why this engine's prefixes are not kept; empty while they are."""
        return self._refusal

    async def prime(self, upstream: UpstreamClient, place: Place, prompt: Prompt) -> Primed:
        """Bring the prompt's prefix into the slot: it is there, or on the disk, or is computed and saved."""
        if self._refusal:
            return Primed()
        try:
            return await self._prime(LlamaCppSlots(upstream, self._endpoint), place, prompt)
        except _FAILURES as error:
            _log.warning("the prompt is computed whole, its prefix cannot be kept: %s: %s", type(error).__name__, error)
        except MachineError as error:
            self._refuse(error.message)
        return Primed()

    async def warm(
        self, upstream: UpstreamClient, place: Place, prompt: Prompt, goes_on: Callable[[], bool]
    ) -> Held | None:
        """Bring the prompt's prefix into the slot while nobody waits; asked after each step whether that `goes_on`.

        Nothing that other slots hold gives way to it. None when the slot was not touched.
        """
        if self._refusal:
            return None
        try:
            return await self._warm(LlamaCppSlots(upstream, self._endpoint), place, prompt, goes_on)
        except _FAILURES as error:
            _log.warning("nothing is computed beforehand: %s: %s", type(error).__name__, error)
        except MachineError as error:
            self._refuse(error.message)
        return Held()

    async def erase(self, upstream: UpstreamClient, slot: int) -> None:
        """Empty the slot; one that cannot be emptied is llama.cpp's to clear."""
        try:
            await LlamaCppSlots(upstream, self._endpoint).erase(slot)
        except _FAILURES as error:
            _log.warning("slot %d was not emptied: %s: %s", slot, type(error).__name__, error)

    def verify(self, restored: int, cached: int) -> None:
        """Judge by what the engine says it had cached whether a restored state is worth anything."""
        match, self._last = self._last, None
        if match is None or cached >= restored - LOST_TOKENS:
            self._failures = 0
            return
        if not match.is_whole:
            # A recurrent state, or a sliding window: it serves only prompts that begin with all of it.
            self._whole_only = True
            _log.info("of a kept prefix that is used in part, `%s` takes nothing: %s", self._model, WHOLE_ONLY)
            self._note(WHOLE_ONLY)
            return
        prefix_files.remove(self._folder, match.kept)
        self._failures += 1
        _log.warning("of %d restored tokens the engine used %d: the kept prefix is removed", restored, cached)
        if self._failures >= _MAX_FAILURES:
            self._refuse(f"`{self._model}` does not use what is restored")

    def _refuse(self, reason: str) -> None:
        self._refusal = reason
        _log.warning("prompt prefixes are not kept: %s", reason)
        self._note(reason)

    def _note(self, reason: str) -> None:
        """For `agentlaunch cache`, which asks no engine."""
        prefix_files.note_refusal(self._folder, Refusal(self._store.engine, self._model, reason, time.time()))

    async def _prime(self, slots: LlamaCppSlots, place: Place, prompt: Prompt) -> Primed:
        tokens = await slots.prompt_tokens(prompt.body)
        window = self._endpoint.context_window
        if window is not None and token_count(tokens) >= window:
            return Primed()  # it will be refused, and that at once
        match = await self._best(tokens)
        primed = self._held(place.beforehand, tokens, match)
        if primed is None:
            primed = Primed() if match is None else await self._restored(slots, place.slot, match, place.others)
            self._last = match if primed.restored else None
            match = self._last
        if prompt.other is not None:
            stable = common_tokens(tokens, await slots.prompt_tokens(prompt.other))
            if is_worth_keeping(stable, match):
                await asyncio.to_thread(prefix_files.prepare_folder, self._folder)
                prefix = first_tokens(tokens, stable)
                await slots.prefill(place.slot, prefix)
                await self._saved(slots, place.slot, prefix)
        return primed

    async def _best(self, tokens: bytes) -> Match | None:
        kept = await asyncio.to_thread(prefix_files.read_kept, self._folder)
        return best_match(kept, self._store.engine, tokens, whole_only=self._whole_only)

    def _held(self, held: Held | None, tokens: bytes, match: Match | None) -> Primed | None:
        """What the slot holds for this prompt already; None when the disk has more of it, or nobody has."""
        common = 0 if held is None else common_tokens(held.tokens, tokens)
        if held is None or common < max(MIN_TOKENS, match.common if match else 0):
            return None
        if self._whole_only and common < token_count(held.tokens):
            return None
        _log.info("%d tokens were computed beforehand", common)
        if held.match is None:
            self._last = None
            return Primed()
        self._last = Match(held.match.kept, common_tokens(held.match.kept.tokens, tokens))
        return Primed(self._last.common)

    async def _warm(
        self, slots: LlamaCppSlots, place: Place, prompt: Prompt, goes_on: Callable[[], bool]
    ) -> Held | None:
        if prompt.other is None:
            return None
        tokens = await slots.prompt_tokens(prompt.body)
        prefix = first_tokens(tokens, common_tokens(tokens, await slots.prompt_tokens(prompt.other)))
        if not MIN_TOKENS <= token_count(prefix) < place.room or not goes_on():
            return None
        match = await self._best(prefix)
        if match is not None and not (await self._restored(slots, place.slot, match, ())).restored:
            match = None
        held = await self._computed(slots, place.slot, prefix, match.common if match else 0, goes_on)
        if held == prefix and is_worth_keeping(token_count(prefix), match) and goes_on():
            await asyncio.to_thread(prefix_files.prepare_folder, self._folder)
            await self._saved(slots, place.slot, prefix)
        _log.info("%d of %d tokens are there beforehand", token_count(held), token_count(prefix))
        return Held(held, match)

    async def _computed(
        self, slots: LlamaCppSlots, slot: int, prefix: bytes, done: int, goes_on: Callable[[], bool]
    ) -> bytes:
        """Compute the rest of the prefix behind `done` tokens in short steps; as much as there was time for."""
        step, total = FIRST_STEP_TOKENS, token_count(prefix)
        while done < total and goes_on():
            until, began = min(done + step, total), time.monotonic()
            await slots.prefill(slot, first_tokens(prefix, until))
            step, done = next_step(until - done, time.monotonic() - began), until
        return first_tokens(prefix, done)

    async def _restored(self, slots: LlamaCppSlots, slot: int, match: Match, others: Sequence[int]) -> Primed:
        began = time.monotonic()
        kept = match.kept
        try:
            await asyncio.to_thread(prefix_files.check, self._folder, kept)
            erased = await _restore(slots, slot, kept, others)
            await asyncio.to_thread(prefix_files.touch, self._folder, kept, time.time())
        except (NotKept, SlotRefused, UpstreamFailed) as error:
            # Also when the engine has died of it: it must not find the same file again.
            prefix_files.remove(self._folder, kept)
            _log.warning("a kept prefix of %d tokens is removed: %s", kept.token_count, error)
            return Primed()
        _log.info("restored %d tokens in %.2f s", match.common, time.monotonic() - began)
        return Primed(match.common, erased)

    async def _saved(self, slots: LlamaCppSlots, slot: int, tokens: bytes) -> None:
        """Save the slot, which holds the prefix alone: the user's words follow later.

        So the file holds nothing that the user has typed, and a recurrent state, which cannot be cut, is whole. The
        tokens would have been computed anyway.
        """
        began = time.monotonic()
        name = secrets.token_hex(8)
        saved = await slots.save(slot, state_name(name))
        kept = KeptPrefix(
            name=name, engine=self._store.engine, model=self._model, tokens=tokens, size_bytes=0, modified_ns=0,
            sample=b"", used_at=time.time(),
        )  # fmt: skip
        if saved.tokens != kept.token_count:
            prefix_files.remove(self._folder, kept)
            raise NotKept(f"the engine has saved {saved.tokens} tokens in place of {kept.token_count}")
        if saved.written_bytes > self._store.max_bytes:
            prefix_files.remove(self._folder, kept)
            self._refuse(f"one takes {saved.written_bytes:,} bytes, more than the limit of {self._store.max_bytes:,}")
            return
        await asyncio.to_thread(self._seal, kept, saved.written_bytes)
        _log.info(
            "kept a prefix of %d tokens, %d MB, in %.2f s",
            saved.tokens, saved.written_bytes // 10**6, time.monotonic() - began,
        )  # fmt: skip

    def _seal(self, kept: KeptPrefix, written_bytes: int) -> None:
        prefix_files.seal(self._folder, kept, written_bytes)
        prefix_files.make_room(self._folder, self._store.max_bytes, time.time())


async def _restore(slots: LlamaCppSlots, slot: int, kept: KeptPrefix, others: Sequence[int]) -> tuple[int, ...]:
    """Restore; while the cache is full of other conversations, with one of them less. The slots that were emptied."""
    erased: list[int] = []
    while True:
        try:
            restored = await slots.restore(slot, state_name(kept.name))
        except SlotRefused:
            if len(erased) == len(others):
                raise
            erased.append(others[len(erased)])
            await slots.erase(erased[-1])
        else:
            break
    if restored != kept.token_count:
        await slots.erase(slot)
        raise NotKept(f"the engine found {restored} tokens in it")
    return tuple(erased)
