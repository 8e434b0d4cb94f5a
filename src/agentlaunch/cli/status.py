"""`agentlaunch status`."""

from __future__ import annotations

from dataclasses import asdict
from time import time
from typing import TYPE_CHECKING

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentlaunch.app.status import Running
    from agentlaunch.core.engine import EngineStatus
    from agentlaunch.shim.protocol import ShimStatus

SHORTEST_FILE = 16
"""Characters that stay of a path on the narrowest terminal: enough to tell one model from another."""


def status(json: JsonFlag = False) -> None:
    """Show the local servers, the agents that use them and the models they run."""
    from agentlaunch.app.status import find_running
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_columns

    found = find_running(real_world(render.Terminal()))
    if json:
        render.json_result("status", status_data(found))
    else:
        render.data(status_text(found, time(), stdout_columns()))


def status_data(found: Running) -> dict[str, object]:
    """The keys of `status --json`: the shim behind launches with what it has, and under `serves` the same of each."""
    return {**_server_data(found.shim), "serves": [_server_data(each) for each in found.serves]}


def _server_data(server: ShimStatus | None) -> dict[str, object]:
    if server is None:
        return {"shim": None, "sessions": [], "engines": []}
    whole = asdict(server)
    sessions, engines = whole.pop("sessions"), whole.pop("engines")
    return {"shim": whole, "sessions": list(sessions), "engines": list(engines)}


def cut_middle(text: str, width: int) -> str:
    """`text` in at most `width` characters: its two ends, the last one the longer, around three dots."""
    if len(text) <= width:
        return text
    head = max(0, (width - 3) // 3)
    tail = max(0, width - 3 - head)
    return f"{text[:head]}...{text[len(text) - tail :]}"[: max(width, 0)]


def status_text(found: Running, now: float, columns: int | None = None) -> str:
    """Up to two tables a server; `now` in Unix seconds. With `columns`, lines fit if they can, paths cut for it."""
    servers = [] if found.shim is None else [_server_text("shim", found.shim, now, columns)]
    servers += [_server_text("serve", each, now, columns) for each in found.serves]
    return "\n\n".join(servers) or "nothing is running"


def _server_text(name: str, found: ShimStatus, now: float, columns: int | None) -> str:
    from agentlaunch.cli.fitted_table import narrow_table

    up = duration_text(now - found.started_at)
    parts = [f"{name} {found.url}, process {found.pid}, version {found.version}, up {up}"]
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
        header = ("AGENT", "MODEL", "PROCESS", "OPEN", "REQUESTS", "WINDOW")
        parts.append(narrow_table(header, rows, columns, ("PROCESS", "OPEN")))
    if found.engines:
        parts.append(_engine_table(found.engines, columns))
        parts += [f"{engine.alias}: {engine.note}" for engine in found.engines if engine.note]
    return "\n\n".join(parts)


def _engine_table(engines: Sequence[EngineStatus], columns: int | None) -> str:
    from agentlaunch.cli.fitted_table import narrow_table

    header = ("ENGINE", "STATE", "PROCESS", "WINDOW")
    rows = [(e.alias, e.state, str(e.pid), str(e.context_window)) for e in engines]
    before = sum(max(len(row[i]) for row in (header, *rows)) + 2 for i in range(len(header)))
    room = None if columns is None else max(columns - before, SHORTEST_FILE)
    files = [e.model_path if room is None else cut_middle(e.model_path, room) for e in engines]
    return narrow_table((*header, "FILE"), [(*row, file) for row, file in zip(rows, files, strict=True)], columns)


def duration_text(seconds: float) -> str:
    """Seconds as the two largest units, `3 h 12 min`."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
