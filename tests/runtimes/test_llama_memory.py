"""Lack of memory told from other ends, and what is tried then."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.engine import EngineParameters, EngineSpec
from agentlaunch.runtimes.llama_memory import (
    KernelKills,
    parse_kernel_kills,
    ran_out_of_memory,
    step_down,
    step_note,
)

CPU = (
    "0.00.948.467 E ggml_aligned_malloc: insufficient memory (attempted to allocate 2880.00 MB)",
    "0.00.948.509 E ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 3019898880",
    "0.00.948.781 E llama_init_from_model: failed to initialize the context: failed to allocate buffer for kv cache",
)
"""llama-server b10434 under RLIMIT_AS."""
CUDA = (
    "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 144817 MiB on device 0: cudaMalloc failed: out of memory",
    "alloc_tensor_range: failed to allocate CUDA0 buffer of size 151851674624",
    "llama_model_load: error loading model: unable to allocate CUDA0 buffer",
)
"""ggml-org/llama.cpp issue 20431."""
VULKAN = (
    "ggml_vulkan: Device memory allocation of size 369827840 failed.",
    "ggml_vulkan: vk::Device::allocateMemory: ErrorOutOfDeviceMemory",
)
"""ggml-org/llama.cpp issue 29270."""
METAL = (
    "ggml_metal_synchronize: error: command buffer 0 failed with status 5",
    "error: Insufficient Memory (00000008:kIOGPUCommandBufferCallbackErrorOutOfMemory)",
)
"""ggml-org/llama.cpp pull request 22673."""


@pytest.mark.parametrize(
    "line",
    [*CPU, *CUDA, *VULKAN, METAL[1], "CUDA error: out of memory", "terminate called after throwing std::bad_alloc"],
)
def test_every_backend_says_in_its_own_words_that_memory_ran_out(line: str) -> None:
    assert ran_out_of_memory([line], 1, 0)


@pytest.mark.parametrize(
    "line",
    [
        "0.00.007.892 E llama_model_load: error loading model: unknown model architecture: 'llamx'",
        "ggml_cuda_host_malloc: failed to allocate 1900,00 MiB of pinned memory: invalid argument",
        "1.06.520.107 W sched_reserve: compute buffer allocation failed, retrying without pipeline parallelism",
        "CUDA error: an illegal memory access was encountered",
        "srv  llama_server: model loaded",
    ],
)
def test_what_is_no_lack_of_memory_is_not_taken_for_it(line: str) -> None:
    assert not ran_out_of_memory([line], 1, 0)
    assert not ran_out_of_memory([line], -11, 3)


@pytest.mark.parametrize(("kills", "ran_out"), [(1, True), (0, False), (None, True)])
def test_a_kill_counts_where_the_kernel_has_killed_for_memory_or_does_not_tell(
    kills: int | None, ran_out: bool
) -> None:
    assert ran_out_of_memory(["serving"], -9, kills) is ran_out


def test_the_kernels_count_is_read(tmp_path: Path) -> None:
    assert parse_kernel_kills("pgfault 7\noom_kill 3\noom_kill_extra 9\n") == 3
    assert parse_kernel_kills("pgfault 7\n") is None
    assert KernelKills(tmp_path / "none").count() is None


PLANNED = EngineParameters(gpu_layers=12, cpu_expert_layers=3, checkpoints=4)
SPEC = EngineSpec("/m.gguf", "m", 65_536, parameters=PLANNED, smallest_window=20_480)


def test_steps_go_down_in_context_first_then_in_the_type_of_the_cache() -> None:
    steps: list[tuple[int, str]] = []
    spec: EngineSpec | None = SPEC
    while (spec := step_down(spec)) is not None:
        steps.append((spec.context_window, spec.kv_type))
        assert (spec.parameters.gpu_layers, spec.parameters.cpu_expert_layers, spec.parameters.checkpoints) == (
            None,
            0,
            4,
        )
        assert spec.parameters.flash_attention == ("auto" if spec.kv_type == "f16" else "on")
    assert steps == [(32_768, "f16"), (20_480, "f16"), (20_480, "q8_0"), (20_480, "q4_0")]


def test_without_a_smallest_window_no_step_is_taken() -> None:
    assert step_down(EngineSpec("/m.gguf", "m", 65_536)) is None


@given(st.integers(1, 2**20), st.integers(0, 2**20))
def test_steps_end_and_never_go_below_the_smallest_window(window: int, smallest: int) -> None:
    spec: EngineSpec | None = EngineSpec("/m.gguf", "m", window, smallest_window=smallest)
    for _ in range(24):
        spec = None if spec is None else step_down(spec)
        assert spec is None or spec.context_window >= min(window, smallest)
    assert spec is None


def test_a_step_is_told_in_one_sentence() -> None:
    assert step_note(EngineSpec("/m", "m", 8192)) == "out of memory: restarted with a window of 8192 tokens"
    assert step_note(EngineSpec("/m", "m", 8192, "q8_0")).endswith("8192 tokens and a KV cache of q8_0")
