"""All families together: side by side, within the limit, without a secret."""

from __future__ import annotations

from dataclasses import replace
from threading import Barrier, Event

from tests.app.conftest import WORKSTATION, MakeWorld

from agentlaunch.agents.base import AGENTS
from agentlaunch.app.doctor.examine import FAMILIES, Diagnosis, FamilyReport, diagnose, examine
from agentlaunch.app.doctor.finding import Inspected, broken, note, will_bite
from agentlaunch.app.world import World
from agentlaunch.core.hardware import HardwareReport
from agentlaunch.errors import MachineError


def test_families_run_side_by_side(make_world: MakeWorld) -> None:
    together = Barrier(3)

    def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
        together.wait(30)  # passes only when all three are here at once
        return Inspected(seen=agents)

    found = diagnose(dict.fromkeys(("a", "b", "c"), inspect), ("claude",), make_world().world, 60)
    expected = Inspected(seen=("claude",))
    assert found == Diagnosis(("claude",), tuple(FamilyReport(name, expected) for name in "abc"))


def test_a_family_that_hangs_is_left_behind_and_told(make_world: MakeWorld) -> None:
    never = Event()

    def hang(world: World, agents: tuple[str, ...]) -> Inspected:
        never.wait(60)
        return Inspected()

    found = diagnose({"driver": hang}, (), make_world().world, 0.05)
    never.set()
    assert found.findings == (note("look-late", "looking at driver took longer than 0.05 s and was left"),)


def test_a_family_that_fails_is_told_and_the_others_too(make_world: MakeWorld) -> None:
    def expected(world: World, agents: tuple[str, ...]) -> Inspected:
        raise MachineError("full", "the disk is full", "make room")

    def unexpected(world: World, agents: tuple[str, ...]) -> Inspected:
        raise ValueError("odd")

    found = diagnose({"a": expected, "b": unexpected}, (), make_world().world, 60)
    assert found.findings == (
        broken("full", "the disk is full", "make room"),
        note("look-failed", "looking at b failed: ValueError: odd"),
    )
    assert found.is_broken


def test_the_worst_comes_first_and_only_broken_is_broken(make_world: MakeWorld) -> None:
    def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
        return Inspected((note("n", "n"), will_bite("w", "w")))

    found = diagnose({"a": inspect}, (), make_world().world, 60)
    assert [finding.code for finding in found.findings] == ["w", "n"]
    assert not found.is_broken


def test_what_looks_like_a_key_is_hidden_wherever_it_stands(make_world: MakeWorld) -> None:
    def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
        key = "sk-ant-abcdefgh1234"
        return Inspected((note("n", f"it is {key}", f"export K={key}"),), (f"at http://me:{key}@host",))

    found = diagnose({"a": inspect}, (), make_world().world, 60)
    assert "abcdefgh" not in repr(found)
    assert "[hidden]" in found.findings[0].mend


def test_the_whole_table_looks_at_a_made_world_with_one_probe(make_world: MakeWorld) -> None:
    looks: list[int] = []

    def look() -> HardwareReport:
        looks.append(1)
        return WORKSTATION

    world = replace(make_world(PATH="").world, look=look)
    found = examine(tuple(AGENTS), world, 60)
    assert [report.family for report in found.families] == list(FAMILIES)
    assert len(looks) == 1
    assert not found.is_broken
    assert "no-agent" in [finding.code for finding in found.findings]
