"""`agentlaunch policy`."""

from __future__ import annotations

from typing import Annotated

import typer

from agentlaunch.cli.launch import JsonFlag

Action = Annotated[
    str,
    typer.Argument(metavar="[show|explain]", help="The policy and who said each value; or what it does to a request."),
]
PolicyOption = Annotated[
    str | None, typer.Option("--policy", metavar="NAME", help="Another one than the settings choose.")
]
RoleOption = Annotated[
    str | None,
    typer.Option(
        "--role", metavar="ROLE", help="explain: main, background, long_context, thinking, image or subagent."
    ),
]
TokensOption = Annotated[
    int | None,
    typer.Option("--prompt-tokens", min=1, metavar="N", help="explain: the prompt. Default: the agent's first one."),
]
ModelOption = Annotated[
    str, typer.Option("--model", metavar="M", help="explain: the name that the agent asks for.", show_default=False)
]
ImageFlag = Annotated[bool, typer.Option("--image", help="explain: an image comes with it.")]
AgentOption = Annotated[
    str | None, typer.Option("--agent", metavar="AGENT", help="explain: whose prompt: claude, codex, opencode, ...")
]


def policy(
    action: Action = "show",
    *,
    policy: PolicyOption = None,
    role: RoleOption = None,
    prompt_tokens: TokensOption = None,
    model: ModelOption = "",
    image: ImageFlag = False,
    agent: AgentOption = None,
    json: JsonFlag = False,
) -> None:
    """Show the policy that holds, and what it would do with a request. Sends nothing."""
    from agentlaunch.app.policy import policy_in_force
    from agentlaunch.app.policy_explain import ExplainOrder, explain
    from agentlaunch.app.world import real_world
    from agentlaunch.cli import policy_view, render
    from agentlaunch.cli.canvas import stdout_canvas
    from agentlaunch.errors import UserError

    here = real_world(render.Terminal())
    order = ExplainOrder(policy, role, prompt_tokens, model, image, agent)
    match action:
        case "show":
            if order != ExplainOrder(policy):
                message = "`policy show` describes no request: --role, --prompt-tokens, --model, --image, --agent"
                raise UserError("usage", message, "agentlaunch policy explain")
            held = policy_in_force(policy, here)
            data, text = policy_view.policy_data(held), policy_view.policy_text(held, stdout_canvas())
        case "explain":
            found = explain(order, here)
            data, text = policy_view.explained_data(found), policy_view.explained_text(found, stdout_canvas())
        case _:
            raise UserError("usage", f"unknown action `{action}`", "agentlaunch policy [show|explain]")
    if json:
        render.json_result("policy", data)
    else:
        render.data(text)
