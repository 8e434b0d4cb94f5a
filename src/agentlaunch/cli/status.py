"""`agentlaunch status`."""

from __future__ import annotations

from dataclasses import asdict
from time import time
from typing import TYPE_CHECKING

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from agentlaunch.shim.protocol import ShimStatus


def status(json: JsonFlag = False) -> None:
    """Show the local server, the agents that use it and the models it runs."""
    from agentlaunch.app.status import find_status
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    found = find_status(real_world(render.Terminal()))
    if json:
        render.json_result("status", status_data(found))
    else:
        render.data(status_text(found, time()))


def status_data(found: ShimStatus | None) -> dict[str, object]:
    """The keys of `status --json`."""
    if found is None:
        return {"shim": None, "sessions": [], "engines": []}
    whole = asdict(found)
    sessions, engines = whole.pop("sessions"), whole.pop("engines")
    return {"shim": whole, "sessions": list(sessions), "engines": list(engines)}


def status_text(found: ShimStatus | None, now: float) -> str:
    """Up to three tables; `now` in Unix seconds."""
    from agentlaunch.cli.render import table

    if found is None:
        return "nothing is running"
    up = duration_text(now - found.started_at)
    parts = [f"shim {found.url}, process {found.pid}, version {found.version}, up {up}"]
    if found.sessions:
        rows = [
            (
                s.agent,
                s.model,
                str(s.pid or "-"),
                duration_text(now - s.opened_at),
                str(s.requests),
                str(s.context_window),
            )
            for s in found.sessions
        ]
        parts.append(table(("AGENT", "MODEL", "PROCESS", "OPEN", "REQUESTS", "WINDOW"), rows))
    if found.engines:
        engines = [(e.alias, e.state, str(e.pid), str(e.context_window), e.model_path) for e in found.engines]
        parts.append(table(("ENGINE", "STATE", "PROCESS", "WINDOW", "FILE"), engines))
    return "\n\n".join(parts)


def duration_text(seconds: float) -> str:
    """Seconds as the two largest units, `3 h 12 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
