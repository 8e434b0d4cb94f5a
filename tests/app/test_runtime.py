"""What `agentlaunch runtime` finds, and the ways to a GPU that it names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.doubles import llama_server

from agentlaunch.app.runtime import RELEASES, find_runtime, ways_to_gpu
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory, OperatingSystem, Vendor

if TYPE_CHECKING:
    from conftest import MakeWorld

GIB = 1 << 30
RTX = Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * GIB)
CUDA = "Available devices:\n  CUDA0: NVIDIA GeForce RTX 4090 (24080 MiB, 23000 MiB free)\n"


def machine(os: OperatingSystem, *gpus: Gpu, arch: str = "x86_64") -> HardwareReport:
    return HardwareReport(os, arch, Cpu("Test CPU", 8), Memory(64 * GIB, 56 * GIB), gpus)


def test_a_gpu_that_nothing_uses_is_followed_by_ways_to_use_it(make_world: MakeWorld, tmp_path: Path) -> None:
    found = find_runtime(make_world(report=machine("linux", RTX), PATH=str(tmp_path)).world)
    assert found.choice is not None
    assert (found.choice.runtime, found.choice.why) == ("llama_cpp", "no llama-server is installed")
    assert [build.runtime for build in found.builds] == ["llama_cpp"]
    assert (found.gpus, found.ways) == ((RTX.name,), ways_to_gpu(machine("linux", RTX)))
    assert [other.name for other in found.others] == ["ollama", "lmstudio"]


def test_a_llama_server_with_the_gpu_is_used_and_needs_no_way(make_world: MakeWorld, tmp_path: Path) -> None:
    program = llama_server.install(tmp_path, devices=CUDA)
    found = find_runtime(make_world(report=machine("linux", RTX), LLAMA_SERVER=program).world)
    assert found.choice is not None
    assert (found.choice.runtime, found.choice.program, found.ways) == ("llama_server", program, ())
    assert [build.runtime for build in found.builds] == ["llama_cpp", "llama_server"]


def test_a_variable_that_names_nothing_is_told_and_the_rest_is_shown(make_world: MakeWorld) -> None:
    found = find_runtime(make_world(LLAMA_SERVER="/no/such").world)
    assert (found.fault, len(found.builds)) == ("`LLAMA_SERVER` names `/no/such`, which is no program", 1)


@pytest.mark.parametrize(
    ("os", "vendor", "arch", "commands"),
    [
        ("darwin", "apple", "arm64", ("brew install llama.cpp", "sudo port install llama.cpp")),
        (
            "windows",
            "nvidia",
            "x86_64",
            ("winget install llama.cpp", "conda install -c conda-forge llama-cpp", RELEASES),
        ),
        ("linux", "nvidia", "x86_64", ("conda install -c conda-forge llama-cpp", RELEASES)),
        ("linux", "amd", "aarch64", ("conda install -c conda-forge llama-cpp", RELEASES)),
    ],
)
def test_the_ways_are_those_of_the_system(
    os: OperatingSystem, vendor: Vendor, arch: str, commands: tuple[str, ...]
) -> None:
    report = machine(os, Gpu("G", vendor, 8 * GIB), arch=arch)
    assert tuple(way.command for way in ways_to_gpu(report)) == commands


@pytest.mark.parametrize(
    ("os", "vendor", "arch", "build"),
    [
        ("windows", "nvidia", "x86_64", "win-cuda"),
        ("windows", "amd", "x86_64", "win-hip-radeon"),
        ("windows", "intel", "x86_64", "win-vulkan"),
        ("linux", "nvidia", "x86_64", "ubuntu-vulkan"),
        ("linux", "amd", "x86_64", "ubuntu-rocm"),
        ("linux", "amd", "aarch64", "ubuntu-vulkan"),
    ],
)
def test_the_release_s_file_is_the_one_for_the_gpu(os: OperatingSystem, vendor: Vendor, arch: str, build: str) -> None:
    assert f"-bin-{build}-" in ways_to_gpu(machine(os, Gpu("G", vendor, 8 * GIB), arch=arch))[-1].title


def test_a_machine_without_a_gpu_needs_none() -> None:
    assert ways_to_gpu(machine("linux")) == ()
