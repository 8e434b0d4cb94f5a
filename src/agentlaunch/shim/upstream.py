"""The HTTP side towards upstreams: long-lived connections, what a failure means, and the headers with the key."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

import httpx

from agentlaunch import __version__
from agentlaunch.core.addresses import is_loopback, is_near
from agentlaunch.core.egress import leak_in
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.policy import Caps
from agentlaunch.core.secrets import without_key
from agentlaunch.shim.unpacking import Damaged, UnknownEncoding, Unpacker, unpack, unpackers
from agentlaunch.system.outbound import AsyncOutboundTransport, OutboundProxyError
from agentlaunch.system.proxies import certificates

CONNECT_TIMEOUT_S = 5.0
WRITE_TIMEOUT_S = 60.0
KEEPALIVE_EXPIRY_S = 4.0
"""llama.cpp and uvicorn (vLLM) both drop an idle connection after 5 s: we must be the first to let go of it."""
MAX_WHOLE_BYTES = 64 * 2**20
"""The most that an answer may hold which is read whole: errors, and JSON in place of a stream."""
QUICKLY_SEARCHED_BYTES = 2**19
"""A search takes about 10 ms a megabyte (benchmarks/routing.py)."""
ERRORS_FROM = 400
ANTHROPIC_VERSION = "2023-06-01"
"""Required on every request by the Messages API (Anthropic API reference, "Versions"). Not the latest, 2026-10-21: it
refuses `temperature`, `top_p` and `top_k`, which clients of other wires send. A client's own version goes before it.
"""

KEPT_HERE = frozenset({"privacy", "never_send"})
"""The codes of faults for what was never sent: by them an upstream has not failed."""

_LIMITS = httpx.Limits(max_connections=None, keepalive_expiry=KEEPALIVE_EXPIRY_S)
_ANTHROPIC_WIRE = "anthropic_messages"


class UpstreamFailed(Exception):
    """The upstream could not be reached, or broke off; `fault` is what the client is told."""

    def __init__(self, fault: ChatFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class UpstreamUnreached(UpstreamFailed):
    """The connection was refused or dropped before anything was answered."""


@dataclass(frozen=True)
class UpstreamResponse:
    """An answer whose body is still to come. `body` raises UpstreamFailed when the connection breaks."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]
    key: str = field(default="", repr=False)

    async def read(self) -> bytes:
        """The whole body; an error's without the key, which some servers quote.

        Raises UpstreamFailed, also for one of more than MAX_WHOLE_BYTES.
        """
        pieces: list[bytes] = []
        size_bytes = 0
        async for piece in self.body:
            pieces.append(piece)
            size_bytes += len(piece)
            if size_bytes > MAX_WHOLE_BYTES:
                raise UpstreamFailed(ChatFault(ErrorKind.UNAVAILABLE, "the upstream's answer is too big"))
        whole = b"".join(pieces)
        if self.status < ERRORS_FROM:
            return whole
        return without_key(whole.decode("latin-1"), self.key).encode("latin-1")


class UpstreamClient:
    """Connections to every upstream; one instance for the shim's life, closed by whoever made it.

    Upstreams on loopback and in private networks never go through a proxy of the environment; others do when it names
    one. To the near ones httpx's transport is used without its client, whose cookies and redirects cost 0.2 ms a
    request.
    """

    def __init__(self, connect_timeout_s: float = CONNECT_TIMEOUT_S) -> None:
        self._timeout = httpx.Timeout(None, connect=connect_timeout_s, write=WRITE_TIMEOUT_S)
        self._near: httpx.AsyncHTTPTransport | None = None
        self._far: httpx.AsyncClient | None = None

    @asynccontextmanager
    async def post(
        self,
        endpoint: Endpoint,
        path: str,
        body: bytes,
        accept: str = "text/event-stream",
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[UpstreamResponse]:
        """POST `body` to `path`, with `more` headers, below the endpoint's base URL.

        Leaving the block early closes the connection at once.

        There is no read timeout: a prefill may take minutes, and the client's end calls the request off. Raises
        UpstreamFailed when the upstream cannot be asked, UpstreamUnreached for a connection refused or dropped.

        Here is where bytes leave this machine, so here it is checked that they may.
        """
        await _refuse_leaving(endpoint, body)
        url, headers = endpoint.base_url + path, {**request_headers(endpoint, accept), **more}
        request = httpx.Request(
            "POST", url, headers=headers, content=body, extensions={"timeout": self._timeout.as_dict()}
        )
        try:
            try:
                response = await self._send(request)
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError):
                # A server may drop a kept connection in the moment that we write to it; llama.cpp does after some
                # streamed answers. Nothing was answered, so one more try costs at most the same answer twice.
                response = await self._send(request)
        except (httpx.NetworkError, httpx.ConnectTimeout, httpx.RemoteProtocolError) as error:
            raise UpstreamUnreached(_fault(endpoint, error)) from error
        except httpx.HTTPError as error:
            raise UpstreamFailed(_fault(endpoint, error)) from error
        pieces = _pieces(endpoint, response)
        try:
            yield UpstreamResponse(response.status_code, response.headers, pieces, endpoint.key)
        finally:
            await pieces.aclose()
            await response.aclose()

    async def _send(self, request: httpx.Request) -> httpx.Response:
        if is_near(str(request.url)):
            return await self._near_transport().handle_async_request(request)
        return await self._far_client().send(request, stream=True)

    async def aclose(self) -> None:
        """Close every connection."""
        near, far = self._near, self._far
        self._near = self._far = None
        if near is not None:
            await near.aclose()
        if far is not None:
            await far.aclose()

    def _near_transport(self) -> httpx.AsyncHTTPTransport:
        if self._near is None:
            # The environment names no proxy to a transport, only certificates.
            self._near = httpx.AsyncHTTPTransport(verify=certificates(httpx.create_ssl_context), limits=_LIMITS)
        return self._near

    def _far_client(self) -> httpx.AsyncClient:
        if self._far is None:
            self._far = httpx.AsyncClient(transport=AsyncOutboundTransport(_LIMITS))
        return self._far


async def _refuse_leaving(endpoint: Endpoint, body: bytes) -> None:
    """Raises UpstreamFailed for an endpoint elsewhere that the user has not agreed to, and for what may never leave."""
    if is_loopback(endpoint.base_url):
        return
    if not endpoint.may_leave:
        what = f"`{endpoint.name}` is not on this machine, and nothing may leave it: see `privacy` in [policy]"
        raise UpstreamFailed(ChatFault(ErrorKind.PERMISSION, what, code="privacy"))
    leak = None if endpoint.caps is None else await _leak(body, endpoint.caps)
    if leak is not None:
        what = f"the request holds {leak}, which may not leave this machine: see [policy.never_send]"
        raise UpstreamFailed(ChatFault(ErrorKind.PERMISSION, what, code="never_send"))


async def _leak(body: bytes, caps: Caps) -> str | None:
    """What of `body` may not leave; a big one is looked through in a thread, since other answers go on meanwhile."""
    if len(body) <= QUICKLY_SEARCHED_BYTES:
        return leak_in(body, caps)
    return await asyncio.to_thread(leak_in, body, caps)


def request_headers(endpoint: Endpoint, accept: str = "text/event-stream") -> dict[str, str]:
    """The headers of a request. The key goes as x-api-key on the Messages wire, else as its scheme says.

    Raises UpstreamFailed for a key that no header can carry; HTTP libraries would put such a key into their message.
    """
    if not (endpoint.key.isascii() and endpoint.key.isprintable()):
        raise UpstreamFailed(
            ChatFault(
                ErrorKind.AUTHENTICATION, f"the key of `{endpoint.name}` holds characters that no header may carry"
            )
        )
    headers = {
        "content-type": "application/json",
        "accept": accept,
        "accept-encoding": "identity",
        "user-agent": f"agentlaunch/{__version__}",
    }
    if endpoint.wire == _ANTHROPIC_WIRE:
        headers["anthropic-version"] = ANTHROPIC_VERSION
    if endpoint.key:
        if endpoint.wire == _ANTHROPIC_WIRE:
            headers["x-api-key"] = endpoint.key
        else:
            headers["authorization"] = f"{endpoint.key_scheme.capitalize()} {endpoint.key}"
    return headers


async def _pieces(endpoint: Endpoint, response: httpx.Response) -> AsyncGenerator[bytes, None]:
    """The body as it comes, unpacked when the upstream has compressed it unasked, in pieces that fit the memory."""
    try:
        chain = _chain(response.headers.get("content-encoding", ""))
        async for data in response.aiter_raw():
            for piece in unpack(data, chain) if chain else (data,):
                yield piece
    except httpx.HTTPError as error:
        raise UpstreamFailed(_fault(endpoint, error)) from error
    except Damaged as error:
        what = f"the answer of the upstream `{endpoint.name}` is compressed and damaged"
        raise UpstreamFailed(ChatFault(ErrorKind.UNAVAILABLE, what)) from error


def _chain(encodings: str) -> tuple[Unpacker, ...]:
    """Servers that know no better write a character set there: what we do not know is read as it is."""
    try:
        return unpackers(encodings)
    except UnknownEncoding:
        return ()


def _fault(endpoint: Endpoint, error: httpx.HTTPError) -> ChatFault:
    """What to tell the client. The library's own text is left out: it may quote a header."""
    match error:
        case httpx.WriteTimeout() | httpx.ReadTimeout():
            return ChatFault(ErrorKind.TIMEOUT, f"the upstream `{endpoint.name}` did not answer in time")
        case httpx.ConnectError() | httpx.ConnectTimeout():
            reason = "cannot be reached: is it running?"
        case httpx.ReadError() | httpx.WriteError() | httpx.RemoteProtocolError():
            reason = "closed the connection before its answer was whole"
        case OutboundProxyError():
            reason = f"cannot be asked: {error}"
        case httpx.ProxyError():
            reason = "cannot be reached through the proxy: look at HTTPS_PROXY and ALL_PROXY"
        case _:
            reason = f"cannot be asked ({type(error).__name__})"
    return ChatFault(ErrorKind.UNAVAILABLE, f"the upstream `{endpoint.name}` {reason}")
