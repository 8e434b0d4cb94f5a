"""How long a failover takes: from a refused connection to the first byte of the fallback's answer, beside LiteLLM.

    python benchmarks/failover.py                    agentlaunch alone
    python benchmarks/failover.py --litellm PATH     and LiteLLM at PATH (pip install 'litellm[proxy]')

Two proxies of each make run in turn: one whose first upstream refuses connections and whose fallback answers at once,
and one with that fallback as its only upstream. The difference is what the failover adds. A breaker leaves the dead one
alone after two refused connections, so only the first two requests of a proxy fail over, and each run has a fresh one.
The first request of a process also loads code, with a failover and without: the second is the one that is judged.
"""

from __future__ import annotations

import argparse
import http.client
import json
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine import describe_machine, median, spread
from shim_overhead import TOKEN, clean_environment, free_port, request_body, running, timed_request, upstream, wait_for

PATH = "/v1/chat/completions"
LIMIT_MS = 50.0


@contextmanager
def refused_port() -> Iterator[int]:
    """A port that refuses connections as long as the block runs: it is bound, and nobody listens."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield int(held.getsockname()[1])


@contextmanager
def agentlaunch_proxy(first_port: int, second_port: int | None) -> Iterator[int]:
    """`agentlaunch serve` before the first upstream, and the second as its fallback; its port."""
    with tempfile.TemporaryDirectory() as home:
        folder, port = Path(home) / "agentlaunch" / "config", free_port()
        folder.mkdir(parents=True)
        argv = [
            sys.executable, "-m", "agentlaunch", "serve", "--upstream", f"openai=http://127.0.0.1:{first_port}",
            "--model", "instant", "--port", str(port), "--token", TOKEN, "--context", "131072", "--foreground",
        ]  # fmt: skip
        if second_port is not None:
            known = f'[second]\nkind = "openai"\nurl = "http://127.0.0.1:{second_port}"\nmodel = "instant"\n'
            (folder / "upstreams.toml").write_text(known)
            argv += ["--fallback", "second"]
        with running(argv, clean_environment(home), wait_for(port, "/healthz", 60), "instant"):
            yield port


@contextmanager
def litellm_proxy(program: str, first_port: int, second_port: int | None) -> Iterator[int]:
    """LiteLLM with the same upstreams; its port."""

    def deployment(name: str, port: int) -> dict[str, object]:
        parameters = {"model": "hosted_vllm/instant", "api_base": f"http://127.0.0.1:{port}/v1", "api_key": "none"}
        return {"model_name": name, "litellm_params": parameters}

    with tempfile.TemporaryDirectory() as home:
        config: dict[str, object] = {"model_list": [deployment("instant", first_port)]}
        if second_port is not None:
            config["model_list"] = [deployment("instant", first_port), deployment("second", second_port)]
            config["router_settings"] = {"num_retries": 0, "fallbacks": [{"instant": ["second"]}]}
        path, port = Path(home) / "litellm.json", free_port()
        path.write_text(json.dumps(config))
        environment = clean_environment(home) | {
            "LITELLM_MASTER_KEY": TOKEN, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR",
        }  # fmt: skip
        argv = [program, "--config", str(path), "--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"]
        with running(argv, environment, wait_for(port, "/health/liveliness", 240), "instant"):
            yield port


def first_bytes(port: int, count: int) -> list[float]:
    """Milliseconds to the first byte of so many requests, one after the other, on one connection."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    connection.connect()
    connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    body = request_body("chat", "instant", 1)
    return [timed_request(connection, PATH, body, 1)[0] * 1e3 for _ in range(count)]


def report(name: str, straight: list[list[float]], over: list[list[float]]) -> float:
    """Print one make's figures; the milliseconds that its second failover adds."""
    print(f"\n{name}")
    labels = ("the first request", "the second", "the third: left alone", "the fourth")
    added = [median([run[at] for run in over]) - median([run[at] for run in straight]) for at in range(len(labels))]
    for at, label in enumerate(labels):
        print(
            f"  {label:22} straight {spread([run[at] for run in straight], 'ms')};"
            f" failing over {spread([run[at] for run in over], 'ms')}, added {added[at]:.1f} ms"
        )
    return added[1]


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--litellm", default="", help="the litellm program to compare with")
    parser.add_argument("--runs", type=int, default=10, help="fresh proxies of ours; LiteLLM gets a third of them")
    options = parser.parse_args()
    print(describe_machine())
    print(f"{options.runs} fresh proxies each, medians (smallest to largest)")
    with upstream() as port, refused_port() as dead:
        straight, over = [], []
        for _ in range(options.runs):
            with agentlaunch_proxy(port, None) as proxy:
                straight.append(first_bytes(proxy, 4))
            with agentlaunch_proxy(dead, port) as proxy:
                over.append(first_bytes(proxy, 4))
        added_ms = report("agentlaunch", straight, over)
        if options.litellm:
            straight, over = [], []
            for _ in range(max(1, options.runs // 3)):
                with litellm_proxy(options.litellm, port, None) as proxy:
                    straight.append(first_bytes(proxy, 4))
                with litellm_proxy(options.litellm, dead, port) as proxy:
                    over.append(first_bytes(proxy, 4))
            report("litellm", straight, over)
    print(f"\na failover adds {added_ms:.1f} ms, at most {LIMIT_MS:.0f} are allowed")
    return 1 if added_ms > LIMIT_MS else 0


if __name__ == "__main__":
    sys.exit(main())
