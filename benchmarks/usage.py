"""A file of a million requests, and how long `agentlaunch usage` takes to answer from it, as whole processes.

    python benchmarks/usage.py [ROWS]

Also how long a step takes in which old rows are deleted, and what keeping the books of one request costs the event
loop, from `begin` to the row in the queue.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import msgspec

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import Finished, StopReason, TextDelta, Usage, UsageReport
from agentlaunch.core.metering import FREE, OK, RequestRecord
from agentlaunch.shim.session import Session
from agentlaunch.shim.traffic import Traffic
from agentlaunch.system.dirs import find_dirs, usage_path
from agentlaunch.system.usage_recorder import FORGET_ROWS, UsageRecorder, local_day
from agentlaunch.system.usage_store import UsageStore

BATCH = 20_000
DAYS = 365
RUNS = 7

ROW = RequestRecord(
    time=0.0,
    session="a1b2c3d4e5f60718",
    agent="claude",
    project="/home/me/work/project",
    route="main",
    upstream="llamacpp",
    model="qwen3-coder-30b-a3b",
    attempts=1,
    status=OK,
    tokens_in=24_000,
    tokens_cached=22_000,
    tokens_out=350,
    first_byte_ms=840.0,
    total_ms=9200.0,
    mended=0,
    cost_usd=0.0,
    reference_cost_usd=0.02,
    decode_tok_s=41.0,
)
QUESTIONS: tuple[tuple[str, ...], ...] = (
    ("usage",),
    ("usage", "--by", "model", "--since", "2000-01-01"),
    ("usage", "--by", "project", "--since", "2000-01-01", "--json"),
    ("usage", "--by", "agent", "--days", "7"),
    ("usage", "--requests"),
    ("usage", "--requests", "--json", "--limit", "100"),
)


def row(number: int, rows: int, now: float) -> RequestRecord:
    """The number-th of `rows` spread over a year: 3 agents, 40 projects, 6 models on 3 upstreams."""
    return msgspec.structs.replace(
        ROW,
        time=now - DAYS * 86_400 * (1 - number / rows),
        agent=("claude", "codex", "opencode")[number % 3],
        project=f"/home/me/work/project-{number // 7 % 40}",
        model=f"model-{number // 3 % 6}",
        upstream=("llamacpp", "vllm", "openrouter")[number // 3 % 3],
    )


def fill(path: Path, rows: int) -> float:
    """Seconds that it took."""
    began, now = time.perf_counter(), time.time()
    store = UsageStore.open(path)
    for start in range(0, rows, BATCH):
        store.append([row(number, rows, now) for number in range(start, min(start + BATCH, rows))])
    store.close()
    return time.perf_counter() - began


def forget_ms(path: Path) -> list[float]:
    """Milliseconds of each step of deleting a month, in which a row that comes has to wait."""
    times = []
    store = UsageStore.open(path)
    is_more = True
    while is_more:
        began = time.perf_counter()
        is_more = store.forget(local_day(time.time() - (DAYS - 30) * 86_400), FORGET_ROWS)
        times.append((time.perf_counter() - began) * 1000)
    store.close()
    return times


def answer_ms(home: Path, words: tuple[str, ...]) -> tuple[list[float], float]:
    """How long each run of the command took, process and all; and its processor time, which no neighbour changes."""
    times = []
    before = os.times()
    for _ in range(RUNS):
        began = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "agentlaunch", *words],
            env={**os.environ, "AGENTLAUNCH_HOME": str(home)},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        times.append((time.perf_counter() - began) * 1000)
    after = os.times()
    used_s = after.children_user + after.children_system - before.children_user - before.children_system
    return times, used_s * 1000 / RUNS


def bookkeeping_us(path: Path) -> float:
    """Microseconds that one whole request of a hundred pieces costs the event loop's thread, without the pieces'."""
    recorder = UsageRecorder(path)
    recorder.start()
    traffic = Traffic(recorder, time.monotonic, time.time, FREE)
    endpoint = Endpoint("llamacpp", "openai_chat", "http://127.0.0.1:1", "m")
    session = Session("s", "t", "claude", "m", endpoint, 32_768, 4_096)
    best = float("inf")
    for _ in range(20):
        began = time.perf_counter()
        for _ in range(100):
            trace = traffic.begin(session, "/home/me")
            trace.routed("main", 1, 24_000)
            trace.attempt("llamacpp", "m", FREE)
            trace.event(TextDelta("x"))
            trace.event(UsageReport(Usage(24_000, 22_000, 350)))
            trace.event(Finished(StopReason.END_TURN))
            trace.finish(OK, 0)
        best = min(best, (time.perf_counter() - began) / 100 * 1e6)
    recorder.close()
    return best


def main() -> None:
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        path = usage_path(find_dirs({"AGENTLAUNCH_HOME": folder}))
        seconds = fill(path, rows)
        print(f"{rows} rows written in {seconds:.1f} s, {path.stat().st_size / 2**20:.0f} MiB")
        for words in (("--version",), *QUESTIONS):
            times, used = answer_ms(home, words)
            spread = f"median {statistics.median(times):4.0f} ms, most {max(times):4.0f} ms, processor {used:4.0f} ms"
            print(f"agentlaunch {' '.join(words):54} {spread}")
        steps = forget_ms(path)
        spread = f"median {statistics.median(steps):.1f} ms, most {max(steps):.1f} ms"
        print(f"deleting a month: {len(steps)} steps of {FORGET_ROWS} rows, {spread}")
        print(f"bookkeeping of one request: {bookkeeping_us(home / 'other.sqlite'):.1f} us")


if __name__ == "__main__":
    main()
