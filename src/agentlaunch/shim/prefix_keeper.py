"""Prefixes of one engine: restored into a slot before a conversation's first request, saved when they are new."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.prefix_cache import (
    LOST_TOKENS,
    KeptPrefix,
    Match,
    best_match,
    common_tokens,
    first_tokens,
    is_worth_keeping,
    token_count,
)
from agentlaunch.core.prefix_store import PrefixStore
from agentlaunch.errors import Bug, MachineError
from agentlaunch.shim import prefix_files
from agentlaunch.shim.llama_cpp_slots import LlamaCppSlots, SlotRefused
from agentlaunch.shim.prefix_files import NotKept, state_name
from agentlaunch.shim.upstream import UpstreamClient, UpstreamFailed

_MAX_FAILURES = 2
"""After so many restored states of which the engine used nothing, it is not asked again."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prompt:
    """A chat request's body, and the same with other words of the user's: None when nothing is to be kept of it."""

    body: bytes
    other: bytes | None


@dataclass(frozen=True)
class Primed:
    """What was done for a prompt: tokens restored, and the other slots that had to be emptied for them."""

    restored: int = 0
    erased: tuple[int, ...] = ()


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

    async def prime(self, upstream: UpstreamClient, slot: int, prompt: Prompt, others: Sequence[int]) -> Primed:
        """Bring the prompt's prefix into the slot: from the disk, or by computing and saving it.

        `others` are the slots that may be emptied when the cache has no room for what is restored.
        """
        if self._refusal:
            return Primed()
        try:
            slots = LlamaCppSlots(upstream, self._endpoint)
            return await self._prime(slots, slot, prompt, others)
        except (SlotRefused, UpstreamFailed, TimeoutError, msgspec.MsgspecError, NotKept, OSError) as error:
            _log.warning("the prompt is computed whole, its prefix cannot be kept: %s: %s", type(error).__name__, error)
        except MachineError as error:
            self._refuse(error.message)
        return Primed()

    def verify(self, restored: int, cached: int) -> None:
        """Judge by what the engine says it had cached whether a restored state is worth anything."""
        match, self._last = self._last, None
        if match is None or cached >= restored - LOST_TOKENS:
            self._failures = 0
            return
        if not match.is_whole:
            # A recurrent state, or a sliding window: it serves only prompts that begin with all of it.
            self._whole_only = True
            _log.info(
                "of a kept prefix that is used in part, `%s` takes nothing: only whole ones from now on", self._model
            )
            return
        prefix_files.remove(self._folder, match.kept)
        self._failures += 1
        _log.warning("of %d restored tokens the engine used %d: the kept prefix is removed", restored, cached)
        if self._failures >= _MAX_FAILURES:
            self._refuse(f"`{self._model}` does not use what is restored")

    def _refuse(self, reason: str) -> None:
        self._refusal = reason
        _log.warning("prompt prefixes are not kept: %s", reason)

    async def _prime(self, slots: LlamaCppSlots, slot: int, prompt: Prompt, others: Sequence[int]) -> Primed:
        tokens = await slots.prompt_tokens(prompt.body)
        window = self._endpoint.context_window
        if window is not None and token_count(tokens) >= window:
            return Primed()  # it will be refused, and that at once
        kept = await asyncio.to_thread(prefix_files.read_kept, self._folder)
        match = best_match(kept, self._store.engine, tokens, whole_only=self._whole_only)
        primed = Primed() if match is None else await self._restored(slots, slot, match, others)
        if prompt.other is not None:
            stable = common_tokens(tokens, await slots.prompt_tokens(prompt.other))
            if is_worth_keeping(stable, match if primed.restored else None):
                await self._computed_and_saved(slots, slot, first_tokens(tokens, stable))
        return primed

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
        self._last = match
        _log.info("restored %d tokens in %.2f s", match.common, time.monotonic() - began)
        return Primed(match.common, erased)

    async def _computed_and_saved(self, slots: LlamaCppSlots, slot: int, tokens: bytes) -> None:
        """Compute the prefix alone, and save it before the user's words follow.

        So the file holds nothing that the user has typed, and a recurrent state, which cannot be cut, is whole. The
        tokens would have been computed anyway.
        """
        await asyncio.to_thread(prefix_files.prepare_folder, self._folder)
        await slots.prefill(slot, tokens)
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
    """Restore; when the cache is full of other conversations, without them. The slots that were emptied."""
    try:
        restored = await slots.restore(slot, state_name(kept.name))
    except SlotRefused:
        for other in others:
            await slots.erase(other)
        restored = await slots.restore(slot, state_name(kept.name))
    else:
        others = ()
    if restored != kept.token_count:
        await slots.erase(slot)
        raise NotKept(f"the engine found {restored} tokens in it")
    return tuple(others)
