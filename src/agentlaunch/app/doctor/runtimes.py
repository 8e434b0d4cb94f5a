"""What runs models here: llama.cpp, Ollama, servers that run; and whether the GPU is used."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.app.doctor.finding import Finding, Inspected, broken, note, will_bite
from agentlaunch.runtimes.ollama_versions import OLDEST
from agentlaunch.runtimes.ollama_versions import parse_version as parse_ollama

if TYPE_CHECKING:
    from agentlaunch.app.inventory import FoundRuntime
    from agentlaunch.app.runtime import RuntimeReport
    from agentlaunch.app.world import World

INSTALL = "pip install 'agentlaunch[llamacpp]'"


@dataclass(frozen=True)
class Runtimes:
    """What `agentlaunch runtime` finds, and what the probes of the machine had to say."""

    report: RuntimeReport
    probe_notes: tuple[str, ...] = ()


def inspect(world: World, agents: tuple[str, ...]) -> Inspected:
    """Models run the same for every agent."""
    del agents
    facts = gather(world)
    return Inspected(tuple(judge(facts)), seen(facts))


def gather(world: World) -> Runtimes:
    """Asks programs for their devices and ports of this machine for their server; loads nothing."""
    from agentlaunch.app.runtime import find_runtime

    return Runtimes(find_runtime(world), world.look().notes)


def seen(facts: Runtimes) -> tuple[str, ...]:
    """What is there."""
    builds = [f"{build.runtime} {build.version}".rstrip() + f" at {build.path}" for build in facts.report.builds]
    others = [_server(found) for found in facts.report.others if found.state != "missing"]
    return (*builds, *others, *(f"GPU {name}" for name in facts.report.gpus))


def _server(found: FoundRuntime) -> str:
    where = f" runs at {found.url}" if found.url else " is installed and does not run"
    return f"{found.title} {found.version}".rstrip() + where


def judge(facts: Runtimes) -> Iterator[Finding]:
    """No llama.cpp is no fault where another server is there."""
    report = facts.report
    others = [found for found in report.others if found.state != "missing"]
    if report.fault:
        yield broken("llama-server", report.fault, "agentlaunch runtime")
    if report.choice is None and not others:
        yield will_bite("no-runtime", "nothing here runs a model; an --upstream still works", INSTALL)
    elif report.choice is None:
        yield note("no-llama-cpp", "no llama.cpp: .gguf files and `demo` cannot be run", INSTALL)
    for build in report.builds:
        if build.fault:
            yield will_bite("llama-build", f"`{build.path}` cannot be used: {build.fault}", "agentlaunch runtime")
    if report.ways and report.choice is not None:
        told = f"no llama.cpp here uses {', '.join(report.gpus)}: models would run on the processor"
        yield will_bite("gpu-unused", told, report.ways[0].command)
    for found in others:
        yield from _ollama(found)
    for text in facts.probe_notes:
        yield note("machine", text)


def _ollama(found: FoundRuntime) -> Iterator[Finding]:
    version = parse_ollama(found.version) if found.name == "ollama" else None
    if version is not None and version < OLDEST:
        oldest = ".".join(str(number) for number in OLDEST)
        told = f"Ollama {found.version} cannot stream answers to requests with tools; {oldest} is the first that can"
        yield will_bite("ollama-too-old", told, "update Ollama: https://ollama.com/download")
