"""Rows of the shared measurements with the models, devices and settings that they state; for fit_accuracy.py."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from agentlaunch.core.catalog import (
    Architecture,
    CacheGroup,
    Catalog,
    Experts,
    Match,
    Model,
    Quant,
    WeightShares,
)
from agentlaunch.core.gpus import GpuTable

MIB = 2**20


def elsewhere(name: str, parameters: float, active: float, experts: float, architecture: Architecture) -> Model:
    """A model of the measurements that the catalogue lacks, from its published config.json."""
    return Model(
        id=name, name=name, family="", repository=None, role="unknown", parameters=int(parameters * 1e9),
        active_parameters=int(active * 1e9), expert_parameters=int(experts * 1e9), architecture=architecture, quants=(),
        shares=WeightShares(0.985, 0.015, experts / parameters * 0.98), context_trained=0, tool_calling=None,
        confidence="medium",
    )  # fmt: skip


LACKING = {
    "llama-2-7b": elsewhere("llama-2-7b", 6.74, 6.61, 0, Architecture(
        "llama", 32, 4096, 32000, 11008, (CacheGroup(32, 32, 32, 128, 128),))),
    "llama-4-scout": elsewhere("llama-4-scout", 107.77, 16.1, 96.6, Architecture(
        "llama4", 48, 5120, 202048, 0, (CacheGroup(12, 40, 8, 128, 128), CacheGroup(36, 40, 8, 128, 128, 8192)),
        experts=Experts(16, 1, 8192, 8192))),
    "hunyuan-a13b": elsewhere("hunyuan-a13b", 80.39, 12.8, 77.3, Architecture(
        "hunyuan-moe", 32, 4096, 128167, 0, (CacheGroup(32, 32, 8, 128, 128),), experts=Experts(64, 8, 3072, 3072))),
    "dots.llm1": elsewhere("dots.llm1", 142.77, 13.6, 135.0, Architecture(
        "dots1", 62, 4096, 152064, 10944, (CacheGroup(62, 32, 32, 128, 128),),
        experts=Experts(128, 6, 1408, 2816, 1))),
}  # fmt: skip

# The models of lhl/strix-halo-testing, by how their file names begin.
KNOWN = {
    "GLM-4.5-Air": "glm-4.5-air-106b-a12b", "Mistral-Small-3.1": "mistral-small-3.2-24b",
    "Qwen3-30B": "qwen3-30b-a3b-2507",
    "Qwen3-235B": "qwen3-235b-a22b-2507", "Qwen3-32B": "qwen3-32b", "gemma-3-27b": "gemma-3-27b",
    "gpt-oss-120b": "gpt-oss-120b", "gpt-oss-20b": "gpt-oss-20b", "shisa-v2-llama3.1-8b": "llama-3.1-8b",
    "shisa-v2-llama3.3-70b": "llama-3.3-70b", "llama-2-7b": "llama-2-7b", "Llama-4-Scout": "llama-4-scout",
    "Hunyuan-A13B": "hunyuan-a13b", "dots.llm1": "dots.llm1",
}  # fmt: skip
# unsloth's gpt-oss "F16": everything but the experts, which stay MXFP4 (4.25 bits), is F16.
F16_EXPERTS = {"gpt-oss-20b": 10_178_887_680, "gpt-oss-120b": 61_073_326_080}


@dataclass(frozen=True)
class Row:
    """One measurement with what it states."""

    model_name: str
    model: Model
    quant: Quant
    backend: str
    flash_attention: bool
    micro_batch: int
    tokens: int
    depth: float
    kind: str
    value: float
    device: str = ""
    held_out: bool | None = False  # None: not parted


def parted(rows: list[Row]) -> list[Row]:
    names = sorted({row.model_name for row in rows})
    out = set(names[1::2])
    return [replace(row, held_out=row.model_name in out) for row in rows]


def known(catalog: Catalog, name: str, size_bytes: float) -> tuple[Model, Quant] | None:
    for start, model_id in KNOWN.items():
        if name.startswith(start):
            model = LACKING.get(model_id) or catalog.models[model_id]
            if name.endswith("-F16") and model_id in F16_EXPERTS:
                host = model.embedding_parameters * 2 / size_bytes
                model = structs.replace(model, shares=WeightShares(1 - host, host, F16_EXPERTS[model_id] / size_bytes))
            return model, Quant(name, int(size_bytes), "file")
    return None


def strix_speed(catalog: Catalog, data: Path) -> Iterable[Row]:
    for row in csv.DictReader((data / "measured_speed.csv").open()):
        if row["source_id"] != "lhl-strix":
            continue
        found = known(catalog, row["model"], float(row["size_gib"]) * 2**30)
        if found is not None:
            backend, small, _ = row["backend"].partition(" -b 256")
            tokens = int(row["n_tokens"])
            depth = tokens / 2  # llama-bench: tgN decodes N tokens from nothing, so the mean depth is half of it
            yield Row(row["model"], *found, backend, row["flash_attn"] == "on", 256 if small else 512, tokens, depth,
                      row["kind"], float(row["tps"]), "strix")  # fmt: skip


MLX_MODELS = {
    "lfm2.5-8b-a1b": "lfm2.5-8b-a1b", "qwen3.5-4b": "qwen3.5-4b", "qwen3.5-9b": "qwen3.5-9b",
    "gemma-4-12b": "gemma-4-12b",
    "gemma-4-26b": "gemma-4-26b-a4b", "gemma4-26b": "gemma-4-26b-a4b", "qwen3.5-35b": "qwen3.5-35b-a3b",
    "qwen3.6-27b": "qwen3.6-27b", "qwen3.8-27b": "qwen3.8-27b", "meta-llama-3.1-8b": "llama-3.1-8b",
    "gemma-3-27b": "gemma-3-27b", "qwen2.5-14b": "qwen2.5-coder-14b", "qwen3-8b": "qwen3-8b",
    "gpt-oss-20b": "gpt-oss-20b",
    "qwen3.6-35b": "qwen3.6-35b-a3b",
}  # fmt: skip


def mlx_speed(catalog: Catalog, data: Path) -> Iterable[Row]:
    for row in csv.DictReader((data / "measured_speed.csv").open()):
        name = row["model"].lower().removeprefix("mlx-community/")
        start = next((start for start in MLX_MODELS if name.startswith(start)), None)
        if row["source_id"].startswith("rapid-mlx") and row["quality"].startswith("A") and start:
            model = catalog.models[MLX_MODELS[start]]
            bits = 4.25 if "mxfp4" in row["quant"] else 4.5  # 4 bits and a scale and bias for 64 weights
            quant = Quant(row["quant"], int(model.parameters * bits / 8), "file")
            tokens = int(row["n_tokens"])
            depth = float(row["depth"] or 0) + (tokens / 2 if row["kind"] == "decode" else 0)
            yield Row(
                start, model, quant, "mlx", True, 512, tokens, depth, row["kind"], float(row["tps"]), row["device"]
            )


SUMMARY_MODELS = {
    "llama-3-8b": "llama-3.1-8b", "llama-3-70b": "llama-3.3-70b", "gpt-oss-20b": "gpt-oss-20b",
    "deepseek-r1:14b": "deepseek-r1-distill-qwen-14b", "llama3.1:70b": "llama-3.3-70b",
}  # fmt: skip


def llama_cpp_summary(catalog: Catalog, data: Path) -> Iterable[Row]:
    """calibration.json: one figure a card from published tables; Llama-3 rows are averages over 1,024 tokens."""
    for row in json.loads((data / "calibration.json").read_text()):
        device, name = row["hardware"], row["model"]
        model_id = SUMMARY_MODELS.get(name)
        if model_id is None or device not in DEVICES:
            continue
        model = catalog.models[model_id]
        quant = model.quant("MXFP4") or model.quant("Q4_K_M")
        assert quant is not None
        backend = DEVICES[device][2]
        for kind in ("decode", "prefill"):
            if row.get(f"{kind}_tok_s"):
                # Parted by device: there are too few models.
                yield Row(device, model, quant, backend, True, 512, 512, 512.0, kind, row[f"{kind}_tok_s"], device)


# Bandwidth in GB/s, peak TFLOPS as core/gpus.py takes it from data/gpus.toml, and the backend class.
DEVICES = {
    "strix": (256.0, 59.4, ""),
    "Apple M2 Pro (10-core CPU) Mac mini": (200.0, 5.0, "mlx"), "Apple M2 Pro Mac mini": (200.0, 5.0, "mlx"),
    "Apple M3 Ultra (60-core GPU)": (819.0, 21.3, "mlx"), "Apple M2 Max (38-core GPU)": (400.0, 10.0, "mlx"),
    "Apple M2 Max (30-core GPU)": (400.0, 7.9, "mlx"),
    "3070 8GB": (448.0, 40.6, "cuda"), "3080 10GB": (760.3, 59.5, "cuda"), "3080 Ti 12GB": (912.4, 68.2, "cuda"),
    "4070 Ti 12GB": (504.2, 80.2, "cuda"), "4080 16GB": (716.8, 97.5, "cuda"),
    "RTX 4000 Ada 20GB": (360.0, 53.5, "cuda"),
    "3090 24GB": (936.2, 71.2, "cuda"), "4090 24GB": (1008.0, 165.2, "cuda"),
    "RTX 5000 Ada 32GB": (576.0, 130.6, "cuda"),
    "RTX A6000 48GB": (768.0, 77.4, "cuda"), "RTX 6000 Ada 48GB": (960.0, 182.1, "cuda"),
    "A40 48GB": (695.8, 74.8, "cuda"), "L40S 48GB": (864.0, 181.0, "cuda"),
    "A100 PCIe 80GB": (1940.0, 312.0, "cuda-hbm"), "H100 PCIe 80GB": (2040.0, 756.0, "cuda-hbm"),
    "M1 7-core 8GB": (68.3, 1.7, "metal"), "M1 Max 32-core": (400.0, 7.8, "metal"),
    "M2 Ultra 76-core": (800.0, 20.1, "metal"), "M3 Max 40-core": (400.0, 14.2, "metal"),
    "RTX 4090": (1008.0, 165.2, "cuda"), "RTX 4070 Ti": (504.2, 80.2, "cuda"), "RTX 3060 12GB": (360.0, 25.5, "cuda"),
    "RTX 3080 Ti": (912.4, 68.2, "cuda"), "GB10 (Dell Pro Max)": (273.2, 59.4, "cuda-unified"),
    "RTX A4000": (448.0, 38.3, "cuda"),
    "M3 Ultra 512GB": (819.0, 28.4, "metal"),
}  # fmt: skip


def strix_memory(catalog: Catalog, data: Path) -> Iterable[Row]:
    for row in csv.DictReader((data / "measured_memory.csv").open()):
        if row["source_id"] != "lhl-strix" or not row["n_ctx"]:
            continue
        found = known(catalog, row["model"], float(row["weights_mib"]) * MIB)
        if found is not None:
            backend, small, _ = row["backend"].partition(" -b 256")
            tokens = int(row["n_ctx"])
            kind = "prefill" if row["notes"].startswith("pp") else "decode"
            yield Row(row["model"], *found, backend, row["flash_attn"] == "on", 256 if small else 512, tokens, tokens,
                      kind, float(row["total_mib"]) * MIB, "strix")  # fmt: skip


def _memory_bytes(gigabytes: str) -> int | None:
    """The card's memory, where the row states it."""
    return int(float(gigabytes) * 2**30) if gigabytes else None


def user_submitted(catalog: Catalog, gpus: GpuTable, data: Path) -> Iterable[Row]:
    """Grade C: llama.cpp on one NVIDIA card that holds a known model whole. Many state little, some are false."""
    for row in csv.DictReader((data / "measured_speed.csv").open()):
        plain = row["spec_decode"] == "off" and row["n_dev"] == "1" and row["quality"] == "C (user-submitted)"
        match, card = catalog.find(row["model"]), gpus.find(row["device"], _memory_bytes(row["device_mem_gb"]))
        if not (plain and row["engine"].startswith(("llama", "ollama")) and isinstance(match, Match) and card):
            continue
        quant, tokens = match.model.quant(row["quant"]), int(float(row["n_tokens"] or 0))
        if quant is None or card.vendor != "nvidia" or quant.file_bytes > float(row["device_mem_gb"] or 0) * 1e9:
            continue
        if row["kind"] == "prefill" and tokens < 512:
            continue  # a short prompt measures the start, not the rate
        DEVICES[row["device"]] = (card.bandwidth_gb_s or 0, card.compute_tflops or 0, "cuda")
        yield Row(match.model.id, match.model, quant, "cuda", True, 512, tokens, float(row["depth"] or 0),
                  row["kind"], float(row["tps"]), row["device"], None)  # fmt: skip
