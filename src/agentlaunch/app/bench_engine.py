"""The measuring itself: one engine of ours, its own counts and clocks, deeper and deeper until the time is up."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import msgspec

from agentlaunch.core.bench import TAIL_TOKENS, DepthFigures
from agentlaunch.errors import MachineError

if TYPE_CHECKING:
    import httpx

CHUNK_TOKENS = 512
"""Between two looks at the clock: a micro-batch of llama.cpp's, so that nothing is slower than in one piece."""
_CALL_S = 600.0


class _Timings(msgspec.Struct):
    """llama.cpp's own (tools/server/README.md, `timings`): milliseconds of prompt and answer, the answer's tokens."""

    prompt_ms: float = 0.0
    predicted_ms: float = 0.0
    predicted_n: int = 0


class _Completed(msgspec.Struct):
    timings: _Timings = msgspec.field(default_factory=_Timings)


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Saved(msgspec.Struct):
    n_written: int = 0


@dataclass(frozen=True)
class BenchBounds:
    """`depths` in tokens, ascending; `answer_tokens` to decode at each; `seconds` for all of it."""

    depths: tuple[int, ...]
    answer_tokens: int
    seconds: float


class EngineBench:
    """Measures one ready engine; `tell` gets a sentence after each depth.

    Raises MachineError `bench-failed` when the engine gives up.
    """

    def __init__(self, client: httpx.AsyncClient, slots: Path | None, tell: Callable[[str], None]) -> None:
        self._client = client
        self._slots = slots
        self._tell = tell
        self._name = f"bench-{secrets.token_hex(8)}.slot"

    async def run(self, bounds: BenchBounds) -> tuple[DepthFigures, ...]:
        """The figures of each depth that the time sufficed for, of the first in any case."""
        until = monotonic() + bounds.seconds
        tokens = await self._text(bounds.depths[-1] + TAIL_TOKENS)
        found: list[DepthFigures] = []
        done, cold_s = 0, 0.0
        try:
            for depth in bounds.depths:
                while done < depth:
                    if found and monotonic() > until:
                        self._tell(f"the time is up before {depth:,} tokens: more with --seconds")
                        return tuple(found)
                    done = min(done + CHUNK_TOKENS, depth)
                    cold_s += (await self._complete(tokens[:done], 0)).prompt_ms / 1000
                found.append(await self._measured(tokens, depth, cold_s, bounds.answer_tokens))
                self._tell(f"{depth:,} tokens: {depth / max(cold_s, 1e-9):.0f} tokens a second read")
        finally:
            if self._slots is not None:
                with suppress(OSError):
                    (self._slots / self._name).unlink()
        return tuple(found)

    async def _measured(self, tokens: Sequence[int], depth: int, cold_s: float, answer_tokens: int) -> DepthFigures:
        """What is measured at one depth; the slot then holds the prompt and nothing else, as before.

        It is read anew before each step: a recurrent state cannot be cut back to the prompt.
        """
        saved = await self._act("save") if self._slots is not None else None
        state_bytes = 0 if saved is None else msgspec.json.decode(saved, type=_Saved).n_written
        turn = [*tokens[:depth], *tokens[-TAIL_TOKENS:]]
        warm_s = await self._seconds(turn)
        restore_s = restored_s = None
        if saved is not None:
            await self._act("erase")
            began = monotonic()
            await self._act("restore")
            restore_s = monotonic() - began
            restored_s = restore_s + await self._seconds(turn)
            await self._act("restore")
        answered = await self._complete(tokens[: depth + 1], answer_tokens)
        if saved is not None:
            await self._act("restore")
        decode_tok_s = answered.predicted_n * 1000 / max(answered.predicted_ms, 1e-6)
        return DepthFigures(depth, cold_s, warm_s, decode_tok_s, restore_s, restored_s, state_bytes)

    async def _seconds(self, prompt: Sequence[int]) -> float:
        began = monotonic()
        await self._complete(prompt, 1)
        return monotonic() - began

    async def _text(self, count: int) -> list[int]:
        """As many tokens of something like code; no line comes twice."""
        lines = "".join(f"value_{n} = {n * 7919 % 100_003}  # line {n}\n" for n in range(count // 8 + 64))
        answer = await self._post("/tokenize", {"content": lines})
        return msgspec.json.decode(answer, type=_Tokens).tokens[:count]

    async def _complete(self, prompt: Sequence[int], answer_tokens: int) -> _Timings:
        body = {"prompt": list(prompt), "id_slot": 0, "n_predict": answer_tokens, "cache_prompt": True}
        body |= {"ignore_eos": True, "temperature": 0}
        return msgspec.json.decode(await self._post("/completion", body), type=_Completed).timings

    async def _act(self, action: str) -> bytes:
        return await self._post(f"/slots/0?action={action}", {"filename": self._name})

    async def _post(self, path: str, body: object) -> bytes:
        import httpx

        try:
            response = await self._client.post(path, content=msgspec.json.encode(body), timeout=_CALL_S)
        except httpx.HTTPError as error:
            raise _failed(f"{type(error).__name__} at `{path}`") from error
        if response.status_code != 200:
            raise _failed(f"status {response.status_code} at `{path}`: {response.text[:200]}")
        return response.content


def _failed(why: str) -> MachineError:
    return MachineError("bench-failed", f"the engine does not go on: {why}", "see its log: agentlaunch logs")
