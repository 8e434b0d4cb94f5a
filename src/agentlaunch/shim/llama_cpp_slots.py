"""llama.cpp's own routes for prompts and slots, typed: render, tokenise, prefill, save, restore, erase."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.prefix_cache import packed, unpacked
from agentlaunch.shim.upstream import UpstreamClient

_TIMEOUT_S = 30.0
"""For what does not compute: rendering, and files of a few GB."""


class SlotRefused(Exception):
    """The engine has answered with an error; the message is its own."""


class _Template(msgspec.Struct):
    prompt: str


class _Text(msgspec.Struct):
    content: str
    add_special: bool = True
    parse_special: bool = True


class _Tokens(msgspec.Struct):
    tokens: list[int]


class _Prefill(msgspec.Struct):
    prompt: list[int]
    id_slot: int
    n_predict: int = 0
    cache_prompt: bool = True


class _File(msgspec.Struct):
    filename: str


class _Saved(msgspec.Struct):
    n_saved: int
    n_written: int


class _Restored(msgspec.Struct):
    n_restored: int


class _Message(msgspec.Struct):
    message: str = ""


class _Error(msgspec.Struct):
    error: _Message


@dataclass(frozen=True)
class Saved:
    """A state on the disk."""

    tokens: int
    written_bytes: int


class LlamaCppSlots:
    """The slots of one engine. Raises SlotRefused, UpstreamFailed, TimeoutError, msgspec.MsgspecError."""

    def __init__(self, upstream: UpstreamClient, endpoint: Endpoint) -> None:
        self._upstream = upstream
        self._endpoint = endpoint

    async def prompt_tokens(self, body: bytes) -> bytes:
        """The tokens, packed, of the prompt that the chat request `body` renders to."""
        async with asyncio.timeout(_TIMEOUT_S):
            rendered = msgspec.json.decode(await self._post("/apply-template", body), type=_Template)
            text = msgspec.json.encode(_Text(rendered.prompt))
            return packed(msgspec.json.decode(await self._post("/tokenize", text), type=_Tokens).tokens)

    async def prefill(self, slot: int, tokens: bytes) -> None:
        """Compute exactly these tokens in the slot, and no answer. May take minutes, hence no time limit."""
        await self._post("/completion", msgspec.json.encode(_Prefill(unpacked(tokens), slot)))

    async def save(self, slot: int, filename: str) -> Saved:
        """Write the slot's state to a file."""
        answer = await self._act(slot, "save", msgspec.json.encode(_File(filename)))
        saved = msgspec.json.decode(answer, type=_Saved)
        return Saved(saved.n_saved, saved.n_written)

    async def restore(self, slot: int, filename: str) -> int:
        """Read the slot's state from a file; how many tokens it has now."""
        answer = await self._act(slot, "restore", msgspec.json.encode(_File(filename)))
        return msgspec.json.decode(answer, type=_Restored).n_restored

    async def erase(self, slot: int) -> None:
        """Empty the slot."""
        await self._act(slot, "erase", b"{}")

    async def _act(self, slot: int, action: str, body: bytes) -> bytes:
        async with asyncio.timeout(_TIMEOUT_S):
            return await self._post(f"/slots/{slot}?action={action}", body)

    async def _post(self, path: str, body: bytes) -> bytes:
        async with self._upstream.post(self._endpoint, path, body, accept="application/json") as response:
            answer = await response.read()
        if response.status != 200:
            raise SlotRefused(_complaint(answer))
        return answer


def _complaint(answer: bytes) -> str:
    try:
        return msgspec.json.decode(answer, type=_Error).error.message
    except msgspec.MsgspecError:
        return "no reason given"
