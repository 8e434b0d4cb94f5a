"""Who may speak to the shim."""

from __future__ import annotations

import asyncio
import logging

import httpx
import pytest
from starlette.datastructures import Headers
from tests.shim.doubles import PATHS, TOKEN, OneSession, make_app, make_session, request_body

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import load_wire
from agentlaunch.shim.application import build_application
from agentlaunch.shim.auth import find_session, refuse_foreign
from agentlaunch.shim.upstream import UpstreamClient

PORT = 8123


def headers(*pairs: tuple[str, str]) -> Headers:
    return Headers(raw=[(name.encode(), value.encode("latin-1")) for name, value in pairs])


@pytest.mark.parametrize("host", ["127.0.0.1:8123", "localhost:8123", "LocalHost:8123", "[::1]:8123"])
def test_a_loopback_name_with_our_port_may_come_in(host: str) -> None:
    assert refuse_foreign(headers(("host", host)), PORT) is None


@pytest.mark.parametrize(
    "host",
    [
        "evil.example:8123",
        "127.0.0.1.evil.example:8123",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8123@evil.example",
        "user@127.0.0.1:8123",
        "127.0.0.1:8123/path",
        "127.0.0.1:notaport",
        "127.0.0.1:99999",
        "[::1",
        "0.0.0.0:8123",
        "",
    ],
)
def test_a_foreign_host_is_refused(host: str) -> None:
    fault = refuse_foreign(headers(("host", host)), PORT)
    assert fault is not None
    assert fault.kind is ErrorKind.PERMISSION


def test_a_request_without_one_host_is_refused() -> None:
    assert refuse_foreign(headers(), PORT) is not None
    assert refuse_foreign(headers(("host", "127.0.0.1:8123"), ("host", "evil.example:8123")), PORT) is not None


def test_the_default_port_may_be_left_out_of_the_host() -> None:
    assert refuse_foreign(headers(("host", "localhost")), 80) is None


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:9999", "https://127.0.0.1:8123", "", "file://"]
)
def test_a_foreign_origin_is_refused(origin: str) -> None:
    fault = refuse_foreign(headers(("host", "127.0.0.1:8123"), ("origin", origin)), PORT)
    assert fault is not None
    assert fault.kind is ErrorKind.PERMISSION


def test_our_own_origin_may_come_in() -> None:
    assert refuse_foreign(headers(("host", "127.0.0.1:8123"), ("origin", "http://127.0.0.1:8123")), PORT) is None


@pytest.mark.parametrize(
    "pairs",
    [
        [("authorization", f"Bearer {TOKEN}")],
        [("authorization", f"bearer {TOKEN}")],
        [("x-api-key", TOKEN)],
        [("authorization", f"Bearer {TOKEN}"), ("x-api-key", "sk-users-own")],
        [("authorization", "Bearer sk-users-own"), ("x-api-key", TOKEN)],
    ],
)
def test_either_header_opens_the_session(pairs: list[tuple[str, str]]) -> None:
    session = make_session()
    assert find_session(headers(*pairs), OneSession(session)) == session


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [("authorization", TOKEN)],
        [("authorization", f"Basic {TOKEN}")],
        [("authorization", "Bearer ")],
        [("x-api-key", "")],
        [("x-api-key", "sk-users-own")],
        [("cookie", f"token={TOKEN}")],
    ],
)
@pytest.mark.report("B318")
def test_nothing_else_opens_a_session(pairs: list[tuple[str, str]]) -> None:
    assert find_session(headers(*pairs), OneSession(make_session())) is None


def ask(method: str, path: str, headers: dict[str, str], body: dict[str, object] | None = None) -> httpx.Response:
    async def run() -> httpx.Response:
        app, _ = make_app(make_session())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8123") as client:
            return await client.request(method, path, headers=headers, json=body)

    return asyncio.run(run())


@pytest.mark.parametrize("wire", PATHS)
@pytest.mark.report("B318")
def test_a_missing_token_is_401_in_the_wires_form_and_its_value_is_not_logged(
    wire: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answer = ask("POST", PATHS[wire], {"x-api-key": "sk-users-own"}, request_body(wire, stream=True))
    assert answer.status_code == 401
    message = "no session of agentlaunch has this token: start the agent with agentlaunch"
    fault = ChatFault(ErrorKind.AUTHENTICATION, message)
    assert answer.content == load_wire(wire).encode_fault(fault).body
    assert "sk-users-own" not in caplog.text + answer.text


class Opening(OneSession):
    """Its session's model is still loading."""

    def find(self, token: str) -> None:
        return None

    def awaits(self, token: str) -> bool:
        return token == self.session.token


@pytest.mark.parametrize(("token", "status"), [(TOKEN, 503), ("sk-users-own", 401)])
@pytest.mark.parametrize("wire", PATHS)
def test_the_token_of_a_session_whose_model_still_loads_is_told_to_ask_again(
    wire: str, token: str, status: int
) -> None:
    async def run() -> httpx.Response:
        app = build_application(Opening(make_session()), UpstreamClient())
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1:8123") as client:
            headers = {"authorization": f"Bearer {token}"}
            return await client.post(PATHS[wire], headers=headers, json=request_body(wire, stream=True))

    answer = asyncio.run(run())
    assert (answer.status_code, answer.headers.get("retry-after")) == (status, "1" if status == 503 else None)


@pytest.mark.parametrize("wire", PATHS)
@pytest.mark.parametrize("foreign", [{"host": "evil.example:8123"}, {"origin": "https://evil.example"}])
def test_a_foreign_page_is_403_in_the_wires_form_even_with_the_token(wire: str, foreign: dict[str, str]) -> None:
    answer = ask("POST", PATHS[wire], {"x-api-key": TOKEN, **foreign}, request_body(wire, stream=True))
    assert answer.status_code == 403
    fault = ChatFault(ErrorKind.PERMISSION, answer.json()["error"]["message"])
    assert answer.content == load_wire(wire).encode_fault(fault).body


def test_the_sign_of_life_needs_no_token_but_our_host() -> None:
    assert ask("GET", "/healthz", {}).status_code == 200
    assert ask("GET", "/healthz", {"host": "evil.example:8123"}).status_code == 403


def test_a_page_gets_no_leave_to_call_us() -> None:
    preflight = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for answer in (ask("OPTIONS", "/v1/messages", preflight), ask("GET", "/healthz", {})):
        assert [name for name in answer.headers if name.startswith("access-control")] == []
