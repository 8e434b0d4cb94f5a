"""`agentlaunch bench [MODEL]`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import (
    ContextOption,
    ForceFlag,
    JsonFlag,
    KVOption,
    QuantOption,
    QuietFlag,
    RuntimeOption,
    YesFlag,
)

ModelArgument = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="What --model of a launch takes.", show_default=False)
]
QuickFlag = Annotated[bool, typer.Option("--quick", help="Only 512 tokens deep; too shallow to correct estimates.")]
SecondsOption = Annotated[float, typer.Option("--seconds", min=1, metavar="S", help="How long it may measure.")]


def bench(
    model: ModelArgument = None,
    *,
    context: ContextOption = None,
    quant: QuantOption = None,
    kv: KVOption = None,
    runtime: RuntimeOption = None,
    quick: QuickFlag = False,
    seconds: SecondsOption = 300.0,
    yes: YesFlag = False,
    force: ForceFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Measure how fast this machine reads and writes with a model; `fit` and `check` then show what was measured."""
    from agentlaunch.app.bench import bench, choose_bench
    from agentlaunch.app.orders import LaunchFlags, ModelFlags
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.bench_view import bench_data, bench_text
    from agentlaunch.cli.canvas import stdout_columns

    world = real_world(render.Terminal(quiet=quiet, may_ask=not json))
    flags = ModelFlags(model, context, kv, runtime, quant=quant)
    order = choose_bench(flags, LaunchFlags(yes=yes, force=force), seconds, is_quick=quick, world=world)
    done = bench(order, world)
    if json:
        render.json_result("bench", bench_data(done))
    else:
        render.data(bench_text(done, stdout_columns()))
