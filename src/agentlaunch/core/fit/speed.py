"""Seconds a token, decoding and reading a prompt, from bytes read, operations done and calibrated efficiencies."""

from __future__ import annotations

from msgspec import Struct

from agentlaunch.core.catalog import Architecture, CacheGroup, Experts, Model, Quant
from agentlaunch.core.fit.calibration import Backend


class Device(Struct, frozen=True):
    """What computes: bandwidth in bytes a second, peak operations a second, and how much of both a backend reaches."""

    bandwidth: float
    operations: float
    backend: Backend


class Work(Struct, frozen=True):
    """What one token costs on one device. Bytes are read, operations done; `expert` means the active experts alone.

    `expert_bytes_all` are the bytes of every expert there: a micro-batch of a prompt touches nearly all of them;
    `expert_groups` counts them over all layers: each is a small product of its own.
    """

    dense_bytes: float = 0.0
    expert_bytes: float = 0.0
    expert_bytes_all: float = 0.0
    layers: float = 0.0
    dense_operations: float = 0.0
    expert_operations: float = 0.0
    expert_groups: float = 0.0


class Interval(Struct, frozen=True):
    """A figure and the range that holds four of five measurements."""

    middle: float
    low: float
    high: float


def work_of(model: Model, quant: Quant) -> Work:
    """What one token costs with the whole model on one device; the cache and attention come on top."""
    shares, experts = model.shares, model.architecture.experts
    active = 0.0 if experts is None else experts.used / experts.count
    expert_parameters = model.expert_parameters * active
    dense_parameters = max(model.active_parameters - expert_parameters, 0.0)
    return Work(
        dense_bytes=max(shares.gpu - shares.experts, 0.0) * quant.file_bytes,
        expert_bytes=shares.experts * quant.file_bytes * active,
        expert_bytes_all=shares.experts * quant.file_bytes,
        layers=model.architecture.layers,
        dense_operations=2 * dense_parameters,
        expert_operations=2 * expert_parameters,
        expert_groups=0.0 if experts is None else experts.count * _mixture_layers(model, experts),
    )


def part_of(work: Work, dense: float, experts: float) -> Work:
    """The share of the work that falls to one device: fractions of the dense weights and of the experts there."""
    return Work(
        dense_bytes=work.dense_bytes * dense,
        expert_bytes=work.expert_bytes * experts,
        expert_bytes_all=work.expert_bytes_all * experts,
        layers=work.layers * dense,
        dense_operations=work.dense_operations * dense,
        expert_operations=work.expert_operations * experts,
        expert_groups=work.expert_groups * experts,
    )


def _mixture_layers(model: Model, experts: Experts) -> int:
    """Layers that hold experts, from their parameters: hybrid models have them in a part of their layers only."""
    one = 3 * model.architecture.embedding * experts.feed_forward * experts.count
    return min(round(model.expert_parameters / max(one, 1)), model.architecture.layers)


def decode_seconds(work: Work, cache_read: float, device: Device) -> float:
    """Seconds to decode one token: memory traffic at the reached bandwidth, and a fixed time a layer."""
    backend, bandwidth = device.backend, device.bandwidth
    return (
        work.dense_bytes / (bandwidth * backend.decode_dense)
        + work.expert_bytes / (bandwidth * backend.decode_expert)
        + cache_read / (bandwidth * backend.decode_cache)
        + work.layers * backend.layer_seconds
    )


def prefill_seconds(work: Work, attention: float, device: Device, micro_batch: int = 512) -> float:
    """Seconds a prompt token: operations at the reached rate, and each expert's bytes once a micro-batch."""
    backend, operations = device.backend, device.operations
    return (
        work.dense_operations / (operations * backend.prefill_dense)
        + work.expert_operations / (operations * backend.prefill_expert)
        + attention / (operations * backend.prefill_attention)
        + work.expert_bytes_all / (device.bandwidth * backend.prefill_weights * micro_batch)
        + work.expert_groups * backend.expert_seconds / micro_batch
    )


def attention_operations(architecture: Architecture, tokens: int) -> float:
    """Operations of attention a prompt token, on average over a prompt of `tokens` that begins at nothing."""
    return sum(2 * _seen(group, tokens) * _width(group) * group.layers for group in architecture.cache)


def _width(group: CacheGroup) -> int:
    """Elements a cached token multiplied by each query head: its key and its value (a latent row serves as both)."""
    return group.heads * (group.key_length + (group.value_length or group.key_length))


def _seen(group: CacheGroup, tokens: int) -> float:
    mean = tokens / 2
    return mean if group.window is None else min(mean, group.window)


def tokens_per_second(seconds: float, spread: tuple[float, float]) -> Interval:
    """The rate for these seconds a token, with the backend's spread as its range."""
    rate = 1 / seconds if seconds > 0 else 0.0
    return Interval(rate, rate * spread[0], rate * spread[1])
