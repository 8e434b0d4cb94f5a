"""The live page in a real browser: what it shows, at which width, and that it gives its token to nobody."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from tests.shim.chromium import Browser, Page, chromium
from tests.shim.doubles import OneSession, make_session
from tests.shim.traffic_doubles import TestedTraffic, local_session

from agentlaunch.core.endpoint import Endpoint, Prices
from agentlaunch.core.ir import TextDelta, Usage, UsageReport
from agentlaunch.core.metering import OK
from agentlaunch.shim.application import build_application
from agentlaunch.shim.live_routes import LiveRoutes
from agentlaunch.shim.live_status import EngineActivity
from agentlaunch.shim.live_token import live_token
from agentlaunch.shim.traffic import RequestTrace
from agentlaunch.shim.upstream import UpstreamClient

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

CONTROL = "control-secret"
PAID = Prices(1.0, 2.0)
EVIL = "<img src=x onerror=\"document.title='broken'\">"


class ScriptedActivities:
    """Engines that say what the test wants."""

    def __init__(self) -> None:
        self.seen: tuple[EngineActivity, ...] = ()

    async def look(self, endpoints: tuple[Endpoint, ...]) -> tuple[EngineActivity, ...]:
        return self.seen


@dataclass
class Shown:
    """A server with the page, its traffic, and how to end it."""

    tested: TestedTraffic
    activities: ScriptedActivities
    server: uvicorn.Server
    thread: threading.Thread
    base: str

    @property
    def page(self) -> str:
        return f"{self.base}/agentlaunch/v1/page"

    def ask(self, agent: str, route: str, upstream: str, *, is_over: bool = True) -> RequestTrace:
        """One request; what it used is always the same."""
        trace = self.tested.traffic.begin(local_session(f"session of {agent}", agent), "/home/me/app")
        trace.routed(route, 1)
        trace.attempt(upstream, f"model of {upstream}", PAID)
        if is_over:
            trace.event(TextDelta("x"))
            trace.event(UsageReport(Usage(20_000, 15_000, 500)))
            trace.finish(OK, 0)
        return trace

    def end(self) -> None:
        self.server.should_exit = True
        self.thread.join(30)


@pytest.fixture
def shown() -> Iterator[Shown]:
    tested, activities = TestedTraffic(), ScriptedActivities()
    sessions, upstream = OneSession(make_session()), UpstreamClient()
    live = LiveRoutes(tested.traffic, activities, sessions, CONTROL, takes_sessions=False)  # type: ignore[arg-type]
    app = build_application(sessions, upstream, extra_routes=live.routes())
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])), daemon=True)
    thread.start()
    running = Shown(tested, activities, server, thread, f"http://127.0.0.1:{listener.getsockname()[1]}")
    yield running
    running.end()
    listener.close()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with chromium(tmp_path_factory.mktemp("profile")) as running:
        yield running


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page()
    page.resize(1200, 900)
    yield page
    page.call("Page.close")


def opened(page: Page, shown: Shown) -> None:
    page.open(f"{shown.page}#{live_token(CONTROL)}")
    page.until("document.readyState === 'complete' && document.getElementById('state').textContent === 'live'")


def text(page: Page, identity: str) -> str:
    found = page.value(f"document.getElementById('{identity}').textContent")
    assert isinstance(found, str)
    return found


def rows(page: Page, table: str) -> object:
    return page.value(
        f"[...document.querySelectorAll('#{table} tbody tr')].map((row) => [...row.cells].map((c) => c.textContent))"
    )


def busy(shown: Shown) -> list[RequestTrace]:
    """Two agents, three ways, one request that reads its prompt and one that is answered."""
    shown.ask("claude", "main", "llamacpp")
    shown.ask("claude", "background", "openrouter")
    shown.ask("codex", "main", "llamacpp")
    waiting = shown.ask("claude", "main", "llamacpp", is_over=False)
    answering = shown.ask("codex", "main", "vllm", is_over=False)
    for _ in range(31):
        shown.tested.clock.passed += 0.1
        answering.event(TextDelta("x"))
    shown.activities.seen = (
        EngineActivity("llamacpp", 0, "prefill", 4000, 1000, 0, 32768),
        EngineActivity("llamacpp", 1, "decode", 8000, 8000, 192, 32768),
    )
    return [waiting, answering]


def test_everything_that_flows_is_shown_and_follows_without_a_reload(page: Page, shown: Shown, tmp_path: Path) -> None:
    traces = busy(shown)
    opened(page, shown)
    page.until("document.querySelectorAll('#requests li').length === 2")
    assert (text(page, "running"), text(page, "done"), text(page, "cached"), text(page, "spent")) == (
        "2",
        "3",
        "75 %",
        "$0.06",
    )
    shown_requests = (
        "[...document.querySelectorAll('#requests li')].map((item) => [item.children[0], item.children[1]])"
    )
    assert page.value(f"{shown_requests}.map((two) => two.map((p) => p.textContent))") == [
        ["claude → main → llamacpp (model of llamacpp)", "waiting for 3 s, reads 1.0k of 4.0k tokens"],
        ["codex → main → vllm (model of vllm)", "answering for 3 s, 31 tokens, 10.0 tok/s"],
    ]
    bars = (
        "[...document.querySelectorAll('#engines [role=progressbar]')].map((bar) => bar.getAttribute('aria-valuenow'))"
    )
    assert page.value(bars) == ["25", "25"]
    assert rows(page, "ways") == [
        ["claude", "main", "llamacpp", "model of llamacpp", "1", "1", "0", "20.5k"],
        ["claude", "background", "openrouter", "model of openrouter", "0", "1", "0", "20.5k"],
        ["codex", "main", "llamacpp", "model of llamacpp", "0", "1", "0", "20.5k"],
        ["codex", "main", "vllm", "model of vllm", "1", "0", "0", "0"],
    ]
    page.value("document.querySelector('#ways tbody tr').id = 'the same row'")
    for trace in traces:
        trace.finish(OK, 0)
    shown.activities.seen = ()
    page.until("document.getElementById('running').textContent === '0' && !document.querySelector('#requests li')")
    assert page.value("document.querySelector('#ways tbody tr').id") == "the same row"
    assert page.problems == []
    page.screenshot(tmp_path / "wide.png")


def test_the_picture_draws_each_way_busy_ones_with_dots_that_move(page: Page, shown: Shown) -> None:
    busy(shown)
    opened(page, shown)
    page.until("document.querySelectorAll('#picture path').length === 6")
    assert page.value("document.querySelectorAll('#picture path.busy').length") == 4
    assert "claude by the route main to llamacpp: 1 requests, 1 running" in page.value(
        "document.getElementById('picture').getAttribute('aria-label')"
    )
    where = "document.querySelector('#picture circle').getAttribute('cx')"
    page.until(f"{where} !== '-9'")
    page.value(f"window.before = {where}")
    page.until(f"{where} !== window.before")
    assert page.problems == []


def test_nothing_moves_for_those_who_want_it_calm(page: Page, shown: Shown) -> None:
    page.prefer(prefers_reduced_motion="reduce")
    busy(shown)
    opened(page, shown)
    page.until("document.querySelectorAll('#picture circle').length > 0")
    page.value("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert page.value("[...document.querySelectorAll('#picture circle')].every((c) => c.getAttribute('cx') === '-9')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_its_width_and_its_words_stand_out_from_the_ground(
    page: Page, shown: Shown, tmp_path: Path, width: int, scheme: str
) -> None:
    page.resize(width, 800)
    page.prefer(prefers_color_scheme=scheme)
    busy(shown)
    shown.ask("an-agent-with-a-long-name", "a-route-of-many-words", "an/upstream/with-a-name/of-no-end-at-all" * 3)
    opened(page, shown)
    page.until("document.querySelectorAll('#picture path').length === 8")
    assert page.value("document.documentElement.scrollWidth") <= width
    assert page.value(_CONTRAST) >= 4.5  # WCAG 2.2, 1.4.3
    page.screenshot(tmp_path / f"{scheme}-{width}.png")
    assert page.problems == []


_CONTRAST = """(() => {
  const light = (colour) => {
    const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const part = colour.match(/[0-9.]+/g).slice(0, 3).map((v) => linear(v / 255));
    return 0.2126 * part[0] + 0.7152 * part[1] + 0.0722 * part[2];
  };
  const ground = (e) => {
    const colour = getComputedStyle(e).backgroundColor;
    return colour === "rgba(0, 0, 0, 0)" && e.parentElement ? ground(e.parentElement) : colour;
  };
  const all = [...document.querySelectorAll("h1, h2, p, dt, dd, th, td, footer")];
  const ratios = all.filter((e) => e.textContent).map((e) => {
    const [a, b] = [light(getComputedStyle(e).color), light(ground(e))].sort((x, y) => y - x);
    return (a + 0.05) / (b + 0.05);
  });
  return Math.min(...ratios);
})()"""


def test_the_token_leaves_the_address_and_outlives_a_reload(page: Page, shown: Shown) -> None:
    opened(page, shown)
    assert page.value("location.href") == shown.page
    history = page.call("Page.getNavigationHistory")["entries"]
    assert [entry["url"] for entry in history if entry["url"] != "about:blank"] == [shown.page]
    page.call("Page.reload")
    page.until("document.readyState === 'complete' && document.getElementById('state').textContent === 'live'")


def test_without_a_token_the_page_says_which_command_gives_one(page: Page, shown: Shown) -> None:
    page.open(shown.page)
    page.until("document.getElementById('state')?.textContent.includes('agentlaunch top --web')")


def test_a_token_of_another_shim_is_told_and_not_tried_again(page: Page, shown: Shown) -> None:
    page.open(f"{shown.page}#{live_token('another')}")
    page.until("document.getElementById('state')?.textContent.includes('of a shim that has ended')")


def test_the_end_of_the_shim_is_told(page: Page, shown: Shown) -> None:
    opened(page, shown)
    shown.end()
    page.until("document.getElementById('state').textContent.includes('does not answer')")


def test_names_that_look_like_markup_are_shown_as_they_are(page: Page, shown: Shown) -> None:
    shown.ask(EVIL, EVIL, EVIL)
    opened(page, shown)
    page.until("document.querySelectorAll('#ways tbody tr').length === 1")
    assert rows(page, "ways") == [[EVIL, EVIL, EVIL, f"model of {EVIL}", "0", "1", "0", "20.5k"]]
    assert page.value("document.title") == "agentlaunch: live traffic"
    assert page.value("document.querySelectorAll('img').length") == 0


def test_a_reader_by_ear_finds_headings_tables_and_the_picture_in_words(page: Page, shown: Shown) -> None:
    busy(shown)
    opened(page, shown)
    page.until("document.querySelectorAll('#picture path').length === 6")
    nodes = page.call("Accessibility.getFullAXTree")["nodes"]
    found = {(node["role"]["value"], node.get("name", {}).get("value", "")) for node in nodes if not node["ignored"]}
    headings = {name for role, name in found if role == "heading"}
    assert headings == {
        "agentlaunch: live traffic",
        "Traffic",
        "Running now",
        "Engines on this machine",
        "Sessions",
        "Ways",
    }
    assert {("table", "Sessions"), ("table", "Ways")} <= found
    assert any(role == "image" and name.startswith("claude by the route main") for role, name in found)
    assert any(role == "columnheader" and name == "upstream" for role, name in found)


def test_a_page_that_nobody_sees_asks_nothing(page: Page, browser: Browser, shown: Shown) -> None:
    opened(page, shown)
    with contextlib.suppress(AssertionError):
        page.call("Emulation.setFocusEmulationEnabled", enabled=False)
    page.value("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    page.value("window.calls = 0; window.real = fetch; window.fetch = (...all) => { calls += 1; return real(...all); }")
    page.value("new Promise((done) => setTimeout(done, 2500))")
    assert page.value("calls") <= 1  # the one that was under way
    page.value("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    page.until("calls >= 2")
