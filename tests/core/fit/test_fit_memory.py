"""KV cache, recurrent state and compute buffers against what llama.cpp itself allocates."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from agentlaunch.core.catalog import Architecture, CacheGroup
from agentlaunch.core.fit import CacheType, Knowledge, RunSettings, cache_bytes, compute_bytes
from agentlaunch.core.fit.memory import cache_bytes_per_token, cache_read_bytes

MIB = 2**20


class Vector(NamedTuple):
    """A row of the shared kv_vectors.json: printed by llama-fit-params of llama.cpp b11434."""

    model: str
    n_ctx: int
    kv_type: CacheType
    n_ubatch: int
    swa_full: bool
    n_parallel: int
    kv_unified: bool
    flash_attn: bool
    kv_mib: int
    compute_mib: int

    @property
    def settings(self) -> RunSettings:
        return RunSettings(
            self.n_ctx, self.kv_type, self.n_parallel, self.kv_unified, self.swa_full, self.n_ubatch, self.flash_attn
        )


SAMPLE = json.loads(Path(__file__).with_name("kv_vectors_sample.json").read_text())
VECTORS = [Vector(*row) for row in SAMPLE["rows"]]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.model}-{v.kv_type}-{v.n_ubatch}-{v.n_parallel}")
def test_the_cache_is_exact_to_one_mib(vector: Vector, knowledge: Knowledge) -> None:
    size = cache_bytes(knowledge.catalog.models[vector.model].architecture, vector.settings)
    assert 0 <= size / MIB - vector.kv_mib < 1  # llama.cpp prints whole MiB, rounded down


@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v.model}-{v.kv_type}-{v.n_ubatch}-{v.n_parallel}")
def test_the_compute_buffer_is_within_ten_percent(vector: Vector, knowledge: Knowledge) -> None:
    size = compute_bytes(knowledge.catalog.models[vector.model].architecture, vector.settings)
    assert size / MIB == pytest.approx(vector.compute_mib, rel=0.1)


# An 8B model as the report gives it: 36 layers of 8 KV heads with 128 elements.
DENSE_8B = Architecture("qwen3", 36, 4096, 151_936, 12_288, (CacheGroup(36, 32, 8, 128, 128),))


@pytest.mark.report("B210")
def test_the_cache_follows_the_architecture_not_the_parameter_count() -> None:
    assert cache_bytes(DENSE_8B, RunSettings(32_768)) == 4.5 * 2**30


@pytest.mark.report("B222")
def test_layers_without_a_cache_take_none_of_it(knowledge: Knowledge) -> None:
    hybrid = knowledge.catalog.models["qwen3.6-27b"].architecture  # 16 of 64 layers keep a cache
    assert cache_bytes_per_token(hybrid, "f16") == 65_536
    everything = replace(hybrid, cache=(replace(hybrid.cache[0], layers=64),), recurrent=None)
    assert cache_bytes(everything, RunSettings(65_536)) / cache_bytes(hybrid, RunSettings(65_536)) > 3.8


@pytest.mark.report("B222")
def test_a_window_caps_the_cache_of_its_layers(knowledge: Knowledge) -> None:
    windowed = knowledge.catalog.models["gpt-oss-20b"].architecture
    growth = cache_bytes(windowed, RunSettings(131_072)) - cache_bytes(windowed, RunSettings(65_536))
    assert growth == cache_bytes_per_token(windowed, "f16") * 65_536  # the full layers' part alone


def test_decoding_reads_a_window_at_most_and_the_whole_state(knowledge: Knowledge) -> None:
    windowed = knowledge.catalog.models["gpt-oss-20b"].architecture
    near, far = cache_read_bytes(windowed, 128, "f16"), cache_read_bytes(windowed, 1128, "f16")
    assert far - near == 1000 * cache_bytes_per_token(windowed, "f16")
    state = knowledge.catalog.models["qwen3.6-27b"].architecture
    assert cache_read_bytes(state, 0, "f16") == 156_893_184  # models.json, recurrent_bytes_per_sequence


ARCHITECTURES = st.builds(
    lambda layers, kv, length, window: Architecture(
        "llama", layers, 2048, 32_000, 8192, (CacheGroup(layers, kv * 2, kv, length, length, window),)
    ),
    st.integers(1, 80), st.integers(1, 16), st.sampled_from([64, 96, 128, 256]), st.none() | st.integers(64, 8192),
)  # fmt: skip


@given(ARCHITECTURES, st.integers(1, 262_144), st.integers(1, 262_144))
def test_more_context_never_takes_less(architecture: Architecture, one: int, other: int) -> None:
    low, high = sorted((one, other))
    assert cache_bytes(architecture, RunSettings(low)) <= cache_bytes(architecture, RunSettings(high))
    assert compute_bytes(architecture, RunSettings(low, flash_attention=False)) <= compute_bytes(
        architecture, RunSettings(high, flash_attention=False)
    )


@given(ARCHITECTURES, st.integers(1, 262_144))
def test_fewer_bits_never_take_more(architecture: Architecture, context: int) -> None:
    sizes = [cache_bytes(architecture, RunSettings(context, kind)) for kind in ("q4_0", "q8_0", "f16")]
    assert sizes == sorted(sizes)
    assert sizes[0] * 64 == sizes[2] * 18
