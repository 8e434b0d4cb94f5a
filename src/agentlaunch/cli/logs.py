"""`agentlaunch logs`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

Kind = Annotated[
    str,
    typer.Argument(
        metavar="[shim|engine|serve]", help="The local server's log, the newest model's, or that of `serve`."
    ),
]
Count = Annotated[int, typer.Option("-n", "--lines", min=0, metavar="N", help="How many lines.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")]


def logs(kind: Kind = "shim", lines: Count = 40, follow: Follow = False, json: JsonFlag = False) -> None:
    """Show the end of a log."""
    from os import environ
    from time import sleep
    from typing import get_args

    from agentlaunch.app import logs
    from agentlaunch.cli import render
    from agentlaunch.errors import UserError
    from agentlaunch.system.dirs import find_dirs

    known = next((each for each in get_args(logs.LogKind) if each == kind), None)
    if known is None:
        raise UserError("unknown-log", f"unknown log `{kind}`", f"known: {', '.join(get_args(logs.LogKind))}")
    if follow and json:
        raise UserError("usage", "`--json` is one object, and `--follow` has no end", "give one of them")
    path = logs.find_log(known, find_dirs(environ))
    found, position = logs.last_lines(path, lines)
    if json:
        render.json_result("logs", {"log": kind, "path": str(path), "lines": list(found)})
        return
    for line in found:
        render.data(line)
    if follow:
        for line in logs.follow(path, position, lambda: sleep(logs.POLL_S)):
            render.data(line)
