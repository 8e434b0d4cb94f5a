"""The committed catalogue and GPU table: they parse, agree with each other, and names mean what people mean."""

from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest
from scripts.build_catalog import for_the_program

from agentlaunch.core.catalog import Catalog, Match, Quant, UnknownModel, parse_catalog, with_quant
from agentlaunch.core.fit import parse_calibration, recommendable
from agentlaunch.core.gpus import GpuTable, parse_gpus, with_paper_figures
from agentlaunch.core.hardware import Cpu, Gpu, HardwareReport, Memory

# What scripts/build_catalog.py made of the shared data: models, GPUs, backends.
ROWS = {"catalog": ("model", 96), "gpus": ("gpu", 366), "calibration": ("backend", 23)}


def data(name: str) -> str:
    return (files("agentlaunch") / "data" / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return parse_catalog(data("catalog.json"))


@pytest.fixture(scope="module")
def gpus() -> GpuTable:
    return parse_gpus(data("gpus.json"))


@pytest.mark.parametrize("name", ROWS)
def test_the_json_that_is_read_is_the_toml_that_is_reviewed(name: str) -> None:
    content = tomllib.loads(data(f"{name}.toml"))
    assert json.loads(data(f"{name}.json")) == for_the_program(name, content)
    table, rows = ROWS[name]
    assert len(content[table]) == rows


def test_the_data_leaves_the_wheel_below_a_megabyte() -> None:
    folder = files("agentlaunch") / "data"
    assert sum(len(path.read_bytes()) for path in folder.iterdir() if path.name.endswith((".toml", ".json"))) < 800_000


def test_every_figure_keeps_its_source_and_confidence() -> None:
    for model in tomllib.loads(data("catalog.toml"))["model"]:
        assert model["confidence"] in {"high", "medium", "low"}
        assert model["sources"] or model["confidence"] == "low" or model["role"] == "partial"
        assert all(quant["status"] in {"computed", "published"} for quant in model.get("quants", []))
        assert all(score["source"] and score["kind"] for score in model.get("scores", []))
    for gpu in tomllib.loads(data("gpus.toml"))["gpu"]:
        assert gpu["source"]
        assert gpu["confidence"]
    calibration = parse_calibration(data("calibration.json"))
    assert all(backend.source and backend.confidence for backend in calibration.backends.values())


def test_efficiencies_are_fractions_and_ranges_hold_the_estimate() -> None:
    for backend in parse_calibration(data("calibration.json")).backends.values():
        for efficiency in (backend.decode_dense, backend.decode_expert, backend.decode_cache, backend.prefill_dense):
            assert 0 < efficiency <= 1
        for low, high in (backend.decode_spread, backend.prefill_spread):
            assert 0 < low < 1 < high


MEANT = {
    "qwen3-coder": "qwen3-coder-30b-a3b",
    "qwen3-coder:30b": "qwen3-coder-30b-a3b",
    "qwen3-coder:latest": "qwen3-coder-30b-a3b",
    "qwen3-coder-30b-a3b": "qwen3-coder-30b-a3b",
    "Qwen3 Coder": "qwen3-coder-30b-a3b",
    "Qwen/Qwen3-Coder-30B-A3B-Instruct": "qwen3-coder-30b-a3b",
    "qwen3-coder-30b": "qwen3-coder-30b-a3b",
    "hf:unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF": "qwen3-coder-30b-a3b",
    "hf.co/unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF": "qwen3-coder-30b-a3b",
    "qwen3-coder:480b": "qwen3-coder-480b-a35b",
    "qwen3-coder-next": "qwen3-coder-next-80b-a3b",
    "gpt-oss": "gpt-oss-20b",
    "gpt-oss:120b": "gpt-oss-120b",
    "devstral": "devstral-small-2507",
    "gemma4:12b": "gemma-4-12b",
    "qwen3.6:35b-a3b": "qwen3.6-35b-a3b",
    "qwen3.5-122b": "qwen3.5-122b-a10b",
    "glm-4.7-flash": "glm-4.7-flash-30b-a3b",
    "llama3.1:8b": "llama-3.1-8b",
}


@pytest.mark.parametrize("name", MEANT)
def test_a_name_finds_what_people_mean_by_it(name: str, catalog: Catalog) -> None:
    assert catalog.find(name) == Match(catalog.models[MEANT[name]])


@pytest.mark.parametrize(
    ("name", "quant"),
    [
        ("hf:unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:Q4_K_M", "Q4_K_M"),
        ("hf:unsloth/Qwen3-Coder-30B-A3B-Instruct-GGUF:UD-Q4_K_XL", "Q4_K_XL"),
        ("qwen3-coder:30b-a3b-q4_K_M", "Q4_K_M"),
        ("qwen3-coder:iq4_xs", "IQ4_XS"),
    ],
)
def test_a_name_may_tell_the_quantisation(name: str, quant: str, catalog: Catalog) -> None:
    assert catalog.find(name) == Match(catalog.models["qwen3-coder-30b-a3b"], quant)


@pytest.mark.parametrize("name", ["qwen3-coder:31b", "qwen3-coder:7b-instruct"])
def test_a_tag_with_the_size_of_another_model_is_not_the_model_beside_it(name: str, catalog: Catalog) -> None:
    found = catalog.find(name)
    assert isinstance(found, UnknownModel)
    assert "qwen3-coder-30b-a3b" in found.nearest


def test_every_id_and_ollama_tag_finds_a_model(catalog: Catalog) -> None:
    for model in catalog.models.values():
        assert catalog.find(model.id) == Match(model)
        for tag in model.ollama:
            assert isinstance(catalog.find(tag), Match)


def test_an_unknown_name_gets_the_nearest_known_ones(catalog: Catalog) -> None:
    found = catalog.find("qwn3-coder")
    assert isinstance(found, UnknownModel)
    assert found.nearest[0] == "qwen3-coder-30b-a3b"
    assert catalog.find("zzzzzz") == UnknownModel("zzzzzz", ())
    assert catalog.find("") == UnknownModel("", ())


def test_an_alias_never_hides_a_model(catalog: Catalog) -> None:
    aliases = [alias for model in catalog.models.values() for alias in model.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(catalog.models)


def test_a_model_without_a_repository_has_its_name_and_id() -> None:
    row = {
        "id": "own", "name": "Our Own", "family": "own", "role": "other", "confidence": "low",
        "architecture": {"name": "own", "layers": 1, "embedding": 2, "vocabulary": 3, "feed_forward": 4, "cache": []},
        "shares": {"gpu": 1.0, "host": 0.0},
    }  # fmt: skip
    catalog = parse_catalog(json.dumps({"model": [row]}))
    assert dict(catalog.names) == {"own": "own", "our-own": "own"}
    assert not recommendable(catalog.models["own"])


def test_partial_and_non_agent_entries_are_never_recommended(catalog: Catalog) -> None:
    kept_out = {model.id for model in catalog.models.values() if not recommendable(model)}
    assert {"deepseek-v4-flash-0731", "gemma-3-27b", "codestral-22b", "starcoder2-7b", "llama-3.1-8b"} <= kept_out
    recommended = [model for model in catalog.models.values() if recommendable(model)]
    assert len(recommended) > 40
    assert not [model.id for model in recommended if "embed" in model.id or "draft" in model.id]


def test_a_file_on_this_machine_replaces_the_computed_size(catalog: Catalog) -> None:
    model = catalog.models["gpt-oss-20b"]
    local = with_quant(model, Quant("MXFP4", 12_109_565_632, "file"))
    assert local.quant("mxfp4") == Quant("MXFP4", 12_109_565_632, "file")
    assert len(local.quants) == len(model.quants)


CARDS = {
    ("NVIDIA GeForce RTX 4090", 24): (1008.4, 165.16),
    ("RTX 4090", None): (1008.4, 165.16),
    ("NVIDIA GeForce RTX 5070 Ti Laptop GPU", 12): (672.0, 34.08),
    ("NVIDIA GB10", None): (273.2, 59.42),
    ("AMD Radeon 8060S Graphics", None): (256.0, 59.4),
    ("AMD Ryzen AI Max+ 395 w/ Radeon 8060S", None): (256.0, 59.4),
    ("AMD Radeon RX 7900 XTX", 24): (960.0, 122.8),
    ("Intel(R) Arc(TM) B580 Graphics", 12): (456.0, 116.5),
    ("NVIDIA A100-SXM4-80GB", 80): (2040.0, 312.0),
    ("NVIDIA H100 80GB HBM3", 80): (3360.0, 989.0),
    ("Apple M4", None): (120.0, 4.6),
    ("Apple M2 Pro", None): (200.0, 5.032),
}


@pytest.mark.parametrize("card", CARDS)
def test_a_driver_name_finds_the_cards_paper_figures(card: tuple[str, int | None], gpus: GpuTable) -> None:
    name, memory = card
    found = gpus.find(name, None if memory is None else memory * 2**30)
    assert found is not None
    assert (found.bandwidth_gb_s, found.compute_tflops) == CARDS[card]


def test_of_cards_with_one_name_the_slowest_is_assumed(gpus: GpuTable) -> None:
    found = gpus.find("Apple M4 Max")
    assert found is not None
    assert (found.name, found.bandwidth_gb_s) == ("Apple M4 Max (32-core GPU)", 410.0)
    assert found.compute_tflops == pytest.approx(18.4 * 410 / 546)


@pytest.mark.parametrize("name", ["AMD Radeon(TM) Graphics", "Orin (nvgpu)", "Microsoft Basic Display Adapter", ""])
def test_a_generic_name_is_never_taken_for_a_card(name: str, gpus: GpuTable) -> None:
    assert gpus.find(name) is None


def test_what_a_probe_measured_wins_over_the_paper(gpus: GpuTable) -> None:
    card = Gpu("NVIDIA GeForce RTX 4090", "nvidia", 24 * 2**30, bandwidth_gb_s=900.0)
    unknown = Gpu("Orin", "nvidia", 0, unified=True)
    report = HardwareReport("linux", "x86_64", Cpu("x", 8), Memory(2**35, 2**34), (card, unknown))
    filled = with_paper_figures(report, gpus)
    assert (filled.gpus[0].bandwidth_gb_s, filled.gpus[0].compute_tflops) == (900.0, 165.16)
    assert filled.gpus[1] == unknown


def test_the_build_script_is_kept_with_the_project() -> None:
    assert (Path(__file__).parents[2] / "scripts/build_catalog.py").is_file()
