"""The control API over a real socket: our blocking client against our routes, with a scripted engine host."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from agentlaunch import __version__
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.errors import AgentlaunchError, Bug, MachineError, RemoteError, UserError
from agentlaunch.shim.control import MAX_MESSAGE_BYTES, Control, ShimIdentity, decode_open
from agentlaunch.shim.control_client import ControlClient, ShimGone, ShimStopping, ShimUnreachable, encode_open
from agentlaunch.shim.engine_use import EngineUse
from agentlaunch.shim.protocol import (
    CONTROL_PREFIX,
    CONTROL_VERSION,
    OpenSession,
    Ping,
    SessionGrant,
    SessionStatus,
    ShimStatus,
)
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.shim.state import ShimState
from agentlaunch.system.process import ProcessId

TOKEN = "control-secret"
SPEC = EngineSpec("/models/a.gguf", "a", 32768, "q8_0")
ENDPOINT = Endpoint("llamacpp", "openai_chat", "http://127.0.0.1:1", "a", "engine-key", 32768, "llama_cpp")
STATUS = EngineStatus("a", "/models/a.gguf", 77, "ready", 32768, "/logs/a.log")
PROCESS = ProcessId(4242, 1_700_000_000.25)
LOCAL = OpenSession("claude", "a", PROCESS, SPEC, 32768, 4096)
REMOTE = OpenSession("codex", "b", None, ENDPOINT, 32768, 4096)


class ScriptedHost:
    """An EngineHost that loads at once, while `loads_forever` never, or fails; `told` is what it was asked for."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.failure: AgentlaunchError | None = None
        self.loads_forever = False

    async def ensure(self, spec: EngineSpec) -> Endpoint:
        self.told.append("ensure")
        while self.loads_forever:  # noqa: ASYNC110 - set by the test's thread
            await asyncio.sleep(0.005)
        if self.failure is not None:
            raise self.failure
        return ENDPOINT

    async def release(self, spec: EngineSpec) -> None:
        self.told.append("release")

    def running(self) -> tuple[EngineStatus, ...]:
        return (STATUS,)

    async def close(self) -> None:
        self.told.append("close")


@dataclass
class Running:
    """The control API on a thread of its own."""

    table: SessionTable
    host: ScriptedHost
    control: Control
    url: str
    stops: list[str] = field(default_factory=list)

    def client(self, token: str = TOKEN) -> ControlClient:
        return ControlClient(ShimState(self.url, os.getpid(), 1.0, token, __version__))


@pytest.fixture
def shim(tmp_path: Path) -> Iterator[Running]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        stops: list[str] = []
        table, host = SessionTable(url, tmp_path / "sessions", clock=lambda: 1000.0), ScriptedHost()
        engines = EngineUse(host, table)
        control = Control(ShimIdentity(url, TOKEN, 900.0, 600.0), table, engines, host, lambda: stops.append("stop"))
        app = Starlette(routes=control.routes())
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
        thread.start()
        yield Running(table, host, control, url, stops)
        server.should_exit = True
        thread.join()


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not claim():
        assert time.monotonic() < deadline, "did not come true within 30 s"
        time.sleep(0.005)


@pytest.mark.parametrize("wish", [LOCAL, REMOTE])
def test_a_wish_survives_the_wire(wish: OpenSession) -> None:
    assert decode_open(encode_open(wish)) == wish


@pytest.mark.parametrize("body", [b"", b"[]", b'{"agent": "claude"}', b"\xff"])
def test_an_unreadable_wish_is_an_error(body: bytes) -> None:
    with pytest.raises(UserError, match="cannot read the wish"):
        decode_open(body)


def test_a_wish_without_a_target_or_with_two_is_an_error() -> None:
    both = {**json.loads(encode_open(LOCAL)), "endpoint": json.loads(encode_open(REMOTE))["endpoint"]}
    neither = {name: value for name, value in both.items() if name not in {"engine", "endpoint"}}
    for body in (both, neither):
        with pytest.raises(UserError, match="needs one of"):
            decode_open(json.dumps(body).encode())


def test_ping_tells_who_answers(shim: Running) -> None:
    assert shim.client().ping() == Ping(os.getpid(), __version__, CONTROL_VERSION, 0)


def test_a_local_model_gets_its_engine_and_a_session(shim: Running, tmp_path: Path) -> None:
    grant = shim.client().open_session(LOCAL)
    expected = SessionGrant(grant.id, grant.token, shim.url, "a", 32768, str(tmp_path / "sessions" / grant.id))
    assert (grant, shim.host.told) == (expected, ["ensure"])
    found = shim.table.find(grant.token)
    assert found is not None
    assert found.endpoint == ENDPOINT
    assert Path(grant.session_dir).is_dir()


def test_an_upstream_needs_no_engine(shim: Running) -> None:
    grant = shim.client().open_session(REMOTE)
    assert (grant.model, shim.host.told) == ("b", [])


def test_status_shows_sessions_and_engines(shim: Running) -> None:
    grant = shim.client().open_session(LOCAL)
    sessions = (SessionStatus(grant.id, "claude", "a", 4242, 1000.0, 0, 32768),)
    assert shim.client().status() == ShimStatus(
        shim.url, os.getpid(), __version__, 900.0, sessions, (STATUS,), idle_stop_s=600.0
    )


def test_a_closed_session_is_gone_and_closing_twice_is_harmless(shim: Running) -> None:
    grant = shim.client().open_session(LOCAL)
    shim.client().close_session(grant.id)
    shim.client().close_session(grant.id)
    assert (shim.table.find(grant.token), Path(grant.session_dir).exists()) == (None, False)


def test_a_closed_session_leaves_its_engine_warm(shim: Running) -> None:
    shim.client().close_session(shim.client().open_session(LOCAL).id)
    assert shim.host.told == ["ensure"]


@pytest.mark.parametrize(
    "failure",
    [
        UserError("model-unknown", "unknown model `x`", "agentlaunch models"),
        MachineError("memory", "`9 GB` do not fit"),
        RemoteError("download", "`https://example.invalid` failed"),
        Bug("invariant", "impossible"),
    ],
)
def test_the_engines_failure_reaches_the_launcher_in_its_own_class(shim: Running, failure: AgentlaunchError) -> None:
    shim.host.failure = failure
    with pytest.raises(type(failure)) as caught:
        shim.client().open_session(LOCAL)
    told = caught.value
    assert (type(told), told.code, told.message, told.hint) == (
        type(failure),
        failure.code,
        failure.message,
        failure.hint,
    )
    assert len(shim.table) == 0


def asked_for_a_session(url: str, body: bytes, length: int) -> bytes:
    """What the shim says to this body, declared as `length` bytes long, before it closes the connection."""
    head = f"POST {CONTROL_PREFIX}/sessions HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {TOKEN}\r\n"
    with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), timeout=30) as connection:
        connection.sendall(f"{head}Connection: close\r\nContent-Length: {length}\r\n\r\n".encode() + body)
        connection.shutdown(socket.SHUT_WR)
        return connection.makefile("rb").read()


def test_a_wish_of_more_than_any_launch_writes_is_refused_unread(shim: Running) -> None:
    answer = asked_for_a_session(shim.url, b"", MAX_MESSAGE_BYTES + 1)
    assert (answer.split()[1], b"the request's body is over 4 MiB" in answer) == (b"400", True)


def test_half_a_wish_is_none_and_no_error_of_ours(shim: Running, caplog: pytest.LogCaptureFixture) -> None:
    assert asked_for_a_session(shim.url, b'{"agent": ', 1000) == b""
    assert (shim.client().ping().sessions, caplog.messages) == (0, [])


def test_a_launch_that_is_given_up_while_the_engine_loads_leaves_nothing(shim: Running) -> None:
    shim.host.loads_forever = True
    with pytest.raises(ShimUnreachable, match=r"no answer within 0\.2 s"):
        shim.client().open_session(LOCAL, timeout_s=0.2)
    until(lambda: shim.host.told == ["ensure", "release"] and len(shim.table) == 0)


def test_a_launch_that_is_given_up_leaves_the_engine_to_the_other_that_waits(shim: Running) -> None:
    shim.host.loads_forever = True
    grants: list[SessionGrant] = []
    other = threading.Thread(target=lambda: grants.append(shim.client().open_session(LOCAL)))
    other.start()
    until(lambda: len(shim.table) == 1)
    with pytest.raises(ShimUnreachable):
        shim.client().open_session(LOCAL, timeout_s=0.2)
    until(lambda: len(shim.table) == 1)
    shim.host.loads_forever = False
    other.join()
    assert ([grant.model for grant in grants], shim.host.told) == (["a"], ["ensure"])


@pytest.mark.parametrize("token", ["", "wrong", "control-secret-and-more", "tökén"])
def test_without_the_control_token_nothing_is_told_and_nothing_done(shim: Running, token: str) -> None:
    for method, path in [("GET", "/ping"), ("GET", "/status"), ("POST", "/stop"), ("POST", "/sessions")]:
        connection = http.client.HTTPConnection("127.0.0.1", int(shim.url.rsplit(":", 1)[1]), timeout=30)
        with contextlib.closing(connection):
            connection.request(method, CONTROL_PREFIX + path, headers={"Authorization": f"Bearer {token}".encode()})
            answer = connection.getresponse()
            assert (answer.status, TOKEN.encode() in answer.read()) == (401, False)
    assert (shim.stops, len(shim.table)) == ([], 0)


def test_a_sessions_token_opens_no_control_route(shim: Running) -> None:
    grant = shim.client().open_session(REMOTE)
    with pytest.raises(UserError) as caught:
        shim.client(grant.token).stop()
    assert (caught.value.code, shim.stops) == ("control-token", [])


def test_stop_ends_the_shim_and_no_session_is_opened_after(shim: Running) -> None:
    shim.client().stop()
    with pytest.raises(ShimStopping):
        shim.client().open_session(LOCAL)
    assert (shim.stops, shim.host.told, len(shim.table)) == (["stop"], [], 0)


def test_a_shim_with_sessions_is_not_stopped_as_idle(shim: Running) -> None:
    grant = shim.client().open_session(REMOTE)
    with pytest.raises(MachineError) as caught:
        shim.client().stop(only_when_idle=True)
    assert (caught.value.code, shim.stops) == ("shim-busy", [])
    shim.client().close_session(grant.id)
    shim.client().stop(only_when_idle=True)
    assert shim.stops == ["stop"]


def test_a_refused_connection_means_that_the_shim_is_gone() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(ShimGone, match="does not answer"):
        ControlClient(ShimState(url, 1, 1.0, TOKEN, __version__)).ping()


def answer_once(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65536)
        connection.sendall(answer)


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        b'HTTP/1.1 200 OK\r\nContent-Length: 13\r\n\r\n{"pid": "no"}',
        b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 2\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"",
    ],
)
def test_another_program_at_the_address_is_not_taken_for_the_shim(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=answer_once, args=(listener, answer))
        thread.start()
        state = ShimState(f"http://127.0.0.1:{listener.getsockname()[1]}", 1, 1.0, TOKEN, __version__)
        with pytest.raises(ShimUnreachable):
            ControlClient(state).ping()
        thread.join()
