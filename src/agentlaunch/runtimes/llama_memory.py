"""Whether llama.cpp ran out of memory, and what it is started with then: one step less."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from agentlaunch.core.engine import EngineSpec, KVType

_SAID = re.compile(
    r"insufficient memory|out of (?:device |host )?memory|OutOf(?:Device|Host)?Memory|OUT_OF_(?:DEVICE|HOST)_MEMORY"
    r"|failed to allocate|unable to allocate|(?:cuda|hip|musa)Malloc\w* failed|Device memory allocation of size"
    r"|bad_alloc|failed to fit params",
    re.IGNORECASE,
)
"""What ggml's backends say: CPU (ggml_aligned_malloc), CUDA and ROCm (cudaMalloc), Vulkan (vk::Device::allocateMemory),
Metal (kIOGPUCommandBufferCallbackErrorOutOfMemory); the captured texts stand in tests/runtimes/test_llama_memory.py."""

_HARMLESS = re.compile(r"pinned memory|retrying|fall(?:ing)? back", re.IGNORECASE)
"""An allocation that llama.cpp does without: host memory that is not pinned, a compute buffer tried again."""

SIGKILL = 9
_KV_STEPS: dict[KVType, KVType] = {"f16": "q8_0", "q8_0": "q4_0"}


def names_memory(line: str) -> bool:
    """Whether this line of a log says that an allocation failed which the engine needs."""
    return _SAID.search(line) is not None and _HARMLESS.search(line) is None


def ran_out_of_memory(lines: Iterable[str], status: int | None, kernel_kills: int | None) -> bool:
    """Whether an engine that ended did so for want of memory.

    `lines` are the last of its log; `status` is how it ended, a signal negative. `kernel_kills` says how many processes
    the kernel has killed for memory while it ran, None where no kernel tells: there a SIGKILL is taken for one.
    """
    if any(map(names_memory, lines)):
        return True
    return status == -SIGKILL and kernel_kills != 0


def step_down(spec: EngineSpec) -> EngineSpec | None:
    """The same engine with less memory: half the window, down to the smallest; then a smaller KV cache; None below.

    The plan of its layers was wrong, so llama.cpp places them itself from now on.
    """
    smallest = spec.smallest_window
    if smallest <= 0:
        return None
    placed = replace(spec.parameters, gpu_layers=None, cpu_expert_layers=0)
    if spec.context_window > smallest:
        return replace(spec, context_window=max(spec.context_window // 2, smallest), parameters=placed)
    smaller = _KV_STEPS.get(spec.kv_type)
    if smaller is None:
        return None
    return replace(spec, kv_type=smaller, parameters=replace(placed, flash_attention="on"))


def step_note(spec: EngineSpec) -> str:
    """What the user and the agent are told of a step down to `spec`."""
    cache = "" if spec.kv_type == "f16" else f" and a KV cache of {spec.kv_type}"
    return f"out of memory: restarted with a window of {spec.context_window} tokens{cache}"


@dataclass(frozen=True)
class KernelKills:
    """Processes that Linux has killed for memory since it started, in containers too (/proc/vmstat, `oom_kill`)."""

    path: Path = Path("/proc/vmstat")

    def count(self) -> int | None:
        """How many so far, None where no kernel tells."""
        try:
            return parse_kernel_kills(self.path.read_text("ascii", "replace"))
        except OSError:
            return None


def parse_kernel_kills(vmstat: str) -> int | None:
    """The count in the text of /proc/vmstat; None in one of a kernel before 4.13."""
    found = re.search(r"^oom_kill (\d+)$", vmstat, re.MULTILINE)
    return int(found[1]) if found else None
