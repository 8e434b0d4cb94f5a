"""The Ollama runtime against the double: found, started, loaded as planned, and every way in which that fails."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from tests.doubles.ollama_server import GIB, Loaded, Model, Moods, OllamaDouble
from tests.runtimes.ollama_program import install

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.errors import AgentlaunchError, MachineError, RemoteError, UserError
from agentlaunch.runtimes import load_host
from agentlaunch.runtimes.ollama import OllamaHost
from agentlaunch.runtimes.ollama_server import ServerLimits
from agentlaunch.system.process import identify, is_alive

T = TypeVar("T")

QUICK = ServerLimits(answer_s=0.3)
PATIENT = ServerLimits(answer_s=20.0, start_s=20.0, load_base_s=20.0)
SPEC = EngineSpec("tiny", "tiny", 16_384, runtime="ollama")


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble().running() as running:
        yield running


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def with_host(
    logs: Path, host: str, work: Callable[[OllamaHost], Awaitable[T]], limits: ServerLimits = PATIENT, **more: str
) -> T:
    async def run() -> T:
        made = OllamaHost(logs, {"PATH": "", "OLLAMA_HOST": host, **more}, limits)
        try:
            return await work(made)
        finally:
            await made.close()

    return asyncio.run(run())


def ensure(logs: Path, double: OllamaDouble, spec: EngineSpec = SPEC, limits: ServerLimits = PATIENT) -> Endpoint:
    return with_host(logs, double.url, lambda host: host.ensure(spec), limits)


def refused(
    logs: Path, double: OllamaDouble, spec: EngineSpec = SPEC, limits: ServerLimits = PATIENT
) -> AgentlaunchError:
    with pytest.raises(AgentlaunchError) as caught:
        ensure(logs, double, spec, limits)
    return caught.value


def test_the_table_has_the_runtime(tmp_path: Path) -> None:
    assert isinstance(load_host("ollama", tmp_path, {}), OllamaHost)


# --- a model is loaded as planned --------------------------------------------------------------------------------


def test_the_model_is_loaded_with_the_planned_window_before_the_first_request(
    tmp_path: Path, double: OllamaDouble
) -> None:
    assert ensure(tmp_path, double) == Endpoint(
        name="ollama",
        wire="ollama_chat",
        base_url=double.url,
        model="tiny:latest",
        context_window=16_384,
        thinking="none",
        overflow="refused",
    )
    assert double.loads == [("tiny:latest", 16_384)]


def test_equal_specs_share_one_load_and_ask_again_at_no_cost(tmp_path: Path, double: OllamaDouble) -> None:
    async def work(host: OllamaHost) -> int:
        await asyncio.gather(host.ensure(SPEC), host.ensure(SPEC))
        before = len(double.requests)
        await host.ensure(SPEC)
        return len(double.requests) - before

    assert with_host(tmp_path, double.url, work) == 0
    assert len(double.loads) == 1


def test_a_window_larger_than_trained_is_the_trained_one_and_said(tmp_path: Path, double: OllamaDouble) -> None:
    double.models = [Model("tiny:latest", context_length=8192)]
    found = ensure(tmp_path, double)
    assert (found.context_window, found.notes) == (
        8192,
        ("the window is 8192 tokens, not the 16384 that were asked for",),
    )


@pytest.mark.parametrize(
    ("vram_bytes", "note"),
    [
        (0, "the whole model is in the CPU's memory: expect it to be slow"),
        (2 * GIB, "64 % of the model is in the CPU's memory: a smaller --context or quant would be faster"),
    ],
)
def test_a_model_that_is_partly_on_the_cpu_is_told(
    tmp_path: Path, double: OllamaDouble, vram_bytes: int, note: str
) -> None:
    double.moods.vram_bytes = vram_bytes
    assert ensure(tmp_path, double).notes == (note,)


def test_a_kv_type_that_a_running_server_does_not_take_from_us_is_told(tmp_path: Path, double: OllamaDouble) -> None:
    found = ensure(tmp_path, double, EngineSpec("tiny", "tiny", 4096, "q8_0", "ollama"))
    assert found.notes == ("the KV cache's type is the running server's own: start it with OLLAMA_KV_CACHE_TYPE=q8_0",)


@pytest.mark.parametrize(
    ("family", "capabilities", "thinking"),
    [
        ("qwen3", ("completion", "tools", "thinking"), "switch"),
        ("gptoss", ("completion", "tools", "thinking"), "levels"),
        ("llama", ("completion", "tools"), "none"),
    ],
)
def test_what_the_model_can_be_told_about_reasoning_is_known(
    tmp_path: Path, double: OllamaDouble, family: str, capabilities: tuple[str, ...], thinking: str
) -> None:
    double.models = [Model("tiny:latest", capabilities, family)]
    assert ensure(tmp_path, double).thinking == thinking


def test_a_model_in_the_cloud_is_not_loaded_and_said_to_be_there(tmp_path: Path, double: OllamaDouble) -> None:
    double.models = [Model("big:120b-cloud", remote_host="https://ollama.com")]
    found = ensure(tmp_path, double, EngineSpec("big:120b-cloud", "big", 16_384))
    assert found.notes == ("`big:120b-cloud` runs at ollama.com: what the agent sends leaves this machine",)
    assert double.loads == []


# --- released ----------------------------------------------------------------------------------------------------


def test_what_we_loaded_is_unloaded_and_what_was_there_stays(tmp_path: Path, double: OllamaDouble) -> None:
    double.models.append(Model("other:latest"))
    double.loaded["other:latest"] = Loaded(4096, "5m")

    async def work(host: OllamaHost) -> None:
        for name in ("tiny", "other"):
            spec = EngineSpec(name, name, 4096)
            await host.ensure(spec)
            await host.release(spec)

    with_host(tmp_path, double.url, work)
    assert list(double.loaded) == ["other:latest"]


def test_a_model_that_another_spec_uses_stays_loaded(tmp_path: Path, double: OllamaDouble) -> None:
    smaller = EngineSpec("tiny", "tiny", 8192)

    async def work(host: OllamaHost) -> list[str]:
        await host.ensure(SPEC)
        await host.ensure(smaller)
        await host.release(SPEC)
        return list(double.loaded)

    assert with_host(tmp_path, double.url, work) == ["tiny:latest"]


def test_a_load_that_is_called_off_leaves_nothing(tmp_path: Path, double: OllamaDouble) -> None:
    double.moods.latency_s = 0.2

    async def work(host: OllamaHost) -> tuple[object, ...]:
        waiting = asyncio.create_task(host.ensure(SPEC))
        await asyncio.sleep(0.1)
        await host.release(SPEC)
        with pytest.raises(asyncio.CancelledError):
            await waiting
        return host.running()

    assert with_host(tmp_path, double.url, work) == ()


# --- the server --------------------------------------------------------------------------------------------------


@pytest.mark.report("B297")
def test_an_installed_ollama_is_started_on_loopback_and_ended_with_its_last_model(tmp_path: Path) -> None:
    port = free_port()
    install(tmp_path / "bin")

    async def work(host: OllamaHost) -> tuple[str, bool, bool, str]:
        endpoint = await host.ensure(EngineSpec("tiny", "tiny", 8192, "q8_0"))
        (status,) = host.running()
        process = identify(status.pid)
        assert process is not None
        alive = is_alive(process)
        await host.release(EngineSpec("tiny", "tiny", 8192, "q8_0"))
        return endpoint.base_url, alive, is_alive(process), status.log_path

    path = str(tmp_path / "bin")
    secret = {"OLLAMA_API_KEY": "s3cret", "OPENAI_API_KEY": "s3cret", "OLLAMA_NUM_PARALLEL": "2"}
    url, was_alive, is_still_alive, log_path = with_host(
        tmp_path / "logs", f"0.0.0.0:{port}", work, PATH=path, **secret
    )
    assert (url, was_alive, is_still_alive) == (f"http://127.0.0.1:{port}", True, False)
    log = Path(log_path).read_text()
    told = {line.removeprefix("env ") for line in log.splitlines() if line.startswith("env OLLAMA_")}
    assert told == {
        f"OLLAMA_HOST=127.0.0.1:{port}",
        "OLLAMA_CONTEXT_LENGTH=8192",
        "OLLAMA_KV_CACHE_TYPE=q8_0",
        "OLLAMA_FLASH_ATTENTION=1",
        "OLLAMA_NUM_PARALLEL=2",
        "OLLAMA_NOPRUNE=1",
    }
    assert "s3cret" not in log


def test_a_server_of_ours_that_dies_is_started_again(tmp_path: Path) -> None:
    install(tmp_path / "bin")
    limits = ServerLimits(answer_s=20, start_s=20, load_base_s=20, look_again_s=0)

    async def work(host: OllamaHost) -> tuple[int, int]:
        await host.ensure(SPEC)
        first = host.running()[0].pid
        os.kill(first, signal.SIGKILL)
        while host.running()[0].pid:  # noqa: ASYNC110 - the host has no event for it
            await asyncio.sleep(0.02)
        await host.ensure(SPEC)
        return first, host.running()[0].pid

    first, second = with_host(tmp_path, f"127.0.0.1:{free_port()}", work, limits, PATH=str(tmp_path / "bin"))
    assert second not in (0, first)


def test_a_server_that_does_not_come_up_is_quoted(tmp_path: Path) -> None:
    install(tmp_path / "bin", broken="listen tcp: address already in use")
    with pytest.raises(MachineError) as caught:
        with_host(tmp_path, f"127.0.0.1:{free_port()}", lambda h: h.ensure(SPEC), PATH=str(tmp_path / "bin"))
    assert caught.value.code == "ollama-not-started"
    assert "address already in use" in caught.value.message


def test_an_ollama_that_is_not_installed_is_told_with_a_way_out(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught:
        with_host(tmp_path, f"127.0.0.1:{free_port()}", lambda host: host.ensure(SPEC))
    assert caught.value.code == "ollama-missing"
    assert "--runtime llamacpp" in caught.value.hint


def test_a_server_elsewhere_that_is_down_is_not_started_here(tmp_path: Path) -> None:
    install(tmp_path / "bin")
    host = f"http://127.0.0.1:{free_port()}/ollama"  # a path means a proxy: not ours to start
    with pytest.raises(RemoteError) as caught:
        with_host(tmp_path, host, lambda made: made.ensure(SPEC), PATH=str(tmp_path / "bin"))
    assert caught.value.code == "ollama-unreachable"


# --- faults ------------------------------------------------------------------------------------------------------


def test_a_server_that_never_answers_is_given_up(tmp_path: Path, double: OllamaDouble) -> None:
    double.moods.is_wedged = True
    assert refused(tmp_path, double, limits=QUICK).code == "ollama-wedged"


def test_a_load_that_never_ends_is_given_up(tmp_path: Path, double: OllamaDouble) -> None:
    async def wedge_at_load(host: OllamaHost) -> None:
        waiting = asyncio.create_task(host.ensure(EngineSpec("huge", "huge", 4096)))
        while not any(request.path == "/api/ps" for request in double.requests):  # noqa: ASYNC110 - another thread
            await asyncio.sleep(0.001)
        double.moods.is_wedged = True
        await waiting

    double.models = [Model("huge:latest", size=1)]
    double.moods.latency_s = 0.05
    with pytest.raises(MachineError) as caught:
        with_host(tmp_path, double.url, wedge_at_load, ServerLimits(answer_s=20, load_base_s=0.3))
    assert caught.value.code == "ollama-wedged"


def test_a_slow_server_is_waited_for(tmp_path: Path, double: OllamaDouble) -> None:
    double.moods.latency_s = 0.5
    assert ensure(tmp_path, double).context_window == 16_384


def test_a_server_that_is_busy_is_not_taken_for_gone(tmp_path: Path, double: OllamaDouble) -> None:
    async def work(host: OllamaHost) -> tuple[Endpoint, Endpoint]:
        first = await host.ensure(SPEC)
        double.moods.is_wedged = True
        second = await host.ensure(SPEC)
        double.moods.is_wedged = False
        return first, second

    first, second = with_host(tmp_path, double.url, work, ServerLimits(answer_s=2, look_again_s=0))
    assert first == second
    assert len(double.loads) == 1


@pytest.mark.report("B187")
@pytest.mark.report("B187")
def test_a_window_that_another_client_has_changed_is_told_until_it_is_ours_again(
    tmp_path: Path, double: OllamaDouble
) -> None:
    async def work(host: OllamaHost) -> list[str]:
        notes = []
        first = await host.ensure(SPEC)
        for window in (2048, SPEC.context_window):
            double.loaded[first.model].num_ctx = window
            assert await host.ensure(SPEC) == first
            notes.append(host.running()[0].note)
        return notes

    notes = with_host(tmp_path, double.url, work, ServerLimits(look_again_s=0))
    ours = SPEC.context_window
    told, healed = notes
    assert told.startswith(f"another program has had it loaded with a window of 2048 tokens, and ours is {ours}: ")
    assert told.endswith(f"; give that program num_ctx {ours}")
    assert healed == ""
    assert len(double.loads) == 1


@pytest.mark.report("B307")
def test_an_old_server_is_used_with_what_it_lacks_told(tmp_path: Path, double: OllamaDouble) -> None:
    double.version = "0.8.0"
    found = ensure(tmp_path, double)
    assert found.overflow == "unknown"
    assert [note.partition(": ")[0] for note in found.notes] == [
        "Ollama 0.8.0 is old",
        "Ollama 0.8.0 is old",
        "this Ollama does not tell the window that it loaded",
    ]


def test_a_server_without_capabilities_leaves_reasoning_unknown(tmp_path: Path, double: OllamaDouble) -> None:
    double.models[0].tells_capabilities = False
    assert ensure(tmp_path, double).thinking == "unknown"


@dataclass(frozen=True)
class Fault:
    """What is spoiled, and what is said of it."""

    spoil: Callable[[OllamaDouble], None]
    kind: type[AgentlaunchError]
    code: str
    hint: str


FAULTS = {
    "too old": Fault(lambda d: setattr(d, "version", "0.5.7"), MachineError, "ollama-too-old", "update Ollama"),
    "missing": Fault(lambda d: d.models.clear(), MachineError, "model-missing", "ollama pull tiny"),
    "manifest gone": Fault(
        lambda d: setattr(d.models[0], "is_manifest_gone", True), MachineError, "model-broken", "ollama pull tiny"
    ),
    "embedding": Fault(
        lambda d: setattr(d.models[0], "capabilities", ("embedding",)), UserError, "model-without-chat", "qwen3-coder"
    ),
    "no tools": Fault(
        lambda d: setattr(d.models[0], "capabilities", ("completion",)), UserError, "model-without-tools", "qwen3-coder"
    ),
    "memory": Fault(
        lambda d: setattr(d.moods, "out_of_memory", True), MachineError, "model-not-loaded", "--context 8192"
    ),
    "busy": Fault(lambda d: setattr(d.moods, "is_queue_full", True), RemoteError, "ollama-busy", "again"),
    "token": Fault(lambda d: setattr(d.moods, "token", "Bearer t"), UserError, "ollama-key", "OLLAMA_API_KEY"),
}


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_is_named_with_the_next_command(tmp_path: Path, double: OllamaDouble, fault: Fault) -> None:
    fault.spoil(double)
    error = refused(tmp_path, double)
    assert (type(error), error.code) == (fault.kind, fault.code)
    assert fault.hint in error.hint


def test_a_missing_model_is_told_with_what_is_near(tmp_path: Path, double: OllamaDouble) -> None:
    double.models = [Model("tinny:1b"), Model("zebra:7b")]
    assert refused(tmp_path, double).message == "Ollama has no model `tiny`; it has: tinny:1b"


@pytest.mark.report("B135")
@pytest.mark.report("B114")
def test_models_that_have_tools_are_named_beside_one_that_has_none(tmp_path: Path, double: OllamaDouble) -> None:
    double.models = [
        Model("tiny:latest", ("completion",)), Model("good:1b"), Model("embed:1b", ("embedding",)),
        Model("gone:1b", is_manifest_gone=True),
    ]  # fmt: skip
    assert refused(tmp_path, double).hint == "these can: good:1b"


def test_another_server_on_the_port_is_not_taken_for_ollama(tmp_path: Path, double: OllamaDouble) -> None:
    with pytest.raises(RemoteError) as caught:
        with_host(tmp_path, f"{double.url}/elsewhere", lambda host: host.ensure(SPEC))
    assert caught.value.code == "ollama-unusable"


def test_a_token_is_sent_with_every_call(tmp_path: Path, double: OllamaDouble) -> None:
    double.moods = Moods(token="Bearer s3cret")
    found = with_host(tmp_path, double.url, lambda host: host.ensure(SPEC), OLLAMA_API_KEY="s3cret")
    assert (found.key, found.key_scheme) == ("s3cret", "bearer")
    assert "s3cret" not in repr(found)


def test_a_spec_names_its_server_and_what_authorizes_us(tmp_path: Path, double: OllamaDouble) -> None:
    double.moods = Moods(token="Basic bTpw")
    spec = EngineSpec("tiny", "tiny", 8192, runtime="ollama", address=double.url, authorization="Basic bTpw")
    found = with_host(tmp_path, f"127.0.0.1:{free_port()}", lambda host: host.ensure(spec))
    assert (found.base_url, found.key, found.key_scheme) == (double.url, "bTpw", "basic")
    assert "bTpw" not in repr(spec)


def test_models_of_two_servers_are_kept_apart(tmp_path: Path, double: OllamaDouble) -> None:
    async def work(host: OllamaHost) -> None:
        here, there = (EngineSpec("tiny", "tiny", 8192, address=url) for url in (double.url, other.url))
        await host.ensure(here)
        await host.ensure(there)
        await host.release(here)
        assert (list(double.loaded), list(other.loaded)) == ([], ["tiny:latest"])

    with OllamaDouble().running() as other:
        with_host(tmp_path, "", work)
    assert other.loaded == {}


def test_the_package_ollama_is_not_imported_before_it_is_needed() -> None:
    script = (
        "import sys, agentlaunch.runtimes.ollama; print(sorted({'ollama', 'httpx', 'pydantic'} & sys.modules.keys()))"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ended.stdout == "[]\n"
