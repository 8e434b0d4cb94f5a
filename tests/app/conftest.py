"""A made World: records what use cases do to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

from agentlaunch.app.shim_ensure import Stopped
from agentlaunch.app.world import World
from agentlaunch.core.hardware import Cpu, HardwareReport, Memory
from agentlaunch.errors import AgentlaunchError
from agentlaunch.shim.protocol import OpenSession, SessionGrant, ShimStatus
from agentlaunch.system.dirs import find_dirs
from agentlaunch.weights.progress import OnProgress, Progress


class Became(BaseException):
    """The process would be another program now; nothing of ours runs after it, so nothing may catch it."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str]) -> None:
        super().__init__(argv)
        self.argv = tuple(argv)
        self.environment = dict(environment)


@dataclass
class RecordingTalk:
    """Answers every question with `answer`; None is a talk without a terminal."""

    answer: bool | None = None
    questions: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    waits: list[str] = field(default_factory=list)
    transfers: list[Progress] = field(default_factory=list)

    @property
    def is_interactive(self) -> bool:
        return self.answer is not None

    def confirm(self, question: str) -> bool:
        self.questions.append(question)
        assert self.answer is not None
        return self.answer

    def say(self, line: str) -> None:
        self.lines.append(line)

    def progress(self, line: str) -> None:
        self.lines.append(line)

    @contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        self.waits.append(what)
        yield

    @contextmanager
    def transferring(self) -> Iterator[OnProgress]:
        yield self.transfers.append


@dataclass
class RecordingShims:
    """A shim that grants every session. `found` is its status, `failure` what opening raises."""

    sessions_dir: Path
    found: ShimStatus | None = None
    failure: BaseException | None = None
    status_failure: AgentlaunchError | None = None
    granted_window: int | None = None
    serving: tuple[ShimStatus, ...] = ()
    opened: list[OpenSession] = field(default_factory=list)
    idle: list[int | None] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    stops: int = 0

    def open_session(self, request: OpenSession, idle_seconds: int | None) -> SessionGrant:
        if self.failure is not None:
            raise self.failure
        self.opened.append(request)
        self.idle.append(idle_seconds)
        return SessionGrant(
            id="s1",
            token="session-token",
            url="http://127.0.0.1:4242",
            model=request.model,
            context_window=self.granted_window or request.context_window,
            session_dir=str(self.sessions_dir / "s1"),
        )

    def close_session(self, session_id: str) -> None:
        self.closed.append(session_id)

    def url(self) -> str | None:
        return None if self.found is None else self.found.url

    def status(self) -> ShimStatus | None:
        if self.status_failure is not None:
            raise self.status_failure
        return self.found

    def stop(self) -> Stopped:
        self.stops += 1
        return Stopped.NOT_RUNNING if self.found is None and self.status_failure is None else Stopped.ENDED

    def serves(self) -> tuple[ShimStatus, ...]:
        return self.serving

    def stop_serves(self) -> int:
        return len(self.serving)


@dataclass
class RecordingRun:
    """Runs nothing: records the command, does `effect`, and answers `code`."""

    code: int = 0
    effect: Callable[[Sequence[str]], None] = lambda _argv: None
    commands: list[tuple[str, ...]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str]) -> int:
        self.commands.append(tuple(argv))
        self.effect(argv)
        return self.code


@dataclass(frozen=True)
class Made:
    """A World with its recording parts in reach."""

    world: World
    talk: RecordingTalk
    shims: RecordingShims
    run: RecordingRun


MakeWorld = Callable[..., Made]

GIB = 1 << 30
WORKSTATION = HardwareReport("linux", "x86_64", Cpu("Test CPU", 16), Memory(64 * GIB, 56 * GIB, 80.0))
"""A machine on which every scripted model fits."""


def _become(argv: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    raise Became(argv, environment)


@pytest.fixture
def make_world(tmp_path: Path) -> MakeWorld:
    """A World below `tmp_path`, whose folder has a space and a letter that is not ASCII."""

    def make(answer: bool | None = None, report: HardwareReport = WORKSTATION, **environment: str) -> Made:
        home = tmp_path / "Jörg's home"
        folder = home / "project"
        folder.mkdir(parents=True, exist_ok=True)
        dirs = find_dirs({"AGENTLAUNCH_HOME": str(home / "ours")})
        talk, shims = RecordingTalk(answer), RecordingShims(dirs.sessions)
        run = RecordingRun()
        own = {"HOME": str(home), "AGENTLAUNCH_SERVERS": "none", **environment}  # what runs here is no part of a test
        world = World(own, dirs, folder, talk, _become, run, shims, lambda: report)
        return Made(world, talk, shims, run)

    return make


@pytest.fixture
def became() -> type[Became]:
    """What a World raises where the real one would become another program."""
    return Became
