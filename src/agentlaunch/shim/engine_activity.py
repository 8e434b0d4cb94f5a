"""What engines of ours are doing, asked of them only while somebody watches, and at most once a second."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import httpx
import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.shim.live_status import EngineActivity
from agentlaunch.shim.upstream import request_headers

LOOK_INTERVAL_S = 1.0
_TIMEOUT_S = 5.0
"""An engine answers between two batches of its prefill, which a slow processor needs seconds for."""
_FIRST_LOOK_S = 0.3
"""What a watcher waits for fresh figures; then it gets those that were there."""


class _Decoding(msgspec.Struct, frozen=True):
    n_decoded: int = 0


class _Slot(msgspec.Struct, frozen=True):
    """A slot as llama.cpp's GET /slots tells it (tools/server/README.md there); the prompt's fields only at work."""

    id: int
    n_ctx: int = 0
    is_processing: bool = False
    n_prompt_tokens: int = 0
    n_prompt_tokens_processed: int = 0
    n_prompt_tokens_cache: int = 0
    next_token: tuple[_Decoding, ...] = ()


class EngineActivities:
    """Looks at engines. `clock` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._client: httpx.AsyncClient | None = None
        self._looked_at = float("-inf")
        self._looking: asyncio.Task[None] | None = None
        self._seen: tuple[EngineActivity, ...] = ()

    async def look(self, endpoints: Sequence[Endpoint]) -> tuple[EngineActivity, ...]:
        """What the engines behind these endpoints do, a second old at most unless an engine is slow to answer."""
        if not endpoints:
            self._seen = ()
        elif self._looking is None and self._clock() - self._looked_at >= LOOK_INTERVAL_S:
            self._looking = asyncio.create_task(self._look(tuple(endpoints)))
        if self._looking is not None:
            await asyncio.wait({self._looking}, timeout=_FIRST_LOOK_S)
        return self._seen

    async def aclose(self) -> None:
        """End a look that runs, and close the connections."""
        if self._looking is not None:
            self._looking.cancel()
            await asyncio.wait({self._looking})
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _look(self, endpoints: tuple[Endpoint, ...]) -> None:
        try:
            found = await asyncio.gather(*map(self._ask, endpoints))
            self._seen = tuple(activity for activities in found for activity in activities)
        finally:
            self._looked_at = self._clock()
            self._looking = None

    async def _ask(self, endpoint: Endpoint) -> list[EngineActivity]:
        """An engine that does not answer, or not like llama.cpp, does nothing that we could show."""
        if self._client is None:
            self._client = httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_S)
        headers = request_headers(endpoint, "application/json")
        try:
            answer = await self._client.get(endpoint.base_url + "/slots", headers=headers)
            slots = msgspec.json.decode(answer.content, type=list[_Slot])
        except (httpx.HTTPError, msgspec.MsgspecError):
            return []
        return [_activity(endpoint.name, slot) for slot in slots]


def _activity(engine: str, slot: _Slot) -> EngineActivity:
    """While it answers, llama.cpp counts the answer's tokens into the prompt's."""
    if not slot.is_processing:
        return EngineActivity(engine, slot.id, "idle", 0, 0, 0, slot.n_ctx)
    decoded = sum(each.n_decoded for each in slot.next_token)
    prompt = max(0, slot.n_prompt_tokens - decoded)
    if decoded:
        return EngineActivity(engine, slot.id, "decode", prompt, prompt, decoded, slot.n_ctx)
    done = min(prompt, slot.n_prompt_tokens_cache + slot.n_prompt_tokens_processed)
    return EngineActivity(engine, slot.id, "prefill", prompt, done, 0, slot.n_ctx)
