"""What Ollama's clients ask before they chat: the version, the models, and what the session's model is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

import msgspec
from starlette.routing import Route

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import ProtocolError, Reply, Wire, decode_json
from agentlaunch.shim.auth import admit
from agentlaunch.shim.body import BodyRefused, read_body
from agentlaunch.shim.exchange import AgentEndpoint, Exchange
from agentlaunch.shim.session import Session, SessionLookup

OLLAMA_VERSION = "0.32.15"
"""The version whose API we speak (facts/ollama-api.md): clients compare it with the oldest one that they take."""

_EPOCH = "1970-01-01T00:00:00Z"
"""When our models were changed: a constant, since nobody knows and clients only parse it."""
_FAR = "9999-12-31T23:59:59Z"
"""When the model is unloaded: not while its session lives."""
_FAMILY = "agentlaunch"
_LATEST = ":latest"


class _Details(msgspec.Struct):
    """`details`, whose first six fields Ollama always sends (facts/ollama-api.md F.2); we know the window alone."""

    context_length: int
    parent_model: str = ""
    format: str = ""
    family: str = _FAMILY
    families: tuple[str, ...] = (_FAMILY,)
    parameter_size: str = ""
    quantization_level: str = ""


class _Version(msgspec.Struct):
    version: str = OLLAMA_VERSION


class _Listed(msgspec.Struct):
    """A model of `/api/tags`."""

    name: str
    model: str
    details: _Details
    capabilities: tuple[str, ...]
    modified_at: str = _EPOCH
    size: int = 0
    digest: str = ""


class _Loaded(msgspec.Struct):
    """A model of `/api/ps`."""

    name: str
    model: str
    details: _Details
    context_length: int
    size: int = 0
    size_vram: int = 0
    digest: str = ""
    expires_at: str = _FAR


class _Models(msgspec.Struct):
    """A list of models."""

    models: tuple[_Listed | _Loaded, ...]


class _Shown(msgspec.Struct):
    """The answer of `/api/show`: `model_info` tells the window under the architecture's name."""

    details: _Details
    model_info: dict[str, str | int]
    capabilities: tuple[str, ...]
    modified_at: str = _EPOCH


class _ShowBody(msgspec.Struct):
    """The body of `/api/show`; `name` is the older word."""

    model: str = ""
    name: str = ""


Handler: TypeAlias = Callable[[Session, Exchange], Awaitable[None]]

_show_bodies = msgspec.json.Decoder(_ShowBody)


def ollama_routes(sessions: SessionLookup, wire: Wire) -> list[Route]:
    """The routes beside `/api/chat`; each wants the session's token."""
    show = _Show(wire)
    return [
        _route("/api/version", "GET", _version, sessions, wire),
        _route("/api/tags", "GET", _tags, sessions, wire),
        _route("/api/ps", "GET", _loaded, sessions, wire),
        _route("/api/show", "POST", show.answer, sessions, wire),
    ]


def _route(path: str, method: str, handle: Handler, sessions: SessionLookup, wire: Wire) -> Route:
    return Route(path, AgentEndpoint(wire, partial(_admitted, handle, sessions, wire)), methods=[method])


async def _admitted(handle: Handler, sessions: SessionLookup, wire: Wire, exchange: Exchange) -> None:
    session = await admit(exchange, wire, sessions)
    if session is not None:
        await handle(session, exchange)


async def _version(_: Session, exchange: Exchange) -> None:
    await _reply(exchange, _Version())


async def _tags(session: Session, exchange: Exchange) -> None:
    model = session.model
    await _reply(exchange, _Models((_Listed(model, model, _details(session), _capabilities(session)),)))


async def _loaded(session: Session, exchange: Exchange) -> None:
    model = session.model
    await _reply(exchange, _Models((_Loaded(model, model, _details(session), session.context_window),)))


@dataclass(frozen=True)
class _Show:
    """`POST /api/show`."""

    wire: Wire

    async def answer(self, session: Session, exchange: Exchange) -> None:
        """What the session's model is; any other one is not found."""
        try:
            body = decode_json(await read_body(exchange.headers, exchange.receive), _show_bodies)
        except BodyRefused as refusal:
            await exchange.reply(refusal.reply(self.wire))
            return
        except ProtocolError as error:
            await self._refuse(exchange, ErrorKind.BAD_REQUEST, str(error))
            return
        name = body.model or body.name
        if not name:
            await self._refuse(exchange, ErrorKind.BAD_REQUEST, "model is required")
        elif name.removesuffix(_LATEST) != session.model.removesuffix(_LATEST):
            await self._refuse(exchange, ErrorKind.NOT_FOUND, f"model '{name}' not found")
        else:
            window: dict[str, str | int] = {
                "general.architecture": _FAMILY,
                f"{_FAMILY}.context_length": session.context_window,
            }
            await _reply(exchange, _Shown(_details(session), window, _capabilities(session)))

    async def _refuse(self, exchange: Exchange, kind: ErrorKind, message: str) -> None:
        await exchange.reply(self.wire.encode_fault(ChatFault(kind, message)))


def _details(session: Session) -> _Details:
    return _Details(session.context_window)


def _capabilities(session: Session) -> tuple[str, ...]:
    """What a client may offer its user: thinking and images only where the endpoint is known to take them."""
    endpoint = session.endpoint
    thinks = ("thinking",) if endpoint.thinking in ("switch", "levels") else ()
    sees = ("vision",) if endpoint.takes_images else ()
    return ("completion", "tools", *thinks, *sees)


async def _reply(exchange: Exchange, body: msgspec.Struct) -> None:
    await exchange.reply(Reply(200, msgspec.json.encode(body)))
