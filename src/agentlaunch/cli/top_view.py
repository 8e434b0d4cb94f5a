"""One picture of the traffic as lines, at any width."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agentlaunch.cli.amounts import dollars_text, name_text, share_text, tokens_text
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.status import cut_middle, duration_text

if TYPE_CHECKING:
    from agentlaunch.shim.live_status import ActiveRequest, EngineActivity, Flow, LiveStatus, SessionTraffic

SESSIONS_LISTED = 8
_BAR = 10
_INDENT = 2
_PIECES = re.compile(r"\x1b\[[0-9;]*m|.")


def live_data(status: LiveStatus | None) -> dict[str, object] | None:
    """The keys of `top --json`: those of LiveStatus; None when no shim runs."""
    if status is None:
        return None
    import msgspec

    data: dict[str, object] = msgspec.to_builtins(status)
    return data


def live_lines(status: LiveStatus | None, canvas: Canvas) -> list[str]:
    """The whole picture, each line as wide as the canvas at most."""
    if status is None:
        return ["nothing is running"]
    blocks = [
        _head(status, canvas),
        _section("running", [_request_line(each, status.engines, canvas) for each in status.active], canvas),
        _section("sessions", _session_lines(status.sessions[:SESSIONS_LISTED], canvas), canvas),
        _section("engines", [_engine_line(each, canvas) for each in status.engines], canvas),
        _section("ways", [_flow_line(each, canvas) for each in status.flows], canvas),
    ]
    lines = [line for block in blocks if block for line in (*block, "")]
    return [clip(line, canvas.columns) for line in lines[:-1]]


def clip(line: str, columns: int) -> str:
    """The first `columns` characters that are seen; colours count nothing and are closed."""
    shown: list[str] = []
    room = columns
    for piece in _PIECES.findall(line):
        if len(piece) > 1:
            shown.append(piece)
        elif room > 0:
            shown.append(piece)
            room -= 1
    return "".join(shown)


def _head(status: LiveStatus, canvas: Canvas) -> list[str]:
    up = duration_text(status.at - status.started_at)
    lost = f", {status.lost} not kept" if status.lost else ""
    counted = f"{len(status.active)} running, {status.requests} done{lost}"
    return [
        f"{canvas.paint('agentlaunch', 'title')}  up {up}",
        f"{counted}, {dollars_text(status.spent_day_usd)} spent today",
    ]


def _section(title: str, lines: Sequence[str], canvas: Canvas) -> list[str]:
    return [canvas.paint(title, "strong"), *(" " * _INDENT + line for line in lines)] if lines else []


def _way(parts: Sequence[str], canvas: Canvas) -> str:
    arrow = " → " if canvas.blocks else " -> "
    return arrow.join(name_text(part) or "?" for part in parts)


def _request_line(request: ActiveRequest, engines: Sequence[EngineActivity], canvas: Canvas) -> str:
    way = _way((request.agent, request.route, request.upstream), canvas)
    tries = f", attempt {request.attempts}" if request.attempts > 1 else ""
    if request.phase == "answering":
        pace = "" if request.decode_tok_s is None else f", {request.decode_tok_s:.1f} tok/s"
        return f"{way}  answering, {request.seconds:.0f} s, {request.tokens_out} tokens{pace}{tries}"
    working = [each for each in engines if each.engine == request.upstream and each.state == "prefill"]
    progress = f", {_prefill(working[0], canvas)}" if len(working) == 1 else ""
    return f"{way}  waiting, {request.seconds:.0f} s{tries}{progress}"


def _session_lines(sessions: Sequence[SessionTraffic], canvas: Canvas) -> list[str]:
    from agentlaunch.cli.fitted_table import fitted_table

    if not sessions:
        return []
    header = ("AGENT", "MODEL", "REQ", "IN", "CACHED", "OUT", "TOK/S", "SPENT", "CONTEXT")
    rows = [_session_row(each) for each in sessions]
    room = canvas.columns - _INDENT - _BAR - 3
    lines = fitted_table(header, rows, room, ("MODEL", "TOK/S", "SPENT", "OUT", "REQ", "CACHED")).splitlines()
    # The bars come last and behind the table: their colours would count as characters in it.
    bars = ["", *(_fill_bar(each, canvas) for each in sessions)]
    width = max(map(len, lines))
    return [f"{line.ljust(width)}  {bar}".rstrip() for line, bar in zip(lines, bars, strict=True)]


def _fill_bar(session: SessionTraffic, canvas: Canvas) -> str:
    fill = _context_fill(session)
    return canvas.bar(fill, _BAR, "bad" if fill > 0.9 else "warn" if fill > 0.7 else "good")


def _context_fill(session: SessionTraffic) -> float:
    return session.context_tokens / session.context_window if session.context_window else 0.0


def _session_row(session: SessionTraffic) -> tuple[str, ...]:
    share = session.tokens_cached / session.tokens_in if session.tokens_in else None
    return (
        name_text(session.agent),
        cut_middle(name_text(session.model), 20),
        str(session.requests),
        tokens_text(session.tokens_in),
        share_text(share),
        tokens_text(session.tokens_out),
        "-" if session.decode_tok_s is None else f"{session.decode_tok_s:.1f}",
        dollars_text(session.cost_usd),
        share_text(_context_fill(session)),
    )


def _engine_line(activity: EngineActivity, canvas: Canvas) -> str:
    name = f"{name_text(activity.engine)}, slot {activity.slot}"
    match activity.state:
        case "idle":
            return f"{name}: idle"
        case "prefill":
            return f"{name}: {_prefill(activity, canvas)}"
        case "decode":
            used = activity.prompt_tokens + activity.decoded
            fill = used / activity.context_window if activity.context_window else 0.0
            return (
                f"{name}: answers, {activity.decoded} tokens, {share_text(fill)} full  {canvas.bar(fill, _BAR, 'good')}"
            )


def _prefill(activity: EngineActivity, canvas: Canvas) -> str:
    share = activity.prompt_done / activity.prompt_tokens if activity.prompt_tokens else 0.0
    bar = canvas.bar(share, _BAR, "warn")
    return f"reads {tokens_text(activity.prompt_done)} of {tokens_text(activity.prompt_tokens)} tokens  {bar}"


def _flow_line(flow: Flow, canvas: Canvas) -> str:
    failed = f", {flow.failed} failed" if flow.failed else ""
    now = f", {flow.active} running" if flow.active else ""
    way = _way((flow.agent, flow.route, flow.upstream), canvas)
    return f"{way} ({name_text(flow.model)})  {flow.requests} requests{failed}{now}, {tokens_text(flow.tokens)} tokens"
