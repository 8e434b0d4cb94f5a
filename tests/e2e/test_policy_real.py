"""What a policy promises, kept by the real `serve` on the real llama.cpp: which bytes leave, and what may be spent.

The upstream that is "not on this machine" is OpenRouter's double behind a proxy of the environment: its name exists
nowhere, so every byte that leaves passes the proxy, and the proxy is on loopback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.doubles.http_server import HttpReply, HttpRequest, HttpServer
from tests.doubles.openrouter_server import KEY, openrouter_server
from tests.doubles.scripted_upstream import Say, ScriptedUpstream, script
from tests.e2e.serving import WINDOW, Served, agentlaunch, serving

from agentlaunch.core.scripted_gguf import Script, Turn

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

FAR = "http://openrouter.invalid/api"
MODEL = "qwen/qwen3-coder"
COST_USD = 0.25
NEAR_TEXT, FAR_TEXT = "Said on this machine", "Said elsewhere"
ROUTE = '[[policy.route]]\nuse = ["router"]\n'
BuildModel = Callable[[Script], Path]


@dataclass
class Elsewhere:
    """The double, and all that came to it through the proxy."""

    double: ScriptedUpstream
    passed: list[HttpRequest] = field(default_factory=list)

    @contextmanager
    def proxy(self) -> Iterator[str]:
        with HttpServer(self._pass).running() as server:
            yield server.url

    async def _pass(self, request: HttpRequest) -> HttpReply:
        """A forward proxy gets the whole address in place of the path (RFC 9112, 3.2.2)."""
        self.passed.append(request)
        parts = urlsplit(request.path)
        assert parts.hostname == urlsplit(FAR).hostname, request.path
        headers = {name: value for name, value in request.headers.items() if name not in ("host", "content-length")}
        address = self.double.url.removesuffix("/api") + parts.path
        async with httpx.AsyncClient(trust_env=False) as client:
            reply = await client.request(request.method, address, headers=headers, content=request.body)
        return HttpReply(reply.status_code, reply.content, reply.headers["content-type"])

    @property
    def bodies(self) -> list[bytes]:
        return [request.body for request in self.passed]


@dataclass
class Place:
    """A home with an upstream elsewhere, to be served under a policy."""

    home: Path
    model: Path
    elsewhere: Elsewhere
    environment: dict[str, str]
    stack: ExitStack

    def add(self, *options: str) -> None:
        """Store `router`, with its prices, so that budgets know that it costs."""
        order = ("upstream", "add", "router", "--kind", "openrouter", "--url", FAR, "--model", MODEL, "--key-env", "K")
        known = ("--context", str(WINDOW), "--price-input", "1", "--price-output", "1")
        agentlaunch(self.home, *order, *known, *options, more=self.environment)
        self.elsewhere.passed.clear()

    def serve(self, policy: str) -> Served:
        config = self.home / "config"
        config.mkdir(exist_ok=True)
        (config / "config.toml").write_text(policy)
        model = ("--model", str(self.model), "--context", str(WINDOW), "--force")
        return self.stack.enter_context(serving(self.home, *model, more=self.environment))


@pytest.fixture
def place(tmp_path: Path, scripted_model: BuildModel) -> Iterator[Place]:
    model = scripted_model(Script(untooled=Turn(text=NEAR_TEXT)))
    with (
        ExitStack() as stack,
        openrouter_server(script(then=Say((FAR_TEXT,), cost_usd=COST_USD))) as double,
    ):
        elsewhere = Elsewhere(double)
        proxy = stack.enter_context(elsewhere.proxy())
        yield Place(tmp_path / "home", model, elsewhere, {"K": KEY, "HTTP_PROXY": proxy}, stack)


def said(served: Served, text: str = "hi") -> str:
    """The upstream that has answered, and what it said."""
    reply = served.ask(stream=False, messages=[{"role": "user", "content": text}])
    assert reply.status_code == 200, reply.text
    return str(reply.json()["choices"][0]["message"]["content"])


def test_under_local_only_no_byte_leaves_whatever_a_route_says(place: Place) -> None:
    place.add("--yes")
    served = place.serve('[policy]\nprivacy = "local-only"\n' + ROUTE)
    assert [said(served) for _ in range(2)] == [NEAR_TEXT, NEAR_TEXT]
    assert place.elsewhere.passed == []


def test_an_upstream_elsewhere_is_refused_on_the_command_line_under_local_only(place: Place) -> None:
    place.add("--yes")
    (place.home / "config").mkdir(exist_ok=True)
    (place.home / "config" / "config.toml").write_text('[policy]\nprivacy = "local-only"\n')
    with (
        pytest.raises(AssertionError, match="not on this machine"),
        serving(place.home, "--upstream", "router", more=place.environment),
    ):
        pass
    assert place.elsewhere.passed == []


def test_without_consent_no_byte_leaves_though_the_policy_allows_any(place: Place) -> None:
    place.add("--yes")
    stored = place.home / "config" / "upstreams.toml"
    stored.write_text(stored.read_text().replace("may_leave = true", "may_leave = false"))
    served = place.serve('[policy]\nprivacy = "any"\n' + ROUTE)
    assert said(served) == NEAR_TEXT
    assert place.elsewhere.passed == []


def test_with_consent_it_is_reached_and_what_it_says_it_cost_is_counted(place: Place) -> None:
    place.add("--yes")
    served = place.serve('[policy]\nprivacy = "any"\n' + ROUTE)
    assert said(served) == FAR_TEXT
    assert [request.method for request in place.elsewhere.passed] == ["POST"]
    (row,) = served.rows(1)
    assert (row["upstream"], row["model"], row["status"], row["cost_usd"]) == ("router", MODEL, "ok", COST_USD)


def test_what_may_never_leave_is_answered_here_and_the_next_request_goes_out_again(place: Place) -> None:
    place.add("--yes")
    served = place.serve('[policy]\nprivacy = "any"\n' + ROUTE + "[policy.never_send]\npatterns = ['ACME-[0-9]{8}']\n")
    answers = [said(served, text) for text in ("hello", "the contract ACME-12345678", "hello again")]
    assert answers == [FAR_TEXT, NEAR_TEXT, FAR_TEXT]
    assert not any(b"ACME-12345678" in body for body in place.elsewhere.bodies)
    assert [row["upstream"] for row in served.rows(3)] == ["router", "llama_cpp", "router"]


@pytest.mark.parametrize("budget", ["budget_day_usd", "budget_session_usd"])
def test_once_a_budget_is_spent_this_machine_answers(place: Place, budget: str) -> None:
    place.add("--yes")
    served = place.serve(f'[policy]\nprivacy = "any"\n{budget} = {1.5 * COST_USD}\n' + ROUTE)
    assert [said(served) for _ in range(4)] == [FAR_TEXT, FAR_TEXT, NEAR_TEXT, NEAR_TEXT]
    rows = served.rows(4)
    assert [(row["upstream"], row["cost_usd"]) for row in rows[:2]] == [("router", COST_USD)] * 2
    assert [row["upstream"] for row in rows[2:]] == ["llama_cpp"] * 2


def test_once_a_budget_is_spent_a_policy_that_stops_answers_nobody(place: Place) -> None:
    place.add("--yes")
    policy = f'[policy]\nprivacy = "any"\nbudget_day_usd = {0.5 * COST_USD}\nover_budget = "stop"\n'
    served = place.serve(policy + ROUTE)
    assert said(served) == FAR_TEXT
    reply = served.ask(stream=False)
    assert (reply.status_code, "budget of" in reply.text) == (403, True)
    assert len(place.elsewhere.passed) == 1


def test_a_budget_that_was_spent_before_a_restart_is_still_spent(place: Place) -> None:
    place.add("--yes")
    policy = f'[policy]\nprivacy = "any"\nbudget_day_usd = {0.5 * COST_USD}\n' + ROUTE
    first = place.serve(policy)
    assert said(first) == FAR_TEXT
    first.rows(1)
    first.kill()
    assert said(place.serve(policy)) == NEAR_TEXT
