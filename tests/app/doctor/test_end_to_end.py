"""The proof's faults: each is a step that names what failed, keeps its folder, and leaves no shim behind."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from time import sleep

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch.agents.base import AGENTS
from agentlaunch.agents.command import Completed
from agentlaunch.app.doctor.end_to_end import Proof, Start, check_provable, prove
from agentlaunch.app.doctor.proof_tasks import CONTENT, DONE, TASKS, UNPROVABLE
from agentlaunch.app.world import World
from agentlaunch.core.scripted_gguf import Turn, scripted_gguf
from agentlaunch.errors import MachineError, UserError
from agentlaunch.shim.state import shim_lock
from agentlaunch.system.dirs import find_dirs
from agentlaunch.system.locks import is_held


@dataclass
class FakeStart(Start):
    """In place of an agent: does `effect` in its folder and ends as `completed`."""

    completed: Completed = field(default_factory=lambda: Completed(0, DONE, ""))
    effect: Callable[[Path], object] = lambda _folder: None
    environments: list[dict[str, str]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> Completed:
        self.environments.append(dict(environment))
        self.effect(folder)
        return self.completed


def _writes(content: str = CONTENT) -> Callable[[Path], object]:
    return lambda folder: (folder / "proof.txt").write_text(content)


@pytest.fixture
def world(make_world: MakeWorld, tmp_path: Path) -> World:
    """With a claude on PATH that is never started, and settings of ours that would send requests elsewhere."""
    program = tmp_path / "bin" / "claude"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "2.1.331 (Claude Code)"\n')
    program.chmod(0o755)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    return make_world(PATH=path, AGENTLAUNCH_MODEL="openrouter/x", AGENTLAUNCH_POLICY="elsewhere").world


def _failure(proof: Proof) -> tuple[str, str]:
    """The step that failed and why; what was kept is looked at, and taken away."""
    assert proof.failure is not None
    assert proof.failure.mend
    kept = Path(proof.folder)
    assert kept.is_dir()
    assert not is_held(shim_lock(find_dirs({"AGENTLAUNCH_HOME": str(kept / "ours")})))
    shutil.rmtree(kept)
    return proof.failure.name, proof.failure.failed


def _said(turn: Turn) -> str:
    return turn.text + "".join(str(value) for call in turn.calls for value in call.arguments.values())


@pytest.mark.parametrize("agent", TASKS)
def test_every_task_can_be_scripted_and_writes_its_target(agent: str, tmp_path: Path) -> None:
    script = TASKS[agent](tmp_path / "proof.txt").script
    assert scripted_gguf(script).startswith(b"GGUF")
    (first,) = script.turns or (script.untooled,)
    last = script.final if script.turns else script.untooled
    assert ("proof.txt" in _said(first), CONTENT in _said(first), DONE in last.text) == (True, True, True)


def test_every_agent_has_a_task_or_a_reason_why_it_has_none() -> None:
    assert {*TASKS, *UNPROVABLE} == {*AGENTS}
    assert TASKS.keys().isdisjoint(UNPROVABLE)


@pytest.mark.parametrize("agent", UNPROVABLE)
def test_an_agent_without_a_task_is_told_why_and_not_tried(agent: str, make_world: MakeWorld) -> None:
    with pytest.raises(MachineError) as caught:
        prove(agent, make_world().world, FakeStart())
    assert (caught.value.code, caught.value.exit_code) == ("no-proof", 3)
    assert UNPROVABLE[agent] in caught.value.message
    assert caught.value.hint == f"look without it: agentlaunch doctor {agent}"


def test_an_agent_that_is_not_known_is_the_users_mistake() -> None:
    with pytest.raises(UserError, match="unknown agent `nobody`"):
        check_provable("nobody")


def test_a_missing_agent_ends_the_proof_at_once(make_world: MakeWorld) -> None:
    proof = prove("claude", make_world(PATH="/nowhere").world, FakeStart())
    assert [step.name for step in proof.steps] == ["agent"]
    assert _failure(proof) == ("agent", "Claude Code is not installed")


@pytest.mark.real
def test_a_proof_that_succeeds_leaves_nothing_and_hides_our_settings_from_itself(world: World) -> None:
    start = FakeStart(effect=_writes())
    proof = prove("claude", world, start)
    assert [step.name for step in proof.steps] == [
        "agent", "model", "shim and engine", "agent's run", "file", "answer",
    ]  # fmt: skip
    assert (proof.failure, proof.folder) == (None, "")
    ours = {name for name in start.environments[0] if name.startswith("AGENTLAUNCH_")}
    assert ours == {"AGENTLAUNCH_HOME", "AGENTLAUNCH_IDLE_SECONDS"}
    home = Path(start.environments[0]["AGENTLAUNCH_HOME"])
    assert not home.parent.exists()
    assert not world.dirs.state.exists()


@pytest.mark.real
@pytest.mark.parametrize(
    ("start", "step", "why"),
    [
        (FakeStart(Completed(1, "", "no such model sk-ant-abcdefgh1234")), "agent's run", "exit code 1; it said: no"),
        (FakeStart(Completed(None, "", "")), "agent's run", "no end within 120 s; it said nothing"),
        (FakeStart(), "file", "`proof.txt` is not there"),
        (FakeStart(effect=_writes("else")), "file", "`proof.txt` holds something else"),
        (FakeStart(Completed(0, "bye", ""), _writes()), "answer", "last words did not come through"),
    ],
)  # fmt: skip
def test_each_fault_of_an_agent_is_its_own_step(world: World, start: FakeStart, step: str, why: str) -> None:
    name, failed = _failure(prove("claude", world, start))
    assert name == step
    assert why in failed
    assert "abcdefgh" not in failed


def test_an_agent_that_hangs_is_ended_with_what_it_started(tmp_path: Path) -> None:
    code = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "print(child.pid, flush=True); time.sleep(600)"
    )
    done = Start()((sys.executable, "-c", code), os.environ, tmp_path, 3.0)
    assert done.code is None
    if done.stdout.strip():  # else it was ended before it had a child
        from agentlaunch.system.process import identify, is_alive

        child = identify(int(done.stdout))
        for _ in range(600):  # the system takes a killed process away in its own time
            if child is None or not is_alive(child):
                return
            sleep(0.1)
        pytest.fail(f"process {child} outlived the agent that started it")
