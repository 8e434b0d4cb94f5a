"""A real engine that is killed for memory in mid-stream: told, smaller, served again; what no longer fits is told."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.shim.doubles import serving

from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.filters import tool_forms
from agentlaunch.core.scripted_gguf import Reply, Script, Turn
from agentlaunch.runtimes.llama_cpp import LlamaCppHost, Recovery
from agentlaunch.shim.application import build_application
from agentlaunch.shim.engine_use import EngineUse
from agentlaunch.shim.protocol import OpenSession
from agentlaunch.shim.relay import RelayOptions
from agentlaunch.shim.sessions import SessionTable
from agentlaunch.shim.upstream import UpstreamClient

pytestmark = pytest.mark.real

SCRIPT = Script(final=Turn(text="done"), replies=(Reply("for ever", Turn(text="again and again ", endless=True)),))
TOOL = {"name": "Bash", "description": "A tool.", "input_schema": {"type": "object", "properties": {}}}
WINDOW, HALF = 16_384, 8192


def body(text: str, *, stream: bool = False) -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    return {"model": "m", "max_tokens": 4096, "messages": messages, "tools": [TOOL], "stream": stream}


async def killed_in_mid_stream(client: httpx.AsyncClient, pid: int) -> str:
    """What the client has got of an answer whose engine is killed at its first words."""
    pieces: list[str] = []
    async with client.stream("POST", "/v1/messages", json=body("say it for ever", stream=True)) as response:
        async for piece in response.aiter_text():
            pieces.append(piece)
            if "again" in piece and psutil.pid_exists(pid):
                psutil.Process(pid).kill()
    return "".join(pieces)


@pytest.mark.skipif(sys.platform == "win32", reason="kills by a signal")
def test_a_kill_for_memory_in_mid_stream_costs_one_answer_and_half_the_window(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    spec = EngineSpec(str(scripted_model(SCRIPT)), "m", WINDOW, smallest_window=4096)

    async def work() -> tuple[str, list[httpx.Response], int]:
        environment = {**os.environ, "AGENTLAUNCH_HOME": str(tmp_path)}
        host = LlamaCppHost(tmp_path, environment, recovery=Recovery(kernel_kills=lambda: None))
        table = SessionTable("http://shim", None)
        engines, upstream = EngineUse(host, table), UpstreamClient()
        session_id = table.begin(OpenSession("claude", "m", None, spec, WINDOW, 4096))
        table.finish(session_id, await engines.reach(spec), "token")
        options = RelayOptions(tool_forms.lower, reach=engines.reach)
        try:
            async with (
                serving(build_application(table, upstream, options=options)) as url,
                httpx.AsyncClient(base_url=url, headers={"x-api-key": "token"}, timeout=60, trust_env=False) as client,
            ):
                cut = await killed_in_mid_stream(client, host.running()[0].pid)
                asked = ("hello", "hello", "x " * 3 * HALF)
                answers = [await client.post("/v1/messages", json=body(text)) for text in asked]
                return cut, answers, table.statuses()[0].context_window
        finally:
            await upstream.aclose()
            await host.close()

    cut, (told, served, too_long), window = asyncio.run(asyncio.wait_for(work(), 120))
    assert ("again" in cut, "event: error" in cut, "message_stop" in cut) == (True, True, False)
    assert "ran out of memory and was restarted with a window of 8192 tokens, 16384 before; try again" in told.text
    assert (told.status_code >= 500, served.status_code, served.json()["content"]) == (
        True,
        200,
        [{"type": "text", "text": "done"}],
    )
    assert (too_long.status_code, window) == (400, HALF)
    assert "prompt is too long" in too_long.text
