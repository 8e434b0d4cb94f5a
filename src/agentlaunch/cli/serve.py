"""`agentlaunch serve`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from agentlaunch.cli.launch import (
    ContextOption,
    FallbackOption,
    ForceFlag,
    JsonFlag,
    KeyVariableOption,
    KVOption,
    ModelOption,
    OfflineFlag,
    PolicyOption,
    QuantOption,
    RuntimeOption,
    UpstreamOption,
    YesFlag,
)

if TYPE_CHECKING:
    from agentlaunch.app.serve import Served

Port = Annotated[
    int | None,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        metavar="N",
        help="The port on 127.0.0.1; 0: a free one. Default: the one that agents are configured for, else a free one.",
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="T",
        help="What clients must send. Visible to other users of this machine; AGENTLAUNCH_TOKEN is not. "
        "Default: a new one, printed.",
    ),
]
Foreground = Annotated[
    bool, typer.Option("--foreground", help="Stay in the foreground until Ctrl-C, as always.", show_default=False)
]


def serve(
    *,
    upstream: UpstreamOption = None,
    upstream_key_env: KeyVariableOption = None,
    fallback: FallbackOption = None,
    policy: PolicyOption = None,
    model: ModelOption = None,
    context: ContextOption = None,
    quant: QuantOption = None,
    kv: KVOption = None,
    runtime: RuntimeOption = None,
    port: Port = None,
    token: Token = None,
    yes: YesFlag = False,
    force: ForceFlag = False,
    offline: OfflineFlag = False,
    foreground: Foreground = True,  # noqa: ARG001 - there is no other way to run; scripts may say so
    json: JsonFlag = False,
) -> None:
    """Run only the local server, on a model or before an upstream, until Ctrl-C."""
    from agentlaunch.app.orders import ModelFlags
    from agentlaunch.app.serve import ServeFlags, choose_serve, serve
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import render

    def tell(served: Served) -> None:
        if json:
            render.json_line({"url": served.url, "pid": os.getpid(), "token": served.token})
        else:
            render.data(served_text(served))

    here = real_world(render.Terminal(quiet=json, may_ask=not json), offline=offline)
    flags = ModelFlags(model, context, kv, runtime, upstream, upstream_key_env, quant, policy, tuple(fallback or ()))
    terms = ServeFlags(port, token, yes, force)
    serve(choose_serve(flags, terms, here), here, tell)


def served_text(served: Served) -> str:
    """What to type into a client. A token that the user chose is not repeated."""
    lines = [
        f"serving `{served.model}`, window {served.context_window} tokens, on {served.url}",
        "  Anthropic clients: this URL; OpenAI clients: this URL with /v1",
    ]
    if served.is_new_token:
        lines.append(f"  token: {served.token}")
    elif served.token_file:
        lines.append(f"  token: in {served.token_file}, as configured agents know")
    return "\n".join(lines)
