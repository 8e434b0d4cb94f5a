"""Engines have two slots: what each of them keeps for itself is counted twice."""

from __future__ import annotations

import pytest
from tests.core.fit.conftest import Machines, nvidia

from agentlaunch.core.fit import Knowledge
from agentlaunch.core.fit.choice import Wanted, fit_model

MIB = 2**20


@pytest.mark.parametrize(
    ("model", "one_mib", "four_mib"),
    [
        # llama-fit-params of llama.cpp b11434 at 65,536 tokens, one cache for 1 and for 4 slots (kv_vectors.json).
        ("qwen3.6-27b", 4245, 4694),
        ("qwen3-coder-30b-a3b", 6144, 6144),
    ],
)
def test_a_recurrent_state_is_counted_once_a_slot_and_shared_attention_once(
    model: str, one_mib: int, four_mib: int, knowledge: Knowledge, machine: Machines
) -> None:
    known = knowledge.catalog.models[model]
    fit = fit_model(
        machine(64, 56, nvidia("NVIDIA GeForce RTX 4090", 24)), known, knowledge, Wanted("Q4_K_M", 65_536, "f16")
    )
    assert fit.placement.cache_bytes / MIB == pytest.approx(one_mib + (four_mib - one_mib) / 3, abs=1)
