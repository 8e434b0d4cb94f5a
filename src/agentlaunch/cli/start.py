"""What `AGENT` and `again` share: an order to a plan on the screen, or to the agent."""

from __future__ import annotations

from dataclasses import replace

from agentlaunch.app.launch import prepare, rehearse, run
from agentlaunch.app.orders import LaunchOrder
from agentlaunch.app.world import World
from agentlaunch.cli import render
from agentlaunch.cli.plan_view import plan_data, plan_text


def start(order: LaunchOrder, world: World, *, dry_run: bool, as_json: bool, command: str) -> None:
    """Become the agent; with `dry_run` only say what would be done."""
    if not dry_run:
        run(prepare(order, world), world)
    rehearsal = rehearse(prepare(replace(order, yes=False), world), world)
    if as_json:
        render.json_result(command, plan_data(rehearsal, world))
    else:
        render.data(plan_text(plan_data(rehearsal, world)))
