"""What the real Codex does when an answer ends at the output limit, behind a scripted upstream."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path

import pytest
from tests.e2e.conftest import AGENTS, Home
from tests.shim.doubles import DONE, STARTED, TOKEN, USAGE, Step, answer, chunk, hello, live, make_session
from tests.shim.doubles import ScriptedUpstream as Upstream

from agentlaunch.agents.codex import Codex
from agentlaunch.core.launch_environment import launch_environment
from agentlaunch.core.launch_plan import AgentContext, LaunchPlan

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

CODEX = AGENTS / "codex"


def limit(delta: dict[str, object]) -> list[Step]:
    """An answer that says this and was cut off."""
    return answer(STARTED, chunk(delta), chunk({}, "length", USAGE), DONE)


def shell(arguments: str) -> dict[str, object]:
    """A call of Codex's shell."""
    function = {"name": "exec_command", "arguments": arguments}
    return {"tool_calls": [{"index": 0, "id": "call_1", "type": "function", "function": function}]}


def write(plan: LaunchPlan) -> None:
    for file in plan.files:
        Path(file.path).write_text(file.content, "utf-8")


def run_codex(home: Home, scripts: list[list[Step]], *turns: tuple[str, ...]) -> tuple[list[int], list[object]]:
    """The exit code of each turn, and the messages of each request that the upstream got."""

    async def run() -> tuple[list[int], list[object]]:
        async with Upstream(scripts).running() as upstream, live(make_session(upstream.url)) as url:
            plan = Codex().plan(
                AgentContext(str(CODEX), url, TOKEN, "local-model", 32_768, 4_096, True, str(home.path))
            )
            write(plan)
            codes = []
            for turn in turns:
                process = await asyncio.create_subprocess_exec(
                    *plan.argv,
                    *turn,
                    cwd=home.project,
                    env=launch_environment(home.environment(), plan),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                )
                codes.append(await process.wait())
            return codes, [each.body["messages"] for each in upstream.received]

    return asyncio.run(run())


EXEC = ("exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")


def test_codex_runs_a_whole_call_and_goes_on_though_the_limit_came_behind_it(home: Home) -> None:
    command = json.dumps({"cmd": "echo hi > made.txt"})
    codes, asked = run_codex(home, [limit(shell(command)), answer(hello("done"))], (*EXEC, "make it"))
    assert (codes, len(asked)) == ([0], 2)
    assert (home.project / "made.txt").read_text("utf-8") == "hi\n"


@pytest.mark.report("B124")
def test_codex_runs_no_call_that_the_limit_cut_and_the_model_is_told(home: Home) -> None:
    cut = '{"cmd":"echo hi > made.txt'
    codes, asked = run_codex(home, [limit(shell(cut)), answer(hello("done"))], (*EXEC, "make it"))
    assert (codes, len(asked)) == ([0], 2)
    assert not (home.project / "made.txt").exists()
    assert "failed to parse function arguments" in json.dumps(asked[1])


def test_codex_ends_a_turn_whose_text_was_cut_with_an_exit_code_and_keeps_what_there_is(home: Home) -> None:
    scripts = [limit({"content": "Half an ans"}), answer(hello("wer."))]
    codes, asked = run_codex(home, scripts, (*EXEC, "tell me"), (*EXEC, "resume", "--last", "go on"))
    assert (codes, len(asked)) == ([1, 0], 2)
    assert "Half an ans" in json.dumps(asked[1])
