"""Asks every kind of server at its port of this machine, side by side, with short limits."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

from agentlaunch.probes.servers.base import Answer, ServerFacts, ServerKind

LOOPBACK = "127.0.0.1"
CONNECT_LIMIT_S = 0.05
"""A server on this machine accepts within a millisecond; Windows takes two seconds to refuse."""
ANSWER_LIMIT_S = 0.25
"""For one server with all its paths, where nobody has asked for it by name."""
NAMED_LIMIT_S = 3.0
"""For a server that was asked for by name: one that answers a chat at the moment may be slow."""
_MOST_BYTES = 4 << 20


@dataclass(frozen=True)
class Place:
    """Where a kind of server is looked for. `key` is what it may ask for: a stranger is not shown it.

    `is_named`: the user says that this kind listens there, so the key goes with the first question.
    """

    kind: ServerKind
    port: int
    key: str = field(default="", repr=False)
    is_named: bool = False


@dataclass(frozen=True)
class RunningServer:
    """A server that answered. `url` has no trailing slash and no `/v1`."""

    kind: ServerKind
    url: str
    facts: ServerFacts


def find_servers(places: Sequence[Place], limit_s: float = ANSWER_LIMIT_S) -> tuple[RunningServer, ...]:
    """Those that run, in the order of `places`. One that does not answer in time is not there; nothing is raised.

    The threads are daemons: a server that hangs holds neither the answer nor the end of the program.
    """
    found: SimpleQueue[tuple[str, ServerFacts | None]] = SimpleQueue()
    until = monotonic() + limit_s
    for place in places:
        Thread(target=_look, args=(place, until, found), name=f"look for {place.kind.name}", daemon=True).start()
    facts: dict[str, ServerFacts] = {}
    for _ in places:
        try:
            name, told = found.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            break
        if told is not None:
            facts[name] = told
    return tuple(
        RunningServer(place.kind, f"http://{LOOPBACK}:{place.port}{place.kind.base_path}", facts[place.kind.name])
        for place in places
        if place.kind.name in facts
    )


def _look(place: Place, until: float, found: SimpleQueue[tuple[str, ServerFacts | None]]) -> None:
    facts = place.kind.read(_answers(place, until, place.key if place.is_named else ""))
    if facts is not None and facts.wants_key and place.key and not place.is_named:
        facts = place.kind.read(_answers(place, until, place.key)) or facts
    found.put((place.kind.name, None if facts is None else _showable(facts)))


def _showable(facts: ServerFacts) -> ServerFacts:
    """Without names that cannot be shown on a terminal or typed: they come from whoever listens there."""
    models = tuple(model for model in facts.models if model.name and model.name.isprintable())
    return replace(facts, models=models, version=facts.version if facts.version.isprintable() else "")


def _answers(place: Place, until: float, key: str) -> Mapping[str, Answer]:
    """One answer a path; none after the first path that nobody answers."""
    answers: dict[str, Answer] = {}
    for path in place.kind.paths:
        answer = ask(place.port, path, until, key)
        if answer is None:
            break
        answers[path] = answer
    return answers


def ask(port: int, path: str, until: float, key: str = "") -> Answer | None:
    """What `path` is answered with on this machine, None for no HTTP answer before `until` (monotonic).

    No client library: the one that we have takes 100 ms to import.
    """
    authorization = f"Authorization: Bearer {key}\r\n" if key else ""
    request = f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}:{port}\r\nAccept: application/json\r\n{authorization}\r\n"
    try:
        limit = min(CONNECT_LIMIT_S, until - monotonic())
        if limit <= 0:
            return None
        with socket.create_connection((LOOPBACK, port), limit) as connection:
            connection.sendall(request.encode())
            return parse_answer(_received(connection, until))
    except (OSError, ValueError):
        return None


def _received(connection: socket.socket, until: float) -> bytes:
    """Until the server closes, or its stated length is there. Raises TimeoutError."""
    received = bytearray()
    while len(received) < _MOST_BYTES:
        left = until - monotonic()
        if left <= 0:
            raise TimeoutError
        connection.settimeout(left)
        part = connection.recv(65536)
        received += part
        if not part or _is_whole(bytes(received)):
            break
    return bytes(received)


def _is_whole(received: bytes) -> bool:
    head, end, body = received.partition(b"\r\n\r\n")
    length = _headers(head).get("content-length", "")
    return bool(end) and length.isdecimal() and len(body) >= int(length)


def parse_answer(received: bytes) -> Answer | None:
    """An HTTP answer without chunks, as a request of version 1.0 gets it; None for anything else."""
    head, end, body = received.partition(b"\r\n\r\n")
    start = head.partition(b"\r\n")[0].split(b" ")
    if not end or len(start) < 2 or not start[0].startswith(b"HTTP/1.") or not start[1].isdigit():
        return None
    try:
        content: object = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    return Answer(int(start[1]), content, _headers(head).get("server", ""))


def _headers(head: bytes) -> dict[str, str]:
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}
