"""`agentlaunch status`."""

from __future__ import annotations

from dataclasses import asdict
from time import time
from typing import TYPE_CHECKING

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agentlaunch.core.engine import EngineStatus
    from agentlaunch.shim.protocol import ShimStatus

SHORTEST_FILE = 16
"""Characters that stay of a path on the narrowest terminal: enough to tell one model from another."""


def status(json: JsonFlag = False) -> None:
    """Show the local server, the agents that use it and the models it runs."""
    from agentlaunch.app.status import find_status
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_columns

    found = find_status(real_world(render.Terminal()))
    if json:
        render.json_result("status", status_data(found))
    else:
        render.data(status_text(found, time(), stdout_columns()))


def status_data(found: ShimStatus | None) -> dict[str, object]:
    """The keys of `status --json`."""
    if found is None:
        return {"shim": None, "sessions": [], "engines": []}
    whole = asdict(found)
    sessions, engines = whole.pop("sessions"), whole.pop("engines")
    return {"shim": whole, "sessions": list(sessions), "engines": list(engines)}


def cut_middle(text: str, width: int) -> str:
    """`text` in at most `width` characters: its two ends, the last one the longer, around three dots."""
    if len(text) <= width:
        return text
    head = max(0, (width - 3) // 3)
    tail = max(0, width - 3 - head)
    return f"{text[:head]}...{text[len(text) - tail :]}"[: max(width, 0)]


def status_text(found: ShimStatus | None, now: float, columns: int | None = None) -> str:
    """Up to three tables; `now` in Unix seconds. With `columns`, paths are cut so that lines fit, if they can."""
    from agentlaunch.cli.fitted_table import narrow_table

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
