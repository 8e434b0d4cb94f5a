"""What the shim adds to a request: first byte, each delta, memory, start; beside the LiteLLM proxy in the same run.

    python benchmarks/shim_overhead.py                    the shim alone
    python benchmarks/shim_overhead.py --litellm PATH     and LiteLLM at PATH (pip install 'litellm[proxy]')

Upstream, proxy and client are three processes. "Direct" is the client on the upstream's own chat endpoint. A request is
about 60 KB, as a coding agent's; an answer is 1 delta for the first byte and 2,000 for the cost of a delta.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from machine import describe_machine, median, spread

TOKEN = "benchmark-token"
DELTAS = 2000
WIRES = {"/v1/messages": "messages", "/v1/responses": "responses", "/v1/chat/completions": "chat"}


class NotAnswered(Exception):
    """A proxy did not give the whole answer."""


@dataclass(frozen=True)
class Server:
    port: int
    ready_s: float
    process: psutil.Process
    model: str

    def resident_mb(self) -> float:
        tree = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in tree) / 1e6


def request_body(wire: str, model: str, deltas: int) -> bytes:
    """A request of about 60 KB in this wire's form, streamed."""
    schema = {
        "type": "object",
        "properties": {f"p{i}": {"type": "string", "description": "words " * 12} for i in range(12)},
    }
    names = [f"tool_{i}" for i in range(12)]
    system, prompt = "You are a coding agent. " * 1600, "Write hello.txt " * 10
    if wire == "messages":
        tools = [{"name": name, "description": "does " * 60, "input_schema": schema} for name in names]
        body: dict[str, object] = {
            "model": model, "max_tokens": deltas, "stream": True, "tools": tools,
            "system": [{"type": "text", "text": system}], "messages": [{"role": "user", "content": prompt}],
        }  # fmt: skip
    elif wire == "responses":
        tools = [
            {"type": "function", "name": name, "description": "does " * 60, "parameters": schema} for name in names
        ]
        body = {
            "model": model, "max_output_tokens": deltas, "stream": True, "tools": tools, "instructions": system,
            "input": [{"type": "message", "role": "user", "content": [{"type": "input_text", "text": prompt}]}],
        }  # fmt: skip
    else:
        functions = [{"name": name, "description": "does " * 60, "parameters": schema} for name in names]
        body = {
            "model": model, "max_tokens": deltas, "stream": True,
            "tools": [{"type": "function", "function": function} for function in functions],
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": prompt}],
        }  # fmt: skip
    return json.dumps(body).encode()


def timed_request(connection: http.client.HTTPConnection, path: str, body: bytes, deltas: int) -> tuple[float, float]:
    """Seconds to the first byte of the answer's body, and to its last."""
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {TOKEN}",
        "anthropic-version": "2023-06-01",
    }
    start = time.perf_counter()
    connection.request("POST", path, body, headers)
    response = connection.getresponse()
    first_bytes = response.read1(1)
    first = time.perf_counter() - start
    rest = response.read()
    total = time.perf_counter() - start
    words = rest.count(b"word")
    if response.status != 200 or words < deltas:
        said = (first_bytes + rest)[-600:]
        raise NotAnswered(f"{path} answered {response.status} with {words} of {deltas} deltas, ending {said!r}")
    return first, total


def measure(port: int, path: str, wire: str, model: str, runs: int) -> tuple[list[float], list[float]]:
    """Milliseconds to the first byte, and microseconds a delta, of each run."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    short, long = request_body(wire, model, 1), request_body(wire, model, DELTAS)
    for _ in range(5):
        timed_request(connection, path, short, 1)
    firsts = [timed_request(connection, path, short, 1)[0] * 1e3 for _ in range(runs)]
    deltas = []
    for _ in range(max(runs // 5, 5)):
        first, total = timed_request(connection, path, long, DELTAS)
        deltas.append((total - first) / DELTAS * 1e6)
    return firsts, deltas


@contextmanager
def running(argv: list[str], environment: dict[str, str], wait: Callable[[], int], model: str) -> Iterator[Server]:
    """A server from its start to its end; `wait` returns its port once it answers."""
    start = time.perf_counter()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(argv, env=environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            port = wait()
            yield Server(port, time.perf_counter() - start, psutil.Process(process.pid), model)
        finally:
            process.terminate()
            process.wait(30)


def wait_for(port: int, path: str, limit_s: float) -> Callable[[], int]:
    """A function that waits until `path` on `port` answers 200."""

    def wait() -> int:
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", path)
                if connection.getresponse().status == 200:
                    return port
            except OSError:
                time.sleep(0.01)
        raise SystemExit(f"nothing answered on port {port} within {limit_s} s")

    return wait


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def upstream() -> Iterator[int]:
    """The instant upstream, in a process of its own."""
    program = Path(__file__).with_name("instant_upstream.py")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def clean_environment(home: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": home, "AGENTLAUNCH_HOME": f"{home}/agentlaunch", "LANG": "C.UTF-8"}


def shim_server(home: str, upstream_port: int) -> contextmanager[Server]:
    port = free_port()
    argv = [
        sys.executable, "-m", "agentlaunch", "serve", "--upstream", f"openai=http://127.0.0.1:{upstream_port}",
        "--model", "instant", "--port", str(port), "--token", TOKEN, "--context", "131072", "--foreground",
    ]  # fmt: skip
    return running(argv, clean_environment(home), wait_for(port, "/healthz", 30), "instant")


def litellm_server(program: str, home: str, upstream_port: int) -> contextmanager[Server]:
    config = Path(home) / "litellm.json"
    # hosted_vllm, since for `openai` it asks the upstream's /v1/responses, which a local engine's chat API has not.
    parameters = {"model": "hosted_vllm/instant", "api_base": f"http://127.0.0.1:{upstream_port}/v1", "api_key": "none"}
    config.write_text(json.dumps({"model_list": [{"model_name": "instant", "litellm_params": parameters}]}))
    port = free_port()
    environment = clean_environment(home) | {
        "LITELLM_MASTER_KEY": TOKEN, "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_TELEMETRY": "False", "LITELLM_LOG": "ERROR",
    }  # fmt: skip
    argv = [program, "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    return running(argv, environment, wait_for(port, "/health/liveliness", 120), "instant")


def report(name: str, server: Server, runs: int, direct_first: float, direct_delta: float) -> None:
    """One block of figures for one proxy."""
    print(f"\n{name}: ready in {server.ready_s:.2f} s")
    for path, wire in WIRES.items():
        try:
            firsts, deltas = measure(server.port, path, wire, server.model, runs)
        except NotAnswered as failure:
            print(f"  {failure}")
            continue
        print(
            f"  {path:22} first byte {spread(firsts, 'ms', 2)}, added {median(firsts) - direct_first:.2f} ms;"
            f" a delta {spread(deltas, 'us')}, added {median(deltas) - direct_delta:.1f} us"
        )
    print(f"  resident {server.resident_mb():.0f} MB")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--litellm", default="", help="the litellm program to compare with")
    parser.add_argument("--runs", type=int, default=60)
    options = parser.parse_args()
    print(describe_machine())
    size = len(request_body("messages", "instant", 1))
    with upstream() as upstream_port, tempfile.TemporaryDirectory() as home:
        firsts, deltas = measure(upstream_port, "/v1/chat/completions", "chat", "instant", options.runs)
        print(f"request {size / 1000:.0f} KB, {options.runs} runs, medians (smallest to largest)")
        print(f"direct: first byte {spread(firsts, 'ms', 2)}; a delta {spread(deltas, 'us')}")
        direct_first, direct_delta = median(firsts), median(deltas)
        with shim_server(home, upstream_port) as shim:
            report("agentlaunch", shim, options.runs, direct_first, direct_delta)
        if options.litellm:
            with litellm_server(options.litellm, home, upstream_port) as litellm:
                report("litellm", litellm, options.runs, direct_first, direct_delta)


if __name__ == "__main__":
    main()
