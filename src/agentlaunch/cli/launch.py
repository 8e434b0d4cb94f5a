"""`agentlaunch AGENT`: the options of a launch."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.main import Invocation

ModelOption = Annotated[
    str | None,
    typer.Option("--model", metavar="M", help="`demo`, a known model, a path to a .gguf file, or UPSTREAM/MODEL."),
]
ContextOption = Annotated[
    int | None,
    typer.Option(
        "--context",
        min=1,
        metavar="TOKENS",
        help="The window. Default: what this machine has room for, 64k or more at best.",
    ),
]
QuantOption = Annotated[
    str | None,
    typer.Option("--quant", metavar="Q", help="This quantisation of a known model or a repository, as in Q4_K_M."),
]
KVOption = Annotated[
    str | None,
    typer.Option(
        "--kv", metavar="TYPE", help="The KV cache's type: f16, q8_0 or q4_0. Default: f16, q8_0 where room is short."
    ),
]
RuntimeOption = Annotated[
    str | None,
    typer.Option(
        "--runtime",
        metavar="R",
        help="What runs a local model: llamacpp (the best of llama-server and embedded), llama-server, embedded, "
        "ollama, or a server that runs already: lmstudio, llamacpp-server, vllm, mlx, jan, koboldcpp, textgen, "
        "localai, docker.",
    ),
]
UpstreamOption = Annotated[
    str | None,
    typer.Option("--upstream", metavar="NAME|KIND=URL", help="A server that was added, or the address of one."),
]
KeyVariableOption = Annotated[
    str | None, typer.Option("--upstream-key-env", metavar="VAR", help="The variable that holds the upstream's key.")
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="The policy that routes requests: [policies.NAME].")
]
FallbackOption = Annotated[
    list[str] | None,
    typer.Option("--fallback", metavar="NAME", help="An upstream to ask when the model fails; may be given again."),
]
LeanOption = Annotated[
    bool | None,
    typer.Option("--lean/--full", help="Fewer tools, a shorter prompt. Default: lean below a window of 24000 tokens."),
]
YesFlag = Annotated[bool, typer.Option("--yes", "-y", help="Answer every question with yes: install what is missing.")]
DryRunFlag = Annotated[bool, typer.Option("--dry-run", help="Start nothing, print the plan.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]
OfflineFlag = Annotated[
    bool, typer.Option("--offline", help="Nothing leaves this machine: no downloads, no other machines' servers.")
]
QuietFlag = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors and questions.")]
ForceFlag = Annotated[
    bool, typer.Option("--force", help="Go on with an agent that is too old, or a model that does not fit.")
]
McpOption = Annotated[
    str | None,
    typer.Option("--mcp", metavar="FILE", help='MCP servers for the agent, as JSON: {"mcpServers": {NAME: ...}}.'),
]
SkillsOption = Annotated[
    str | None,
    typer.Option("--skills", metavar="DIR", help="Skills for the agent: a folder of folders with a SKILL.md."),
]


def launch(
    context_: typer.Context,
    *,
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
    mcp: McpOption = None,
    skills: SkillsOption = None,
    yes: YesFlag = False,
    dry_run: DryRunFlag = False,
    json: JsonFlag = False,
    quiet: QuietFlag = False,
    offline: OfflineFlag = False,
    force: ForceFlag = False,
) -> None:
    """Launch an agent."""
    from agentlaunch.app.choose_order import choose_launch
    from agentlaunch.app.orders import LaunchFlags, ModelFlags
    from agentlaunch.app.world import real_world
    from agentlaunch.cli.render import Terminal
    from agentlaunch.cli.start import start

    invocation: Invocation = context_.obj
    here = real_world(Terminal(quiet=quiet, may_ask=not dry_run), offline=offline)
    model_flags = ModelFlags(
        model, context, kv, runtime, upstream, upstream_key_env, quant, policy, tuple(fallback or ())
    )
    launch_flags = LaunchFlags(lean, yes, force, mcp, skills)
    order = choose_launch(invocation.agent, invocation.arguments or (), model_flags, launch_flags, here)
    start(order, here, dry_run=dry_run, as_json=json, command=invocation.agent)
