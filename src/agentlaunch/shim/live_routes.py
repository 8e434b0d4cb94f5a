"""The routes of those who watch: the live view's data, its page, and /metrics."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from agentlaunch.shim.auth import find_session
from agentlaunch.shim.engine_activity import EngineActivities
from agentlaunch.shim.live_token import live_token
from agentlaunch.shim.metrics import MEDIA_TYPE, metrics_text
from agentlaunch.shim.protocol import CONTROL_PREFIX
from agentlaunch.shim.session import SessionLookup
from agentlaunch.shim.traffic import Traffic

_REFUSED = {
    "errors": [
        {
            "code": "live-token",
            "message": "this needs a token of the shim",
            "hint": "agentlaunch top --web",
            "exit_code": 2,
        }
    ]
}

_INLINE = re.compile(r"<(script|style)>(.*?)</\1>", re.DOTALL)


class LiveRoutes:
    """Each asks for the live token or the control token; `takes_sessions` (`serve`): or a session's.

    /metrics takes a session's everywhere. The page itself holds nothing and needs no token: its script brings the token
    from the address's fragment, which browsers never send, in a header.
    """

    def __init__(
        self,
        traffic: Traffic,
        activities: EngineActivities,
        sessions: SessionLookup,
        control_token: str,
        *,
        takes_sessions: bool,
    ) -> None:
        self._traffic = traffic
        self._activities = activities
        self._sessions = sessions
        self._takes_sessions = takes_sessions
        self._tokens = [control_token, live_token(control_token)] if control_token else []

    def routes(self) -> list[Route]:
        """To be mounted beside the agents' routes."""
        return [
            Route(
                f"{CONTROL_PREFIX}/live", self._guard(self._live, takes_sessions=self._takes_sessions), methods=["GET"]
            ),
            Route("/metrics", self._guard(self._metrics, takes_sessions=True), methods=["GET"]),
            Route(f"{CONTROL_PREFIX}/page", _page, methods=["GET"]),
        ]

    def _guard(
        self, handler: Callable[[], Awaitable[Response]], *, takes_sessions: bool
    ) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            given = request.headers.get("authorization", "").encode()
            known = [hmac.compare_digest(given, f"Bearer {token}".encode()) for token in self._tokens]
            if any(known) or (takes_sessions and find_session(request.headers, self._sessions) is not None):
                return await handler()
            return Response(msgspec.json.encode(_REFUSED), 401, media_type="application/json")

        return guarded

    async def _live(self) -> Response:
        engines = await self._activities.look(self._traffic.engine_endpoints())
        status = self._traffic.snapshot(engines)
        return Response(
            msgspec.json.encode(status), media_type="application/json", headers={"cache-control": "no-store"}
        )

    async def _metrics(self) -> Response:
        text = metrics_text(self._traffic.totals, self._traffic.active, self._traffic.lost)
        return Response(text, headers={"content-type": MEDIA_TYPE})


async def _page(_: Request) -> Response:
    page = (files("agentlaunch.shim") / "page" / "page.html").read_text(encoding="utf-8")
    headers = {
        "content-security-policy": page_policy(page),
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response(page, media_type="text/html", headers=headers)


def page_policy(page: str) -> str:
    """The Content-Security-Policy under which exactly this page's own script and style run, and nothing is loaded."""
    allowed = {"script": "", "style": ""}
    for kind, content in _INLINE.findall(page):
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        allowed[kind] += f" 'sha256-{digest}'"
    return (
        f"default-src 'none'; script-src{allowed['script']}; style-src{allowed['style']}; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
