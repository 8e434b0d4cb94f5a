"""`agentlaunch runtime`."""

from __future__ import annotations

from agentlaunch.cli.launch import JsonFlag


def runtime(json: JsonFlag = False) -> None:
    """Show which llama.cpp runs models here and why, what else serves them, and how to get a build for the GPU."""
    from agentlaunch.app.runtime import find_runtime
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_columns
    from agentlaunch.cli.runtime_view import runtime_data, runtime_text

    found = find_runtime(real_world(render.Terminal()))
    if json:
        render.json_result("runtime", runtime_data(found))
    else:
        render.data(runtime_text(found, stdout_columns()))
