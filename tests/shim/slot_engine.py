"""A double of llama.cpp's slots: a token is a character, a state is a file with the prompt, usage is counted truly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import takewhile
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from tests.shim.doubles import DONE, STARTED, chunk, make_session, serving

from agentlaunch.core.prefix_store import PrefixStore
from agentlaunch.shim.session import Session


@dataclass
class SlotEngine:
    """`cuts` False: a state serves only prompts that begin with all of it, as a recurrent one does.

    With `steps` each prefill takes one from it before it is answered; `stepping` counts those that have begun.
    """

    folder: Path
    cuts: bool = True
    uses_restored: bool = True
    erases: bool = True
    room: int = 1_000_000
    padding_bytes: int = 0
    slots: list[str] = field(default_factory=lambda: ["", ""])
    calls: list[str] = field(default_factory=list)
    cached: list[int] = field(default_factory=list)
    choices: list[object] = field(default_factory=list)
    generating: int = 0
    most_at_once: int = 0
    hold: asyncio.Event | None = None
    steps: asyncio.Semaphore | None = None
    stepping: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    def app(self) -> Starlette:
        """The routes that the shim uses."""
        return Starlette(
            routes=[
                Route("/apply-template", self._template, methods=["POST"]),
                Route("/tokenize", self._tokenize, methods=["POST"]),
                Route("/completion", self._prefill, methods=["POST"]),
                Route("/slots/{slot:int}", self._act, methods=["POST"]),
                Route("/v1/chat/completions", self._chat, methods=["POST"]),
            ]
        )

    async def _template(self, request: Request) -> Response:
        return JSONResponse({"prompt": rendered(await request.json())})

    async def _tokenize(self, request: Request) -> Response:
        return JSONResponse({"tokens": [ord(letter) for letter in (await request.json())["content"]]})

    async def _prefill(self, request: Request) -> Response:
        body = await request.json()
        assert body["n_predict"] == 0
        text = "".join(map(chr, body["prompt"]))
        self.calls.append(f"prefill {body['id_slot']}")
        self.stepping.release()
        if self.steps is not None:
            await self.steps.acquire()
        self._compute(body["id_slot"], text)
        return JSONResponse({"content": ""})

    async def _act(self, request: Request) -> Response:
        slot, action = int(request.path_params["slot"]), request.query_params["action"]
        self.calls.append(f"{action} {slot}")
        if action == "erase" and not self.erases:
            return JSONResponse({"error": {"message": "This server does not support it"}}, 501)
        if action == "erase":
            self.slots[slot] = ""
            return JSONResponse({"n_erased": 1})
        path = self.folder / (await request.json())["filename"]
        if action == "save":
            state = self.slots[slot]
            path.write_text(state + " " * self.padding_bytes)
            return JSONResponse({"n_saved": len(state), "n_written": len(state.encode()) + self.padding_bytes})
        state = path.read_text().rstrip(" ")
        others = sum(len(text) for at, text in enumerate(self.slots) if at != slot)
        if others + len(state) > self.room:
            return JSONResponse({"error": {"message": "No available space in KV cache"}}, 400)
        self.slots[slot] = state if self.uses_restored else "nothing of it"
        return JSONResponse({"n_restored": len(state)})

    async def _chat(self, request: Request) -> Response:
        body = await request.json()
        self.arrived.release()
        self.calls.append(f"chat {body['id_slot']}")
        self.choices.append(body.get("tool_choice"))
        return StreamingResponse(self._answer(body), media_type="text/event-stream")

    async def _answer(self, body: dict[str, object]) -> AsyncIterator[bytes]:
        self.generating += 1
        self.most_at_once = max(self.most_at_once, self.generating)
        try:
            yield STARTED
            if self.hold is not None:
                await self.hold.wait()
            text, slot = rendered(body), body["id_slot"]
            assert isinstance(slot, int)
            cached = self._compute(slot, text)
            self.cached.append(cached)
            usage = {"prompt_tokens": len(text), "completion_tokens": 1, "total_tokens": len(text) + 1}
            yield chunk({"content": "Yes."})
            yield chunk({}, "stop", {**usage, "prompt_tokens_details": {"cached_tokens": cached}})  # type: ignore[dict-item]
            yield DONE
        finally:
            self.generating -= 1

    def _compute(self, slot: int, text: str) -> int:
        common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(self.slots[slot], text, strict=False)))
        if common < len(self.slots[slot]) and not self.cuts:
            common = 0
        self.slots[slot] = text
        return common

    @asynccontextmanager
    async def running(self, max_bytes: int = 10**6, window: int = 0) -> AsyncIterator[Session]:
        """The engine on a port; gives a session that uses it."""
        async with serving(self.app()) as url:
            session = make_session(url)
            store = PrefixStore(str(self.folder), "engine-1", max_bytes)
            endpoint = replace(
                session.endpoint, slots=len(self.slots), prefix_store=store, context_window=window or None
            )
            yield replace(session, endpoint=endpoint)


def rendered(body: dict[str, object]) -> str:
    """A chat template: system prompt, tools, turns."""
    return "".join(_pieces(body))


def _pieces(body: dict[str, object]) -> Iterator[str]:
    messages, tools = body["messages"], body.get("tools", [])
    assert isinstance(messages, list)
    assert isinstance(tools, list)
    for tool in tools:
        yield json.dumps(tool)
    for message in messages:
        yield f"<{message['role']}>{message['content']}"
