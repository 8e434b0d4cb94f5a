"""How much of a machine's paper figures the runtimes reach: efficiencies for each backend."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct


class Backend(Struct, frozen=True):
    """One backend of llama.cpp on one class of hardware. Efficiencies are fractions of the paper figure.

    `decode_*` of memory bandwidth, `prefill_*` of peak FP16 operations, `prefill_weights` of bandwidth again;
    `layer_us` passes for each layer and token, `expert_us` for each layer's expert and micro-batch of a
    prompt, both whatever the size; `overhead_mib` is what the runtime takes on each
    device besides weights, cache and compute buffer. The spreads are factors that hold four of five measurements.
    """

    name: str
    decode_dense: float
    decode_expert: float
    decode_cache: float
    layer_us: float
    prefill_dense: float
    prefill_expert: float
    prefill_attention: float
    prefill_weights: float
    expert_us: float
    overhead_mib: int
    decode_spread: tuple[float, float]
    prefill_spread: tuple[float, float]
    confidence: str
    source: str

    @property
    def layer_seconds(self) -> float:
        """Seconds that a layer costs a token whatever its size."""
        return self.layer_us * 1e-6

    @property
    def expert_seconds(self) -> float:
        """Seconds that one layer's expert costs a micro-batch whatever its size."""
        return self.expert_us * 1e-6

    @property
    def overhead_bytes(self) -> int:
        """What the runtime takes on each device besides weights, cache and compute buffer."""
        return self.overhead_mib * 2**20


class _File(Struct):
    backend: tuple[Backend, ...]


class Calibration(Struct, frozen=True):
    """All backends by name."""

    backends: Mapping[str, Backend]

    def __getitem__(self, name: str) -> Backend:
        return self.backends[name]


def parse_calibration(text: str | bytes) -> Calibration:
    """Read data/calibration.json, made from data/calibration.toml by scripts/build_catalog.py."""
    return Calibration({backend.name: backend for backend in msgspec.json.decode(text, type=_File).backend})
