"""Apple silicon: unified memory, of which Metal takes a share."""

from __future__ import annotations

from agentlaunch.core.hardware import Gpu
from agentlaunch.probes.base import GIB, MIB, Findings, ProbeFailed, ProbeResult
from agentlaunch.probes.cpu import parse_sysctl
from agentlaunch.probes.integrated import unified_gpu
from agentlaunch.probes.memory import read_memory
from agentlaunch.system.machine import CommandEnded, Machine

TRANSLATED_NAME = "Apple silicon"
ROSETTA = (
    "This Python is for Intel processors and runs under Rosetta: the built-in llama.cpp cannot use the GPU;"
    " install a Python for Apple silicon."
)
LARGE_FROM_BYTES = 36 * GIB


class AppleProbe:
    """The GPU of an Apple chip."""

    name = "apple"
    title = "the Apple GPU"
    limit_s = 2.0

    def probe(self, machine: Machine) -> ProbeResult:
        """One GPU on Apple silicon; a note on a Mac with an Intel processor."""
        ended = machine.run(["/usr/sbin/sysctl", "hw.memsize", "machdep.cpu.brand_string", "iogpu.wired_limit_mb"], 1.0)
        if not isinstance(ended, CommandEnded):
            return ProbeFailed("sysctl did not answer: the Apple GPU is not known.")
        found = parse_apple(ended.stdout, read_memory(machine).available_bytes)
        if isinstance(found, ProbeFailed):
            return found
        if found is None:
            return Findings(
                notes=("This Mac has an Intel processor: its GPU is not used, models run on the processor.",)
            )
        return Findings(gpus=(found,), notes=(ROSETTA,) if found.name == TRANSLATED_NAME else ())


def parse_apple(text: str, available_bytes: int) -> Gpu | ProbeFailed | None:
    """The GPU told by sysctl's lines; None on a Mac with an Intel processor.

    `iogpu.wired_limit_mb` is missing before macOS 14 and 0 unless set; both mean the system's default.
    """
    values = parse_sysctl(text)
    name = values.get("machdep.cpu.brand_string", "").removesuffix(" (Virtual)")
    if name.startswith("VirtualApple"):  # what Rosetta tells a program for Intel processors
        name = TRANSLATED_NAME
    if name and not name.startswith("Apple"):
        return None
    size, wired = values.get("hw.memsize", ""), values.get("iogpu.wired_limit_mb", "")
    if not name or not _is_count(size):
        return ProbeFailed("sysctl names no Apple chip and memory: the GPU is not known.")
    total = int(size)
    limit = int(wired) * MIB if _is_count(wired) else 0
    usable = min(total, limit) if limit else default_working_set_bytes(total)
    return unified_gpu(name, "apple", usable, available_bytes)


def default_working_set_bytes(total_bytes: int) -> int:
    """Metal's recommendedMaxWorkingSetSize unless set otherwise: two thirds of the memory, three quarters from 36 GiB.

    As llama.cpp printed it: 10,922.67 MB of 16 GiB (abetlen/llama-cpp-python 687), 21,845.34 MB of 32 GiB
    (ggml-org/llama.cpp pull 2011), 49,152 MiB of 64 GiB (ggml-org/llama.cpp 1870). macOS 15 and 26 grant more
    (11.84 GiB of 16, AlexsJones/llmfit 754; 107.52 GiB of 128, antirez/ds4 893); the smaller share is safe on all.
    """
    return total_bytes * 3 // 4 if total_bytes >= LARGE_FROM_BYTES else total_bytes * 2 // 3


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
