"""Binding, and the server's process as `serve` runs it."""

from __future__ import annotations

import asyncio
import json
import signal
import socket
import subprocess
import sys

import pytest

from agentlaunch.errors import MachineError
from agentlaunch.shim.server import bind

HANGUP = [] if sys.platform == "win32" else [signal.SIGHUP]

SERVE = """
import asyncio, json, sys
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.server import PresetSession, ServerConfig, run_server

class NoEngines:
    async def ensure(self, spec): print("loading", flush=True); await asyncio.Event().wait()
    async def release(self, spec): print("released", flush=True)
    def running(self): return ()
    async def close(self): print("closed", flush=True)

endpoint = Endpoint("x", "openai_chat", "http://127.0.0.1:9", "m")
target = EngineSpec("/models/a.gguf", "a", 8192) if sys.argv[1:] else endpoint
preset = PresetSession(OpenSession("serve", "m", None, target, 8192, 1024), "chosen-token")
ready = lambda url: print(json.dumps(url), flush=True)
run_server(ServerConfig(preset=preset, on_ready=ready, on_stop=lambda: print("stopping", flush=True)), NoEngines())
"""


@pytest.mark.report("B278")
def test_port_zero_takes_a_free_port_and_listens() -> None:
    with bind(0) as listener:
        socket.create_connection(listener.getsockname(), timeout=30).close()
        assert listener.getsockname()[0] == "127.0.0.1"


def test_a_taken_port_is_named_with_the_command_that_takes_another() -> None:
    with bind(0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(MachineError) as caught:
            bind(port)
    told = caught.value
    assert (told.code, f"`{port}`" in told.message, told.hint) == (
        "port-taken",
        True,
        "take a free one: agentlaunch serve --port 0",
    )


def test_what_is_written_to_a_client_leaves_at_once() -> None:
    """Nagle's algorithm held the first byte of each answer back for 40 ms."""

    async def delay_switched_off() -> int:
        switches: asyncio.Queue[int] = asyncio.Queue()

        def accepted(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            switches.put_nowait(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        with bind(0) as listener:
            async with await asyncio.start_server(accepted, sock=listener):
                _, client = await asyncio.open_connection(*listener.getsockname())
                async with asyncio.timeout(30):
                    found = await switches.get()
                client.close()
                await client.wait_closed()
        return found

    assert asyncio.run(delay_switched_off()) == 1


def test_a_port_that_cannot_exist_is_an_error_of_ours() -> None:
    with pytest.raises(MachineError, match="cannot listen on port `70000`"):
        bind(70000)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, *HANGUP])
def test_a_signal_ends_the_server_in_order_and_with_exit_code_0(number: signal.Signals) -> None:
    argv = [sys.executable, "-W", "error", "-c", SERVE]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        url = json.loads(server.stdout.readline())
        server.send_signal(number)
        said, _ = server.communicate(timeout=60)
    assert (url.startswith("http://127.0.0.1:"), said.split(), server.returncode) == (True, [b"stopping", b"closed"], 0)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_signal_while_the_engine_loads_calls_the_load_off() -> None:
    argv = [sys.executable, "-W", "error", "-c", SERVE, "local"]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as server:
        assert server.stdout is not None
        server.stdout.readline()
        server.send_signal(signal.SIGTERM)
        said, _ = server.communicate(timeout=60)
    assert (said.split(), server.returncode) == ([b"stopping", b"released", b"closed"], 0)
