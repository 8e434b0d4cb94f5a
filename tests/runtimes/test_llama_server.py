"""An installed llama-server as a runtime: its command line, and its life beside ours, on a strict stand-in."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest
from tests.doubles import llama_server

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.core.scripted_gguf import Reply, Script, Turn
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.runtimes.llama_embedded import child_spec
from agentlaunch.runtimes.llama_runner import Handover
from agentlaunch.runtimes.llama_server import KEEPER_COMMAND, make_host, server_spec
from agentlaunch.runtimes.llama_server_child import known_flags

T = TypeVar("T")
SCRIPT = Script(
    final=Turn(text="All done."),
    untooled=Turn(text="A title"),
    replies=(Reply("for ever", Turn(text="again and again ", endless=True)),),
)
TOOLS = [{"type": "function", "function": {"name": "Bash", "parameters": {"type": "object", "properties": {}}}}]
HANDOVER = Handover("secret-key", 7, "/cache/prefixes")


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 120))


def test_the_command_line_is_the_plan_and_holds_no_secret() -> None:
    planned = EngineParameters(99, 5, "on", 2, 0, 6)
    spec = EngineSpec("/m/x.gguf", "x", 32_768, "q8_0", "llama_server", program="/bin/llama-server", parameters=planned)
    told = server_spec(spec, HANDOVER)
    assert told["arguments"] == [
        *("--model", "/m/x.gguf", "--alias", "x", "--host", "127.0.0.1", "--port", "0", "--ctx-size", "32768"),
        *("--parallel", "2", "--cache-type-k", "q8_0", "--cache-type-v", "q8_0"),
        *("--slot-save-path", "/cache/prefixes/", "--jinja", "--metrics"),
    ]
    assert told["optional"] == [
        ["--kv-unified"],
        ["--slots"],
        ["--no-context-shift"],
        ["--cache-ram", "0"],
        ["--no-cache-idle-slots"],
        ["--ctx-checkpoints", "6"],
        ["--cors-origins", ""],
        ["--no-webui"],
        ["--offline"],
        ["--log-colors", "off"],
        ["--flash-attn", "on"],
        ["--fit", "off"],
        ["--n-gpu-layers", "99"],
        ["--n-cpu-moe", "5"],
    ]
    assert (told["key"], "secret-key" in str((told["arguments"], told["optional"]))) == ("secret-key", False)


def test_without_planned_layers_llama_cpp_places_them_itself() -> None:
    spec = EngineSpec("/m/x.gguf", "x", 4096, parameters=EngineParameters(host_cache_mib=512))
    told = server_spec(spec, Handover("k", 7, ""))
    assert "--slot-save-path" not in told["arguments"]
    assert [words for words in told["optional"] if words[0] in ("--fit", "--n-gpu-layers", "--flash-attn")] == [
        ["--fit", "on"]
    ]
    assert ["--cache-ram", "512"] in told["optional"]
    assert ["--cache-idle-slots"] in told["optional"]


def test_the_embedded_one_is_told_the_same_plan() -> None:
    planned = EngineParameters(99, 5, "on", 2, 256, 6)
    told = child_spec(EngineSpec("/m/x.gguf", "x", 32_768, "q8_0", parameters=planned), HANDOVER)
    assert told == {
        "model_path": "/m/x.gguf",
        "alias": "x",
        "context_window": 32_768,
        "kv_type": "q8_0",
        "gpu_layers": 99,
        "cpu_expert_layers": 5,
        "flash_attention": "on",
        "slots": 2,
        "host_cache_mib": 256,
        "checkpoints": 6,
        "key": "secret-key",
        "parent": 7,
        "slots_folder": "/cache/prefixes",
    }
    assert child_spec(EngineSpec("/m/x.gguf", "x", 1), HANDOVER)["gpu_layers"] == -1


HELP = """\
-kvu,  --kv-unified, -no-kvu, --no-kv-unified
                                        use single unified KV buffer shared across all sequences (default:
-cram, --cache-ram N                    set the maximum cache size in MiB (default: 8192, -1 - no limit, 0 -
--ui,  --webui, --no-ui, --no-webui     whether to enable the Web UI (default: enabled)
-fit,  --fit [on|off]                   whether to adjust unset arguments to fit in device memory ('on' or
                                        --fit-ctx is told elsewhere
"""


def test_flags_that_a_build_does_not_list_are_left_out() -> None:
    wanted = [["--cache-ram", "0"], ["--no-webui"], ["--fit", "on"], ["--cors-origins", ""], ["--cache", "1"]]
    assert known_flags(HELP, wanted) == ["--cache-ram", "0", "--no-webui", "--fit", "on"]


PROGRAMS = ["double", pytest.param("real", marks=pytest.mark.real)]


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "double":
        return llama_server.install(tmp_path / "bin")
    found = llama_server.real_program()
    if found is None:
        pytest.skip(f"no llama-server: name one with {llama_server.REAL_VARIABLE}")
    return found


@pytest.fixture
def spec(program: str, scripted_model: Callable[[Script], Path]) -> EngineSpec:
    return EngineSpec(str(scripted_model(SCRIPT)), "my/model:1", 16_384, runtime="llama_server", program=program)


@asynccontextmanager
async def host_in(folder: Path) -> AsyncIterator[LlamaCppHost]:
    host = make_host(folder / "logs", {**os.environ, "AGENTLAUNCH_HOME": str(folder / "home")})
    try:
        yield host
    finally:
        await host.close()


def client(endpoint: Endpoint, key: str | None = None) -> httpx.AsyncClient:
    headers = {"Authorization": f"Bearer {endpoint.key if key is None else key}"}
    return httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, trust_env=False, timeout=60)


def question(text: str, **more: object) -> dict[str, Any]:
    return {"model": "x", "messages": [{"role": "user", "content": text}], **more}


async def killed_in_mid_stream(endpoint: Endpoint, body: dict[str, Any], victim: psutil.Process) -> None:
    async with client(endpoint) as engine, engine.stream("POST", "/v1/chat/completions", json=body) as stream:
        pieces = stream.aiter_bytes()
        await anext(pieces)
        victim.kill()
        async for _ in pieces:
            pass


def keeper_of(host: LlamaCppHost) -> psutil.Process:
    return psutil.Process(host.running()[0].pid)


def test_it_answers_to_its_key_alone_and_keeps_it_out_of_argv(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> tuple[Endpoint, int, int, str, bool]:
        async with host_in(tmp_path) as host:
            endpoint = await host.ensure(spec)
            async with client(endpoint) as good, client(endpoint, "wrong") as bad:
                said = await good.post("/v1/chat/completions", json=question("hello"))
                refused = await bad.post("/v1/chat/completions", json=question("hello"))
            keeper = keeper_of(host)
            argv = [word for process in (keeper, *keeper.children()) for word in process.cmdline()]
            text = said.json()["choices"][0]["message"]["content"]
            return endpoint, said.status_code, refused.status_code, text, endpoint.key in " ".join(argv)

    endpoint, answered, refused, text, is_public = run(work())
    assert (answered, refused, text, is_public) == (200, 401, "A title", False)
    described = (endpoint.name, endpoint.wire, endpoint.model, endpoint.context_window, endpoint.slots)
    assert described == ("llama_server", "openai_chat", "my/model:1", 16_384, 2)
    assert endpoint.prefix_store is not None
    [log] = (tmp_path / "logs").glob("engine-my-model-1-*.log")
    assert (endpoint.key in log.read_text(), log.stat().st_mode & 0o077) == (False, 0)


def test_a_slot_is_saved_and_restored_in_our_folder(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> tuple[dict[str, Any], dict[str, Any]]:
        async with host_in(tmp_path) as host, client(await host.ensure(spec)) as engine:
            await engine.post("/v1/chat/completions", json=question("hello " * 200, id_slot=0))
            saved = await engine.post("/slots/0?action=save", json={"filename": "kept.bin"})
            restored = await engine.post("/slots/1?action=restore", json={"filename": "kept.bin"})
            return saved.json(), restored.json()

    saved, restored = run(work())
    assert saved["n_saved"] == restored["n_restored"] > 200
    assert (tmp_path / "home" / "cache" / "prefixes" / "kept.bin").is_file()


def test_a_release_ends_the_program(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> list[psutil.Process]:
        async with host_in(tmp_path) as host:
            await host.ensure(spec)
            keeper = keeper_of(host)
            found = [keeper, *keeper.children()]
            await host.release(spec)
            return found

    found = run(work())
    assert len(found) == 2
    assert psutil.wait_procs(found, timeout=30)[1] == []


@pytest.mark.parametrize("victim", ["program", "keeper"])
def test_one_that_is_killed_is_there_again_with_the_window_it_had(
    tmp_path: Path, spec: EngineSpec, victim: str
) -> None:
    async def work() -> tuple[str, Endpoint, Endpoint, list[psutil.Process]]:
        async with host_in(tmp_path) as host:
            first = await host.ensure(spec)
            keeper = keeper_of(host)
            old = [keeper, *keeper.children()]
            body = question("say it for ever", stream=True, max_tokens=10_000, tools=TOOLS)
            with pytest.raises(httpx.TransportError):
                await killed_in_mid_stream(first, body, old[1] if victim == "program" else keeper)
            while not host.running()[0].state.startswith("stopped"):  # noqa: ASYNC110 - its host has no event for it
                await asyncio.sleep(0.01)
            state = host.running()[0].state
            return state, first, await host.ensure(spec), old

    state, first, second, old = run(work())
    assert (state, first.context_window, second.context_window, second.notes) == (
        "stopped: killed by SIGKILL",
        16_384,
        16_384,
        (),
    )
    assert first.base_url != second.base_url
    assert psutil.wait_procs(old, timeout=30)[1] == []


ORPHANS = """
import asyncio, os, sys
from pathlib import Path
from agentlaunch.core.engine import EngineSpec
from agentlaunch.runtimes.llama_server import make_host
async def work():
    host = make_host(Path(sys.argv[3]), dict(os.environ))
    spec = EngineSpec(sys.argv[1], "m", 4096, runtime="llama_server", program=sys.argv[2])
    await host.ensure(spec)
    print(host.running()[0].pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(work())
"""


def test_kill_9_of_the_shim_leaves_no_orphan(tmp_path: Path, spec: EngineSpec) -> None:
    argv = [sys.executable, "-c", ORPHANS, spec.model_path, spec.program, str(tmp_path / "logs")]
    environment = {**os.environ, "AGENTLAUNCH_HOME": str(tmp_path / "home")}
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=environment) as shim:
        assert shim.stdout is not None
        keeper = psutil.Process(int(shim.stdout.readline()))
        family = [keeper, *keeper.children()]
        os.kill(shim.pid, signal.SIGKILL)
    assert len(family) == 2
    assert psutil.wait_procs(family, timeout=30)[1] == []


def test_an_older_build_gets_no_flag_that_it_does_not_know(
    tmp_path: Path, scripted_model: Callable[[Script], Path]
) -> None:
    old = ("--fit", "--cors-origins", "--no-cache-idle-slots", "--cache-ram", "--ctx-checkpoints", "--offline")
    program = llama_server.install(tmp_path / "bin", lacks=old)
    spec = EngineSpec(str(scripted_model(SCRIPT)), "m", 4096, runtime="llama_server", program=program)

    async def work() -> Path:
        async with host_in(tmp_path) as host:
            await host.ensure(spec)
            return Path(host.running()[0].log_path)

    log = run(work()).read_text()
    assert ("--kv-unified=" in log, any(f"{flag}=" in log for flag in old)) == (True, False)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (None, "runtime-missing", "llama-server does not start: `[Errno 2] No such file or directory"),
        ("#!/bin/sh\necho 'error: invalid argument: --jinja' >&2\nexit 1\n", "engine-crashed", "invalid argument"),
    ],
)
def test_a_program_that_does_not_start_is_told(
    tmp_path: Path, scripted_model: Callable[[Script], Path], body: str | None, code: str, message: str
) -> None:
    program = tmp_path / "llama-server"
    if body is not None:
        program.write_text(body)
        program.chmod(0o755)
    spec = EngineSpec(str(scripted_model(SCRIPT)), "m", 4096, runtime="llama_server", program=str(program))

    async def work() -> MachineError:
        async with host_in(tmp_path) as host:
            with pytest.raises(MachineError) as caught:
                await host.ensure(spec)
            return caught.value

    error = run(work())
    assert (error.code, message in error.message) == (code, True)


def test_the_keeper_of_a_parent_that_is_gone_starts_nothing() -> None:
    done = subprocess.run(KEEPER_COMMAND, input=b'{"parent": 1}\n', capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
