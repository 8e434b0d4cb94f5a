"""`agentlaunch stop`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

StopYes = Annotated[bool, typer.Option("--yes", "-y", help="Stop although agents are using it.")]


def stop(yes: StopYes = False, json: JsonFlag = False) -> None:
    """Stop the local server and the models it runs."""
    from agentlaunch.app import status
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    outcome = status.stop(real_world(render.Terminal(may_ask=not json)), yes=yes)
    if json:
        render.json_result("stop", {"outcome": outcome.name.lower()})
    else:
        render.data(outcome.value)
