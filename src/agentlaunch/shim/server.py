"""The HTTP server's life: binding, serving, watching and ending; the background shim and `serve` both run it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Generator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, time
from typing import assert_never

import uvicorn

from agentlaunch.core.endpoint import Prices
from agentlaunch.core.engine import EngineHost
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.routing import Spent
from agentlaunch.core.settings import DEFAULT_USAGE_DAYS
from agentlaunch.errors import MachineError
from agentlaunch.shim.application import build_application
from agentlaunch.shim.connection import Connection
from agentlaunch.shim.control import Control, ShimIdentity
from agentlaunch.shim.engine_activity import EngineActivities
from agentlaunch.shim.engine_use import EngineUse
from agentlaunch.shim.live_routes import LiveRoutes
from agentlaunch.shim.prewarm import Prewarm
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.router import Router
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.shim.traffic import Traffic
from agentlaunch.shim.upstream import UpstreamClient
from agentlaunch.shim.watch import (
    LOOK_INTERVAL_S,
    CloseSession,
    Idle,
    IdlePolicy,
    ReleaseEngine,
    StopShim,
    look,
)
from agentlaunch.system.process import is_alive
from agentlaunch.system.usage_recorder import UsageRecorder

HOST = "127.0.0.1"
_DRAIN_S = 2
"""Seconds that running answers get when the server ends."""
_BACKLOG = 128
_STOPPING = ChatFault(ErrorKind.UNAVAILABLE, "agentlaunch is stopping")
"""What the answers that still run end with."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class PresetSession:
    """A session that is open from the start, with a token that was chosen outside (`serve`)."""

    request: OpenSession
    token: str = field(repr=False)


def _nothing() -> None:
    pass


def _say_nothing(_url: str) -> None:
    pass


@dataclass(frozen=True)
class ServerConfig:
    """One server. `port` 0 takes a free one; without `control_token` there is no control API.

    `sessions_dir` belongs to this server alone, None when no session needs a folder. `usage_path` is where finished
    requests are kept for `usage_days` calendar days, `openings_dir` where what agents send first is, None for nowhere;
    `reference` are the prices that requests are compared with. `on_ready` gets the URL once requests are answered and
    the preset session's engine is ready; `on_stop` runs when the end begins.
    """

    port: int = 0
    control_token: str = field(default="", repr=False)
    sessions_dir: Path | None = None
    usage_path: Path | None = None
    usage_days: int = DEFAULT_USAGE_DAYS
    openings_dir: Path | None = None
    reference: Prices | None = None
    idle: IdlePolicy = field(default_factory=lambda: IdlePolicy(stop_s=None))
    preset: PresetSession | None = None
    on_ready: Callable[[str], None] = _say_nothing
    on_stop: Callable[[], None] = _nothing


def run_server(config: ServerConfig, engines: EngineHost) -> None:
    """Serve until told to stop by a signal, the control API or the idle policy; then end the engines.

    Raises MachineError `port-taken`, and what the preset session's engine raises.
    """
    with bind(config.port) as listener:
        asyncio.run(_ShimServer(config, engines, listener).run())


def bind(port: int) -> socket.socket:
    """A socket that listens on loopback. Raises MachineError `port-taken`."""
    # The protocol is named because asyncio sets TCP_NODELAY only on sockets that name it (base_events._set_nodelay).
    # Accepted ones inherit it. Without it an answer's first byte waits 40 ms for the client's delayed acknowledgement.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform == "win32":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
        else:  # there, on Windows, this would let two servers share the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        listener.close()
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise MachineError(
            "port-taken", f"cannot listen on port `{port}`: {reason}", "take a free one: agentlaunch serve --port 0"
        ) from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn without its signal handling: it ends the process by the signal, where we end in order and with 0."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.accepting = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.accepting.set()


class _ShimServer:
    """The pieces of one running server, wired together."""

    def __init__(self, config: ServerConfig, engines: EngineHost, listener: socket.socket) -> None:
        self._config = config
        self._host = engines
        self._listener = listener
        self._url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._table = SessionTable(self._url, config.sessions_dir)
        self._engines = EngineUse(engines, self._table)
        self._upstream = UpstreamClient()
        self._recorder = UsageRecorder(config.usage_path, keep_days=config.usage_days)
        self._traffic = Traffic(self._recorder, monotonic, time, config.reference)
        self._prewarm = Prewarm(config.openings_dir, self._upstream, self._table.session)
        self._options = RelayOptions(
            turns=self._prewarm.turns,
            reach=self._engines.reach,
            router=Router(spent=self._spent),
            traffic=self._traffic,
        )
        self._control = Control(
            ShimIdentity(self._url, config.control_token, time(), config.idle.stop_s or 0.0),
            self._table,
            self._engines,
            engines,
            self._begin_stop,
            self._prewarm.begin,
        )
        self._activities = EngineActivities(monotonic)
        live = LiveRoutes(
            self._traffic,
            self._activities,
            self._table,
            config.control_token,
            takes_sessions=config.preset is not None,  # its one session is its user's
        )
        routes = [*(self._control.routes() if config.control_token else []), *live.routes()]
        self._server = _Server(
            uvicorn.Config(
                build_application(
                    self._table,
                    self._upstream,
                    extra_routes=routes,
                    options=self._options,
                ),
                http=Connection,
                log_config=None,
                access_log=False,
                server_header=False,
                lifespan="off",
                ws="none",
                timeout_graceful_shutdown=_DRAIN_S,
            )
        )

    def _spent(self, session_id: str) -> Spent:
        return Spent(self._traffic.spent_day_usd(), self._traffic.spent_session_usd(session_id))

    async def run(self) -> None:
        self._recorder.start()
        self._table.remove_strange_folders()
        try:
            async with _signals(self._control.begin_stop):
                serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
                watching = asyncio.create_task(self._watch())
                try:
                    await self._become_ready(serving)
                    await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._begin_stop()
                    await serving
                    watching.cancel()
                    with contextlib.suppress(asyncio.CancelledError):
                        await watching
        finally:
            await self._end()

    async def _become_ready(self, serving: asyncio.Task[None]) -> None:
        """Open the preset session, then tell the world; a stop that comes first calls the preset's load off."""
        beginning = asyncio.create_task(self._begin())
        await asyncio.wait({beginning, serving}, return_when=asyncio.FIRST_COMPLETED)
        if beginning.done():
            beginning.result()
            self._config.on_ready(self._url)
        else:
            beginning.cancel()
            await asyncio.wait({beginning})

    async def _begin(self) -> None:
        await self._server.accepting.wait()
        preset = self._config.preset
        if preset is not None:
            await self._control.open(preset.request, preset.token)

    def _begin_stop(self) -> None:
        if not self._server.should_exit:
            self._server.should_exit = True
            self._options.running.end_all(_STOPPING)
            self._config.on_stop()

    async def _watch(self) -> None:
        """Look every second, and do what the look says."""
        idle = Idle(None, {})
        while True:
            seen = self._table.seen(is_alive)
            idle, decisions = look(idle, monotonic(), seen, self._engines.known(), self._config.idle)
            for decision in decisions:
                self._do(decision)
            for spec in self._table.engines():
                self._engines.mend(spec)
            await asyncio.sleep(LOOK_INTERVAL_S)

    def _do(self, decision: CloseSession | ReleaseEngine | StopShim) -> None:
        match decision:
            case CloseSession(session_id):
                asked = next((each.requests for each in self._table.statuses() if each.id == session_id), 0)
                _log.info("session %s is closed: its process has ended, %d requests", session_id, asked)
                self._table.close(session_id)
            case ReleaseEngine(spec):
                _log.info("engine %s is released: nobody uses it", spec.alias)
                self._engines.release(spec)
            case StopShim():
                _log.info("no session for %s s: stopping", self._config.idle.stop_s)
                self._control.begin_stop()
            case _:
                assert_never(decision)

    async def _end(self) -> None:
        await self._prewarm.aclose()
        for session in self._table.seen(is_alive):
            self._table.close(session.id)
        await self._engines.settle()
        await self._host.close()
        await self._activities.aclose()
        await self._upstream.aclose()
        await asyncio.to_thread(self._recorder.close)


@contextlib.asynccontextmanager
async def _signals(stop: Callable[[], None]) -> AsyncIterator[None]:
    """SIGTERM, SIGINT and the terminal's end mean an orderly end while the block runs."""
    loop = asyncio.get_running_loop()
    wanted: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if sys.platform == "win32":
        before = {
            number: signal.signal(number, lambda *_: loop.call_soon_threadsafe(stop))
            for number in (*wanted, signal.SIGBREAK)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
    else:
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup has us outlive the terminal
            wanted = (*wanted, signal.SIGHUP)
        for number in wanted:
            loop.add_signal_handler(number, stop)
        try:
            yield
        finally:
            for number in wanted:
                loop.remove_signal_handler(number)
