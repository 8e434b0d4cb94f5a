"""`agentlaunch doctor [AGENT]`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag, QuietFlag

EXIT_BROKEN = 3
"""INTERFACE: the machine, or a missing part."""

AgentArgument = Annotated[
    str, typer.Argument(metavar="[AGENT]", help="Only what concerns this agent.", show_default=False)
]
EndToEndFlag = Annotated[
    bool,
    typer.Option("--end-to-end", help="Prove the wiring: a scripted model, engine, shim and agent write a file."),
]


def doctor(
    agent: AgentArgument = "", *, end_to_end: EndToEndFlag = False, json: JsonFlag = False, quiet: QuietFlag = False
) -> None:
    """Look for what will defeat a launch, and say what mends it. Exits with 3 when something is broken."""
    from agentlaunch.agents.base import AGENTS
    from agentlaunch.app.agents import find_agent
    from agentlaunch.app.doctor.end_to_end import check_provable, prove
    from agentlaunch.app.doctor.examine import examine
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.cli.doctor_view import doctor_data, doctor_failures, doctor_text
    from agentlaunch.errors import UserError

    if agent:
        find_agent(agent)
    if end_to_end and not agent:
        raise UserError("usage", "--end-to-end needs an agent", "agentlaunch doctor claude --end-to-end")
    if end_to_end:
        check_provable(agent)
    world = real_world(render.Terminal(quiet=quiet, may_ask=False))
    with world.talk.waiting("looking around"):
        found = examine((agent,) if agent else tuple(AGENTS), world)
    proof = prove(agent, world) if end_to_end else None
    failures = doctor_failures(found, proof)
    if json:
        render.json_result("doctor", doctor_data(found, proof), failures)
    else:
        render.data(doctor_text(found, proof, stdout_canvas()))
    if failures:
        raise typer.Exit(EXIT_BROKEN)
