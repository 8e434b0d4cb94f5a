"""Loopback: can a server of ours listen, is it reached, what does `localhost` mean here."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite
from agentlaunch.errors import AgentlaunchError

if TYPE_CHECKING:
    from agentlaunch.app.world import World

_CONNECT_S = 1.0


@dataclass(frozen=True)
class Network:
    """`listening` and `connecting` are what failed on 127.0.0.1, empty for nothing; `localhost` are its addresses.

    `port` is the lasting one of `serve`, 0 for none, and `is_port_taken` whether somebody listens there.
    """

    listening: str
    connecting: str
    localhost: tuple[str, ...]
    port: int = 0
    is_port_taken: bool = False


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """The same for every agent."""
    del agents
    return Inspected(tuple(judge(gather(world))))


def gather(world: World) -> Network:
    """Opens a port of ours for a moment and connects to it."""
    listening = connecting = ""
    with closing(socket.socket()) as server:
        try:
            server.bind(("127.0.0.1", 0))
            server.listen(1)
        except OSError as error:
            listening = error.strerror or str(error)
        else:
            connecting = _connect(server.getsockname()[1])
    port = _standing_port(world)
    return Network(listening, connecting, _localhost(), port, bool(port) and not _connect(port))


def _connect(port: int) -> str:
    try:
        socket.create_connection(("127.0.0.1", port), _CONNECT_S).close()
    except OSError as error:
        return error.strerror or str(error)
    return ""


def _localhost() -> tuple[str, ...]:
    try:
        found = socket.getaddrinfo("localhost", None, type=socket.SOCK_STREAM)
    except OSError:
        return ()
    return tuple(dict.fromkeys(str(entry[4][0]) for entry in found))


def _standing_port(world: World) -> int:
    from agentlaunch.app.standing import read_standing

    try:
        standing = read_standing(world.dirs)
    except AgentlaunchError:  # for the settings to tell
        return 0
    return 0 if standing is None else standing.port


def judge(facts: Network) -> Iterator[Finding]:
    """We use 127.0.0.1 by number everywhere; `localhost` matters to servers and agents of others."""
    if facts.listening:
        told = f"no program may listen on 127.0.0.1 here: {facts.listening}"
        yield broken("no-loopback", told, "sudo ip link set lo up")
    elif facts.connecting:
        told = f"127.0.0.1 is not reached from here: {facts.connecting}; a firewall or a sandbox is in the way"
        yield broken("loopback-blocked", told, "allow connections to 127.0.0.1")
    if not facts.localhost:
        told = "`localhost` is no name of this machine: servers given by that name are not found"
        yield will_bite("no-localhost", told, "add to /etc/hosts: 127.0.0.1 localhost")
    elif all(":" in address for address in facts.localhost):
        told = "`localhost` means ::1 alone: a server on 127.0.0.1 is not found by that name; ours are given by number"
        yield will_bite("localhost-ipv6", told, "add to /etc/hosts: 127.0.0.1 localhost")
    if facts.is_port_taken:
        yield note("port-taken", f"port {facts.port}, which configured agents use, is taken; by `serve`, one hopes")
