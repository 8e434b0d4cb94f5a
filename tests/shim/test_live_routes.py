"""The watchers' routes behind the real gate: who may look, and what a browser may do with the page."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import Awaitable, Callable
from html.parser import HTMLParser

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from tests.shim.doubles import TOKEN, OneSession, make_session
from tests.shim.traffic_doubles import TestedTraffic, local_session

from agentlaunch.core.metering import OK
from agentlaunch.shim.application import build_application
from agentlaunch.shim.engine_activity import EngineActivities
from agentlaunch.shim.live_routes import LiveRoutes
from agentlaunch.shim.live_status import LiveStatus
from agentlaunch.shim.live_token import live_token
from agentlaunch.shim.protocol import CONTROL_PREFIX
from agentlaunch.shim.upstream import UpstreamClient

CONTROL = "control-secret"
LIVE, PAGE, METRICS = f"{CONTROL_PREFIX}/live", f"{CONTROL_PREFIX}/page", "/metrics"


def asked(
    work: Callable[[httpx.AsyncClient, TestedTraffic], Awaitable[None]],
    control_token: str = CONTROL,
    *,
    takes_sessions: bool = False,
) -> None:
    async def run() -> None:
        tested = TestedTraffic()
        sessions = OneSession(make_session())
        activities = EngineActivities(tested.clock.monotonic)
        live = LiveRoutes(tested.traffic, activities, sessions, control_token, takes_sessions=takes_sessions)
        upstream = UpstreamClient()
        app = build_application(sessions, upstream, extra_routes=live.routes())
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            await work(client, tested)
        await activities.aclose()
        await upstream.aclose()

    asyncio.run(asyncio.wait_for(run(), 30))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


@pytest.mark.parametrize(
    ("path", "control", "takes_sessions", "token", "status"),
    [
        (LIVE, CONTROL, False, CONTROL, 200),
        (LIVE, CONTROL, False, live_token(CONTROL), 200),
        (LIVE, CONTROL, False, TOKEN, 401),
        (LIVE, CONTROL, False, "", 401),
        (LIVE, CONTROL, False, "wrong", 401),
        (LIVE, CONTROL, True, TOKEN, 200),
        (LIVE, CONTROL, True, CONTROL, 200),
        (LIVE, CONTROL, True, "wrong", 401),
        (LIVE, "", True, TOKEN, 200),
        (LIVE, "", True, "", 401),
        (LIVE, "", True, live_token(""), 401),
        (LIVE, "", False, TOKEN, 401),
        (METRICS, CONTROL, False, CONTROL, 200),
        (METRICS, CONTROL, False, live_token(CONTROL), 200),
        (METRICS, CONTROL, False, TOKEN, 200),
        (METRICS, CONTROL, False, "wrong", 401),
        (METRICS, "", True, TOKEN, 200),
        (METRICS, "", True, "", 401),
    ],
)
def test_each_route_opens_for_its_tokens_alone(
    path: str, control: str, token: str, status: int, *, takes_sessions: bool
) -> None:
    async def work(client: httpx.AsyncClient, tested: TestedTraffic) -> None:
        answer = await client.get(path, headers=bearer(token))
        assert answer.status_code == status
        if status == 401:
            assert answer.json()["errors"][0]["hint"] == "agentlaunch top --web"

    asked(work, control, takes_sessions=takes_sessions)


def test_the_live_token_is_not_the_control_token_and_tells_nothing_of_it() -> None:
    assert live_token("a") != live_token("b")
    assert CONTROL not in live_token(CONTROL)


def test_the_live_view_is_the_traffics_picture() -> None:
    async def work(client: httpx.AsyncClient, tested: TestedTraffic) -> None:
        trace = tested.traffic.begin(local_session(), "/app")
        trace.routed("main", 1)
        trace.finish(OK, 0)
        answer = await client.get(LIVE, headers=bearer(CONTROL))
        assert msgspec.json.decode(answer.content, type=LiveStatus) == tested.traffic.snapshot()
        assert answer.headers["cache-control"] == "no-store"

    asked(work)


def test_metrics_are_in_the_text_format() -> None:
    async def work(client: httpx.AsyncClient, tested: TestedTraffic) -> None:
        tested.traffic.begin(local_session(), "").finish(OK, 3)
        answer = await client.get(METRICS, headers=bearer(TOKEN))
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        mended = next(f for f in text_string_to_metric_families(answer.text) if f.name == "agentlaunch_mended")
        assert [sample.value for sample in mended.samples] == [3.0]

    asked(work)


class Outside(HTMLParser):
    """Everything that a page would load, and where scripts hide in attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.handlers: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.loaded += [str(value) for name, value in attrs if name in ("src", "href", "srcset", "action", "data")]
        self.handlers += [name for name, _ in attrs if name.startswith("on") or name == "style"]


def test_the_page_loads_nothing_and_runs_only_its_own_script() -> None:
    async def work(client: httpx.AsyncClient, tested: TestedTraffic) -> None:
        answer = await client.get(PAGE)
        outside = Outside()
        outside.feed(answer.text)
        assert (answer.status_code, outside.loaded, outside.handlers) == (200, ["data:,"], [])
        assert "@import" not in answer.text
        assert "url(" not in answer.text
        script = answer.text.split("<script>")[1].split("</script>")[0]
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
        assert (policy["default-src"], policy["script-src"], policy["connect-src"], policy["frame-ancestors"]) == (
            "'none'",
            f"'sha256-{digest}'",
            "'self'",
            "'none'",
        )

    asked(work)


def test_no_other_sites_page_reads_the_view() -> None:
    async def work(client: httpx.AsyncClient, tested: TestedTraffic) -> None:
        for path in (LIVE, PAGE, METRICS):
            foreign = await client.get(path, headers={**bearer(CONTROL), "origin": "https://evil.example"})
            renamed = await client.get(path, headers={**bearer(CONTROL), "host": "evil.example"})
            assert (foreign.status_code, renamed.status_code) == (403, 403)

    asked(work)
