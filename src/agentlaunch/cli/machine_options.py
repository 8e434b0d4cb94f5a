"""The options that describe another machine, shared by `check` and `fit`."""

from __future__ import annotations

from typing import Annotated

import typer

GpuOption = Annotated[
    list[str] | None,
    typer.Option("--gpu", metavar="NAME[*N]", help="Another machine's GPU, as in `RTX 4090*2`; `none` for none."),
]
VramOption = Annotated[float | None, typer.Option("--vram", metavar="GB", help="That GPU's memory.")]
RamOption = Annotated[float | None, typer.Option("--ram", metavar="GB", help="Another machine's memory.")]
CoresOption = Annotated[int | None, typer.Option("--cores", metavar="N", help="Its physical cores.")]
OsOption = Annotated[str | None, typer.Option("--os", metavar="OS", help="linux, darwin or windows.")]
SimulateOption = Annotated[
    str | None, typer.Option("--simulate", metavar="FILE.toml", help="A whole machine: os, ram_gb, cores, [[gpu]].")
]
AgentOption = Annotated[
    str, typer.Option("--agent", metavar="AGENT", help="For whose prompt: claude, codex, opencode.")
]
LeanFlag = Annotated[bool, typer.Option("--lean", help="Judge by the agent's lean prompt.")]
