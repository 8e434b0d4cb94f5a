"""Asks every family side by side, within a limit, and sorts what they found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib import import_module
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.finding import Finding, Inspected, Severity, broken, note
from agentlaunch.core.secrets import without_secrets
from agentlaunch.errors import AgentlaunchError

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.hardware import HardwareReport

LIMIT_S = 2.0
"""What a family may take. One that asks a driver or a server that hangs is left behind."""

Inspect = Callable[["World", tuple[str, ...]], Inspected]
"""A family: looks at this world for these agents, all of them or the one that was named."""

FAMILIES: Mapping[str, str] = {
    "programs": "agentlaunch.app.doctor.programs:inspect",
    "runtimes": "agentlaunch.app.doctor.runtimes:inspect",
    "shim": "agentlaunch.app.doctor.shim:inspect",
    "settings": "agentlaunch.app.doctor.own_files:inspect",
    "variables": "agentlaunch.app.doctor.variables:inspect",
    "agent files": "agentlaunch.app.doctor.agent_files:inspect",
    "network": "agentlaunch.app.doctor.network:inspect",
    "room": "agentlaunch.app.doctor.room:inspect",
}
"""Family -> its function, in the order of the screen."""


class _Once:
    """The machine is probed once for all families, whichever asks first."""

    def __init__(self, look: Callable[[], HardwareReport]) -> None:
        self._look = look
        self._lock = Lock()
        self._report: HardwareReport | None = None

    def __call__(self) -> HardwareReport:
        with self._lock:
            if self._report is None:
                self._report = self._look()
            return self._report


@dataclass(frozen=True)
class FamilyReport:
    """What one family saw, under its name."""

    family: str
    inspected: Inspected


@dataclass(frozen=True)
class Diagnosis:
    """Everything, in the order of `FAMILIES`."""

    agents: tuple[str, ...]
    families: tuple[FamilyReport, ...]

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, the worst first."""
        order = list(Severity)
        found = [finding for report in self.families for finding in report.inspected.findings]
        return tuple(sorted(found, key=lambda finding: order.index(finding.severity)))

    @property
    def is_broken(self) -> bool:
        """Whether a launch would fail."""
        return any(finding.severity is Severity.BROKEN for finding in self.findings)


def examine(agents: tuple[str, ...], world: World, limit_s: float = LIMIT_S) -> Diagnosis:
    """Look at everything that concerns these agents. No network but loopback; nothing is started or changed."""
    shared = replace(world, look=_Once(world.look))
    return diagnose({name: _load(target) for name, target in FAMILIES.items()}, agents, shared, limit_s)


def diagnose(families: Mapping[str, Inspect], agents: tuple[str, ...], world: World, limit_s: float) -> Diagnosis:
    """Each family in a thread of its own. The threads are daemons: what hangs holds neither the answer nor the end."""
    answers: SimpleQueue[FamilyReport] = SimpleQueue()
    until = monotonic() + limit_s
    for name, inspect in families.items():
        Thread(
            target=_inspect, args=(name, inspect, agents, world, answers), name=f"doctor {name}", daemon=True
        ).start()
    found: dict[str, Inspected] = {}
    while len(found) < len(families):
        try:
            report = answers.get(timeout=max(0.0, until - monotonic()))
        except Empty:
            break
        found[report.family] = report.inspected
    late = {name: _late(name, limit_s) for name in families if name not in found}
    whole = {**found, **late}
    return Diagnosis(agents, tuple(FamilyReport(name, whole[name]) for name in families))


def _inspect(
    name: str, inspect: Inspect, agents: tuple[str, ...], world: World, answers: SimpleQueue[FamilyReport]
) -> None:
    """A family that fails says so; whoever asked is owed the others' answers."""
    try:
        inspected = inspect(world, agents)
    except AgentlaunchError as error:
        inspected = Inspected((broken(error.code, error.message, error.hint),))
    except (OSError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        inspected = Inspected((note("look-failed", f"looking at {name} failed: {type(error).__name__}: {error}"),))
    answers.put(FamilyReport(name, _masked(inspected)))


def _masked(inspected: Inspected) -> Inspected:
    """Values come from the user's variables and files: whatever looks like a key is hidden, in what mends too."""
    findings = tuple(
        replace(found, told=without_secrets(found.told), mend=without_secrets(found.mend))
        for found in inspected.findings
    )
    return Inspected(findings, tuple(without_secrets(line) for line in inspected.seen))


def _late(name: str, limit_s: float) -> Inspected:
    return Inspected((note("look-late", f"looking at {name} took longer than {limit_s:g} s and was left", ""),))


def _load(target: str) -> Inspect:
    module, _, function = target.partition(":")
    inspect: Inspect = getattr(import_module(module), function)
    return inspect
