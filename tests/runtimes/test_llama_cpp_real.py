"""The real llama.cpp in a real child: ready, answers, crashes, orphans; and the scripted model's answers through it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import psutil
import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.engine import EngineSpec
from agentlaunch.core.scripted_gguf import Call, Reply, Script, Turn, numbered_words
from agentlaunch.errors import MachineError
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
from agentlaunch.system.process import identify, is_alive

pytestmark = pytest.mark.real

T = TypeVar("T")
Json = dict[str, Any]

WRITE = {"file_path": "/tmp/a.txt", "content": 'hello\nwörld "quoted" 😀\\'}
SCRIPT = Script(
    turns=(
        Turn(thinking="I should write.", text="Writing the file.", calls=(Call("Write", WRITE),)),
        Turn(calls=(Call("Bash", {"command": "echo one"}), Call("Bash", {"command": "echo two"}))),
        Turn(text=numbered_words(200)),
    ),
    final=Turn(text="All done: the file is written."),
    untooled=Turn(text='{"title": "Scripted"}'),
    replies=(Reply("for ever", Turn(text="again and again ", endless=True)), Reply("compact", Turn(text="A summary."))),
)
STRING = {"type": "string"}
USER = [{"role": "user", "content": "do it"}]


def tool(name: str, *properties: str) -> Json:
    schema = {"type": "object", "properties": dict.fromkeys(properties, STRING), "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": "A tool.", "parameters": schema}}


TOOLS = [tool("Write", "file_path", "content"), tool("Bash", "command")]


def run(work: Coroutine[None, None, T]) -> T:
    return asyncio.run(asyncio.wait_for(work, 280))


@pytest.fixture
def spec(scripted_model: Callable[[Script], Path]) -> EngineSpec:
    return EngineSpec(str(scripted_model(SCRIPT)), "scripted", 16_384)


@asynccontextmanager
async def host_in(logs: Path) -> AsyncIterator[LlamaCppHost]:
    host = LlamaCppHost(logs, os.environ)
    try:
        yield host
    finally:
        await host.close()


async def post(endpoint: Endpoint, body: Json, key: str | None = None) -> httpx.Response:
    headers = {"Authorization": f"Bearer {endpoint.key if key is None else key}"}
    async with httpx.AsyncClient(base_url=endpoint.base_url, headers=headers, trust_env=False, timeout=270) as client:
        return await client.post("/v1/chat/completions", json={"model": endpoint.model, **body})


def message_of(response: httpx.Response) -> Json:
    """The answer's message without the calls' ids, which are random."""
    message: Json = response.json()["choices"][0]["message"]
    calls = [(call["function"]["name"], json.loads(call["function"]["arguments"])) for call in message_calls(message)]
    return {"calls": calls, **{key: message[key] for key in ("content", "reasoning_content") if message.get(key)}}


def message_calls(message: Json) -> list[Json]:
    return list(message.get("tool_calls") or [])


def with_results(messages: list[Json], response: httpx.Response) -> list[Json]:
    """The conversation after the answer's tools have run."""
    message = response.json()["choices"][0]["message"]
    results = [{"role": "tool", "tool_call_id": call["id"], "content": "ok"} for call in message_calls(message)]
    return [*messages, message, *results]


def test_the_turns_of_a_script_are_answered_one_a_round(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> list[Json]:
        async with host_in(tmp_path) as host:
            endpoint = await host.ensure(spec)
            said, messages = [], list(USER)
            for _ in range(2):
                response = await post(endpoint, {"messages": messages, "tools": TOOLS})
                said.append(message_of(response))
                # The reminder after the results is what Claude Code adds: it is no new question.
                messages = [*with_results(messages, response), {"role": "user", "content": "<system-reminder>"}]
            said.append(message_of(await post(endpoint, {"messages": messages, "tools": TOOLS})))
            messages += [{"role": "assistant", "content": "said"}, {"role": "user", "content": "again"}]
            said.append(message_of(await post(endpoint, {"messages": messages, "tools": TOOLS})))
            return said

    first = {"calls": [("Write", WRITE)], "content": "Writing the file.", "reasoning_content": "I should write."}
    assert run(work()) == [
        first,
        {"calls": [("Bash", {"command": "echo one"}), ("Bash", {"command": "echo two"})]},
        {"calls": [], "content": numbered_words(200)},
        first,
    ]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"messages": USER}, '{"title": "Scripted"}'),
        ({"messages": USER, "tools": TOOLS[1:]}, "All done: the file is written."),
        ({"messages": [{"role": "user", "content": "now compact"}], "tools": TOOLS}, "A summary."),
    ],
    ids=["no tools", "a tool is not offered", "a reply"],
)
def test_the_state_of_the_conversation_chooses_the_answer(
    tmp_path: Path, spec: EngineSpec, body: Json, expected: str
) -> None:
    async def work() -> httpx.Response:
        async with host_in(tmp_path) as host:
            return await post(await host.ensure(spec), body)

    choice = run(work()).json()["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == (expected, "stop")


def test_an_endless_answer_goes_on_to_the_limit(tmp_path: Path, spec: EngineSpec) -> None:
    body = {"messages": [{"role": "user", "content": "say it for ever"}], "tools": TOOLS, "max_tokens": 1000}

    async def work() -> httpx.Response:
        async with host_in(tmp_path) as host:
            return await post(await host.ensure(spec), body)

    answer = run(work()).json()
    assert (answer["choices"][0]["finish_reason"], answer["usage"]["completion_tokens"]) == ("length", 1000)
    assert ("again and again " * 1000).startswith(answer["choices"][0]["message"]["content"])


def test_a_stream_brings_every_piece_in_deltas_of_its_own(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> str:
        async with host_in(tmp_path) as host:
            endpoint = await host.ensure(spec)
            messages = with_results(USER, await post(endpoint, {"messages": USER, "tools": TOOLS}))
            first = await post(endpoint, {"messages": USER, "tools": TOOLS, "stream": True})
            second = await post(endpoint, {"messages": messages, "tools": TOOLS, "stream": True})
            return first.text + second.text

    frames = [line[6:] for line in run(work()).splitlines() if line.startswith("data: ") and line != "data: [DONE]"]
    deltas = [choice["delta"] for frame in frames for choice in json.loads(frame)["choices"]]
    thinking = [delta["reasoning_content"] for delta in deltas if "reasoning_content" in delta]
    text = [delta["content"] for delta in deltas if delta.get("content")]
    calls = [call for delta in deltas for call in delta.get("tool_calls", ())]
    assert ("".join(thinking), "".join(text)) == ("I should write.", "Writing the file.")
    assert min(len(thinking), len(text), len(calls)) > 1
    started = [call["function"]["name"] for call in calls if "name" in call["function"]]
    assert started == ["Write", "Bash", "Bash"]
    assert [call["index"] for call in calls if "name" in call["function"]] == [0, 0, 1]
    arguments = "".join(call["function"].get("arguments", "") for call in calls)
    assert arguments == json.dumps(WRITE, ensure_ascii=False) + '{"command": "echo one"}{"command": "echo two"}'


@pytest.mark.parametrize("kv_type", ["f16", "q8_0", "q4_0"])
def test_an_engine_has_the_context_and_cache_that_were_asked(tmp_path: Path, spec: EngineSpec, kv_type: str) -> None:
    asked = EngineSpec(spec.model_path, spec.alias, 262_144, kv_type)  # type: ignore[arg-type]

    async def work() -> Endpoint:
        async with host_in(tmp_path) as host:
            return await host.ensure(asked)

    assert run(work()).context_window == 262_144


def test_a_wrong_key_is_refused(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> int:
        async with host_in(tmp_path) as host:
            return (await post(await host.ensure(spec), {"messages": USER}, key="wrong")).status_code

    assert run(work()) == 401


def test_two_ensures_at_once_share_one_child(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> int:
        async with host_in(tmp_path) as host:
            first, second = await asyncio.gather(host.ensure(spec), host.ensure(spec))
            assert first == second
            return len(engine_children(os.getpid()))

    assert run(work()) == 1
    assert engine_children(os.getpid()) == []


def engine_children(pid: int) -> list[psutil.Process]:
    """The engines below this process."""
    found = psutil.Process(pid).children()
    return [process for process in found if "agentlaunch.runtimes.llama_cpp_child" in process.cmdline()]


def test_a_killed_child_is_reported_and_started_anew(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> None:
        async with host_in(tmp_path) as host:
            await host.ensure(spec)
            [before] = host.running()
            os.kill(before.pid, signal.SIGKILL)
            while host.running()[0].state == "ready":  # noqa: ASYNC110 - a host has no event for it
                await asyncio.sleep(0.01)
            assert [status.state for status in host.running()] == ["stopped: killed by SIGKILL"]
            endpoint = await host.ensure(spec)
            assert message_of(await post(endpoint, {"messages": USER}))["content"] == '{"title": "Scripted"}'
            [after] = host.running()
            assert (after.state, after.pid != before.pid) == ("ready", True)

    run(work())


def test_ctrl_c_at_the_terminal_does_not_reach_the_engine(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> int:
        async with host_in(tmp_path) as host:
            endpoint = await host.ensure(spec)
            [status] = host.running()
            assert os.getsid(status.pid) != os.getsid(0)
            os.kill(status.pid, signal.SIGINT)
            return (await post(endpoint, {"messages": USER})).status_code

    assert run(work()) == 200


def test_neither_argv_nor_environment_nor_log_holds_the_key(tmp_path: Path, spec: EngineSpec) -> None:
    async def work() -> tuple[str, str]:
        async with host_in(tmp_path) as host:
            endpoint = await host.ensure(spec)
            await post(endpoint, {"messages": USER})
            process = psutil.Process(host.running()[0].pid)
            return endpoint.key, repr(process.cmdline()) + repr(process.environ())

    key, public = run(work())
    [log] = tmp_path.glob("engine-scripted-*.log")
    written = log.read_text()
    assert "load_model" in written
    assert key not in public + written
    assert "do it" not in written


PARENT = """
import asyncio, os, sys
from pathlib import Path
from agentlaunch.core.engine import EngineSpec
from agentlaunch.runtimes.llama_cpp import LlamaCppHost
async def main():
    host = LlamaCppHost(Path(sys.argv[1]), os.environ)
    await host.ensure(EngineSpec(sys.argv[2], "scripted", 4096))
    print(host.running()[0].pid, flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def test_a_killed_parent_leaves_no_engine(tmp_path: Path, spec: EngineSpec) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, str(tmp_path), spec.model_path], stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        engine = identify(int(parent.stdout.readline()))
        assert engine is not None
        parent.kill()
    deadline = time.monotonic() + 10
    while is_alive(engine) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(engine)


def test_a_model_that_llama_cpp_refuses_is_told_in_its_words(tmp_path: Path, spec: EngineSpec) -> None:
    path = tmp_path / "strange.gguf"
    path.write_bytes(Path(spec.model_path).read_bytes().replace(b"llama", b"lxama"))

    async def work() -> MachineError:
        async with host_in(tmp_path) as host:
            with pytest.raises(MachineError) as raised:
                await host.ensure(EngineSpec(str(path), "strange", 4096))
            return raised.value

    error = run(work())
    assert (error.code, error.hint) == (
        "engine-crashed",
        "this model needs a newer llama.cpp: pip install --upgrade xllamacpp; its log: agentlaunch logs engine",
    )
    assert error.message == f"llama.cpp could not load `{path}`: unknown model architecture: 'lxama'"


def test_an_interpreter_without_llama_cpp_is_told_how_to_get_it(tmp_path: Path, spec: EngineSpec) -> None:
    without = "import runpy, sys; sys.modules['xllamacpp'] = None; runpy.run_module(sys.argv[1], run_name='__main__')"
    command = (sys.executable, "-c", without, "agentlaunch.runtimes.llama_cpp_child")

    async def work() -> MachineError:
        host = LlamaCppHost(tmp_path, os.environ, command)
        with pytest.raises(MachineError) as raised:
            await host.ensure(spec)
        await host.close()
        return raised.value

    error = run(work())
    assert (error.code, error.hint) == (
        "runtime-missing",
        "install it: pip install 'agentlaunch[llamacpp]', or with pipx: pipx inject agentlaunch xllamacpp",
    )
