"""`agentlaunch check`."""

from __future__ import annotations

from agentlaunch.cli.launch import JsonFlag, OfflineFlag
from agentlaunch.cli.machine_options import (
    AgentOption,
    CoresOption,
    GpuOption,
    LeanFlag,
    OsOption,
    RamOption,
    SimulateOption,
    VramOption,
)


def check(
    *,
    agent: AgentOption = "claude",
    lean: LeanFlag = False,
    gpu: GpuOption = None,
    vram: VramOption = None,
    ram: RamOption = None,
    cores: CoresOption = None,
    os: OsOption = None,
    simulate: SimulateOption = None,
    offline: OfflineFlag = False,
    json: JsonFlag = False,
) -> None:
    """Show what this machine is, what fits it and what to run. Asks nothing, and no network."""
    from agentlaunch.app.check import CheckOrder, check
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.cli.check_view import check_data, check_text

    machine = MachineFlags(tuple(gpu or ()), vram, ram, cores, os, simulate)
    world = real_world(render.Terminal(), offline=offline)
    with world.talk.waiting("looking at this machine"):
        found = check(CheckOrder(machine, agent, lean), world)
    if json:
        render.json_result("check", check_data(found))
    else:
        render.data(check_text(found, stdout_canvas()))
