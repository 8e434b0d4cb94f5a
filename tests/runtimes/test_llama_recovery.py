"""An engine that runs out of memory comes back one step smaller, and says so; one that crashes comes back as it was."""

from __future__ import annotations

import asyncio
import logging
import os
import struct
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from tests.doubles import llama_server

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp import MOST_KILLED_LOADS, LlamaCppHost, Recovery
from agentlaunch.runtimes.llama_embedded import EMBEDDED
from agentlaunch.runtimes.llama_server import LLAMA_SERVER

T = TypeVar("T")

SIZED = """
import http.server, json, os, sys, threading
spec = json.loads(sys.stdin.readline())
room = int(sys.argv[1])
takes = spec["context_window"] * {"f16": 4, "q8_0": 2, "q4_0": 1}[spec["kv_type"]]
if takes > room:
    sys.stderr.write("E ggml_aligned_malloc: insufficient memory (attempted to allocate 2880.00 MB)\\n")
    sys.exit(3)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == "/abort":
            sys.stderr.write(sys.argv[2] + "\\n")
            sys.stderr.flush()
            os.kill(os.getpid(), int(sys.argv[3]))
            threading.Event().wait()  # another thread may take the signal, a moment later
        body = json.dumps({"default_generation_settings": {"n_ctx": spec["context_window"]}}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
sys.stdin.read()
"""
"""A child with `argv[1]` bytes of room that on request says `argv[2]` and ends by the signal `argv[3]`."""

METAL = "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)"
PLENTY = 10**9
ABORT, KILL = 6, 9


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 120))


class Kills:
    """The kernel's count of processes killed for memory; `told` False: it has none."""

    def __init__(self, *, told: bool = True) -> None:
        self.count = 0
        self.told = told

    def __call__(self) -> int | None:
        return self.count if self.told else None


@asynccontextmanager
async def host_of(
    logs: Path, room: int, words: str = "", ends_by: int = ABORT, kills: Kills | None = None
) -> AsyncIterator[LlamaCppHost]:
    command = (sys.executable, "-c", SIZED, str(room), words, str(ends_by))
    host = LlamaCppHost(logs, os.environ, command, recovery=Recovery((0.01,), kernel_kills=kills or Kills()))
    try:
        yield host
    finally:
        await host.close()


@pytest.fixture
def spec(scripted_model: Callable[[Script], Path]) -> EngineSpec:
    planned = EngineParameters(gpu_layers=7)
    return EngineSpec(str(scripted_model(Script())), "m", 65_536, parameters=planned, smallest_window=16_384)


async def end(endpoint: Endpoint) -> None:
    """Have the engine end."""
    async with httpx.AsyncClient(base_url=endpoint.base_url, trust_env=False) as client:
        with pytest.raises(httpx.TransportError):
            await client.get("/abort")


async def after_its_end(host: LlamaCppHost, spec: EngineSpec, gone: Endpoint) -> Endpoint:
    while (found := await host.ensure(spec)) == gone:  # noqa: ASYNC110 - a host has no event for it
        await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize(
    ("room", "window", "kv_type"),
    [
        (4 * 65_536, 65_536, "f16"),
        (4 * 32_768, 32_768, "f16"),
        (4 * 16_384, 16_384, "f16"),
        (2 * 16_384, 16_384, "q8_0"),
        (16_384, 16_384, "q4_0"),
    ],
)
def test_what_does_not_fit_while_it_loads_is_loaded_smaller(
    tmp_path: Path, spec: EngineSpec, caplog: pytest.LogCaptureFixture, room: int, window: int, kv_type: str
) -> None:
    async def work() -> tuple[Endpoint, int, str]:
        async with host_of(tmp_path, room) as host:
            endpoint = await host.ensure(spec)
            [status] = host.running()
            assert await host.ensure(spec) == endpoint
            return endpoint, status.context_window, status.kv_type

    with caplog.at_level(logging.WARNING):
        endpoint, shown, shown_kv = run(work())
    assert (endpoint.context_window, shown, shown_kv) == (window, window, kv_type)
    cache = "" if kv_type == "f16" else f" and a KV cache of {kv_type}"
    note = f"out of memory: restarted with a window of {window} tokens{cache}"
    is_smaller = room < 4 * 65_536
    assert endpoint.notes == ((note,) if is_smaller else ())
    assert (f"engine m: {note}" in caplog.messages) is is_smaller


def test_what_fits_in_no_way_is_refused_with_the_cause(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> tuple[MachineError, str]:
        async with host_of(tmp_path, 0) as host:
            with pytest.raises(MachineError) as caught:
                await host.ensure(spec)
            [status] = host.running()
            return caught.value, status.state

    error, state = run(work())
    assert (error.code, "insufficient memory" in error.message, state) == (
        "engine-crashed",
        True,
        "stopped: exit code 3",
    )


def test_no_step_is_taken_that_the_launch_has_not_allowed(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, 4 * 32_768) as host:
            with pytest.raises(MachineError, match="insufficient memory"):
                await host.ensure(replace(spec, smallest_window=0))

    run(work())


@pytest.mark.parametrize(
    ("words", "ends_by", "kernel", "window"),
    [
        (METAL, ABORT, "silent", 32_768),
        ("serving", KILL, "kills", 32_768),
        ("serving", KILL, "untold", 32_768),
        ("serving", KILL, "silent", 65_536),
        ("serving", ABORT, "kills", 65_536),
    ],
    ids=["said", "killed for memory", "killed, no kernel tells", "killed by a user", "a crash of another kind"],
)
def test_a_loss_while_serving_makes_it_smaller_only_when_memory_was_why(
    tmp_path: Path, spec: EngineSpec, words: str, ends_by: int, kernel: str, window: int
) -> None:
    kills = Kills(told=kernel != "untold")

    async def work() -> tuple[Endpoint, Endpoint]:
        async with host_of(tmp_path, PLENTY, words, ends_by, kills) as host:
            first = await host.ensure(spec)
            kills.count += kernel == "kills"
            await end(first)
            second = await after_its_end(host, spec, first)
            return first, second

    first, second = run(work())
    assert (first.context_window, second.context_window) == (65_536, window)
    assert bool(second.notes) is (window < 65_536)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(("killed", "comes_up"), [(1, True), (MOST_KILLED_LOADS, True), (MOST_KILLED_LOADS + 1, False)])
def test_a_load_that_somebody_kills_is_begun_again_as_it_was_a_few_times(
    tmp_path: Path, spec: EngineSpec, killed: int, comes_up: bool
) -> None:
    """The first `killed` children end by SIGKILL before they are up."""
    starts = tmp_path / "starts"
    dying = (
        f"import os; n = os.open({str(starts)!r}, os.O_CREAT | os.O_WRONLY | os.O_APPEND); os.write(n, b'x')\n"
        f"if os.fstat(n).st_size <= {killed}: os.kill(os.getpid(), 9)\n"
    )

    async def work() -> tuple[int, str]:
        command = (sys.executable, "-c", dying + SIZED, str(PLENTY), "", "6")
        host = LlamaCppHost(tmp_path / "logs", os.environ, command, recovery=Recovery((0.01,), kernel_kills=Kills()))
        try:
            return (await host.ensure(spec)).context_window or 0, "up"
        except MachineError as error:
            return 0, error.code
        finally:
            await host.close()

    (tmp_path / "logs").mkdir()
    assert run(work()) == ((65_536, "up") if comes_up else (0, "engine-crashed"))
    assert len(starts.read_text()) == min(killed, MOST_KILLED_LOADS) + 1


def test_a_smaller_engine_is_shared_by_a_launch_that_asks_for_what_it_is(tmp_path: Path, spec: EngineSpec) -> None:
    smaller = replace(spec, context_window=32_768)

    async def work() -> tuple[int, str, int]:
        async with host_of(tmp_path, 4 * 32_768) as host:
            first = await host.ensure(spec)
            assert await host.ensure(smaller) == first
            shared = len(host.running())
            await host.release(spec)
            [status] = host.running()
            state = status.state
            await host.release(smaller)
            ended = not psutil.pid_exists(status.pid)
            return shared, state, ended

    assert run(work()) == (1, "ready", True)


def test_crashes_in_a_row_are_followed_by_ever_longer_pauses() -> None:
    recovery = Recovery((0.5, 1.0, 2.0))
    assert [recovery.pause_s(crashes) for crashes in range(7)] == [0.0, 0.0, 0.5, 1.0, 2.0, 2.0, 2.0]


def test_a_release_between_two_starts_ends_the_wait(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> tuple[str, Sequence[object]]:
        command = (sys.executable, "-c", SIZED, "0", "", "6")
        host = LlamaCppHost(tmp_path, os.environ, command, recovery=Recovery((3600.0,), kernel_kills=Kills()))
        waiting = asyncio.create_task(host.ensure(spec))
        while not any(name.endswith(".log.1") for name in os.listdir(tmp_path)):  # noqa: ASYNC110, PTH208 - no event
            await asyncio.sleep(0.01)
        await host.release(spec)
        with pytest.raises(MachineError) as caught:
            await waiting
        return caught.value.code, host.running()

    assert run(work()) == ("engine-released", ())


def peak_kib(pid: int) -> int:
    """The most address space that a process has had, in KiB (Linux)."""
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in text.splitlines() if line.startswith("VmPeak"))


def of_any_length(model: bytes) -> bytes:
    """The model with a trained length of 2**24 tokens: windows so large that their memory outweighs all else."""
    key = b"llama.context_length" + struct.pack("<I", 4)  # GGUF's number of uint32
    at = model.index(key) + len(key)
    return model[:at] + struct.pack("<I", 2**24) + model[at + 4 :]


SPARE_KIB = 256 * 1024
"""More than a start's threads and reserves differ by, less than the half of a window."""


@pytest.mark.real
@pytest.mark.skipif(sys.platform != "linux", reason="limits address space")
@pytest.mark.parametrize("runner", ["embedded", "llama-server"])
def test_a_real_engine_with_too_little_memory_serves_half_the_window(
    tmp_path: Path, scripted_model: Callable[[Script], Path], runner: str
) -> None:
    program = llama_server.real_program()
    if runner == "llama-server" and program is None:
        pytest.skip(f"no llama-server: name one with {llama_server.REAL_VARIABLE}")
    environment = {**os.environ, "AGENTLAUNCH_HOME": str(tmp_path / "home")}
    path = tmp_path / "m.gguf"
    path.write_bytes(of_any_length(scripted_model(Script()).read_bytes()))
    spec = EngineSpec(str(path), "m", 2**20, smallest_window=2**18)

    def host_within(limit_kib: int | None) -> tuple[LlamaCppHost, EngineSpec]:
        if runner == "embedded":
            limit = ("sh", "-c", f'{llama_server.limits(limit_kib)} exec "$@"', "sh")
            return LlamaCppHost(tmp_path, environment, (*limit, *EMBEDDED.command)), spec
        assert program is not None
        within = llama_server.limited(program, tmp_path / "bin", limit_kib)
        asked = replace(spec, runtime="llama_server", program=within)
        return LlamaCppHost(tmp_path, environment, runner=LLAMA_SERVER), asked

    async def peak(window: int) -> int:
        host, asked = host_within(None)
        await host.ensure(replace(asked, context_window=window))
        process = psutil.Process(host.running()[0].pid)
        found = max(peak_kib(one.pid) for one in (*process.children(), process))
        await host.close()
        return found

    async def answer(host: LlamaCppHost, endpoint: Endpoint) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {endpoint.key}"}
        async with httpx.AsyncClient(
            base_url=endpoint.base_url, headers=headers, trust_env=False, timeout=60
        ) as client:
            body = {"model": "m", "messages": [{"role": "user", "content": "hello"}], "max_tokens": 8}
            answered = (await client.post("/v1/chat/completions", json=body)).json()
        await host.close()
        return dict(answered["choices"][0])

    async def work() -> tuple[Endpoint, dict[str, Any]]:
        host, asked = host_within(await peak(2**19) + SPARE_KIB)
        endpoint = await host.ensure(asked)
        return endpoint, await answer(host, endpoint)

    endpoint, choice = run(work())
    assert (endpoint.context_window, endpoint.notes) == (
        2**19,
        ("out of memory: restarted with a window of 524288 tokens",),
    )
    assert choice["message"]["content"]
