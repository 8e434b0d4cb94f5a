"""`agentlaunch fit MODEL`."""

from __future__ import annotations

from typing import Annotated

import typer

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

ModelArgument = Annotated[
    str,
    typer.Argument(metavar="MODEL", help="A known model's name, a path to a .gguf file, or `hf:OWNER/REPO[:QUANT]`."),
]
QuantOption = Annotated[str | None, typer.Option("--quant", metavar="Q", help="Only this quantisation, as in Q4_K_M.")]
WindowOption = Annotated[int | None, typer.Option("--context", min=1, metavar="TOKENS", help="Only this window.")]
CacheOption = Annotated[
    str | None, typer.Option("--kv", metavar="TYPE", help="The KV cache's type: f16, q8_0 or q4_0.")
]


def fit(
    model: ModelArgument,
    *,
    quant: QuantOption = None,
    context: WindowOption = None,
    kv: CacheOption = None,
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
    """Show one model on this machine: bytes, speed and the wait for the first answer, at several windows."""
    from agentlaunch.app.fit import FitOrder, fit
    from agentlaunch.app.machine_flags import MachineFlags
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.cli.fit_view import fit_data, fit_text

    machine = MachineFlags(tuple(gpu or ()), vram, ram, cores, os, simulate)
    world = real_world(render.Terminal(), offline=offline)
    found = fit(FitOrder(model, machine, agent, lean, quant, context, kv), world)
    if json:
        render.json_result("fit", fit_data(found))
    else:
        render.data(fit_text(found, stdout_canvas()))
