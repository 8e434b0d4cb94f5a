"""What the doubles of hosted APIs share: a script of what happens to each request, and the record of what came."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol, assert_never

from tests.doubles.http_server import Cut, HttpReply, HttpRequest, HttpServer, json_reply


@dataclass(frozen=True)
class Say:
    """An answer: text in pieces, then calls as (name, arguments as JSON).

    `delay_s` before the first byte. `cut_after`, `stall_after` and `error_after` count the frames that go out before
    the connection breaks, falls silent for ever, or tells an error in the vendor's own form.
    """

    text: tuple[str, ...] = ("Hel", "lo")
    calls: tuple[tuple[str, str], ...] = ()
    input_tokens: int = 12
    cached_tokens: int = 0
    output_tokens: int = 2
    cost_usd: float = 0.0001
    delay_s: float = 0.0
    cut_after: int | None = None
    stall_after: int | None = None
    error_after: int | None = None


@dataclass(frozen=True)
class Refuse:
    """An error answer with the vendor's words for `status`; `message` in place of them."""

    status: int
    message: str = ""
    retry_after_s: int | None = None


@dataclass(frozen=True)
class Overflow:
    """The prompt is too long, in the vendor's own words. Tokens."""

    prompt_tokens: int = 300_000
    context_window: int = 200_000


@dataclass(frozen=True)
class Stall:
    """Takes the request and never says a word."""


@dataclass(frozen=True)
class Drop:
    """Closes the connection without an answer."""


Act = Say | Refuse | Overflow | Stall | Drop


@dataclass
class Script:
    """One act a request, in order, then `then` for ever. A test may change both at any time."""

    acts: list[Act] = field(default_factory=list)
    then: Act = field(default_factory=Say)

    def next(self) -> Act:
        return self.acts.pop(0) if self.acts else self.then


def script(*acts: Act, then: Act | None = None) -> Script:
    """`script(Refuse(429), Say())`."""
    return Script(list(acts), then or Say())


@dataclass(frozen=True)
class Wrong:
    """What the real server would refuse in a request, and in which words."""

    message: str
    status: int = 400
    code: str = ""


class Vendor(Protocol):
    """One hosted API. `base` is the path below the host, `path` the endpoint below that."""

    base: str
    path: str

    def check_headers(self, headers: dict[str, str], key: str) -> Wrong | None: ...
    def check_body(self, body: dict[str, object], headers: dict[str, str]) -> Wrong | None: ...
    def get(self, path: str, headers: dict[str, str], key: str) -> HttpReply: ...
    def refuse(self, wrong: Wrong) -> HttpReply: ...
    def words(self, status: int) -> str: ...
    def overflow(self, act: Overflow) -> Wrong: ...
    def frames(self, say: Say, model: str) -> list[bytes]: ...
    def error_frame(self) -> bytes: ...
    def whole(self, say: Say, model: str) -> object: ...


@dataclass
class ScriptedUpstream:
    """The server. `requests` are all that came, bytes and headers; `complaints` what was wrong with them."""

    vendor: Vendor
    script: Script
    key: str
    requests: list[HttpRequest] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    url: str = ""
    port: int = 0

    @contextmanager
    def running(self, port: int = 0) -> Iterator[ScriptedUpstream]:
        with HttpServer(self._answer).running(port) as server:
            self.url, self.port = server.url + self.vendor.base, server.port
            yield self

    @property
    def chats(self) -> list[HttpRequest]:
        """The requests for an answer, whatever became of them."""
        return [request for request in self.requests if request.method == "POST"]

    async def _answer(self, request: HttpRequest) -> HttpReply:
        self.requests.append(request)
        path = request.path.removeprefix(self.vendor.base)
        if request.method == "GET":
            return self.vendor.get(path.partition("?")[0], request.headers, self.key)
        if path != self.vendor.path:
            return self._wrong(Wrong(f"no such endpoint: {path}", 404))
        wrong = self.vendor.check_headers(request.headers, self.key)
        if wrong is not None:
            return self._wrong(wrong)
        try:
            body = json.loads(request.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return self._wrong(Wrong("the body is no JSON object"))
        wrong = self.vendor.check_body(body, request.headers)
        if wrong is not None:
            return self._wrong(wrong)
        return await self._act(self.script.next(), body)

    def _wrong(self, wrong: Wrong) -> HttpReply:
        self.complaints.append(wrong.message)
        return self.vendor.refuse(wrong)

    async def _act(self, act: Act, body: dict[str, object]) -> HttpReply:
        match act:
            case Say():
                await asyncio.sleep(act.delay_s)
                model = str(body.get("model"))
                if body.get("stream") is not True:
                    return json_reply(self.vendor.whole(act, model))
                return HttpReply(body=self._stream(act, model), content_type="text/event-stream")
            case Refuse(status, message, retry_after_s):
                reply = self.vendor.refuse(Wrong(message or self.vendor.words(status), status))
                waits = () if retry_after_s is None else (("retry-after", str(retry_after_s)),)
                return HttpReply(reply.status, reply.body, reply.content_type, (*reply.headers, *waits))
            case Overflow():
                return self.vendor.refuse(self.vendor.overflow(act))
            case Stall():
                await asyncio.Event().wait()
                raise Cut
            case Drop():
                raise Cut
            case never:
                assert_never(never)

    async def _stream(self, say: Say, model: str) -> AsyncIterator[bytes]:
        for sent, frame in enumerate(self.vendor.frames(say, model)):
            if sent == say.cut_after:
                raise Cut
            if sent == say.stall_after:
                await asyncio.Event().wait()
            if sent == say.error_after:
                yield self.vendor.error_frame()
                return
            yield frame


def sse(value: object, event: str = "") -> bytes:
    """One server-sent event."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(value, ensure_ascii=False)}\n\n".encode()


def first(*checks: Wrong | None) -> Wrong | None:
    """The first thing that is wrong."""
    return next((wrong for wrong in checks if wrong is not None), None)


def unknown_field(body: dict[str, object], known: Sequence[str] | frozenset[str]) -> str:
    """A field that the vendor's reference does not have; empty when there is none."""
    return next((key for key in body if key not in known), "")
