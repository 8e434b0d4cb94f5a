"""The double, with the real `ollama` package as its judge; the same questions to a real Ollama where one is on PATH."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from time import monotonic, sleep
from urllib.parse import urlsplit

import ollama
import pytest
from tests.doubles.ollama_server import Model, OllamaDouble, Say

TOOLS = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
HI = [{"role": "user", "content": "hi"}]


@pytest.fixture
def double() -> Iterator[OllamaDouble]:
    with OllamaDouble().running() as running:
        yield running


@pytest.fixture(
    params=[
        "double",
        pytest.param(
            "real",
            marks=[pytest.mark.real, pytest.mark.skipif(shutil.which("ollama") is None, reason="no Ollama on PATH")],
        ),
    ]
)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A server without models: the double, and the real one where it is installed."""
    if request.param == "double":
        with OllamaDouble(models=[]).running() as running:
            yield running.url
        return
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "OLLAMA_HOST": address}
    with subprocess.Popen(["ollama", "serve"], env=environment, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(f"http://{address}")
            yield f"http://{address}"
        finally:
            server.terminate()


def wait_for(url: str) -> None:
    deadline = monotonic() + 30
    while monotonic() < deadline:
        with suppress(OSError):
            ask(url, "GET", "/")
            return
        sleep(0.1)
    pytest.fail("the real Ollama did not come up")


def client(double: OllamaDouble) -> ollama.Client:
    return ollama.Client(double.url, trust_env=False)


def ask(url: str, method: str, path: str, body: bytes = b"", host: str = "") -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        connection.request(method, path, body, {"Host": host} if host else {})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def test_the_package_lists_shows_and_sees_what_is_loaded(double: OllamaDouble) -> None:
    with client(double) as one:
        assert [model.model for model in one.list().models] == ["tiny:latest"]
        shown = one.show("tiny")
        assert shown.capabilities == ["completion", "tools"]
        assert shown.modelinfo is not None
        assert shown.modelinfo["llama.context_length"] == 131_072
        assert one.ps().models == []
        one.chat("tiny", messages=[], options={"num_ctx": 8192})
        (running,) = one.ps().models
    assert (running.model, running.context_length, running.size == running.size_vram) == ("tiny:latest", 8192, True)


def test_another_window_loads_the_weights_again(double: OllamaDouble) -> None:
    with client(double) as one:
        loads = [one.chat("tiny", HI, options={"num_ctx": num_ctx}).load_duration for num_ctx in (4096, 4096, 8192)]
    assert [(load or 0) >= 1_000_000_000 for load in loads] == [True, False, True]
    assert double.loads == [("tiny:latest", 4096), ("tiny:latest", 8192)]


def test_a_keep_alive_of_zero_unloads(double: OllamaDouble) -> None:
    with client(double) as one:
        assert one.chat("tiny", messages=[]).done_reason == "load"
        assert one.chat("tiny", messages=[], keep_alive=0).done_reason == "unload"
    assert double.loaded == {}


@pytest.mark.parametrize("stream", [False, True])
def test_the_package_reads_an_answer(double: OllamaDouble, stream: bool) -> None:
    double.models[0].capabilities = ("completion", "tools", "thinking")
    double.replies = [Say(("Hel", "lo"), "hm", (("f", {"a": 1}),))]
    with client(double) as one:
        answer = one.chat("tiny", HI, tools=TOOLS, think=True, stream=stream)
        parts = list(answer) if stream else [answer]
    assert "".join(part.message.content or "" for part in parts) == "Hello"
    assert "".join(part.message.thinking or "" for part in parts) == "hm"
    calls = [call for part in parts for call in part.message.tool_calls or ()]
    assert [(call.function.name, call.function.arguments) for call in calls] == [("f", {"a": 1})]
    assert (parts[-1].done_reason, parts[-1].eval_count) == ("stop", 5)


def test_the_package_pulls(double: OllamaDouble) -> None:
    double.pulls["new"] = [{"status": "pulling 60e0", "digest": "sha256:60e0", "total": 9}, {"status": "success"}]
    with client(double) as one:
        assert [line.status for line in one.pull("new", stream=True)] == ["pulling manifest", "pulling 60e0", "success"]
        with pytest.raises(ollama.ResponseError, match="file does not exist"):
            list(one.pull("gone", stream=True))


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/", (200, "Ollama is running")),
        ("HEAD", "/", (200, "")),
        ("GET", "/api/tags", (200, {"models": []})),
        ("GET", "/api/ps", (200, {"models": []})),
        ("POST", "/api/version", (405, "405 method not allowed")),
        ("GET", "/v2", (404, "404 page not found")),
        ("POST", "/api/chat", (400, {"error": "missing request body"})),
        ("POST", "/api/show", (400, {"error": "missing request body"})),
        ("POST", "/api/show {}", (400, {"error": "model is required"})),
        ("POST", '/api/show {"model":"foo"}', (404, {"error": "model 'foo:latest' not found"})),
        ("POST", '/api/chat {"model":""}', (400, {"error": "model is required"})),
        ("POST", '/api/chat {"model":"foo","messages":[]}', (404, {"error": "model 'foo' not found"})),
    ],
)
def test_the_plumbing(url: str, method: str, path: str, expected: tuple[int, object]) -> None:
    where, _, body = path.partition(" ")
    status, text = ask(url, method, where, body.encode())
    assert (status, json.loads(text) if isinstance(expected[1], dict) else text) == expected


def test_a_foreign_host_is_refused(url: str) -> None:
    assert ask(url, "GET", "/api/tags", host="evil.example:80")[0] == 403


def refused(double: OllamaDouble, **body: object) -> tuple[int, str]:
    status, text = ask(double.url, "POST", "/api/chat", json.dumps({"model": "tiny", "messages": HI, **body}).encode())
    return status, json.loads(text)["error"]


CALL = {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": "{}"}}]}


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({"model": ""}, 400, "model is required"),
        ({"model": "foo"}, 404, "model 'foo' not found"),
        ({"messages": [{"role": "user", "content": []}]}, 400, "json: cannot unmarshal array into Go struct field"),
        ({"messages": [CALL]}, 400, "json: cannot unmarshal string into Go value"),
        ({"messages": [{"role": "user", "content": "", "images": ["data:x"]}]}, 400, "illegal base64 data"),
        ({"think": "x"}, 400, 'invalid think value: "x"'),
        ({"think": True}, 400, '"tiny" does not support thinking'),
        ({"options": {"num_ctx": "8k"}}, 500, 'option "num_ctx" must be of type integer'),
        ({"options": {"temperature": "hot"}}, 500, 'option "temperature" must be of type float32'),
        ({"options": {"stop": "END"}}, 500, 'option "stop" must be of type array'),
    ],
)
def test_what_the_real_one_refuses_is_refused(
    double: OllamaDouble, body: dict[str, object], status: int, error: str
) -> None:
    found = refused(double, **body)
    assert (found[0], found[1][: len(error)]) == (status, error)


def test_each_mood_has_its_error(double: OllamaDouble) -> None:
    double.models += [
        Model("cloud:1b", remote_host="https://ollama.com"),
        Model("plain:1b", ("completion",)),
        Model("embed:1b", ("embedding",)),
    ]
    moods = double.moods
    assert refused(double, model="plain:1b", tools=TOOLS) == (
        400,
        "registry.ollama.ai/library/plain:1b does not support tools",
    )
    assert refused(double, model="embed:1b") == (400, '"embed:1b" does not support chat')
    moods.is_cloud_disabled = True
    assert refused(double, model="cloud:1b") == (403, "ollama cloud is disabled: remote inference is unavailable")
    moods.out_of_memory = True
    assert refused(double)[0] == 500
    moods.is_queue_full = True
    assert refused(double) == (503, "server busy, please try again.  maximum pending requests exceeded")


def test_an_overflow_is_said_in_four_ways(double: OllamaDouble) -> None:
    long = {"messages": [{"role": "user", "content": "x" * 40_000}], "options": {"num_ctx": 4096}}
    told = {"truncate": False, "shift": False, **long}
    assert refused(double, **told) == (400, "the input length exceeds the context length")
    double.moods.overflow = "nested"
    assert json.loads(refused(double, **told)[1])["error"]["n_ctx"] == 4096
    double.moods.overflow = "emptied"
    assert refused(double, **told) == (500, "no user query found in messages")
    double.moods.overflow = "silent"
    with client(double) as one:
        assert one.chat("tiny", long["messages"], options={"num_ctx": 4096}).prompt_eval_count == 2050


def test_a_stream_breaks_in_both_ways(double: OllamaDouble) -> None:
    with client(double) as one:
        double.moods.error_after = 1
        with pytest.raises(ollama.ResponseError, match="error was encountered"):
            list(one.chat("tiny", HI, stream=True))
        double.moods.error_after, double.moods.cut_after = None, 1
        with pytest.raises(Exception, match=r"peer closed connection|incomplete chunked read"):
            list(one.chat("tiny", HI, stream=True))
