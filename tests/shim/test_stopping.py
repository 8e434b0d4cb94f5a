"""The server's end ends the answers that still run, in the form of their wire."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys

import httpx
import pytest
from tests.shim.doubles import (
    GENEROUS_S,
    PATHS,
    STARTED,
    Pause,
    ScriptedUpstream,
    answer,
    chunk,
    read_events,
    request_body,
)

from agentlaunch.core.ir import Failed

SERVE = """
import json, logging, sys
from agentlaunch.core.endpoint import Endpoint
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.server import PresetSession, ServerConfig, run_server

class NoEngines:
    async def ensure(self, spec): raise AssertionError
    async def release(self, spec): pass
    def running(self): return ()
    async def close(self): pass

logging.basicConfig(level=logging.INFO, stream=sys.stderr)
endpoint = Endpoint("x", "openai_chat", sys.argv[1], "m", key="upstream-key")
preset = PresetSession(OpenSession("serve", "m", None, endpoint, 8192, 1024), "chosen-token")
run_server(ServerConfig(preset=preset, on_ready=lambda url: print(json.dumps(url), flush=True)), NoEngines())
"""


async def stopped_in_the_middle(wire: str, *, stream: bool) -> tuple[httpx.Response, str]:
    """Ask, stop the server once the upstream has begun its answer, and give what the client and the log got."""
    steps = [*answer(STARTED, chunk({"content": "Hel"})), Pause(asyncio.Event())]
    async with ScriptedUpstream([steps]).running() as upstream:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, upstream.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert server.stdout is not None
        url = json.loads(await server.stdout.readline())
        headers = {"authorization": "Bearer chosen-token"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=60, trust_env=False) as client:
            request = client.build_request("POST", PATHS[wire], json=request_body(wire, stream=stream))
            asking = asyncio.create_task(client.send(request, stream=True))
            async with asyncio.timeout(GENEROUS_S):
                await (asking if stream else upstream.arrivals.acquire())
            server.send_signal(signal.SIGTERM)
            response = await asking
            await response.aread()
        _, said = await server.communicate()
    assert server.returncode == 0
    return response, said.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("wire", PATHS)
def test_a_running_stream_ends_with_an_error_event_and_the_log_without_a_traceback(wire: str) -> None:
    response, log = asyncio.run(stopped_in_the_middle(wire, stream=True))
    last = read_events(wire, response.content)[-1]
    assert isinstance(last, Failed)
    assert (last.fault.message, "Traceback" in log) == ("agentlaunch is stopping", False)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("wire", PATHS)
def test_an_answer_that_is_not_streamed_becomes_an_error(wire: str) -> None:
    response, log = asyncio.run(stopped_in_the_middle(wire, stream=False))
    told = (response.status_code, response.json()["error"]["message"], "Traceback" in log)
    assert told == (503, "agentlaunch is stopping", False)


async def stopped_before_a_client_that_does_not_read() -> tuple[int | None, str]:
    pieces = [chunk({"content": "".join(f"{piece}.{word} " for word in range(8_000))}) for piece in range(400)]
    async with ScriptedUpstream([[*answer(STARTED, *pieces), Pause(asyncio.Event())]]).running() as upstream:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-c", SERVE, upstream.url, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert server.stdout is not None
        url = json.loads(await server.stdout.readline())
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rsplit(":", 1)[1]))
        body = json.dumps(request_body("openai_chat", stream=True)).encode()
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: {url[7:]}\r\nauthorization: Bearer chosen-token\r\n"
        writer.write(f"{head}content-length: {len(body)}\r\n\r\n".encode() + body)
        async with asyncio.timeout(GENEROUS_S):
            await reader.readuntil(b"0.7 ")
        before, still = -1, 0
        while still < 5:  # until it is held back, and not only slow
            still = still + 1 if upstream.steps_done == before else 0
            before = upstream.steps_done
            await asyncio.sleep(0.2)
        server.send_signal(signal.SIGINT)
        _, said = await server.communicate()
        writer.transport.abort()
    return server.returncode, said.decode()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_a_client_that_does_not_read_is_left_behind_without_a_traceback() -> None:
    code, log = asyncio.run(stopped_before_a_client_that_does_not_read())
    assert (code, "Traceback" in log, "was called off" in log) == (0, False, True), log
