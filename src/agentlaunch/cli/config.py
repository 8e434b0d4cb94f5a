"""`agentlaunch config`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import (
    ContextOption,
    FallbackOption,
    JsonFlag,
    KeyVariableOption,
    KVOption,
    LeanOption,
    ModelOption,
    PolicyOption,
    QuantOption,
    RuntimeOption,
    UpstreamOption,
)

AgentArgument = Annotated[str, typer.Argument(metavar="[AGENT]", help="claude, codex, opencode.")]
PrintFlag = Annotated[bool, typer.Option("--print", help="Show what --write would change. The default.")]
WriteFlag = Annotated[bool, typer.Option("--write", help="Point the agent's own configuration at `agentlaunch serve`.")]
RestoreFlag = Annotated[bool, typer.Option("--restore", help="Undo --write, to the byte.")]
ShowFlag = Annotated[bool, typer.Option("--show", help="Our own settings, each with where it comes from.")]
PortOption = Annotated[
    int | None,
    typer.Option("--port", min=1, max=65535, metavar="N", help="The port of `agentlaunch serve`, from now on."),
]
OverFlag = Annotated[
    bool,
    typer.Option(
        "--force",
        help="With --restore: the old bytes, whatever has changed since. Else: a model that does not fit, too.",
    ),
]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Write without a question.")]


def config(
    agent: AgentArgument = "",
    *,
    print_: PrintFlag = False,
    write: WriteFlag = False,
    restore: RestoreFlag = False,
    show: ShowFlag = False,
    model: ModelOption = None,
    context: ContextOption = None,
    quant: QuantOption = None,
    kv: KVOption = None,
    runtime: RuntimeOption = None,
    upstream: UpstreamOption = None,
    upstream_key_env: KeyVariableOption = None,
    fallback: FallbackOption = None,
    policy: PolicyOption = None,
    lean: LeanOption = None,
    port: PortOption = None,
    yes: YesFlag = False,
    force: OverFlag = False,
    json: JsonFlag = False,
) -> None:
    """Configure an agent that you start by yourself, or show our own settings."""
    from agentlaunch.app.config import ConfigFlags
    from agentlaunch.app.orders import ModelFlags
    from agentlaunch.app.world import real_world
    from agentlaunch.cli.config_view import choose_action, run_action
    from agentlaunch.cli.render import Terminal, data, json_result, talk

    given = {"--print": print_, "--write": write, "--restore": restore, "--show": show}
    action = choose_action(agent, [flag for flag, is_given in given.items() if is_given])
    here = real_world(Terminal(quiet=json, may_ask=not json and write))
    fallbacks = tuple(fallback or ())
    models = ModelFlags(model, context, kv, runtime, upstream, upstream_key_env, quant, policy, fallbacks)
    view = run_action(action, agent, models, ConfigFlags(port, lean, yes, force), here)
    if json:
        json_result("config", view.keys)
        return
    data(view.text)
    if view.advice:
        talk(view.advice)
