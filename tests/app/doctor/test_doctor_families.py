"""Programs, runtimes, the shim, loopback and room: pure judges over facts, and what is gathered of a real fault."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable
from dataclasses import replace

import pytest
from tests.app.conftest import MakeWorld

from agentlaunch import __version__
from agentlaunch.app.doctor import network, programs, room, runtimes, shim
from agentlaunch.app.doctor.finding import Finding
from agentlaunch.app.inventory import FoundRuntime
from agentlaunch.app.runtime import RuntimeReport, Way
from agentlaunch.runtimes.llama_builds import Choice, LlamaBuild
from agentlaunch.shim.state import shim_lock
from agentlaunch.system.locks import FileLock

GIB = 1 << 30
CLAUDE = programs.AgentFact("claude", "Claude Code", "npm install -g a", "2.1.251", True, "2.1.331", "/bin/claude")
CODEX = programs.AgentFact("codex", "Codex", "npm install -g o", "0.142.5", True, "0.169.0", "/bin/codex")
HEALTHY_ROOM = room.Room(
    (("state", "/s", 50 * GIB), ("prefixes", "/c", 50 * GIB), ("models", "/c", 50 * GIB)),
    32 * GIB, 20 * GIB, 32 * GIB, 8 * GIB, 0, 0.0, 2000.0, 1000.0,
)  # fmt: skip


def _codes(findings: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.severity.value, finding.code) for finding in findings]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (programs.Programs((CLAUDE, CODEX), "v22.1.0", False), []),
        (programs.Programs((replace(CLAUDE, version="2.0.1"),), "v22.1.0", True), [("broken", "agent-too-old")]),
        (programs.Programs((replace(CLAUDE, version=""),), "v22.1.0", True), [("note", "agent-version")]),
        (programs.Programs((replace(CLAUDE, path="", version=""),), "v22.1.0", True), [("broken", "agent-missing")]),
        (programs.Programs((replace(CLAUDE, path="", version=""), CODEX), "v22.1.0", False), []),
        (programs.Programs((replace(CLAUDE, path="", version=""),), "", False),
         [("will bite", "no-agent"), ("will bite", "node-missing")]),
        (programs.Programs((CLAUDE,), "v18.19.1", True), [("will bite", "node-too-old")]),
        (programs.Programs((CLAUDE,), "", True), []),
        (programs.Programs((replace(CLAUDE, path="", version="", needs_node=False),), "", True),
         [("broken", "agent-missing")]),
        (programs.Programs((replace(CLAUDE, version="", minimum=""),), "", True), []),
    ],
)  # fmt: skip
def test_programs(facts: programs.Programs, expected: list[tuple[str, str]]) -> None:
    assert _codes(programs.judge(facts)) == expected


BUILD = LlamaBuild("llama_cpp", "/x/xllamacpp", "2026.10")
REPORT = RuntimeReport(Choice("llama_cpp", "", "the only one"), (BUILD,), (), (), ())
OLLAMA = FoundRuntime("ollama", "Ollama", "running", "0.7.1", "http://127.0.0.1:11434")


@pytest.mark.parametrize(
    ("report", "expected"),
    [
        (REPORT, []),
        (replace(REPORT, choice=None, builds=()), [("will bite", "no-runtime")]),
        (replace(REPORT, choice=None, builds=(), others=(replace(OLLAMA, version="0.20.0"),)),
         [("note", "no-llama-cpp")]),
        (replace(REPORT, others=(OLLAMA,)), [("will bite", "ollama-too-old")]),
        (replace(REPORT, others=(FoundRuntime("ollama", "Ollama", "missing"),)), []),
        (replace(REPORT, fault="`/x/llama-server` is not there"), [("broken", "llama-server")]),
        (replace(REPORT, builds=(replace(BUILD, fault="no such library"),)), [("will bite", "llama-build")]),
        (replace(REPORT, gpus=("RTX 4090",), ways=(Way("conda", "conda install llama-cpp"),)),
         [("will bite", "gpu-unused")]),
    ],
)  # fmt: skip
def test_runtimes(report: RuntimeReport, expected: list[tuple[str, str]]) -> None:
    assert _codes(runtimes.judge(runtimes.Runtimes(report))) == expected


def test_what_the_probes_say_is_passed_on() -> None:
    facts = runtimes.Runtimes(REPORT, ("The NVIDIA driver does not answer.",))
    assert [finding.told for finding in runtimes.judge(facts)] == ["The NVIDIA driver does not answer."]


SHIM = shim.Shim(has_file=True, is_held=True, log="/l/shim.log", url="http://127.0.0.1:1", version=__version__)


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (shim.Shim(False, False, "/l"), []),
        (SHIM, []),
        (shim.Shim(True, False, "/l"), [("note", "shim-stale")]),
        (shim.Shim(False, True, "/l"), [("will bite", "shim-silent")]),
        (replace(SHIM, trouble="no answer within 1.5 s"), [("broken", "shim-wedged")]),
        (replace(SHIM, version="0.0.1"), [("note", "shim-version")]),
        (replace(SHIM, version="0.0.1", sessions=2), [("will bite", "shim-version")]),
        (replace(SHIM, version="0.0.1", sessions=2, control_version=1), [("broken", "shim-version")]),
    ],
)
def test_shim(facts: shim.Shim, expected: list[tuple[str, str]]) -> None:
    assert _codes(shim.judge(facts)) == expected


def _write_state(world_state: os.PathLike[str], port: int) -> None:
    state = {
        "url": f"http://127.0.0.1:{port}", "pid": os.getpid(), "started": 1.0, "control_token": "t",
        "version": __version__, "control_version": 3,
    }  # fmt: skip
    with open(world_state, "w") as file:  # noqa: PTH123 - any path
        json.dump(state, file)


def test_a_state_file_without_a_process_is_stale(make_world: MakeWorld) -> None:
    world = make_world().world
    world.dirs.state.mkdir(parents=True)
    _write_state(world.dirs.shim_state, 9)
    assert _codes(shim.inspect(world, ()).findings) == [("note", "shim-stale")]


def test_a_shim_that_takes_connections_and_never_answers_is_wedged(make_world: MakeWorld) -> None:
    world = make_world().world
    lock = FileLock(shim_lock(world.dirs))
    assert lock.acquire()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(5)
        _write_state(world.dirs.shim_state, silent.getsockname()[1])
        found = shim.inspect(world, ())
    lock.release()
    assert _codes(found.findings) == [("broken", "shim-wedged")]
    assert found.findings[0].mend == "agentlaunch stop"
    assert found.seen == ()


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (network.Network("", "", ("127.0.0.1", "::1")), []),
        (network.Network("Cannot assign requested address", "", ("127.0.0.1",)), [("broken", "no-loopback")]),
        (network.Network("", "timed out", ("127.0.0.1",)), [("broken", "loopback-blocked")]),
        (network.Network("", "", ()), [("will bite", "no-localhost")]),
        (network.Network("", "", ("::1",)), [("will bite", "localhost-ipv6")]),
        (network.Network("", "", ("127.0.0.1",), 4242, True), [("note", "port-taken")]),
    ],
)
def test_network(facts: network.Network, expected: list[tuple[str, str]]) -> None:
    assert _codes(network.judge(facts)) == expected


def test_loopback_works_where_these_tests_run(make_world: MakeWorld) -> None:
    facts = network.gather(make_world().world)
    assert (facts.listening, facts.connecting, facts.port) == ("", "", 0)


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, []),
        ({"free": (("state", "/s", 1 << 20),)}, [("broken", "disk-full")]),
        ({"free": (("prefixes", "/s", GIB),)}, [("will bite", "disk-prefixes")]),
        ({"free": (("models", "/s", GIB),)}, [("note", "disk-models")]),
        ({"available_bytes": GIB}, [("will bite", "memory-low")]),
        ({"swap_used_bytes": 5 * GIB}, [("will bite", "swapping")]),
        ({"stalled_percent": 25.0}, [("will bite", "memory-pressure")]),
        ({"stalled_percent": None}, []),
        ({"total_bytes": 8 * GIB}, [("note", "memory-limit")]),
        ({"now": 0.0, "installed_at": 90_000.0}, [("will bite", "clock")]),
    ],
)
def test_room(changed: dict[str, object], expected: list[tuple[str, str]]) -> None:
    assert _codes(room.judge(replace(HEALTHY_ROOM, **changed))) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("some avg10=1.00 avg60=12.50 avg300=0.00 total=1\nfull avg10=0.00 avg60=9.00 avg300=0 total=0\n", 12.5),
        ("full avg10=0.00 avg60=9.00\n", None),
        ("some avg60=much", None),
        ("\n\n", None),
        ("", None),
    ],
)
def test_memory_pressure_is_read_from_the_line_some(text: str, percent: float | None) -> None:
    assert room.parse_pressure(text) == percent
