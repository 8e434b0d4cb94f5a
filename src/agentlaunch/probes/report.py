"""Asks all probes side by side and makes one report of their answers."""

from __future__ import annotations

from collections.abc import Mapping
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic
from typing import assert_never

from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory
from agentlaunch.probes.base import PROBES_BY_SYSTEM, Findings, Probe, ProbeFailed, ProbeResult, load_probe
from agentlaunch.probes.container import is_virtual_machine
from agentlaunch.probes.integrated import is_integrated
from agentlaunch.system.machine import Machine

Answer = tuple[str, ProbeResult]


def probe_machine(machine: Machine) -> HardwareReport:
    """Everything that the probes of this system tell, within the longest of their limits; does not raise."""
    probes = tuple(load_probe(name) for name in PROBES_BY_SYSTEM[machine.os])
    return combined(machine, ask_all(probes, machine))


def ask_all(probes: tuple[Probe, ...], machine: Machine) -> Mapping[str, ProbeResult]:
    """Each probe in a thread of its own; one that does not answer within its limit is left behind and fails.

    The threads are daemons: a driver that hangs holds neither the answer nor the end of the program.
    """
    answers: SimpleQueue[Answer] = SimpleQueue()
    started = monotonic()
    for probe in probes:
        Thread(target=_ask, args=(probe, machine, answers), name=f"probe {probe.name}", daemon=True).start()
    waiting = {probe.name: probe for probe in probes}
    found: dict[str, ProbeResult] = {}
    while waiting:
        left = started + max(probe.limit_s for probe in waiting.values()) - monotonic()
        try:
            name, result = answers.get(timeout=max(0.0, left))
        except Empty:
            break
        found[name] = result
        waiting.pop(name, None)
    late = {name: ProbeFailed(f"Looking at {probe.title} took too long.") for name, probe in waiting.items()}
    return {probe.name: {**found, **late}[probe.name] for probe in probes}


def combined(machine: Machine, results: Mapping[str, ProbeResult]) -> HardwareReport:
    """One report. `results` in the order of belief: of two probes that name GPUs of one vendor, the first counts."""
    gpus: list[Gpu] = []
    notes: list[str] = []
    cpu, memory = Cpu("unknown", 1), Memory(0, 0)
    for result in results.values():
        match result:
            case ProbeFailed(reason):
                notes.append(reason)
            case Findings():
                known = {gpu.vendor for gpu in gpus}
                gpus += [gpu for gpu in result.gpus if gpu.vendor not in known]
                cpu, memory = result.cpu or cpu, result.memory or memory
                notes += result.notes
            case _:
                assert_never(result)
    kept, dropped = without_lesser(tuple(gpus))
    notes += [*dropped, *_no_gpu_notes(machine, kept)]
    return HardwareReport(machine.os, machine.arch, cpu, memory, kept, tuple(dict.fromkeys(notes)))


def without_lesser(gpus: tuple[Gpu, ...]) -> tuple[tuple[Gpu, ...], tuple[str, ...]]:
    """Cards before graphics inside a processor, which do not count beside a card (reports B191, B200).

    A part that is a machine's main GPU though it shares memory (GB10) stays.
    """
    cards = [gpu for gpu in gpus if not gpu.unified]
    inside = [gpu for gpu in gpus if gpu.unified]
    if not cards:
        return tuple(inside), ()
    kept = [gpu for gpu in inside if not is_integrated(gpu.name)]
    notes = [
        f"`{gpu.name}` is inside the processor and not counted beside a card." for gpu in inside if gpu not in kept
    ]
    return (*sorted(cards, key=lambda gpu: -gpu.memory_bytes), *kept), tuple(notes)


def _no_gpu_notes(machine: Machine, gpus: tuple[Gpu, ...]) -> tuple[str, ...]:
    if gpus or machine.os != "linux" or not is_virtual_machine(machine):
        return ()
    return ("This is a virtual machine without a GPU; one of the host has to be passed through to it.",)


def _ask(probe: Probe, machine: Machine, answers: SimpleQueue[Answer]) -> None:
    """A probe does not raise; if one does, that is our fault, and the person who asked is owed the others' answers."""
    try:
        result = probe.probe(machine)
    except (OSError, ValueError, LookupError, ArithmeticError, RuntimeError) as error:
        result = ProbeFailed(f"Looking at {probe.title} failed: {type(error).__name__}: {error}.")
    answers.put((probe.name, result))
