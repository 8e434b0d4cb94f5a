"""The shim's ASGI application: the routes, and the gate before all of them."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache, partial

import msgspec
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agentlaunch import __version__
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Wire, load_wire
from agentlaunch.shim.answer import send_reply
from agentlaunch.shim.auth import refuse_foreign
from agentlaunch.shim.body import ClientLeft, drain_body
from agentlaunch.shim.counting import TokenCounter
from agentlaunch.shim.endpoints import DataPath
from agentlaunch.shim.exchange import AgentEndpoint
from agentlaunch.shim.ollama_routes import ollama_routes
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.session import SessionLookup
from agentlaunch.shim.upstream import UpstreamClient

WireNamed = Callable[[str], Wire]

_log = logging.getLogger(__name__)

_MESSAGES, _RESPONSES, _CHAT, _OLLAMA = "anthropic_messages", "openai_responses", "openai_chat", "ollama_chat"


def build_application(
    sessions: SessionLookup,
    upstream: UpstreamClient,
    extra_routes: Sequence[BaseRoute] = (),
    options: RelayOptions | None = None,
    wire_named: WireNamed = load_wire,
) -> Starlette:
    """The application. The caller owns `upstream` and closes it. `extra_routes` stand behind the same gate.

    `wire_named` and `options` are for tests: the wires, the times, ids and clock of the relay.
    """
    wires = cache(wire_named)
    counter = TokenCounter(upstream, wires(_CHAT))
    path = DataPath(
        sessions=sessions,
        upstream=upstream,
        counter=counter,
        options=replace(options or RelayOptions(), wire_named=wires, counter=counter),
    )
    return Starlette(
        routes=[*_routes(path, wires), *extra_routes],
        middleware=[Middleware(Gate, wires)],
        exception_handlers={HTTPException: _ErrorPage(wires).answer},
    )


def _routes(path: DataPath, wires: WireNamed) -> list[Route]:
    messages, responses, chat, ollama = wires(_MESSAGES), wires(_RESPONSES), wires(_CHAT), wires(_OLLAMA)
    return [
        *(
            Route(wire.path, AgentEndpoint(wire, partial(path.chat, wire)), methods=["POST"])
            for wire in (messages, responses, chat, ollama)
        ),
        *ollama_routes(path.sessions, ollama),
        Route("/v1/messages/count_tokens", AgentEndpoint(messages, partial(path.count, messages)), methods=["POST"]),
        Route("/v1/models", AgentEndpoint(chat, partial(path.models, chat)), methods=["GET"]),
        Route("/v1/models/{model_id:path}", AgentEndpoint(chat, partial(path.model, chat)), methods=["GET"]),
        *(Route(path, _health, methods=["GET"]) for path in _GREETINGS),
    ]


_GREETINGS = ("/healthz", "/", "/api/hello")
"""Where clients look whether a server is there: Claude Code asks `HEAD /` and `HEAD /api/hello`, and may take another
status for a server that is down (headroomlabs-ai/headroom#2032)."""


async def _health(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


_DATA_PATH = re.compile(
    r"/*(?:(?:api|openai|anthropic)/+)?(?:v1/+)*((?:messages|chat/completions|responses|models)(?:/.*)?)"
)
"""Our data routes below any of the base URLs that people give agents: without `/v1`, with two of them, with another
server's prefix, with a slash too many."""


def meant_path(path: str) -> str:
    """The route that a path means; itself where it means none of the data routes."""
    found = _DATA_PATH.fullmatch(path)
    return path if found is None else f"/v1/{found[1].rstrip('/')}"


class Gate:
    """Middleware: no request of a foreign page or through a foreign name comes further than this.

    Paths go on as the routes that they mean.
    """

    def __init__(self, app: ASGIApp, wires: WireNamed) -> None:
        self._app = app
        self._wires = wires

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse or pass on. A request that the server's end cancels ends here, its task's outermost place: uvicorn
        would print the cancellation as an error of the application."""
        try:
            await self._judge(scope, receive, send)
        except asyncio.CancelledError:
            _log.info("a request on %s was called off", scope.get("path", ""))

    async def _judge(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        scope = {**scope, "path": meant_path(scope["path"])}
        headers = Headers(scope=scope)
        server = scope.get("server")
        fault = refuse_foreign(headers, server[1] if server else None)
        if fault is None:
            await self._app(scope, receive, send)
            return
        try:
            await drain_body(headers, receive)
        except ClientLeft:
            return
        await send_reply(send, _wire_of(scope["path"], headers, self._wires).encode_fault(fault))


class _ErrorPage:
    """Answers for routes and methods that do not exist, in the form of the wire that was meant."""

    def __init__(self, wires: WireNamed) -> None:
        self._wires = wires

    async def answer(self, request: Request, error: Exception) -> Response:
        """JSON with the status of `error`, an HTTPException of the router."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        kind, code = (
            (ErrorKind.NOT_FOUND, "route_not_found") if status == 404 else (ErrorKind.BAD_REQUEST, "method_not_allowed")
        )
        path = request.url.path
        what = (
            f"there is no route `{path}`" if status == 404 else f"the route `{path}` has no method `{request.method}`"
        )
        reply = _wire_of(path, request.headers, self._wires).encode_fault(ChatFault(kind, what, code=code))
        if status == 405 and request.headers.get("upgrade", "").lower() == "websocket":
            status = 426  # Codex tries a WebSocket first, and goes on over HTTP at once after this (report B071)
        reply = msgspec.structs.replace(reply, status=status)
        headers = {**reply.headers, **((error.headers or {}) if isinstance(error, HTTPException) else {})}
        return Response(reply.body, reply.status, headers)


def _wire_of(path: str, headers: Headers, wires: WireNamed) -> Wire:
    """The wire that a client of this path speaks; the Chat wire's form where nothing tells."""
    if path.startswith("/v1/messages") or "anthropic-version" in headers:
        return wires(_MESSAGES)
    if path.startswith("/api/"):
        return wires(_OLLAMA)
    return wires(_RESPONSES if path.startswith("/v1/responses") else _CHAT)
