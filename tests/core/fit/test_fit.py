"""Fit on whole machines: budgets, placement, speed, and that a better machine never gets a worse model."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from agentlaunch.core.catalog import Catalog, parse_catalog
from agentlaunch.core.fit import (
    Demand,
    Knowledge,
    Wanted,
    apple_working_set_bytes,
    fit_model,
    fit_table,
    machine_of,
    parse_calibration,
    recommend,
    to_json,
)
from agentlaunch.core.fit.machine import cpu_operations
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory

from .conftest import GIB, Machines, apple, data, nvidia

KNOWLEDGE = Knowledge(parse_catalog(data("catalog.json")), parse_calibration(data("calibration.json")))
MODELS = KNOWLEDGE.catalog.models
RTX_4090 = nvidia("NVIDIA GeForce RTX 4090", 24)


@pytest.mark.report("B190")
def test_a_mixture_is_sized_by_all_its_experts(machine: Machines) -> None:
    fit = fit_model(machine(64, 60, nvidia("RTX A6000", 48)), MODELS["qwen3.5-122b-a10b"], KNOWLEDGE, Wanted("Q4_K_M"))
    assert fit.file_bytes > 70e9
    assert fit.placement.weights_bytes > 70e9
    assert fit.placement.kind == "split"


@pytest.mark.report("B194")
def test_free_memory_counts_not_the_card_on_paper(machine: Machines) -> None:
    busy = nvidia("NVIDIA GeForce RTX 4090", 23.99, free=3.8)
    report = machine(62.7, 56, busy)
    pool = machine_of(report, KNOWLEDGE.calibration).gpu
    assert pool is not None
    assert pool.budget_bytes < 3.8 * GIB
    assert fit_model(report, MODELS["qwen3.8-27b"], KNOWLEDGE, Wanted("Q4_K_M", 65_536)).placement.kind != "gpu"


@pytest.mark.report("B196")
@pytest.mark.report("B226")
def test_a_containers_limit_is_the_budget(machine: Machines) -> None:
    assert machine_of(machine(8, 7), KNOWLEDGE.calibration).budget_bytes == 6 * GIB


@pytest.mark.report("B197")
def test_a_gpu_without_memory_of_its_own_takes_the_systems_less_a_reserve(machine: Machines) -> None:
    found = machine_of(machine(119.7, 119, Gpu("NVIDIA GB10", "nvidia", 0, unified=True)), KNOWLEDGE.calibration)
    assert found.gpu is not None
    assert found.budget_bytes == found.gpu.budget_bytes
    assert 105 * GIB < found.budget_bytes < 115 * GIB


@pytest.mark.report("B201")
def test_the_cache_is_for_the_context_that_is_launched(machine: Machines) -> None:
    fit = fit_model(machine(62.7, 56, RTX_4090), MODELS["qwen3.5-9b"], KNOWLEDGE, Wanted("Q4_K_M", 32_768))
    assert MODELS["qwen3.5-9b"].context_trained == 262_144
    assert fit.placement.total_bytes < 9 * GIB


@pytest.mark.report("B202")
@pytest.mark.report("B229")
def test_a_16_gb_mac_has_its_working_set_and_never_more_than_is_available(machine: Machines) -> None:
    idle = machine_of(machine(16, 14, apple("Apple M3", 11.84), os="darwin"), KNOWLEDGE.calibration)
    busy = machine_of(machine(16, 8, apple("Apple M3", 11.84), os="darwin"), KNOWLEDGE.calibration)
    assert idle.budget_bytes == int(11.84 * GIB) - GIB // 2
    assert busy.budget_bytes == 7 * GIB


@pytest.mark.report("B203")
def test_integrated_graphics_without_known_figures_are_the_cpu(machine: Machines) -> None:
    graphics = Gpu("Intel UHD Graphics 630", "intel", 47 * GIB, unified=True)
    found = machine_of(machine(64, 50, graphics), KNOWLEDGE.calibration)
    assert found.gpu is None
    assert found.budget_bytes == 46 * GIB


@pytest.mark.report("B204")
@pytest.mark.report("B219")
@pytest.mark.parametrize(
    ("total", "least", "most"), [(8, 5.3, 5.4), (16, 10.6, 11.8), (48, 36, 36), (128, 107, 107.53)]
)
def test_an_unread_working_set_is_what_reports_show(total: int, least: float, most: float) -> None:
    assert least <= apple_working_set_bytes(total * GIB) / GIB <= most


@pytest.mark.report("B214")
def test_the_context_shrinks_to_the_working_set_of_a_mac(machine: Machines) -> None:
    report = machine(36, 33, apple("Apple M3 Pro", 27), os="darwin", arch="arm64")
    fit = fit_model(report, MODELS["qwen3.8-27b"], KNOWLEDGE)
    assert fit.placement.kind == "gpu"
    assert fit.placement.total_bytes < 27 * GIB
    assert fit.context <= fit.max_context < 262_144


@pytest.mark.report("B211")
def test_unified_memory_is_never_counted_twice(machine: Machines) -> None:
    apu = Gpu("AMD Radeon 8060S", "amd", 132 * GIB, unified=True)  # carve-out and GTT added up by a driver
    assert machine_of(machine(125, 120, apu), KNOWLEDGE.calibration).budget_bytes <= 120 * GIB


def test_what_the_firmware_keeps_for_the_gpu_counts_beside_what_the_system_has_left(machine: Machines) -> None:
    """128 GB with 96 of them set aside: the system sees 31 (AlexsJones/llmfit 995)."""
    apu = Gpu("AMD Radeon 8060S", "amd", 112 * GIB, 111 * GIB, unified=True, carve_out_bytes=96 * GIB)
    found = machine_of(machine(31, 20, apu), KNOWLEDGE.calibration)
    assert 105 * GIB < found.budget_bytes <= 111 * GIB
    busy = Gpu("AMD Radeon 8060S", "amd", 112 * GIB, 30 * GIB, unified=True, carve_out_bytes=96 * GIB)
    assert machine_of(machine(31, 20, busy), KNOWLEDGE.calibration).budget_bytes <= 30 * GIB


@pytest.mark.report("B191")
@pytest.mark.report("B200")
@pytest.mark.report("B217")
def test_an_integrated_gpu_beside_a_card_adds_nothing(machine: Machines) -> None:
    card = Gpu("AMD Radeon RX 7900 XTX", "amd", 24 * GIB)
    beside = Gpu("AMD Radeon(TM) Graphics", "amd", 2 * GIB, unified=True)
    alone = machine_of(machine(62, 56, card), KNOWLEDGE.calibration)
    assert machine_of(machine(62, 56, beside, card), KNOWLEDGE.calibration) == alone


@pytest.mark.report("B207")
def test_the_window_is_ours_not_a_runtimes_default(machine: Machines) -> None:
    apu = Gpu("AMD Radeon 680M", "amd", 96 * GIB, unified=True)
    fit = fit_model(machine(110, 105, apu), MODELS["qwen3.6-35b-a3b"], KNOWLEDGE)
    assert fit.context == 65_536


def test_several_cards_pool_and_each_pays_its_own_overhead(machine: Machines) -> None:
    card = nvidia("NVIDIA GeForce RTX 3090", 24)
    one = machine_of(machine(62, 56, card), KNOWLEDGE.calibration).gpu
    two = machine_of(machine(62, 56, card, card), KNOWLEDGE.calibration).gpu
    assert one is not None
    assert two is not None
    assert (two.budget_bytes, two.count) == (2 * one.budget_bytes, 2)
    assert two.device == one.device  # layers run one after the other: no faster than one card
    wanted = Wanted("Q4_K_M", 65_536)
    small = fit_model(machine(62, 56, card), MODELS["qwen3.5-9b"], KNOWLEDGE, wanted)
    pooled = fit_model(machine(62, 56, card, card), MODELS["qwen3.5-9b"], KNOWLEDGE, wanted)
    assert pooled.placement.compute_bytes == 2 * small.placement.compute_bytes


def test_cards_of_two_makers_do_not_pool(machine: Machines) -> None:
    mixed = machine(62, 56, RTX_4090, Gpu("AMD Radeon RX 7900 XT", "amd", 20 * GIB))
    pool = machine_of(mixed, KNOWLEDGE.calibration).gpu
    assert pool is not None
    assert pool.names == ("NVIDIA GeForce RTX 4090",)


def test_an_unknown_card_is_said_to_be_assumed(machine: Machines) -> None:
    fit = fit_model(machine(62, 56, nvidia("NVIDIA Novum", 24)), MODELS["qwen3.5-9b"], KNOWLEDGE)
    assert fit.why[-1] == "No figures are known for NVIDIA Novum: its speed is assumed."


def test_a_dense_model_splits_by_layers_with_their_cache(machine: Machines) -> None:
    fit = fit_model(
        machine(62, 56, nvidia("NVIDIA GeForce RTX 4060", 8)),
        MODELS["qwen3.8-27b"],
        KNOWLEDGE,
        Wanted("Q4_K_M", 65_536),
    )
    assert fit.placement.kind == "split"
    assert 0 < fit.placement.dense_on_gpu == fit.placement.experts_on_gpu < 1
    assert fit.placement.gpu_bytes + fit.placement.host_bytes == fit.placement.total_bytes
    assert "layers" in fit.why[0]


def test_a_model_that_does_not_fit_says_by_how_much(machine: Machines) -> None:
    fit = fit_model(machine(16, 12), MODELS["qwen3-coder-480b-a35b"], KNOWLEDGE)
    assert not fit.fits
    assert fit.placement.kind == "none"
    assert fit.placement.headroom_bytes < 0
    assert fit.why[0].startswith("It does not fit: it takes ")


def test_a_slow_model_is_told_to_be_slow(machine: Machines) -> None:
    fit = fit_model(machine(62, 56), MODELS["qwen3.8-27b"], KNOWLEDGE)
    assert fit.fits
    assert [line for line in fit.why if "slower than the 8 tokens" in line]
    assert [line for line in fit.why if "--lean" in line]


def test_a_partial_entry_is_a_value_error(machine: Machines) -> None:
    with pytest.raises(ValueError, match="no size is known of `glm-5"):
        fit_model(machine(62, 56), MODELS["glm-5.3-flash-321b-a18b"], KNOWLEDGE)


def test_what_the_user_fixes_is_kept(machine: Machines) -> None:
    fit = fit_model(
        machine(62, 56, RTX_4090),
        MODELS["qwen3.5-9b"],
        KNOWLEDGE,
        Wanted("q8_0", 100_000, "q4_0"),
        Demand("codex", 9_009),
    )
    assert (fit.quant, fit.context, fit.kv_type) == ("Q8_0", 100_000, "q4_0")
    assert "codex's first prompt of 9,009 tokens" in " ".join(fit.why)


def test_the_largest_context_is_the_last_that_fits(machine: Machines) -> None:
    report = machine(62, 56, RTX_4090)
    fit = fit_model(report, MODELS["qwen3.8-27b"], KNOWLEDGE, Wanted("Q4_K_M", 65_536, "f16"))
    for context, kind in ((fit.max_context, "gpu"), (fit.max_context + 1024, "split")):
        found = fit_model(report, MODELS["qwen3.8-27b"], KNOWLEDGE, Wanted("Q4_K_M", context, "f16"))
        assert found.placement.kind == kind


def test_a_table_has_every_quantisation_at_every_context(machine: Machines) -> None:
    table = fit_table(machine(62, 56, RTX_4090), MODELS["gpt-oss-20b"], KNOWLEDGE, (32_768, 65_536, 999_999_999))
    assert [(fit.quant, fit.context) for fit in table] == [
        (quant.name, context) for quant in MODELS["gpt-oss-20b"].quants for context in (32_768, 65_536, 131_072)
    ]


def test_json_has_the_keys_of_the_interface(machine: Machines) -> None:
    fit = fit_model(machine(62, 56, RTX_4090), MODELS["qwen3.8-27b"], KNOWLEDGE)
    found = json.loads(json.dumps(to_json(fit)))
    assert list(found) == [
        "model", "quant", "context", "kv_type", "placement", "memory", "speed", "max_context", "fits", "quality", "why",
    ]  # fmt: skip
    memory = found["memory"]
    assert list(memory) == [
        "weights_bytes", "kv_bytes", "compute_bytes", "total_bytes", "budget_bytes", "headroom_bytes", "gpu_bytes",
        "host_bytes",
    ]  # fmt: skip
    assert memory["total_bytes"] == memory["weights_bytes"] + memory["kv_bytes"] + memory["compute_bytes"]
    assert memory["headroom_bytes"] == memory["budget_bytes"] - memory["total_bytes"]
    speed = found["speed"]
    assert list(speed) == [
        "decode_tok_s", "decode_range", "prefill_tok_s", "prefill_range", "first_prompt_s", "basis",
    ]  # fmt: skip
    assert speed["decode_range"][0] < speed["decode_tok_s"] < speed["decode_range"][1]
    assert (found["placement"], found["fits"], speed["basis"]) == ("gpu", True, "estimated")


def score(report: HardwareReport) -> float:
    best = recommend(report, KNOWLEDGE).best
    return 0.0 if best is None else best.quality.score


CARDS = st.builds(
    lambda memory, bandwidth, compute: Gpu(
        "NVIDIA Test", "nvidia", int(memory * GIB), bandwidth_gb_s=bandwidth, compute_tflops=compute
    ),
    st.floats(4, 96), st.floats(150, 2000), st.floats(10, 400),
)  # fmt: skip
MACS = st.builds(
    lambda memory, bandwidth, compute: Gpu(
        "Apple Test", "apple", int(memory * GIB), bandwidth_gb_s=bandwidth, compute_tflops=compute, unified=True
    ),
    st.floats(5, 200), st.floats(60, 900), st.floats(2, 40),
)  # fmt: skip
GROWTH = st.floats(1, 3)


def grown(report: HardwareReport, memory: float, speed: float) -> HardwareReport:
    """The same machine with more memory, bandwidth and operations."""
    gpus = tuple(
        replace(
            gpu,
            memory_bytes=int(gpu.memory_bytes * memory),
            bandwidth_gb_s=(gpu.bandwidth_gb_s or 0) * speed,
            compute_tflops=(gpu.compute_tflops or 0) * speed,
        )
        for gpu in report.gpus
    )
    system = report.memory
    return replace(
        report,
        gpus=gpus,
        memory=Memory(
            int(system.total_bytes * memory), int(system.available_bytes * memory), (system.bandwidth_gb_s or 0) * speed
        ),
    )


@settings(max_examples=60, deadline=None)
@given(st.none() | CARDS | MACS, st.floats(4, 128), st.integers(2, 32), GROWTH, GROWTH)
def test_a_better_machine_never_gets_a_worse_model(
    gpu: Gpu | None, memory: float, cores: int, more: float, faster: float
) -> None:
    total = memory if gpu is None or not gpu.unified else gpu.memory_bytes / GIB * 1.3
    system = Memory(int(total * GIB), int(total * 0.9 * GIB), 50.0)
    report = HardwareReport("linux", "x86_64", Cpu("test", cores), system, () if gpu is None else (gpu,))
    assert score(grown(report, more, faster)) >= score(report)


@settings(max_examples=40, deadline=None)
@given(CARDS, st.floats(8, 128))
def test_what_is_placed_never_exceeds_its_budget(gpu: Gpu, memory: float) -> None:
    system = Memory(int(memory * GIB), int(memory * 0.9 * GIB), 50.0)
    report = HardwareReport("linux", "x86_64", Cpu("test", 8), system, (gpu,))
    budgets = machine_of(report, KNOWLEDGE.calibration)
    assert budgets.gpu is not None
    for model_id in ("qwen3.6-35b-a3b", "qwen3.8-27b", "gemma-4-e2b"):
        placement = fit_model(report, MODELS[model_id], KNOWLEDGE).placement
        if placement.kind != "none":
            assert placement.gpu_bytes <= budgets.gpu.budget_bytes
            assert placement.kind == "gpu" or placement.host_bytes <= budgets.host_budget_bytes


@pytest.mark.parametrize(
    ("gpu", "os", "backend"),
    [
        (nvidia("NVIDIA GeForce RTX 4090", 24), "linux", "cuda"),
        (nvidia("NVIDIA A100-SXM4-80GB", 80), "linux", "cuda-hbm"),
        (Gpu("Orin", "nvidia", 0, unified=True), "linux", "cuda-unified"),
        (apple("Apple M4", 11.84), "darwin", "metal"),
        (Gpu("AMD Radeon RX 7900 XTX", "amd", 24 * GIB), "linux", "rocm"),
        (Gpu("AMD Radeon RX 7900 XTX", "amd", 24 * GIB), "windows", "vulkan"),
        (Gpu("AMD Radeon 8060S", "amd", 96 * GIB, unified=True), "linux", "amd-unified"),
        (Gpu("Intel Arc B580", "intel", 12 * GIB), "linux", "vulkan"),
        (Gpu("Intel Arc 140V", "intel", 16 * GIB, unified=True), "linux", "vulkan"),
    ],
)
def test_each_maker_has_its_backend(gpu: Gpu, os: str, backend: str, machine: Machines) -> None:
    pool = machine_of(machine(64, 56, gpu, os=os), KNOWLEDGE.calibration).gpu
    assert pool is not None
    assert pool.device.backend.name == backend


def test_a_mac_that_reports_all_its_memory_is_cut_to_the_working_set(machine: Machines) -> None:
    found = machine_of(machine(64, 63, apple("Apple M4 Max", 64), os="darwin"), KNOWLEDGE.calibration)
    assert found.budget_bytes == 48 * GIB - GIB // 2


@pytest.mark.parametrize(
    ("arch", "features", "least", "most"),
    [
        ("x86_64", {"avx2", "avx512f"}, 90e9, 100e9),
        ("x86_64", {"avx2"}, 70e9, 90e9),
        ("x86_64", {"sse4_2"}, 1e9, 20e9),
        ("x86_64", set(), 70e9, 90e9),
        ("arm64", set(), 50e9, 70e9),
    ],
)
def test_a_cpu_computes_by_its_cores_and_extensions(arch: str, features: set[str], least: float, most: float) -> None:
    assert least <= cpu_operations(Cpu("test", 4, frozenset(features)), arch) / 4 <= most


def test_a_shared_bus_or_a_server_tells_the_memory_bandwidth(machine: Machines) -> None:
    def bandwidth(report: HardwareReport) -> float:
        return machine_of(report, KNOWLEDGE.calibration).host.bandwidth

    assert bandwidth(machine(32, 28)) == 51.2e9
    assert bandwidth(machine(256, 250, cores=64)) == 150e9
    assert bandwidth(machine(64, 56, apple("Apple M4 Pro", 48))) == pytest.approx(273e9 * 0.6)
    known = replace(machine(32, 28), memory=Memory(32 * GIB, 28 * GIB, 89.6))
    assert bandwidth(known) == 89.6e9


def test_a_model_of_a_short_window_is_not_recommended(machine: Machines) -> None:
    short = structs.replace(MODELS["qwen3.8-27b"], context_trained=16_384)
    catalog = Catalog({short.id: short}, {})
    answer = recommend(machine(62, 56, RTX_4090), Knowledge(catalog, KNOWLEDGE.calibration))
    assert answer.best is None


def test_data_is_read_as_package_resources() -> None:
    assert (files("agentlaunch") / "data" / "catalog.json").is_file()
