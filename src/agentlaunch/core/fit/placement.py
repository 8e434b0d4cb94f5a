"""Where the bytes of a model go on a machine: all on the GPU, split with host memory, or host memory alone."""

from __future__ import annotations

import math
from typing import Literal

from msgspec import Struct

from agentlaunch.core.catalog import Model, Quant
from agentlaunch.core.fit.machine import GpuPool, Machine
from agentlaunch.core.fit.memory import RunSettings, cache_bytes, compute_bytes

PlacementKind = Literal["gpu", "split", "cpu", "none"]


class Needs(Struct, frozen=True):
    """Bytes of a model with these settings before they are placed. `dense` counts what is no routed expert."""

    dense: float
    experts: float
    embeddings: float
    file: int
    cache: int
    compute: int


class Placement(Struct, frozen=True):
    """One way to place a model, or the nearest miss (`none`). Bytes; the shares are fractions that lie on the GPU.

    `total_bytes` count against `budget_bytes`: GPU memory for `gpu`, host memory for `cpu`, both together for `split`.
    With discrete GPUs the input embeddings stay in host memory; those are in `host_bytes` and not in a `gpu` total.
    """

    kind: PlacementKind
    weights_bytes: int
    cache_bytes: int
    compute_bytes: int
    total_bytes: int
    budget_bytes: int
    gpu_bytes: int
    host_bytes: int
    dense_on_gpu: float = 0.0
    experts_on_gpu: float = 0.0

    @property
    def headroom_bytes(self) -> int:
        """Budget left, negative where it does not fit."""
        return self.budget_bytes - self.total_bytes


def needs_of(model: Model, quant: Quant, settings: RunSettings) -> Needs:
    """What a model needs in this quantisation and with these settings."""
    shares, size = model.shares, quant.file_bytes
    return Needs(
        dense=(shares.gpu - shares.experts) * size,
        experts=shares.experts * size,
        embeddings=shares.host * size,
        file=size,
        cache=cache_bytes(model.architecture, settings),
        compute=compute_bytes(model.architecture, settings),
    )


def place(model: Model, needs: Needs, machine: Machine) -> Placement:
    """The fastest placement that fits: GPU, then split, then CPU. Kind `none` tells how far the nearest one misses."""
    tried = []
    if machine.gpu is not None:
        tried.append(_all_on_gpu(needs, machine.gpu))
        if not machine.gpu.unified:
            split = _experts_on_host if needs.experts else _layers_on_host
            tried.append(split(model, needs, machine, machine.gpu))
    if machine.gpu is None or not machine.gpu.unified:
        tried.append(_all_on_host(needs, machine))
    fitting = next((placement for placement in tried if placement.kind != "none"), None)
    return fitting if fitting is not None else max(tried, key=lambda placement: placement.headroom_bytes)


def _overhead(gpu: GpuPool, needs: Needs) -> int:
    """Runtime and compute buffer: each GPU of a pool has its own."""
    return gpu.count * (gpu.device.backend.overhead_bytes + needs.compute)


def _all_on_gpu(needs: Needs, gpu: GpuPool) -> Placement:
    embeddings = int(needs.embeddings)
    # On unified memory the embeddings take from the same budget.
    weights = int(needs.dense + needs.experts) + (embeddings if gpu.unified else 0)
    overhead = _overhead(gpu, needs)
    total = weights + needs.cache + overhead
    fits = total <= gpu.budget_bytes
    host = 0 if gpu.unified else embeddings
    return Placement(
        "gpu" if fits else "none", weights, needs.cache, overhead, total, gpu.budget_bytes, total, host, 1.0, 1.0
    )


def _experts_on_host(model: Model, needs: Needs, machine: Machine, gpu: GpuPool) -> Placement:
    """A mixture's experts go to host memory, whole layers at a time, as many as must."""
    overhead = _overhead(gpu, needs)
    base = needs.dense + needs.cache + overhead
    layers = model.architecture.layers
    room = (gpu.budget_bytes - base) / needs.experts
    on_gpu = min(max(math.floor(room * layers), 0), layers) / layers
    gpu_bytes = int(base + on_gpu * needs.experts)
    host_bytes = int(needs.embeddings + (1 - on_gpu) * needs.experts) + machine.host.backend.overhead_bytes
    return _split(needs, machine, gpu, overhead, (gpu_bytes, host_bytes), (1.0, on_gpu))


def _layers_on_host(model: Model, needs: Needs, machine: Machine, gpu: GpuPool) -> Placement:
    """A dense model's layers, with their cache, go to host memory, as many as must."""
    overhead = _overhead(gpu, needs)
    layers = model.architecture.layers
    room = (gpu.budget_bytes - overhead) / (needs.dense + needs.cache)
    on_gpu = min(max(math.floor(room * layers), 0), layers) / max(layers, 1)
    gpu_bytes = int(on_gpu * (needs.dense + needs.cache)) + overhead
    host_bytes = int(needs.embeddings + (1 - on_gpu) * (needs.dense + needs.cache))
    host_bytes += machine.host.backend.overhead_bytes
    return _split(needs, machine, gpu, overhead, (gpu_bytes, host_bytes), (on_gpu, on_gpu))


def _split(
    needs: Needs, machine: Machine, gpu: GpuPool, overhead: int, used: tuple[int, int], on_gpu: tuple[float, float]
) -> Placement:
    gpu_bytes, host_bytes = used
    fits = gpu_bytes <= gpu.budget_bytes and host_bytes <= machine.host_budget_bytes and on_gpu[0] > 0
    total = gpu_bytes + host_bytes
    return Placement(
        kind="split" if fits else "none",
        weights_bytes=total - needs.cache - overhead - machine.host.backend.overhead_bytes,
        cache_bytes=needs.cache,
        compute_bytes=overhead + machine.host.backend.overhead_bytes,
        total_bytes=total,
        budget_bytes=gpu.budget_bytes + machine.host_budget_bytes,
        gpu_bytes=gpu_bytes,
        host_bytes=host_bytes,
        dense_on_gpu=on_gpu[0],
        experts_on_gpu=on_gpu[1],
    )


def _all_on_host(needs: Needs, machine: Machine) -> Placement:
    overhead = needs.compute + machine.host.backend.overhead_bytes
    total = needs.file + needs.cache + overhead
    budget = machine.host_budget_bytes
    kind: PlacementKind = "cpu" if total <= budget else "none"
    return Placement(kind, needs.file, needs.cache, overhead, total, budget, 0, total)
