"""Proves the wiring: a scripted model on the real engine, a shim, the real agent, and a file that it really writes.

All of it in a folder of its own: no session, setting or record of the user's is touched, and no policy can send the
question elsewhere. The agent itself is the user's, in the user's home, for that is what is to be proved.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

from agentlaunch.agents.command import Completed
from agentlaunch.app.agents import find_agent
from agentlaunch.app.doctor.proof_tasks import CONTENT, DONE, TASKS, UNPROVABLE
from agentlaunch.core.scripted_gguf import scripted_gguf
from agentlaunch.core.secrets import without_secrets
from agentlaunch.errors import AgentlaunchError, MachineError
from agentlaunch.system.dirs import Dirs, find_dirs
from agentlaunch.system.files import make_private_dir
from agentlaunch.system.programs import startable

if TYPE_CHECKING:
    from agentlaunch.agents.locate import LocatedAgent
    from agentlaunch.app.world import World

AGENT_LIMIT_S = 120.0
"""Seconds for two short turns of an agent; OpenCode's first start in a home takes up to twenty (measured)."""
SHIM_IDLE_S = 30
_SHOWN_CHARACTERS = 1_500


class Start:
    """Runs an agent in a folder, for at most so many seconds, and ends all that it has started: the seam for tests."""

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], folder: Path, limit_s: float) -> Completed:
        """See the class. `code` is None when it was stopped."""
        with subprocess.Popen(
            startable(argv, environment),
            env=dict(environment),
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=sys.platform != "win32",
        ) as child:
            try:
                out, told = child.communicate(timeout=limit_s)
            except subprocess.TimeoutExpired:
                _end(child)
                out, told = child.communicate()
                return Completed(None, out.decode("utf-8", "replace"), told.decode("utf-8", "replace"))
            except BaseException:
                _end(child)
                raise
        return Completed(child.returncode, out.decode("utf-8", "replace"), told.decode("utf-8", "replace"))


def _end(child: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(OSError):
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)


@dataclass(frozen=True)
class ProofStep:
    """One step: what it was, how long it took in seconds, and why it failed, empty when it did not."""

    name: str
    seconds: float
    told: str = ""
    failed: str = ""
    mend: str = ""


@dataclass(frozen=True)
class Proof:
    """The steps, which end with the first that failed; `folder` is what was kept to look at then, else empty."""

    agent: str
    steps: tuple[ProofStep, ...]
    folder: str = ""

    @property
    def failure(self) -> ProofStep | None:
        """The step that failed."""
        return next((step for step in self.steps if step.failed), None)


def check_provable(agent: str) -> None:
    """Raises MachineError `no-proof` for an agent that we have no task for, UserError `unknown-agent`."""
    find_agent(agent)
    if agent in UNPROVABLE:
        what = f"there is no end-to-end proof for `{agent}`: {UNPROVABLE[agent]}"
        raise MachineError("no-proof", what, f"look without it: agentlaunch doctor {agent}")


def prove(agent: str, world: World, start: Start | None = None) -> Proof:
    """Run the proof. Every failure is a step; the folder with logs is kept then. Raises what `check_provable` does."""
    check_provable(agent)
    folder = Path(tempfile.mkdtemp(prefix="agentlaunch-doctor-"))
    try:
        proof = _Proving(agent, world, folder, start or Start()).run()
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    if proof.failure is not None:
        return replace(proof, folder=str(folder))
    shutil.rmtree(folder, ignore_errors=True)
    return proof


class _Proving:
    """One proof in `folder`; each method is a step, and tells what it found."""

    def __init__(self, agent: str, world: World, folder: Path, start: Start) -> None:
        self._agent = agent
        self._folder = folder
        self._start = start
        self._project = folder / "project"
        self._target = self._project / "proof.txt"
        self._task = TASKS[agent](self._target)
        self._model = folder / "scripted.gguf"
        self._environment = _environment(world, folder)
        self._world = replace(world, environment=self._environment, dirs=find_dirs(self._environment))
        self._own_dirs: Dirs = world.dirs
        self._said = ""

    def run(self) -> Proof:
        """All steps up to the first failure; the shim is ended in any case."""
        steps: list[ProofStep] = []
        try:
            for name, step in (
                ("agent", self._find_agent),
                ("model", self._write_model),
                ("shim and engine", self._open_session),
                ("agent's run", self._run_agent),
                ("file", self._read_file),
                ("answer", self._read_answer),
            ):
                self._world.talk.progress(f"{name} ...")
                steps.append(_step(name, step))
                if steps[-1].failed:
                    break
        finally:
            self._stop_shim()
        return Proof(self._agent, tuple(steps))

    def _find_agent(self) -> str:
        found = _locate(self._agent, self._world, self._own_dirs)
        self._environment["PATH"] = f"{Path(found.path).parent}{os.pathsep}{self._environment.get('PATH', '')}"
        return f"{found.version_text or 'unknown version'} at {found.path}"

    def _write_model(self) -> str:
        make_private_dir(self._project)
        content = scripted_gguf(self._task.script)
        self._model.write_bytes(content)
        return f"{len(content) / 1e6:.1f} MB, answers by a script"

    def _open_session(self) -> str:
        """What a launch does; the agent's own launch then finds shim and engine."""
        from agentlaunch.app.limits import max_output_for
        from agentlaunch.app.models import resolve_model
        from agentlaunch.app.orders import ModelOrder
        from agentlaunch.app.window import Terms
        from agentlaunch.app.world import UserShims
        from agentlaunch.shim.protocol import OpenSession
        from agentlaunch.system.process import identify

        order = ModelOrder(str(self._model), context=self._task.window, runtime="llamacpp")
        model = resolve_model(order, self._world, Terms(self._agent))
        request = OpenSession(
            agent="doctor",
            model=model.name,
            process=identify(os.getpid()),
            target=model.target,
            context_window=model.context_window,
            max_output_tokens=max_output_for(model.context_window),
        )
        shims = UserShims(self._world.dirs, self._environment)
        grant = shims.open_session(request, SHIM_IDLE_S)
        shims.close_session(grant.id)
        return f"{grant.url}, window {grant.context_window}"

    def _run_agent(self) -> str:
        options = ("--model", str(self._model), "--context", str(self._task.window), "--runtime", "llamacpp", "--full")
        argv = (sys.executable, "-m", "agentlaunch", self._agent, *options, "--", *self._task.arguments)
        done = self._start(argv, self._environment, self._project, AGENT_LIMIT_S)
        self._said = without_secrets(f"{done.stdout}\n{done.stderr}").strip()
        (self._folder / "agent.log").write_text(self._said, "utf-8")
        if done.code is None:
            raise self._failed("agent-hangs", f"no end within {AGENT_LIMIT_S:.0f} s")
        if done.code != 0:
            raise self._failed("agent-failed", f"exit code {done.code}")
        return "exit code 0"

    def _read_file(self) -> str:
        if not self._target.is_file():
            raise self._failed("no-file", f"the agent ended well and `{self._target.name}` is not there")
        if self._target.read_text("utf-8", "replace") != CONTENT:
            raise self._failed("other-file", f"`{self._target.name}` holds something else")
        return f"{self._target.name}, as told"

    def _read_answer(self) -> str:
        if DONE not in self._said:
            raise self._failed("no-answer", "the model's last words did not come through")
        return f"the model's last words came through: {DONE}"

    def _failed(self, code: str, why: str) -> MachineError:
        tail = self._said[-_SHOWN_CHARACTERS:]
        said = f"; it said: {tail}" if tail else "; it said nothing"
        logs = f"{self._folder / 'agent.log'} and {self._world.dirs.logs}"
        return MachineError(code, f"{why}{said}", f"read its words and our logs: {logs}")

    def _stop_shim(self) -> None:
        from agentlaunch.app.shim_ensure import stop_shim

        with contextlib.suppress(AgentlaunchError):
            stop_shim(self._world.dirs)


def _environment(world: World, folder: Path) -> dict[str, str]:
    """The user's, but for settings of ours, which are the proof's own."""
    kept = {name: value for name, value in world.environment.items() if not name.startswith("AGENTLAUNCH_")}
    ours = {"AGENTLAUNCH_HOME": str(folder / "ours"), "AGENTLAUNCH_IDLE_SECONDS": str(SHIM_IDLE_S)}
    programs = {name: world.environment[name] for name in ("AGENTLAUNCH_LLAMA_SERVER",) if name in world.environment}
    return {**kept, **ours, **programs}


def _locate(agent: str, world: World, dirs: Dirs) -> LocatedAgent:
    """The agent on PATH or as we have installed it for the user. Raises MachineError as a launch does."""
    from agentlaunch.agents.base import install_command
    from agentlaunch.agents.locate import locate_agent, require_supported

    wanted = find_agent(agent)
    found = locate_agent(wanted, world.environment, dirs)
    if found is None:
        told = f"{wanted.title} is not installed"
        raise MachineError("agent-missing", told, install_command(wanted))
    require_supported(wanted, found)
    return found


def _step(name: str, run: Callable[[], str]) -> ProofStep:
    began = monotonic()
    told, failed, mend = "", "", ""
    try:
        told = run()
    except AgentlaunchError as error:
        failed, mend = error.message, error.hint
    except (OSError, ValueError) as error:
        failed = f"{type(error).__name__}: {error}"
    return ProofStep(name, round(monotonic() - began, 2), told, failed, mend)
