"""Many streams through one shim at once: errors, and what it adds to the first byte and to the pace of a stream.

    python benchmarks/parallel_streams.py                    agentlaunch alone
    python benchmarks/parallel_streams.py --litellm PATH     and LiteLLM at PATH (pip install 'litellm[proxy]')

Upstream, proxy and client are three processes. The upstream is paced as a busy server is: the first delta after 0.3 s,
then one each 100 ms. Every client asks again as soon as its answer is whole, with a request of about 60 KB, and the
clients begin one after the other over the length of a stream, so that all streams are open at once and requests come
evenly. "Direct" is the same on the upstream's own endpoint. The proxy's own CPU time tells how many deltas a second it
could pass at most, whatever else the machine does. Whether the meter has a row for each request is looked up in the
end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from machine import describe_machine
from shim_overhead import TOKEN, clean_environment, litellm_server, request_body, shim_server

FIRST_AFTER_S = 0.3
PACE_S = 0.1
DELTAS = 60
STREAM_S = FIRST_AFTER_S + DELTAS * PACE_S
PATH = "/v1/chat/completions"
LIMIT_MS = 20.0
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


# --- the upstream ----------------------------------------------------------------------------------------------------


def frame(delta: dict[str, object], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    """One event of a Chat stream, as one chunk."""
    body: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "instant",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    if usage:
        body["usage"] = usage
    data = b"data: " + json.dumps(body).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


WORD = frame({"content": "word "})
END = (
    frame({}, "stop", {"prompt_tokens": 12_000, "completion_tokens": DELTAS, "total_tokens": 12_000 + DELTAS})
    + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"
)


async def paced(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer request after request at the pace of the benchmark."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), 0)
            await reader.readexactly(length)
            writer.write(HEAD + frame({"role": "assistant", "content": ""}))
            due = asyncio.get_running_loop().time() + FIRST_AFTER_S
            for _ in range(DELTAS):
                await asyncio.sleep(max(0.0, due - asyncio.get_running_loop().time()))
                writer.write(WORD)
                due += PACE_S
            writer.write(END)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def serve_paced() -> None:
    """Serve until the end of the process; prints the port."""
    server = await asyncio.start_server(paced, "127.0.0.1", 0, limit=2**20)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


@contextmanager
def upstream() -> Iterator[int]:
    with subprocess.Popen([sys.executable, __file__, "--be-upstream"], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


# --- the clients -----------------------------------------------------------------------------------------------------


@dataclass
class Seen:
    """What the clients saw: milliseconds to the first word, milliseconds between pieces, and what went wrong."""

    firsts: list[float] = field(default_factory=list)
    gaps: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def ask_again_and_again(port: int, request: bytes, times: int, delay_s: float, seen: Seen) -> None:
    """One client: so many answers on one connection."""
    await asyncio.sleep(delay_s)
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**20)
        for _ in range(times):
            await one_answer(reader, writer, request, seen)
        writer.close()
    except (OSError, EOFError, ValueError) as error:
        seen.errors.append(f"{type(error).__name__}: {error}")


async def one_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes, seen: Seen) -> None:
    """Ask, and read to the end of the chunked body. Raises ValueError for what is no whole answer."""
    start = time.perf_counter()
    writer.write(request)
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise ValueError(head.partition(b"\r\n")[0].decode())
    words, last = 0, 0.0
    while size := int(await reader.readline(), 16):
        piece = (await reader.readexactly(size + 2))[:-2]
        now = time.perf_counter()
        if b"word" in piece:
            if words:
                seen.gaps.append((now - last) * 1e3)
            else:
                seen.firsts.append((now - start) * 1e3)
            words, last = words + piece.count(b"word"), now
    await reader.readline()
    if words != DELTAS:
        raise ValueError(f"{words} of {DELTAS} words came")


async def load(port: int, streams: int, times: int) -> Seen:
    """All clients to their end."""
    body = request_body("chat", "instant", DELTAS)
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer {TOKEN}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    seen = Seen()
    step_s = STREAM_S / streams
    async with asyncio.TaskGroup() as group:
        for number in range(streams):
            group.create_task(ask_again_and_again(port, head.encode() + body, times, number * step_s, seen))
    return seen


# --- figures ---------------------------------------------------------------------------------------------------------


def percentile(values: list[float], share: float) -> float:
    """The value below which this share of all lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def show(name: str, seen: Seen) -> None:
    firsts, gaps = seen.firsts, seen.gaps
    print(
        f"{name:12} {len(firsts):5} answers, {len(seen.errors)} errors; first byte p50 {percentile(firsts, 0.5):.1f},"
        f" p95 {percentile(firsts, 0.95):.1f}, p99 {percentile(firsts, 0.99):.1f} ms;"
        f" between deltas p50 {percentile(gaps, 0.5):.1f}, p99 {percentile(gaps, 0.99):.1f} ms",
        flush=True,
    )
    for error in sorted(set(seen.errors))[:5]:
        print(f"    {error}")


def cpu_s(process: psutil.Process) -> float:
    """CPU seconds that a process has used."""
    times = process.cpu_times()
    return float(times.user + times.system)


def metered(home: str) -> int:
    """How many requests the meter has kept."""
    told = subprocess.run(
        [sys.executable, "-m", "agentlaunch", "usage", "--json"],
        env=clean_environment(home), capture_output=True, text=True, check=True,
    )  # fmt: skip
    return int(json.loads(told.stdout)["data"]["total"]["requests"])


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--be-upstream", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--litellm", default="", help="the litellm program to compare with")
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--times", type=int, default=4, help="answers of each client")
    options = parser.parse_args()
    if options.be_upstream:
        asyncio.run(serve_paced())
        return 0
    print(describe_machine())
    print(f"{options.streams} streams at once, {options.streams / STREAM_S:.0f} requests and "
          f"{options.streams / PACE_S:.0f} deltas a second; load before: {os.getloadavg()[0]:.1f}")  # fmt: skip
    with upstream() as port, tempfile.TemporaryDirectory() as home:
        direct = asyncio.run(load(port, options.streams, options.times))
        show("direct", direct)
        with shim_server(home, port) as shim:
            before_s = cpu_s(shim.process)
            ours = asyncio.run(load(shim.port, options.streams, options.times))
            used_s = cpu_s(shim.process) - before_s
        show("agentlaunch", ours)
        print(
            f"             its CPU: {used_s / (len(ours.firsts) * DELTAS or 1) * 1e6:.0f} us a delta, requests included"
        )
        kept = metered(home)
        if options.litellm:
            with litellm_server(options.litellm, home, port) as litellm:
                show("litellm", asyncio.run(load(litellm.port, options.streams, options.times)))
    added_ms = percentile(ours.firsts, 0.95) - percentile(direct.firsts, 0.95)
    asked = options.streams * options.times
    print(
        f"added p95 to the first byte: {added_ms:.1f} ms, at most {LIMIT_MS:.0f} are allowed; {kept} of {asked} metered"
    )
    return 1 if ours.errors or added_ms > LIMIT_MS or kept != asked else 0


if __name__ == "__main__":
    sys.exit(main())
