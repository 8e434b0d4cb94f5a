"""`agentlaunch again`: the last launch once more."""

from __future__ import annotations

from dataclasses import replace

import typer

from agentlaunch.cli.launch import DryRunFlag, JsonFlag, OfflineFlag, QuietFlag, YesFlag
from agentlaunch.cli.main import Invocation


def again(
    context: typer.Context,
    yes: YesFlag = False,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    offline: OfflineFlag = False,
) -> None:
    """Start the last launch once more, in the current folder. Words behind `--` replace the recorded ones."""
    from agentlaunch.app.last_launch import last_launch
    from agentlaunch.app.world import real_world
    from agentlaunch.cli.render import Terminal
    from agentlaunch.cli.start import start

    invocation: Invocation = context.obj
    here = real_world(Terminal(quiet=quiet, may_ask=not dry_run), offline=offline)
    last = last_launch(here.dirs)
    arguments = last.arguments if invocation.arguments is None else invocation.arguments
    start(replace(last, arguments=arguments, yes=yes), here, dry_run=dry_run, as_json=json, command="again")
