"""What each golden machine of issue 4 gets for Claude Code's full first prompt, and why that is right."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from agentlaunch.core.fit import Demand, Knowledge, ModelFit, Recommendation, recommend, recommendable
from agentlaunch.core.hardware import Gpu, HardwareReport

from .conftest import GIB, Machines, apple, nvidia

RTX_3090 = nvidia("NVIDIA GeForce RTX 3090", 24)
STRIX_HALO = Gpu("AMD Radeon 8060S", "amd", 110 * GIB, unified=True)
# A 4 GB Jetson Orin Nano: NVML tells neither memory nor bandwidth (34 GB/s by NVIDIA's data sheet).
JETSON = Gpu("Orin", "nvidia", 0, bandwidth_gb_s=34, unified=True)


@pytest.fixture(scope="session")
def machines(machine: Machines) -> dict[str, HardwareReport]:
    return {
        "8 GB laptop": machine(7.7, 5.5, cores=4),
        "16 GB M4": machine(16, 12, apple("Apple M4", 11.84), cores=10, os="darwin", arch="arm64"),
        "RTX 4060": machine(31.3, 27, nvidia("NVIDIA GeForce RTX 4060", 8)),
        "RTX 4090": machine(62.7, 56, nvidia("NVIDIA GeForce RTX 4090", 24), cores=16),
        "M4 Max 64": machine(64, 56, apple("Apple M4 Max", 48), cores=16, os="darwin", arch="arm64"),
        "M4 Max 128": machine(128, 116, apple("Apple M4 Max", 107.52), cores=16, os="darwin", arch="arm64"),
        "2x RTX 3090": machine(62.7, 56, RTX_3090, RTX_3090, cores=16),
        "Strix Halo 128": machine(125, 118, STRIX_HALO, cores=16),
        "GB10": machine(119.7, 112, Gpu("NVIDIA GB10", "nvidia", 0, unified=True), cores=20, arch="aarch64"),
        "RTX 5070 Ti laptop": machine(31.3, 26, nvidia("NVIDIA GeForce RTX 5070 Ti Laptop GPU", 12), cores=16),
        "Jetson 4 GB": machine(3.6, 2.6, JETSON, cores=6, arch="aarch64"),
        # psutil's 64 GB are cut to the container's limit by the probe.
        "container": machine(8, 7, cores=16),
    }


@pytest.fixture(scope="session")
def answers(machines: dict[str, HardwareReport], knowledge: Knowledge) -> dict[str, Recommendation]:
    return {name: recommend(report, knowledge) for name, report in machines.items()}


GOLDEN = {
    # A 9B hybrid is the best that leaves room for 64k within 11.84 GiB less a margin, and reads the prompt in a minute.
    "16 GB M4": ("qwen3.5-9b", "Q4_K_M", 65_536, "gpu"),
    # 8 GB hold attention, cache and a few experts; the other experts lie in host memory, of which 3B are read a token.
    "RTX 4060": ("qwen3.6-35b-a3b", "Q4_K_M", 65_536, "split"),
    # 24 GB hold the best dense 27B with a full f16 cache of 64k.
    "RTX 4090": ("qwen3.8-27b", "Q4_K_M", 65_536, "gpu"),
    # 48 GiB of working set hold more, but the 27B scores above every larger model that fits there.
    "M4 Max 64": ("qwen3.8-27b", "Q4_K_M", 65_536, "gpu"),
    # 107 GiB hold MiniMax M2.7 at three bits, which others measured above every smaller model.
    "M4 Max 128": ("minimax-m2.7-230b-a10b", "IQ3_XXS", 65_536, "gpu"),
    # Two cards hold the 27B at eight bits and stay comfortable; a 230B over the link would take minutes to answer.
    "2x RTX 3090": ("qwen3.8-27b", "Q8_0", 65_536, "gpu"),
    # 256 GB/s: the 27B is just fast enough; MiniMax fits and would read the prompt for longer than the limit.
    "Strix Halo 128": ("qwen3.8-27b", "Q4_K_M", 65_536, "gpu"),
    # As much memory, and the operations to read the prompt of a 230B in half a minute.
    "GB10": ("minimax-m2.7-230b-a10b", "IQ3_XXS", 65_536, "gpu"),
    # The 27B would be split too, at half the speed that an agent needs; the mixture does not suffer from it.
    "RTX 5070 Ti laptop": ("qwen3.6-35b-a3b", "Q4_K_M", 65_536, "split"),
    # Sixteen cores read the prompt of a 2B in a minute, and 8 GB hold it; the 9B needs both twice over.
    "container": ("gemma-4-e2b", "Q4_K_M", 65_536, "cpu"),
}


def told(fit: ModelFit) -> tuple[str, str, int, str]:
    return fit.model, fit.quant, fit.context, fit.placement.kind


@pytest.mark.parametrize("name", GOLDEN)
def test_a_golden_machine_gets_its_model(name: str, answers: dict[str, Recommendation]) -> None:
    best = answers[name].best
    assert best is not None
    assert told(best) == GOLDEN[name]


@pytest.mark.parametrize("name", ["8 GB laptop", "Jetson 4 GB"])
def test_a_machine_that_nothing_suits_is_told_so_and_what_would_help(
    name: str, answers: dict[str, Recommendation]
) -> None:
    # Four cores take minutes for 12k tokens of even a 2B; 1.6 GiB hold no model with 32k of context.
    answer = answers[name]
    assert (answer.best, answer.alternatives) == (None, ())
    assert answer.reason.startswith("No model that calls tools is usable here")
    assert "--lean" in answer.advice[0]
    assert "upstream" in answer.advice[1]


def test_a_lean_prompt_makes_a_small_laptop_usable(machines: dict[str, HardwareReport], knowledge: Knowledge) -> None:
    lean = recommend(machines["8 GB laptop"], knowledge, Demand(prompt_tokens=2_073))
    assert lean.best is not None
    assert lean.best.speed.first_prompt_s <= 90


def test_better_machines_get_better_models(answers: dict[str, Recommendation]) -> None:
    score = {name: answer.best.quality.score if answer.best else 0.0 for name, answer in answers.items()}
    assert score["M4 Max 128"] > score["M4 Max 64"]
    assert score["RTX 4090"] > score["RTX 4060"] > score["16 GB M4"] > score["container"] > score["8 GB laptop"]
    assert score["2x RTX 3090"] >= score["RTX 4090"]


def test_nobody_gets_a_model_that_breaks_a_promise(answers: dict[str, Recommendation], knowledge: Knowledge) -> None:
    for answer in answers.values():
        for fit in filter(None, (answer.best, *answer.alternatives)):
            model = knowledge.catalog.models[fit.model]
            assert recommendable(model)
            assert fit.quant in {quant.name for quant in model.quants}
            assert 32_768 <= fit.context <= min(fit.max_context, model.context_trained)
            assert fit.placement.headroom_bytes >= 0
            assert fit.speed.decode.low >= 8
            assert fit.speed.first_prompt_s <= 90
            assert fit.why


def test_alternatives_are_other_models_and_no_better(answers: dict[str, Recommendation]) -> None:
    for answer in answers.values():
        if answer.best is not None:
            names = [answer.best.model, *(fit.model for fit in answer.alternatives)]
            assert len(names) == len(set(names))
            assert all(fit.quality.score <= answer.best.quality.score for fit in answer.alternatives)


def test_the_floor_is_the_users_to_move(machines: dict[str, HardwareReport], knowledge: Knowledge) -> None:
    demand = Demand()
    patient = replace(demand, usable=replace(demand.usable, first_prompt_s=300, decode_tok_s=2))
    answer = recommend(machines["Strix Halo 128"], knowledge, patient)
    assert answer.best is not None
    assert answer.best.model == "minimax-m2.7-230b-a10b"
