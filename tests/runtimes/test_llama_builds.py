"""Telling one llama.cpp from another by what it says of itself, finding it, and choosing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.doubles import llama_server

from agentlaunch.errors import MachineError, UserError
from agentlaunch.runtimes.llama_builds import (
    EMBEDDED,
    SERVER,
    Choice,
    Device,
    LlamaBuild,
    choose,
    choose_installed,
    find_program,
    parse_devices,
    parse_version,
    read_embedded,
    read_server,
)

MIB = 2**20

CUDA = """\
Available devices:
  CUDA0: NVIDIA GeForce RTX 3080 Ti (11909 MiB, 11650 MiB free)
  CUDA1: NVIDIA RTX PRO 4000 Blackwell SFF Edition (24026 MiB, 23795 MiB free)
ggml_cuda_init: found 2 CUDA devices (Total VRAM: 35936 MiB):
  Device 0: NVIDIA GeForce RTX 3080 Ti, compute capability 8.6, VMM: yes, VRAM: 11909 MiB
  Device 1: NVIDIA RTX PRO 4000 Blackwell SFF Edition, compute capability 12.0, VMM: yes, VRAM: 24026 MiB
load_backend: loaded CUDA backend from /usr/lib/ollama/cuda_v13/libggml-cuda.so
"""
"""ollama/ollama issue 16508."""
METAL = """\
ggml_metal_device_init: GPU name:   Apple M1 Pro
ggml_metal_device_init: recommendedMaxWorkingSetSize  = 12713.12 MB
Available devices:
  MTL0: Apple M1 Pro (12124 MiB, 12123 MiB free)
  BLAS: Accelerate (0 MiB, 0 MiB free)
"""
OLD_METAL = (
    "Available devices:\n  Metal: Apple M4 Max (98304 MiB, 98303 MiB free)\n  BLAS: Accelerate (0 MiB, 0 MiB free)\n"
)
"""ardanlabs/kronk issue 10."""
VULKAN = """\
ggml_vulkan: Found 1 Vulkan devices:
ggml_vulkan: 0 = NVIDIA GeForce RTX 2060 (NVIDIA) | uma: 0 | fp16: 1 | bf16: 1 | warp size: 32
Available devices:
  Vulkan0: NVIDIA GeForce RTX 2060 (6144 MiB, 5136 MiB free)
"""
"""ggml-org/llama.cpp issue 16659."""
RPC = "Available devices:\n  RPC[10.0.0.2:50052]: RPC[10.0.0.2:50052] (8192 MiB, 8000 MiB free)\n"
RTX = Device("CUDA0", "CUDA", "NVIDIA GeForce RTX 3080 Ti", 11909 * MIB, 11650 * MIB)


@pytest.mark.parametrize(
    ("text", "devices", "gpus"),
    [
        (CUDA, (("CUDA0", "CUDA", 11909, 11650), ("CUDA1", "CUDA", 24026, 23795)), 2),
        (METAL, (("MTL0", "Metal", 12124, 12123), ("BLAS", "BLAS", 0, 0)), 1),
        (OLD_METAL, (("Metal", "Metal", 98304, 98303), ("BLAS", "BLAS", 0, 0)), 1),
        (VULKAN, (("Vulkan0", "Vulkan", 6144, 5136),), 1),
        (
            "Available devices:\n  ROCm0: AMD Radeon RX 7900 XTX (24560 MiB, 24000 MiB free)\n",
            (("ROCm0", "ROCm", 24560, 24000),),
            1,
        ),
        (RPC, (("RPC[10.0.0.2:50052]", "RPC", 8192, 8000),), 0),
        ("Available devices:\n  CUDA0: NVIDIA GeForce RTX 4070 (8188 MiB)\n", (("CUDA0", "CUDA", 8188, 8188),), 1),
        ("Available devices:\n  (none)\n", (), 0),
        ("Available devices:\n", (), 0),
        ("error: invalid argument: --list-devices\n", (), 0),
    ],
)
def test_the_devices_of_a_build_are_read(text: str, devices: tuple[tuple[str, str, int, int], ...], gpus: int) -> None:
    found = parse_devices(text)
    assert tuple((d.name, d.backend, d.total_bytes // MIB, d.free_bytes // MIB) for d in found) == devices
    assert sum(device.is_gpu for device in found) == gpus


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("version: 8204 (7a99dc85e)\nbuilt with GNU 11.4.0 for Linux x86_64\n", "b8204"),
        ("ggml_vulkan: Found 1 Vulkan devices:\nversion: 6795 (unknown)\nbuilt with FreeBSD clang", "b6795"),
        (
            "version: 0.4.1-dev (build 11059, commit 059a34f8d)\nbuilt with GNU 14.2.0 for Linux aarch64",
            "0.4.1-dev b11059",
        ),
        ("error: invalid argument: --version", ""),
    ],
)
def test_the_version_of_a_build_is_read(text: str, version: str) -> None:
    assert parse_version(text) == version


def test_a_variable_goes_before_the_path(tmp_path: Path) -> None:
    mine, other = llama_server.install(tmp_path / "mine"), llama_server.install(tmp_path / "bin")
    path = str(tmp_path / "bin")
    assert find_program({"PATH": path, "LLAMA_SERVER": mine}) == mine
    assert find_program({"PATH": path, "LLAMA_SERVER": other, "AGENTLAUNCH_LLAMA_SERVER": mine}) == mine
    assert find_program({"PATH": path}) == other


def test_a_program_is_found_where_an_installer_has_put_it(tmp_path: Path) -> None:
    there = llama_server.install(tmp_path / ".pixi" / "bin")
    assert find_program({"PATH": "", "HOME": str(tmp_path)}) == there


def test_a_variable_that_names_no_program_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        find_program({"PATH": "", "LLAMA_SERVER": str(tmp_path / "none")})
    assert (caught.value.code, caught.value.message) == (
        "llama-server-missing",
        f"`LLAMA_SERVER` names `{tmp_path / 'none'}`, which is no program",
    )


ON_CPU = LlamaBuild(EMBEDDED, "/site/xllamacpp", "1")
ON_GPU = LlamaBuild(SERVER, "/bin/llama-server", "b8204", (RTX,))
SERVER_ON_CPU = LlamaBuild(SERVER, "/bin/llama-server", "b8204")
BROKEN = LlamaBuild(SERVER, "/bin/llama-server", fault="it ends with exit code 127")


@pytest.mark.parametrize(
    ("embedded", "server", "choice"),
    [
        (ON_CPU, None, Choice(EMBEDDED, "", "no llama-server is installed")),
        (ON_CPU, SERVER_ON_CPU, Choice(EMBEDDED, "", "the installed llama-server sees no GPU either")),
        (
            ON_CPU,
            ON_GPU,
            Choice(
                SERVER,
                "/bin/llama-server",
                "it runs on NVIDIA GeForce RTX 3080 Ti (CUDA), and the embedded llama.cpp does not",
            ),
        ),
        (
            LlamaBuild(EMBEDDED, "/site/xllamacpp", "1", (RTX,)),
            ON_GPU,
            Choice(EMBEDDED, "", "it runs on NVIDIA GeForce RTX 3080 Ti (CUDA)"),
        ),
        (None, SERVER_ON_CPU, Choice(SERVER, "/bin/llama-server", "the embedded llama.cpp is not installed")),
        (ON_CPU, BROKEN, Choice(EMBEDDED, "", "the llama-server at /bin/llama-server: it ends with exit code 127")),
        (None, None, Choice(EMBEDDED, "", "no llama-server is installed")),
    ],
    ids=["no server", "no gpu", "gpu", "embedded gpu", "server alone", "broken", "nothing"],
)
def test_the_installed_one_is_taken_when_it_alone_has_a_gpu(
    embedded: LlamaBuild | None, server: LlamaBuild | None, choice: Choice
) -> None:
    assert choose("", embedded, server) == choose("llamacpp", embedded, server) == choice


def test_what_the_user_asks_for_is_taken_or_refused() -> None:
    assert choose("embedded", ON_CPU, ON_GPU) == Choice(EMBEDDED, "", "it is asked for: --runtime embedded")
    assert choose("llama-server", ON_CPU, SERVER_ON_CPU).program == "/bin/llama-server"
    with pytest.raises(MachineError) as caught:
        choose("llama-server", ON_CPU, None)
    assert (caught.value.code, caught.value.hint.startswith("how to get one: agentlaunch runtime")) == (
        "runtime-missing",
        True,
    )


def test_a_build_is_asked_by_starting_it(tmp_path: Path) -> None:
    program = llama_server.install(tmp_path, devices=CUDA)
    found = read_server(program, os.environ)
    assert (found.runtime, found.path, found.version, len(found.gpus), found.fault) == (SERVER, program, "b8204", 2, "")
    chosen = choose_installed("", {**os.environ, "LLAMA_SERVER": program})
    assert (chosen.runtime, chosen.program, chosen.title) == (SERVER, program, "llama-server")
    assert choose_installed("embedded", {**os.environ, "LLAMA_SERVER": program}).runtime == EMBEDDED


def test_a_program_that_cannot_be_asked_is_not_chosen(tmp_path: Path) -> None:
    program = tmp_path / "llama-server"
    program.write_text("#!/bin/sh\necho no libcuda.so.1 >&2\nexit 127\n")
    program.chmod(0o755)
    assert read_server(str(program), os.environ).fault == "it ends with exit code 127"
    assert choose_installed("", {**os.environ, "LLAMA_SERVER": str(program)}).runtime == EMBEDDED


def test_the_embedded_build_lists_its_devices() -> None:
    found = read_embedded(os.environ)
    assert found is not None
    assert (found.runtime, found.fault, bool(found.version), bool(found.devices)) == (EMBEDDED, "", True, True)
