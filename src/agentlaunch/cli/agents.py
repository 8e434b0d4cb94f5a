"""`agentlaunch agents`."""

from __future__ import annotations

from agentlaunch.cli.launch import JsonFlag


def agents(json: JsonFlag = False) -> None:
    """List the agents that can be launched: the version that is here, what is known to work, how to install it."""
    from agentlaunch.app.agents_list import list_agents
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.agents_view import agents_data, agents_text
    from agentlaunch.cli.canvas import stdout_columns

    listed = list_agents(real_world(render.Terminal()))
    if json:
        render.json_result("agents", agents_data(listed))
    else:
        render.data(agents_text(listed, stdout_columns()))
