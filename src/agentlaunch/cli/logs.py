"""`agentlaunch logs`."""

from __future__ import annotations

from typing import Annotated

import typer

Kind = Annotated[str, typer.Argument(metavar="[shim|engine]", help="The local server's log, or the newest model's.")]
Count = Annotated[int, typer.Option("-n", "--lines", min=0, metavar="N", help="How many lines.")]
Follow = Annotated[bool, typer.Option("-f", "--follow", help="Go on with what is added, until Ctrl-C.")]


def logs(kind: Kind = "shim", lines: Count = 40, follow: Follow = False) -> None:
    """Show the end of a log."""
    from os import environ
    from time import sleep

    from agentlaunch.app import logs
    from agentlaunch.cli import render
    from agentlaunch.errors import UserError
    from agentlaunch.system.dirs import find_dirs

    if kind not in ("shim", "engine"):
        raise UserError("unknown-log", f"unknown log `{kind}`", "known: shim, engine")
    path = logs.find_log("shim" if kind == "shim" else "engine", find_dirs(environ))
    found, position = logs.last_lines(path, lines)
    for line in found:
        render.data(line)
    if follow:
        for line in logs.follow(path, position, lambda: sleep(logs.POLL_S)):
            render.data(line)
