"""One HTTP exchange with an agent, and the last resort when our side of it fails."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from agentlaunch.core.ir import ChatFault, ErrorKind, Failed
from agentlaunch.core.wire.base import Reply, Wire
from agentlaunch.shim.answer import ClientAnswer, Stage, send_reply
from agentlaunch.shim.body import ClientLeft

_log = logging.getLogger(__name__)

_OUR_FAULT = ChatFault(ErrorKind.INTERNAL, "agentlaunch has failed; its log says more: agentlaunch logs")


class Exchange:
    """A request and the way to answer it. `answer` is set once there is one on its way."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.headers = Headers(scope=scope)
        self.parameters: dict[str, str] = scope.get("path_params", {})
        self.receive = receive
        self.answer: ClientAnswer | None = None
        self._send = send
        self._is_answered = False

    async def send(self, message: Message) -> None:
        """Pass a message of ASGI on."""
        self._is_answered = True
        await self._send(message)

    async def reply(self, reply: Reply) -> None:
        """Answer with a whole HTTP answer."""
        await send_reply(self.send, reply)

    async def fail(self, wire: Wire) -> None:
        """Say that we have failed, in the place that the answer has come to."""
        if not self._is_answered:
            await self.reply(wire.encode_fault(_OUR_FAULT))
        elif self.answer is not None and self.answer.stage is not Stage.CLOSED:
            await self.answer.feed([Failed(_OUR_FAULT)])


class AgentEndpoint:
    """An ASGI application for one route; `handle` does the work, `wire` gives errors their form."""

    def __init__(self, wire: Wire, handle: Callable[[Exchange], Awaitable[None]]) -> None:
        self._wire = wire
        self._handle = handle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Never raises for a fault of ours: one session's bug must not end the others."""
        exchange = Exchange(scope, receive, send)
        try:
            await self._handle(exchange)
        except ClientLeft:
            return
        except Exception:  # noqa: BLE001 - the shim's one catch-all (STYLE 15)
            _log.exception("a request on %s has failed", scope["path"])
            await exchange.fail(self._wire)
