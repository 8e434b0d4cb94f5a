"""`agentlaunch verify MODEL`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import (
    ContextOption,
    ForceFlag,
    JsonFlag,
    KeyVariableOption,
    KVOption,
    QuantOption,
    QuietFlag,
    RuntimeOption,
    UpstreamOption,
    YesFlag,
)

ModelArgument = Annotated[
    str | None, typer.Argument(metavar="MODEL", help="What --model of a launch takes.", show_default=False)
]
AgentOption = Annotated[
    str,
    typer.Option(
        "--agent", metavar="A", help="Only this agent's tools, over its API. Default: claude, codex, opencode."
    ),
]
OnlyOption = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="CASE", help="Only this case; may be given again. The score is not kept."),
]
LongFlag = Annotated[bool, typer.Option("--long", help="Recall over three quarters of the window, not 4,000 tokens.")]
TokensOption = Annotated[
    int, typer.Option("--answer-tokens", min=16, metavar="N", help="The longest answer of a case, in tokens.")
]
CaseSecondsOption = Annotated[
    float, typer.Option("--case-seconds", min=1, metavar="S", help="How long one case may take.")
]
SecondsOption = Annotated[float, typer.Option("--seconds", min=1, metavar="S", help="How long all of it may take.")]


def verify(
    model: ModelArgument = None,
    *,
    agent: AgentOption = "",
    context: ContextOption = None,
    quant: QuantOption = None,
    kv: KVOption = None,
    runtime: RuntimeOption = None,
    upstream: UpstreamOption = None,
    upstream_key_env: KeyVariableOption = None,
    only: OnlyOption = None,
    long: LongFlag = False,
    answer_tokens: TokensOption = 1024,
    case_seconds: CaseSecondsOption = 180.0,
    seconds: SecondsOption = 1800.0,
    yes: YesFlag = False,
    force: ForceFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
) -> None:
    """Ask a model what coding agents ask of one: does it call tools, edit, recover and stop? Gives a score."""
    from agentlaunch.app.orders import ModelFlags
    from agentlaunch.app.verify import VerifyFlags, choose_verify, verify
    from agentlaunch.app.verify_asking import Bounds
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render
    from agentlaunch.cli.canvas import stdout_canvas, stdout_columns
    from agentlaunch.cli.verify_view import verify_data, verify_text

    world = real_world(render.Terminal(quiet=quiet, may_ask=not json))
    flags = ModelFlags(model, context, kv, runtime, upstream, upstream_key_env, quant)
    own = VerifyFlags(agent, tuple(only or ()), long, yes, force)
    done = verify(choose_verify(flags, own, Bounds(answer_tokens, case_seconds, seconds), world), world)
    if json:
        render.json_result("verify", verify_data(done))
    else:
        render.data(verify_text(done, stdout_canvas(), stdout_columns()))
