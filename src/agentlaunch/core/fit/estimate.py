"""One setting of a model on one machine: where it lies, how fast it is, how much context there is room for."""

from __future__ import annotations

from msgspec import Struct
from msgspec.structs import replace

from agentlaunch.core.catalog import Model, Quant
from agentlaunch.core.fit.machine import LINK_BYTES_S, Machine
from agentlaunch.core.fit.memory import CacheType, RunSettings, cache_read_bytes
from agentlaunch.core.fit.placement import Placement, needs_of, place
from agentlaunch.core.fit.result import Speed
from agentlaunch.core.fit.speed import (
    Device,
    attention_operations,
    decode_seconds,
    part_of,
    prefill_seconds,
    tokens_per_second,
    work_of,
)

CONTEXT_STEP = 1024
DEFAULT_PROMPT_TOKENS = 12_128
"""Claude Code's first request (facts/agents.md 2), the longest of three; the agent's own figure is better."""


class Usable(Struct, frozen=True):
    """What an agent needs to be usable. Every figure is a choice and may be changed.

    Below 8 tokens a second people read faster than the agent writes; that is asked of the low end of the estimate's
    range. A minute and a half is what the first answer, and each large file after it, may take. The window of 32k holds
    a prompt, a few files and an answer; 64k spares most sessions a compaction. `quality` is on SWE-bench Verified's
    scale: below it a model does not finish the tasks that agents are used for.
    """

    decode_tok_s: float = 8.0
    first_prompt_s: float = 90.0
    context: int = 32_768
    preferred_context: int = 65_536
    quality: float = 10.0


class Demand(Struct, frozen=True):
    """What the model is for: the agent's name and first prompt in tokens, and what counts as usable."""

    agent: str = "claude"
    prompt_tokens: int = DEFAULT_PROMPT_TOKENS
    usable: Usable = Usable()


class Estimate(Struct, frozen=True):
    """One setting that was tried."""

    model: Model
    quant: Quant
    settings: RunSettings
    placement: Placement
    speed: Speed


def estimate(model: Model, quant: Quant, settings: RunSettings, machine: Machine, demand: Demand) -> Estimate:
    """Placement and speed. Decoding is judged with the agent's first prompt in the window, not with an empty one."""
    placement = place(model, needs_of(model, quant, settings), machine)
    return Estimate(model, quant, settings, placement, _speed(model, quant, settings, machine, (placement, demand)))


def max_context(model: Model, quant: Quant, settings: RunSettings, machine: Machine) -> int:
    """The largest context in tokens, a multiple of 1024 and no longer than trained, that keeps the same placement."""
    wanted = place(model, needs_of(model, quant, settings), machine).kind
    low, high = 0, max(model.context_trained, settings.context) // CONTEXT_STEP
    while low < high:
        middle = (low + high + 1) // 2
        tried = replace(settings, context=middle * CONTEXT_STEP)
        fits = place(model, needs_of(model, quant, tried), machine).kind
        if fits != "none" and wanted in {fits, "none"}:
            low = middle
        else:
            high = middle - 1
    return low * CONTEXT_STEP


def _speed(
    model: Model, quant: Quant, settings: RunSettings, machine: Machine, rest: tuple[Placement, Demand]
) -> Speed:
    placement, demand = rest
    depth = min(demand.prompt_tokens, settings.context)
    decode = _decode_seconds(model, quant, settings.cache_type, machine, (placement, depth))
    prefill = _prefill_seconds(model, quant, machine, placement, depth)
    decode_spread, prefill_spread = _spreads(machine, placement)
    return Speed(
        decode=tokens_per_second(decode, decode_spread),
        prefill=tokens_per_second(prefill, prefill_spread),
        first_prompt_s=prefill * demand.prompt_tokens,
    )


def _shares(machine: Machine, placement: Placement) -> tuple[Device | None, float, float]:
    """The GPU, and the fractions of dense weights and experts that it works on. A miss is judged as placed nearest."""
    if machine.gpu is None or placement.gpu_bytes == 0:
        return None, 0.0, 0.0
    return machine.gpu.device, placement.dense_on_gpu, placement.experts_on_gpu


def _decode_seconds(
    model: Model, quant: Quant, cache_type: CacheType, machine: Machine, rest: tuple[Placement, int]
) -> float:
    placement, depth = rest
    work = work_of(model, quant)
    read = cache_read_bytes(model.architecture, depth, cache_type)
    gpu, dense, experts = _shares(machine, placement)
    seconds = 0.0
    if gpu is not None:
        seconds += decode_seconds(part_of(work, dense, experts), read * dense, gpu)
    if dense < 1 or experts < 1:
        seconds += decode_seconds(part_of(work, 1 - dense, 1 - experts), read * (1 - dense), machine.host)
    return seconds


def _prefill_seconds(model: Model, quant: Quant, machine: Machine, placement: Placement, tokens: int) -> float:
    """For weights in host memory the faster of two ways: the CPU computes, or the GPU after a copy a micro-batch."""
    work = work_of(model, quant)
    attention = attention_operations(model.architecture, tokens)
    gpu, dense, experts = _shares(machine, placement)
    if gpu is None:
        return prefill_seconds(work, attention, machine.host)
    there = prefill_seconds(part_of(work, dense, experts), attention * dense, gpu)
    if dense == 1 and experts == 1:
        return there
    here = prefill_seconds(part_of(work, 1 - dense, 1 - experts), attention * (1 - dense), machine.host)
    moved = work.dense_bytes * (1 - dense) + work.expert_bytes_all * (1 - experts)
    copied = prefill_seconds(work, attention, gpu) + moved / LINK_BYTES_S / 512
    return min(there + here, copied)


_SPLIT_WIDER = 0.15
"""A split depends on the link between the memories and on threads, of which a report says nothing."""


def _spreads(machine: Machine, placement: Placement) -> tuple[tuple[float, float], tuple[float, float]]:
    cpu = machine.host.backend
    if machine.gpu is None or placement.gpu_bytes == 0:
        return cpu.decode_spread, cpu.prefill_spread
    gpu = machine.gpu.device.backend
    if placement.dense_on_gpu == 1 and placement.experts_on_gpu == 1:
        return gpu.decode_spread, gpu.prefill_spread
    return _wider(gpu.decode_spread, cpu.decode_spread), _wider(gpu.prefill_spread, cpu.prefill_spread)


def _wider(one: tuple[float, float], other: tuple[float, float]) -> tuple[float, float]:
    return min(one[0], other[0]) * (1 - _SPLIT_WIDER), max(one[1], other[1]) * (1 + _SPLIT_WIDER)
