"""`agentlaunch completion SHELL`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

ShellArgument = Annotated[str, typer.Argument(metavar="[bash|zsh|fish|powershell]", help="The shell to teach.")]


def completion(shell: ShellArgument, json: JsonFlag = False) -> None:
    """Print the script that completes commands, options, agents, models and upstreams. docs/completion.md says where
    each shell wants it."""
    from agentlaunch.cli import render
    from agentlaunch.cli.command_line import all_commands
    from agentlaunch.cli.completion_scripts import SHELLS
    from agentlaunch.errors import UserError

    script = SHELLS.get(shell)
    if script is None:
        raise UserError("unknown-shell", f"no completion for `{shell}`", f"known: {', '.join(SHELLS)}")
    text = script(all_commands()).removesuffix("\n")
    if json:
        render.json_result("completion", {"shell": shell, "script": text})
    else:
        render.data(text)
