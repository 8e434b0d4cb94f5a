"""`agentlaunch stop`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

if TYPE_CHECKING:
    from agentlaunch.app.status import Stopping

StopYes = Annotated[bool, typer.Option("--yes", "-y", help="Stop although agents are using it.")]


def stop(yes: StopYes = False, json: JsonFlag = False) -> None:
    """Stop the local servers and the models they run."""
    from agentlaunch.app import status
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    done = status.stop(real_world(render.Terminal(may_ask=not json)), yes=yes)
    if json:
        render.json_result("stop", {"outcome": done.outcome.name.lower(), "serves": done.serves})
    else:
        render.data(stop_text(done))


def stop_text(done: Stopping) -> str:
    """What has been ended, in one line."""
    from agentlaunch.app.status import StopOutcome

    if not done.serves:
        return done.outcome.value
    serves = "`agentlaunch serve`" if done.serves == 1 else f"{done.serves} of `agentlaunch serve`"
    nothing_else = done.outcome is StopOutcome.NOT_RUNNING
    return f"stopped {serves}" if nothing_else else f"{done.outcome.value}, with {serves}"
