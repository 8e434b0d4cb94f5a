"""A dry run as data (INTERFACE: launch --dry-run) and as text."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TypedDict

from agentlaunch.app.launch import DryRun, notes
from agentlaunch.app.world import World
from agentlaunch.core.launch_environment import past_proxy


class FileData(TypedDict):
    """One overlay file."""

    path: str
    content: str


class PlanData(TypedDict):
    """INTERFACE's keys first, then what is more than that."""

    agent: str
    argv: list[str]
    env: dict[str, str]
    files: list[FileData]
    model: str
    runtime: str
    context: int
    shim: str | None
    cleanup: list[str]
    version: str
    unset: list[str]
    max_output_tokens: int
    lean: bool
    notes: list[str]


def plan_data(rehearsal: DryRun, world: World) -> PlanData:
    """The plan with everything that the launch would lay over the user's environment."""
    prepared, plan = rehearsal.prepared, rehearsal.plan
    environment = {**world.environment, **plan.env}
    return PlanData(
        agent=prepared.order.agent,
        argv=list(plan.argv),
        env={**plan.env, **past_proxy(environment)},
        files=[FileData(path=file.path, content=file.content) for file in plan.files],
        model=prepared.model.name,
        runtime=prepared.model.runtime,
        context=prepared.context_window,
        shim=rehearsal.shim,
        cleanup=list(rehearsal.cleanup),
        version=prepared.program.version_text,
        unset=list(plan.unset),
        max_output_tokens=prepared.max_output_tokens,
        lean=prepared.lean,
        notes=list(notes(rehearsal, world)),
    )


def plan_text(plan: PlanData) -> str:
    """The same for a reader."""
    lean = ", lean" if plan["lean"] else ""
    shim = plan["shim"] or "would be started"
    parts = [
        f"agent    {plan['agent']} {plan['version']}".rstrip(),
        f"model    {plan['model']} ({plan['runtime']}), window {plan['context']} tokens{lean}",
        f"shim     {shim}",
        f"run      {shlex.join(plan['argv'])}",
        *_environment_lines(plan["env"], plan["unset"]),
        *(line for file in plan["files"] for line in _file_lines(file)),
        *(f"cleanup  {path}" for path in plan["cleanup"]),
        *(f"note     {note}" for note in plan["notes"]),
    ]
    return "\n".join(parts)


def _environment_lines(env: Mapping[str, str], unset: Sequence[str]) -> list[str]:
    lines = [f"set      {name}={shlex.quote(value)}" for name, value in env.items()]
    return lines + [f"unset    {name}" for name in unset]


def _file_lines(file: FileData) -> list[str]:
    return [f"file     {file['path']}", *(f"         {line}" for line in file["content"].splitlines())]
