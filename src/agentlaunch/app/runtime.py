"""Which llama.cpp a launch would use and why, what else serves models here, and how to get a build for the GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agentlaunch.app.inventory import FoundRuntime, find_runtimes
from agentlaunch.errors import AgentlaunchError
from agentlaunch.runtimes.llama_builds import Choice, LlamaBuild, choose, find_program, read_embedded, read_server

if TYPE_CHECKING:
    from agentlaunch.app.world import World
    from agentlaunch.core.hardware import HardwareReport, Vendor

_LLAMA = ("llamacpp", "llama-server")
"""What the inventory calls what `builds` tells in full."""

RELEASES = "https://github.com/ggml-org/llama.cpp/releases"


@dataclass(frozen=True)
class Way:
    """One documented way to get a llama-server for this machine's GPU: a command to type, or a page to load from."""

    title: str
    command: str


@dataclass(frozen=True)
class RuntimeReport:
    """`choice` is None where there is no llama.cpp at all, `fault` says why one that is named cannot be had.

    `ways` is empty where the llama.cpp in use has a GPU, or the machine has none.
    """

    choice: Choice | None
    builds: tuple[LlamaBuild, ...]
    others: tuple[FoundRuntime, ...]
    gpus: tuple[str, ...]
    ways: tuple[Way, ...]
    fault: str = ""


def find_runtime(world: World) -> RuntimeReport:
    """Look at every llama.cpp, the GPUs and the other servers. Starts `llama-server` to ask it, and loads nothing."""
    environment = world.environment
    fault, server = "", None
    try:
        program = find_program(environment)
        server = None if program is None else read_server(program, environment)
    except AgentlaunchError as error:
        fault = error.message
    embedded = read_embedded(environment)
    builds = tuple(build for build in (embedded, server) if build is not None)
    choice = choose("", embedded, server) if builds else None
    report = world.look()
    is_fast = any(build.gpus for build in builds if choice is not None and build.runtime == choice.runtime)
    return RuntimeReport(
        choice=choice,
        builds=builds,
        others=tuple(found for found in find_runtimes(environment) if found.name not in _LLAMA),
        gpus=tuple(gpu.name for gpu in report.gpus),
        ways=() if is_fast else ways_to_gpu(report),
        fault=fault,
    )


def ways_to_gpu(report: HardwareReport) -> tuple[Way, ...]:
    """How to get a llama-server that uses this machine's GPUs, the simplest first; nothing where it has none.

    Sources: llama.cpp's docs/install.md (Homebrew, winget, conda-forge, MacPorts, and what they build) and the names
    of its releases' files. Homebrew's formula for Linux and Debian's package are built for the CPU, and left out.
    """
    vendors = {gpu.vendor for gpu in report.gpus}
    if not vendors:
        return ()
    match report.os:
        case "darwin":
            return (
                Way("Homebrew, with Metal", "brew install llama.cpp"),
                Way("MacPorts, with Metal", "sudo port install llama.cpp"),
            )
        case "windows":
            release = _release("win", _windows_build(vendors), "zip")
            return (Way("winget, with Vulkan", "winget install llama.cpp"), _conda(vendors), release)
        case "linux":
            on_amd = "amd" in vendors and report.arch == "x86_64"
            return (_conda(vendors), _release("ubuntu", "rocm" if on_amd else "vulkan", "tar.gz"))


def _conda(vendors: set[Vendor]) -> Way:
    """conda-forge builds for CUDA and for Vulkan, and takes CUDA where it finds a driver of NVIDIA's."""
    built = "CUDA" if "nvidia" in vendors else "Vulkan"
    return Way(f"conda-forge, with {built}", "conda install -c conda-forge llama-cpp")


def _windows_build(vendors: set[Vendor]) -> str:
    if "nvidia" in vendors:
        return "cuda"
    return "hip-radeon" if "amd" in vendors else "vulkan"


def _release(system: str, build: str, ending: str) -> Way:
    """A file of llama.cpp's own releases, to be unpacked; Linux gets no CUDA from there (report of August 2026)."""
    return Way(f"llama.cpp's release, the file llama-...-bin-{system}-{build}-....{ending}", RELEASES)
