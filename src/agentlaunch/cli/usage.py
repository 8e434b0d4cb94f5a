"""`agentlaunch usage`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag
from agentlaunch.core.metering import Grouping
from agentlaunch.errors import UserError

ByOption = Annotated[
    Grouping, typer.Option("--by", metavar="WHAT", help="Add up by day, model, project, agent or upstream.")
]
DaysOption = Annotated[
    int | None, typer.Option("--days", min=1, metavar="N", help="The last N days, today among them. Default: 30.")
]
SinceOption = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="From this day on, as in 2026-11-25, instead of --days.")
]
RequestsFlag = Annotated[bool, typer.Option("--requests", help="List single requests, newest last.")]
LimitOption = Annotated[
    int, typer.Option("--limit", min=0, metavar="N", help="With --requests: the last N of them; 0: all.")
]
CsvFlag = Annotated[bool, typer.Option("--csv", help="Print comma-separated values with a header.")]


def usage(
    *,
    by: ByOption = Grouping.DAY,
    days: DaysOption = None,
    since: SinceOption = None,
    requests: RequestsFlag = False,
    limit: LimitOption = 1000,
    csv: CsvFlag = False,
    json: JsonFlag = False,
) -> None:
    """Show tokens, seconds, cache hits, money spent and saved."""
    if csv and json:
        raise UserError("usage", "`--csv` and `--json` are two forms of one thing", "give one of them")
    from datetime import date
    from os import environ

    from agentlaunch.app.usage import UsageOrder, find_requests, find_usage
    from agentlaunch.cli import render, usage_view
    from agentlaunch.cli.canvas import stdout_canvas, stdout_columns
    from agentlaunch.system.dirs import find_dirs

    order, dirs, today = UsageOrder(days, since), find_dirs(environ), date.today()
    if requests:
        listed = find_requests(order, limit, dirs, today)
        if json:
            render.json_result("usage", usage_view.requests_data(listed))
        else:
            text = usage_view.requests_csv(listed) if csv else usage_view.requests_text(listed, stdout_columns())
            render.data(text)
        return
    found = find_usage(order, by, dirs, today)
    if json:
        render.json_result("usage", usage_view.usage_data(found))
    else:
        render.data(usage_view.usage_csv(found) if csv else usage_view.usage_text(found, stdout_canvas()))
