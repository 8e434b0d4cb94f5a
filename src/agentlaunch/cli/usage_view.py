"""What was used, as tables, plots, CSV and JSON."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from agentlaunch.cli.amounts import dollars_text, name_text, seconds_text, share_text, tokens_text
from agentlaunch.cli.canvas import Canvas
from agentlaunch.cli.status import cut_middle
from agentlaunch.core.metering import Grouping

if TYPE_CHECKING:
    from agentlaunch.app.usage import RequestsFound, UsageFound
    from agentlaunch.core.metering import RequestRecord, UsageSum

PLOT_ROWS = 6
_NARROW = 76
_KEY_WIDTH = 32
_BAR = 24
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_NOTHING_YET = "nothing has been used yet: requests are counted from the first launch on"

_FORMULA_SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
REQUEST_KEYS = (
    "time",
    "session",
    "agent",
    "route",
    "upstream",
    "model",
    "attempts",
    "status",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "first_byte_ms",
    "total_ms",
    "mended",
    "cost_usd",
    "reference_cost_usd",
)
"""INTERFACE: JSON, usage --requests."""

_SUM_KEYS = (
    "requests",
    "failed",
    "cancelled",
    "tokens_in",
    "tokens_cached",
    "tokens_out",
    "cached_share",
    "seconds",
    "mean_first_byte_ms",
    "mended",
    "cost_usd",
    "saved_usd",
)


def usage_data(found: UsageFound) -> dict[str, object]:
    """The keys of `usage --json`; `seconds` adds up how long the requests took."""
    return {
        "by": found.by.value,
        "since": found.since.isoformat(),
        "until": found.today.isoformat(),
        "kept_since": None if found.kept_since is None else found.kept_since.isoformat(),
        "database": None if found.path is None else str(found.path),
        "groups": [{found.by.value: group.key, **_sum_data(group)} for group in found.groups],
        "total": _sum_data(found.total),
    }


def usage_csv(found: UsageFound) -> str:
    """One line a group, with the keys of `usage --json`."""
    return _csv((found.by.value, *_SUM_KEYS), ({found.by.value: g.key, **_sum_data(g)} for g in found.groups))


def usage_text(found: UsageFound, canvas: Canvas) -> str:
    """A plot, a table and a sum."""
    if found.path is None:
        return _NOTHING_YET
    span = f"{found.since.isoformat()} to {found.today.isoformat()}"
    kept = "" if found.kept_since is None or found.kept_since <= found.since else f"; kept since {found.kept_since}"
    if not found.groups:
        return f"nothing was used from {span}{kept}"
    plot = _days_plot(found, canvas) if found.by is Grouping.DAY else _bars_plot(found.groups, canvas)
    parts = [
        "\n".join(plot),
        _sums_table(found, canvas),
        "\n".join(canvas.wrap(_sentence(found.total, span) + kept, "")),
    ]
    return "\n\n".join(part for part in parts if part)


def requests_data(found: RequestsFound) -> dict[str, object]:
    """INTERFACE: JSON, usage --requests."""
    return {"requests": [_request_data(request) for request in found.requests]}


def requests_csv(found: RequestsFound) -> str:
    """One line a request, with the keys of `usage --requests --json`."""
    return _csv(REQUEST_KEYS, map(_request_data, found.requests))


def requests_text(found: RequestsFound, columns: int | None = None) -> str:
    """A table, newest last."""
    from agentlaunch.cli.fitted_table import narrow_table

    if not found.requests:
        return _NOTHING_YET if found.path is None else "no requests in these days"
    header = (
        "TIME",
        "AGENT",
        "ROUTE",
        "UPSTREAM",
        "MODEL",
        "STATUS",
        "IN",
        "CACHED",
        "OUT",
        "FIRST S",
        "ALL S",
        "SPENT",
    )
    dropped_first = ("ROUTE", "FIRST S", "CACHED", "SPENT", "UPSTREAM", "AGENT")
    return narrow_table(header, [_request_row(request) for request in found.requests], columns, dropped_first)


def _request_data(request: RequestRecord) -> dict[str, object]:
    return {key: getattr(request, key) for key in REQUEST_KEYS}


def _request_row(request: RequestRecord) -> tuple[str, ...]:
    when = datetime.fromtimestamp(request.time).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    tries = f" ({request.attempts} attempts)" if request.attempts > 1 else ""
    return (
        when,
        name_text(request.agent),
        name_text(request.route) or "-",
        name_text(request.upstream) or "-",
        cut_middle(name_text(request.model), 24) or "-",
        f"{request.status}{tries}",
        tokens_text(request.tokens_in),
        tokens_text(request.tokens_cached),
        tokens_text(request.tokens_out),
        seconds_text(request.first_byte_ms),
        seconds_text(request.total_ms),
        "-" if request.cost_usd is None else dollars_text(request.cost_usd),
    )


def _sum_data(group: UsageSum) -> dict[str, object]:
    return {
        "requests": group.requests,
        "failed": group.failed,
        "cancelled": group.cancelled,
        "tokens_in": group.tokens_in,
        "tokens_cached": group.tokens_cached,
        "tokens_out": group.tokens_out,
        "cached_share": group.cached_share,
        "seconds": group.total_ms / 1000,
        "mean_first_byte_ms": group.mean_first_byte_ms,
        "mended": group.mended,
        "cost_usd": group.cost_usd,
        "saved_usd": group.saved_usd,
    }


def _csv(keys: Sequence[str], rows: Iterable[Mapping[str, object]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, keys, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue().rstrip("\n")


def _cell(value: object) -> object:
    """A text that a spreadsheet would compute gets an apostrophe: models are named by servers and by whoever asks.

    The signs are OWASP's ("CSV Injection"), with the wide forms that East Asian versions read as the same.
    """
    is_formula = isinstance(value, str) and value.lstrip(" ").startswith(_FORMULA_SIGNS)
    return f"'{value}" if is_formula else value


def _sums_table(found: UsageFound, canvas: Canvas) -> str:
    from agentlaunch.cli.fitted_table import fitted_table

    header = (found.by.value.upper(), "REQ", "FAILED", "IN", "CACHED", "OUT", "SECONDS", "FIRST S", "SPENT", "SAVED")
    rows = [_sum_row(group, canvas) for group in found.groups]
    return fitted_table(header, rows, canvas.columns, ("SECONDS", "FIRST S", "FAILED", "REQ", "CACHED", "SAVED"))


def _sum_row(group: UsageSum, canvas: Canvas) -> tuple[str, ...]:
    return (
        _shown_key(group.key, canvas),
        str(group.requests),
        str(group.failed),
        tokens_text(group.tokens_in),
        share_text(group.cached_share),
        tokens_text(group.tokens_out),
        f"{group.total_ms / 1000:.0f}",
        seconds_text(group.mean_first_byte_ms),
        dollars_text(group.cost_usd),
        dollars_text(group.saved_usd),
    )


def _sentence(total: UsageSum, span: str) -> str:
    counted = "1 request" if total.requests == 1 else f"{total.requests} requests"
    saved = (
        f", {dollars_text(total.saved_usd)} saved against a managed model's list price" if total.saved_usd > 0 else ""
    )
    cached = f" ({share_text(total.cached_share)} from a cache)" if total.tokens_in else ""
    tokens = f"{tokens_text(total.tokens_in)} tokens in{cached}, {tokens_text(total.tokens_out)} out"
    return f"{span}: {counted}, {tokens}, {dollars_text(total.cost_usd)} spent{saved}"


def _shown_key(key: str, canvas: Canvas) -> str:
    return cut_middle(name_text(key) or "(unknown)", 16 if canvas.columns < _NARROW else _KEY_WIDTH)


def _tokens(group: UsageSum) -> int:
    return group.tokens_in + group.tokens_out


def _bars_plot(groups: Sequence[UsageSum], canvas: Canvas) -> list[str]:
    """A bar a group: its tokens against the most of any."""
    most = max(map(_tokens, groups)) or 1
    names = [_shown_key(group.key, canvas) for group in groups]
    width = max(map(len, names))
    return [
        f"{name.ljust(width)} {canvas.bar(_tokens(group) / most, _BAR if canvas.columns >= _NARROW else 10, 'good')} "
        f"{tokens_text(_tokens(group))}"
        for name, group in zip(names, groups, strict=True)
    ]


def _days_plot(found: UsageFound, canvas: Canvas) -> list[str]:
    """A column a day, also for days without requests; what does not fit is left out at the beginning."""
    by_day = {group.key: _tokens(group) for group in found.groups}
    first = date.fromisoformat(found.groups[0].key)
    shown = min(max(1, (found.today - first).days + 1), canvas.columns - 10)
    keys = [(found.today - timedelta(days=back)).isoformat() for back in range(shown - 1, -1, -1)]
    values = [by_day.get(key, 0) for key in keys]
    most = max(*values, 1)
    wide = 2 if shown * 2 <= canvas.columns - 10 else 1
    lines = [_plot_row(values, most, row, wide, canvas) for row in range(PLOT_ROWS, 0, -1)]
    labels = [tokens_text(most), *[""] * (PLOT_ROWS - 2), "0"]
    axis = f"{keys[0][5:]}{keys[-1][5:].rjust(max(0, shown * wide - 5))}" if shown * wide >= 11 else keys[-1][5:]
    return [
        "tokens a day",
        *(f"{label.rjust(7)} |{line}" for label, line in zip(labels, lines, strict=True)),
        f"{'':8} {axis}",
    ]


def _plot_row(values: Sequence[int], most: int, row: int, wide: int, canvas: Canvas) -> str:
    """One row of the columns, counted from below; a day that has any tokens shows."""
    cells: list[str] = []
    for value in values:
        eighths = max(round(value / most * PLOT_ROWS * 8), 1 if value else 0) - (row - 1) * 8
        level = min(max(eighths, 0), 8)
        cells.append((_EIGHTHS[level] if canvas.blocks else "#" if level >= 4 or (row == 1 and level) else " ") * wide)
    return canvas.paint("".join(cells).rstrip(), "good")
