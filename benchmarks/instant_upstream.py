"""An upstream that answers at once: a chat-completions stream of N deltas, written whole. Prints its port.

Run as a process of its own, so that its work is not counted as the proxy's: python benchmarks/instant_upstream.py
The request's `max_tokens` says how many deltas come.
"""

from __future__ import annotations

import asyncio
import json

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def event(delta: dict[str, object], finish: str | None = None, usage: dict[str, int] | None = None) -> bytes:
    body: dict[str, object] = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "instant",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    if usage:
        body["usage"] = usage
    return b"data: " + json.dumps(body).encode() + b"\n\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(
                (
                    int(line.split(b":")[1])
                    for line in head.split(b"\r\n")
                    if line.lower().startswith(b"content-length")
                ),
                0,
            )
            body = json.loads(await reader.readexactly(length)) if length else {}
            count = int(body.get("max_tokens") or body.get("max_completion_tokens") or 1)
            usage = {"prompt_tokens": 12_000, "completion_tokens": count, "total_tokens": 12_000 + count}
            frames = [event({"role": "assistant", "content": ""})]
            frames += [event({"content": f"word{number} "}) for number in range(count)]
            frames += [event({}, "stop", usage), b"data: [DONE]\n\n"]
            # One chunk an event, as engines send them.
            writer.write(HEAD + b"".join(chunk(frame) for frame in frames) + b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
