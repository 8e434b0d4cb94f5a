"""The supervision of a child, against stand-ins for it: every way in which a start or an end can go wrong."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from agentlaunch.core.engine import EngineSpec, EngineStatus
from agentlaunch.core.scripted_gguf import Script
from agentlaunch.errors import AgentlaunchError, MachineError
from agentlaunch.runtimes import RUNTIMES, load_host
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.runtimes.llama_cpp_process import Ended, LogFile, start_child
from agentlaunch.runtimes.llama_environment import child_environment

T = TypeVar("T")

SERVER = """
import http.server, json, sys, threading
spec = json.loads(sys.stdin.readline())
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps({"status": "ok", "default_generation_settings": {"n_ctx": spec["context_window"] + 256}})
        body = body.encode()
        self.send_response(200 if self.headers["authorization"] == "Bearer " + spec["key"] else 401)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *arguments):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print("started", file=sys.stderr, flush=True)
print(json.dumps({"url": f"http://127.0.0.1:{server.server_port}"}), flush=True)
sys.stdin.read()
"""
"""A child that keeps the protocol, in little more than Python's start."""

SILENT = "import sys; sys.stdin.read()"
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"


def child(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 60))


@pytest.fixture
def spec(scripted_model: Callable[[Script], Path]) -> EngineSpec:
    return EngineSpec(str(scripted_model(Script())), "my/model:1", 4096)


@asynccontextmanager
async def host_of(logs: Path, code: str) -> AsyncIterator[LlamaCppHost]:
    host = LlamaCppHost(logs, os.environ, child(code))
    try:
        yield host
    finally:
        await host.close()


def refusal(tmp_path: Path, spec: EngineSpec, code: str) -> AgentlaunchError:
    """What `ensure` raises with this child."""

    async def work() -> AgentlaunchError:
        async with host_of(tmp_path, code) as host:
            with pytest.raises(AgentlaunchError) as raised:
                await host.ensure(spec)
            return raised.value

    return run(work())


def test_a_ready_engine_has_the_context_that_was_loaded(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, SERVER) as host:
            endpoint = await host.ensure(spec)
            [status] = host.running()
            described = (endpoint.name, endpoint.wire, endpoint.model, endpoint.context_window, endpoint.counting)
            assert described == ("llama_cpp", "openai_chat", "my/model:1", 4096 + 256, "llama_cpp")
            assert len(endpoint.key) >= 32
            assert status == EngineStatus("my/model:1", spec.model_path, status.pid, "ready", 4352, status.log_path)
            assert endpoint.key not in repr(host.running()) + repr(endpoint)

    run(work())
    [log] = tmp_path.glob("engine-my-model-1-*.log")
    assert log.read_text() == "started\n"
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_equal_specs_share_one_start_and_others_do_not(tmp_path: Path, spec: EngineSpec) -> None:
    other = EngineSpec(spec.model_path, spec.alias, 8192)

    async def work() -> None:
        async with host_of(tmp_path, SERVER) as host:
            first, second, third = await asyncio.gather(host.ensure(spec), host.ensure(spec), host.ensure(other))
            assert first == second == await host.ensure(spec)
            assert third.base_url != first.base_url
            assert len({status.log_path for status in host.running()}) == 2

    run(work())


def test_a_cancelled_caller_leaves_the_start_to_the_other(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, SERVER) as host:
            impatient = asyncio.create_task(host.ensure(spec))
            patient = asyncio.create_task(host.ensure(spec))
            await asyncio.sleep(0)
            impatient.cancel()
            assert (await patient).model == spec.alias
            assert impatient.cancelled()

    run(work())


LOADING = """\
0.00.007.814 I srv    load_model: loading model '/m/x.gguf'
0.00.007.892 E llama_model_load: error loading model: {cause}
0.00.007.894 E llama_model_load_from_file_impl: failed to load model
0.00.008.682 E srv    load_model: failed to load model, '/m/x.gguf'
0.00.008.684 I srv    operator(): operator(): cleaning up before exit...
0.00.009.133 E srv          init: exiting due to model loading error
"""
"""What xllamacpp's llama.cpp writes for a file that it cannot load."""

LOG_HINT = "its log: agentlaunch logs engine"


@pytest.mark.parametrize(
    ("said", "end", "cause", "hint"),
    [
        (
            LOADING.format(cause="unknown model architecture: 'llamx'"),
            "sys.exit(3)",
            "unknown model architecture: 'llamx'",
            f"this model needs a newer llama.cpp: pip install --upgrade xllamacpp; {LOG_HINT}",
        ),
        (LOADING.format(cause="missing tensor 'x'"), "sys.exit(3)", "missing tensor 'x'", LOG_HINT),
        ("0.01.001.000 E cmn  common_init_: failed to: load\n", "sys.exit(3)", "failed to: load", LOG_HINT),
        ("weights\nare odd\n", "sys.exit(7)", "are odd", LOG_HINT),
        ("weights\nare odd\n", "os.kill(os.getpid(), 11)", "are odd (killed by SIGSEGV)", LOG_HINT),
        ("", "sys.exit(7)", "exit code 7", LOG_HINT),
    ],
)
def test_a_crash_while_loading_is_told_by_the_one_line_that_names_its_cause(
    tmp_path: Path, spec: EngineSpec, said: str, end: str, cause: str, hint: str
) -> None:
    error = refusal(tmp_path, spec, f"import os, sys; print({said!r}, end='', file=sys.stderr, flush=True); {end}")
    [log] = tmp_path.glob("*.log")
    assert (error.code, error.exit_code, error.message, error.hint) == (
        "engine-crashed",
        3,
        f"llama.cpp could not load `{spec.model_path}`: {cause}",
        hint,
    )
    assert log.read_text() == said


@pytest.mark.parametrize(
    ("code", "kv_type", "hint"),
    [
        ("print('failed to allocate CPU buffer', file=sys.stderr)", "f16", ", or a smaller KV cache: --kv q8_0"),
        ("os.kill(os.getpid(), 9)", "f16", ", or a smaller KV cache: --kv q8_0"),
        ("os.kill(os.getpid(), 9)", "q8_0", ""),
    ],
)
def test_lack_of_memory_is_recognised(tmp_path: Path, spec: EngineSpec, code: str, kv_type: str, hint: str) -> None:
    asked = EngineSpec(spec.model_path, spec.alias, 8192, "q8_0" if kv_type == "q8_0" else "f16")
    error = refusal(tmp_path, asked, f"import os, sys; {code}")
    assert error.hint == f"use a smaller context: --context 4096{hint}; {LOG_HINT}"


def test_a_missing_engine_is_told_with_the_command_that_installs_it(tmp_path: Path, spec: EngineSpec) -> None:
    error = refusal(tmp_path, spec, """print('{"error": "runtime-missing", "message": "No module named xllamacpp"}')""")
    assert (error.code, error.exit_code, error.message, error.hint) == (
        "runtime-missing",
        3,
        "llama.cpp is not installed: `No module named xllamacpp`",
        "install it: pip install 'agentlaunch[llamacpp]', or with pipx: pipx inject agentlaunch xllamacpp",
    )


def test_a_child_that_cannot_be_started_is_named(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        host = LlamaCppHost(tmp_path, os.environ, ("/no/such/python",))
        with pytest.raises(MachineError, match="cannot start `/no/such/python`: No such file"):
            await host.ensure(spec)
        assert [status.state for status in host.running()] == ["stopped: it did not start"]
        await host.close()

    run(work())


def test_a_start_that_takes_too_long_is_ended(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        host = LlamaCppHost(tmp_path, os.environ, child(SILENT), start_limit_s=0.3)
        with pytest.raises(MachineError) as raised:
            await host.ensure(spec)
        assert raised.value.code == "engine-slow"
        assert [status.state for status in host.running()] == ["stopped: exit code 0"]
        await host.close()

    run(work())


def test_a_release_while_loading_ends_the_child_and_the_wait(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, SILENT) as host:
            waiting = asyncio.create_task(host.ensure(spec))
            while not (host.running() and host.running()[0].pid):  # noqa: ASYNC110 - a host has no event for it
                await asyncio.sleep(0.01)
            assert [status.state for status in host.running()] == ["loading"]
            await host.release(spec)
            with pytest.raises(MachineError, match="was stopped while it was loading"):
                await waiting
            assert host.running() == ()

    run(work())


def test_a_release_before_the_child_exists_leaves_none(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, SERVER) as host:
            waiting = asyncio.create_task(host.ensure(spec))
            await asyncio.sleep(0)
            await host.release(spec)
            with pytest.raises(MachineError, match="was stopped while it was loading"):
                await waiting
            assert host.running() == ()

    run(work())


def test_a_release_of_what_does_not_run_does_nothing(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_of(tmp_path, SILENT) as host:
            await host.release(spec)

    run(work())


def test_a_bad_model_is_refused_before_any_start(tmp_path: Path) -> None:
    error = refusal(tmp_path / "logs", EngineSpec(str(tmp_path / "no.gguf"), "m", 4096), SERVER)
    assert (error.code, (tmp_path / "logs").exists()) == ("model-not-found", False)


def test_a_child_deaf_to_everything_is_killed(tmp_path: Path) -> None:
    async def work() -> None:
        log = LogFile(tmp_path / "x.log")
        stubborn = await start_child(child(STUBBORN), os.environ, log, stop_step_s=0.1)
        with pytest.raises(ValueError, match="Expecting value"):  # it is up, and says so in its own words
            await stubborn.answer()
        await stubborn.stop()
        assert stubborn.exit == Ended(-9)

    run(work())


def test_how_a_child_ended_is_said_in_words() -> None:
    assert [str(Ended(status)) for status in (0, 3, -9, -11, -300)] == [
        "exit code 0",
        "exit code 3",
        "killed by SIGKILL",
        "killed by SIGSEGV",
        "killed by signal 300",
    ]


def test_a_log_keeps_its_bounds_and_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "x.log"
    path.parent.mkdir()
    path.write_text("an earlier start\n")
    log = LogFile(path, limit_bytes=100)
    assert path.with_name("x.log.1").read_text() == "an earlier start\n"
    for number in range(30):
        log.write(f"line {number}\n".encode())
    log.close()
    kept = path.with_name("x.log.1").read_text() + path.read_text()
    assert kept.endswith("line 28\nline 29\n")
    assert max(entry.stat().st_size for entry in path.parent.iterdir()) <= 100
    assert list(log.tail) == [f"line {number}" for number in range(10, 30)]


def test_a_log_that_cannot_be_written_is_no_end_of_the_engine(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "logs" / "x.log", limit_bytes=10)
    (tmp_path / "logs" / "x.log").unlink()
    (tmp_path / "logs").rmdir()
    log.write(b"more than ten bytes\n")
    log.write(b"and more\n")
    assert list(log.tail) == ["more than ten bytes", "and more"]


def test_a_log_that_cannot_be_begun_is_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "x.log").mkdir()
    (tmp_path / "x.log.1").mkdir()
    (tmp_path / "x.log.1" / "full").touch()
    with pytest.raises(MachineError) as caught:
        LogFile(tmp_path / "x.log")
    assert (caught.value.code, f"cannot write in `{tmp_path}`" in caught.value.message) == ("folder-not-writable", True)


def test_a_child_gets_what_the_engine_needs_and_no_secrets() -> None:
    environment = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "HF_TOKEN": "x", "OPENAI_API_KEY": "x", "HOME": "/h"}
    kept = {"PATH": "/bin", "CUDA_VISIBLE_DEVICES": "1", "HOME": "/h", "GGML_NO_BACKTRACE": "1"}
    assert child_environment(environment) == kept


def test_every_runtime_of_the_table_is_a_host(tmp_path: Path) -> None:
    hosts = {name: load_host(name, tmp_path, {}).running() for name in RUNTIMES}
    assert hosts == {"llama_cpp": (), "llama_server": (), "ollama": ()}
