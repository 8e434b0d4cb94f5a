"""probes/servers/finding: servers asked at real ports, side by side, strangers and hung ones among them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic

import pytest
from tests.doubles.model_servers import ModelServerDouble, documented

from agentlaunch.core.served_model import ServedModel
from agentlaunch.probes.servers import SERVERS
from agentlaunch.probes.servers.base import ServerFacts, load_kind
from agentlaunch.probes.servers.finding import Place, ask, find_servers

PLENTY_S = 30.0


@contextmanager
def hung(said: bytes = b"") -> Iterator[int]:
    """A port that accepts, says `said`, and never ends its answer."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                connection.sendall(said)
                kept.append(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection in kept:
            connection.close()


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
    return port


def test_all_kinds_are_found_side_by_side_in_the_order_of_the_table() -> None:
    with ExitStack() as stack:
        doubles = {name: stack.enter_context(documented(name).running()) for name in SERVERS}
        found = find_servers([Place(load_kind(name), double.port) for name, double in doubles.items()], PLENTY_S)
    assert [server.kind.name for server in found] == list(SERVERS)
    assert [server.url for server in found] == [
        f"http://127.0.0.1:{double.port}{'/engines' if name == 'docker' else ''}" for name, double in doubles.items()
    ]


def test_nothing_is_changed_at_a_server() -> None:
    with documented("lmstudio").running() as double:
        find_servers([Place(load_kind("lmstudio"), double.port)], PLENTY_S)
    assert {(request.method, request.body) for request in double.asked} == {("GET", b"")}


def test_a_strangers_web_application_is_no_model_server() -> None:
    stranger = ModelServerDouble({"/v1/models": {"data": [{"id": 7}]}, "/health": {"status": "ok"}})
    with stranger.running():
        assert find_servers([Place(load_kind(name), stranger.port) for name in SERVERS], PLENTY_S) == ()


def test_closed_and_hung_ports_hold_nobody_up() -> None:
    with hung() as silent, hung(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{") as half:
        places = [
            Place(load_kind("jan"), silent),
            Place(load_kind("vllm"), half),
            Place(load_kind("mlx"), closed_port()),
        ]
        with documented("koboldcpp").running() as double:
            places.append(Place(load_kind("koboldcpp"), double.port))
            assert [server.kind.name for server in find_servers(places, 5.0)] == ["koboldcpp"]


def test_what_has_no_time_left_is_not_asked() -> None:
    with documented("vllm").running() as double:
        assert ask(double.port, "/version", monotonic() - 1) is None
    assert double.asked == []


def test_a_key_goes_to_a_server_that_is_known_and_wants_it() -> None:
    jan = documented("jan", key="s3cret", open_paths=("/openapi.json",))
    with jan.running():
        [found] = find_servers([Place(load_kind("jan"), jan.port, "s3cret")], PLENTY_S)
    assert [model.name for model in found.facts.models] == ["Jan-v3-4b-base-instruct-Q4_K_XL"]


def test_a_stranger_never_sees_a_key() -> None:
    stranger = ModelServerDouble({"/": {}}, key="other")
    with stranger.running():
        assert find_servers([Place(load_kind(name), stranger.port, "s3cret") for name in SERVERS], PLENTY_S) == ()
    assert stranger.asked
    assert not any("authorization" in request.headers for request in stranger.asked)


def test_a_server_that_the_user_names_is_shown_the_key_at_once() -> None:
    studio = documented("lmstudio", key="s3cret")
    with studio.running():
        place = Place(load_kind("lmstudio"), studio.port, "s3cret")
        assert find_servers([place], PLENTY_S) == ()
        [found] = find_servers([Place(place.kind, place.port, place.key, is_named=True)], PLENTY_S)
    assert not found.facts.wants_key


def test_a_key_does_not_show() -> None:
    assert "s3cret" not in repr(Place(load_kind("jan"), 1, "s3cret"))


@pytest.mark.parametrize("name", SERVERS)
def test_every_kind_says_how_its_window_grows(name: str) -> None:
    assert "{tokens}" in load_kind(name).enlarge


def test_names_that_would_write_to_the_terminal_are_left_out() -> None:
    entries = [{"id": name, "owned_by": "vllm"} for name in ("good", "\x1b[2Jbad", "two\nlines", "")]
    routes = {"/v1/models": {"object": "list", "data": entries}, "/version": {"version": "\x1b]0;x"}}
    with ModelServerDouble(routes).running() as double:
        [found] = find_servers([Place(load_kind("vllm"), double.port)], PLENTY_S)
    assert found.facts == ServerFacts((ServedModel("good"),))
