"""The control API's server side: opens and closes sessions, answers `status`, and obeys `stop`."""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentlaunch import __version__
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineHost, EngineSpec
from agentlaunch.errors import AgentlaunchError, MachineError, UserError
from agentlaunch.shim.body import BodyRefused, ClientLeft, read_body
from agentlaunch.shim.engine_use import EngineUse
from agentlaunch.shim.protocol import CONTROL_PREFIX, CONTROL_VERSION, OpenSession, Ping, SessionGrant, ShimStatus
from agentlaunch.shim.session import SessionRouting
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.system.process import ProcessId

_log = logging.getLogger(__name__)

_STATUS_BY_EXIT_CODE = {2: 400, 3: 503, 4: 502}
MAX_MESSAGE_BYTES = 4 * 2**20
"""Of a wish for a session: a policy with hundreds of upstreams takes a tenth of it."""

_OTHER_VERSION = "another version of ours runs: agentlaunch stop, then again"
_CLIENT_CLOSED_REQUEST = 499  # nobody reads it: the status that proxies log for a client that has left


class OpenBody(msgspec.Struct, frozen=True):
    """POST sessions. Exactly one of `engine` and `endpoint` is given."""

    agent: str
    model: str
    context_window: int
    max_output_tokens: int
    process: ProcessId | None = None
    engine: EngineSpec | None = None
    endpoint: Endpoint | None = None
    routing: SessionRouting | None = None
    project: str = ""
    variant: str = ""


@dataclass(frozen=True)
class ShimIdentity:
    """What the shim says of itself. `started_at` in Unix seconds, `idle_stop_s` 0 when it never ends by itself."""

    url: str
    control_token: str = field(repr=False)
    started_at: float
    idle_stop_s: float


def _nothing(_session_id: str) -> None:
    pass


class Control:
    """The control routes over one session table. `stop` begins the shim's end and returns at once; `opened` is told
    the id of each session that is open."""

    def __init__(
        self,
        identity: ShimIdentity,
        table: SessionTable,
        engines: EngineUse,
        host: EngineHost,
        stop: Callable[[], None],
        opened: Callable[[str], None] = _nothing,
    ) -> None:
        self._identity = identity
        self._table = table
        self._engines = engines
        self._host = host
        self._stop = stop
        self._opened = opened
        self._is_stopping = False

    def routes(self) -> list[Route]:
        """To be mounted beside the agents' routes; each asks for the control token, never for a session's."""
        return [
            Route(f"{CONTROL_PREFIX}/ping", self._guard(self._ping), methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/status", self._guard(self._status), methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/stop", self._guard(self._obey_stop), methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/sessions", self._guard(self._open), methods=["POST"]),
            Route(f"{CONTROL_PREFIX}/sessions/{{id}}", self._guard(self._close), methods=["DELETE"]),
        ]

    def begin_stop(self) -> None:
        """No session is opened from now on, and the server ends."""
        self._is_stopping = True
        self._stop()

    async def open(self, wanted: OpenSession, token: str = "") -> SessionGrant:
        """Open a session once its engine is ready; a failure or a cancellation leaves nothing behind.

        Its token is a new one unless one is given.

        Raises the host's AgentlaunchError, MachineError `shim-stopping`.
        """
        if self._is_stopping:
            raise MachineError("shim-stopping", "the shim is stopping", "try again in a moment")
        session_id = self._table.begin(wanted, token)
        try:
            target = wanted.target
            endpoint = await self._engines.reach(target) if isinstance(target, EngineSpec) else target
            grant = self._table.finish(session_id, endpoint, token)
        except BaseException:
            self.close(session_id)
            raise
        _log.info("session %s is open: %s on %s (%s)", session_id, wanted.agent, wanted.model, endpoint.name)
        self._opened(session_id)
        return grant

    def close(self, session_id: str) -> None:
        """Close a session that failed to open, together with the engine that nobody else uses."""
        request = self._table.close(session_id)
        if request is not None and isinstance(request.target, EngineSpec):
            self._engines.release(request.target)

    def _guard(self, handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """Check the token before, and tell an expected failure after."""
        expected = f"Bearer {self._identity.control_token}".encode()

        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            if not hmac.compare_digest(given, expected):
                return _failure(UserError("control-token", "this needs the control token from the state file"), 401)
            try:
                return await handler(request)
            except AgentlaunchError as error:
                return _failure(error, _STATUS_BY_EXIT_CODE.get(error.exit_code, 500))

        return guarded

    async def _ping(self, _request: Request) -> Response:
        return _json(Ping(os.getpid(), __version__, CONTROL_VERSION, len(self._table)))

    async def _status(self, _request: Request) -> Response:
        status = ShimStatus(
            url=self._identity.url,
            pid=os.getpid(),
            version=__version__,
            started_at=self._identity.started_at,
            sessions=self._table.statuses(),
            engines=self._host.running(),
            idle_stop_s=self._identity.idle_stop_s,
        )
        return _json(status)

    async def _obey_stop(self, request: Request) -> Response:
        count = len(self._table)
        if request.query_params.get("when") == "idle" and count:
            raise MachineError("shim-busy", f"the shim serves `{count}` sessions", "agentlaunch stop")
        self.begin_stop()
        return Response(status_code=204)

    async def _open(self, request: Request) -> Response:
        try:
            body = await read_body(request.headers, request.receive, MAX_MESSAGE_BYTES)
        except ClientLeft:
            return Response(status_code=_CLIENT_CLOSED_REQUEST)
        except BodyRefused as refusal:
            raise UserError("control-message", refusal.fault.message, _OTHER_VERSION) from refusal
        grant = await _unless_client_leaves(request, self.open(decode_open(body)))
        return Response(status_code=_CLIENT_CLOSED_REQUEST) if grant is None else _json(grant)

    async def _close(self, request: Request) -> Response:
        session_id: str = request.path_params["id"]
        if self._table.close(session_id) is not None:
            _log.info("session %s is closed", session_id)
        return Response(status_code=204)


def decode_open(body: bytes) -> OpenSession:
    """The wish for a session. Raises UserError `control-message`."""
    try:
        wanted = msgspec.json.decode(body, type=OpenBody)
    except msgspec.MsgspecError as error:
        what = f"the shim cannot read the wish for a session: {error}"
        raise UserError("control-message", what, _OTHER_VERSION) from error
    target = wanted.engine or wanted.endpoint
    if target is None or (wanted.engine is not None and wanted.endpoint is not None):
        raise UserError("control-message", "a session needs one of `engine` and `endpoint`", _OTHER_VERSION)
    return OpenSession(
        agent=wanted.agent,
        model=wanted.model,
        process=wanted.process,
        target=target,
        context_window=wanted.context_window,
        max_output_tokens=wanted.max_output_tokens,
        routing=wanted.routing,
        project=wanted.project,
        variant=wanted.variant,
    )


async def _unless_client_leaves(request: Request, work: Coroutine[None, None, SessionGrant]) -> SessionGrant | None:
    """The work's result, None when the client closed its connection first; the work is cancelled and over then."""
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(_left(request))
    try:
        await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        leaving.cancel()
        await asyncio.wait({working, leaving})


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _json(message: Ping | ShimStatus | SessionGrant) -> Response:
    return Response(msgspec.json.encode(message), media_type="application/json")


def _failure(error: AgentlaunchError, status: int) -> Response:
    told = {"code": error.code, "message": error.message, "hint": error.hint, "exit_code": error.exit_code}
    return Response(msgspec.json.encode({"errors": [told]}), status_code=status, media_type="application/json")
