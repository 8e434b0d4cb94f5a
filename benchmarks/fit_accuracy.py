"""How near our estimates come to measurements: KV cache, compute buffer, memory, tokens a second.

    python benchmarks/fit_accuracy.py --data ../shared/data [--calibrate]

Rows of measured_speed.csv and measured_memory.csv are parted by model: the calibration part is every second model in
the order of names, the rest is held out. data/calibration.toml was fitted on the calibration part alone where it says n
(--calibrate prints that fit). A row counts by what it states: model, quant, backend, flash attention, batch, length.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
from fit_rows import DEVICES, MIB, Row, llama_cpp_summary, mlx_speed, parted, strix_memory, strix_speed, user_submitted

from agentlaunch.core.catalog import Catalog, parse_catalog
from agentlaunch.core.fit.calibration import Backend, Calibration, parse_calibration
from agentlaunch.core.fit.memory import RunSettings, cache_bytes, cache_read_bytes, compute_bytes
from agentlaunch.core.fit.speed import Device, attention_operations, decode_seconds, prefill_seconds, work_of
from agentlaunch.core.gpus import parse_gpus

DATA = Path(__file__).resolve().parent.parent / "src/agentlaunch/data"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--calibrate", action="store_true")
    options = parser.parse_args()
    catalog = parse_catalog((DATA / "catalog.json").read_text())
    vectors(catalog, json.loads((options.data / "kv_vectors.json").read_text()))
    speed = parted(list(strix_speed(catalog, options.data)))
    mlx = parted(list(mlx_speed(catalog, options.data)))
    cuda = parted(list(llama_cpp_summary(catalog, options.data)))
    memory = parted(list(strix_memory(catalog, options.data)))
    if options.calibrate:
        calibrate(speed + mlx + cuda)
        return
    calibration = parse_calibration((DATA / "calibration.json").read_text())
    memory_report(memory, calibration)
    usual = [row for row in speed if is_usual(row)]
    submitted = list(user_submitted(catalog, parse_gpus((DATA / "gpus.json").read_bytes()), options.data))
    reports: tuple[tuple[str, list[Row], str | None], ...] = (
        ("Strix Halo, llama.cpp, grade A, by the backend that the row states", speed, None),
        ("The same as `check` tells it, backend unknown, every row", speed, USUAL),
        ("As `check` tells it, today's backends alone", usual, USUAL),
        ("Apple, MLX, grade A", mlx, None),
        (
            "Published summaries, constants set by hand on all of them",
            [replace(row, held_out=None) for row in cuda],
            None,
        ),
        ("Grade C, NVIDIA, user-submitted, for orientation (see the median)", submitted, None),
    )
    for title, rows, name in reports:
        for kind in ("decode", "prefill"):
            speed_report(f"{title}: {kind}", of(rows, kind), calibration, name)


USUAL = "amd-unified"


def is_usual(row: Row) -> bool:
    """What people run on Strix Halo today: flash attention, Vulkan or ROCm with hipBLASLt."""
    return row.flash_attention and (row.backend.startswith("vulkan") or "hipblaslt" in row.backend)


def of(rows: list[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.kind == kind]


def memory_estimate(row: Row, calibration: Calibration) -> float:
    """Bytes that the GPU's counters show. Vulkan keeps the input embeddings in memory that they count too."""
    settings = RunSettings(
        row.tokens, micro_batch=min(row.micro_batch, row.tokens), flash_attention=row.flash_attention
    )
    vulkan = row.backend.startswith("vulkan")
    weights = row.quant.file_bytes * (1.0 if vulkan else min(row.model.shares.gpu, 1 - row.model.shares.host))
    run = cache_bytes(row.model.architecture, settings) + compute_bytes(row.model.architecture, settings)
    return weights + run + calibration["vulkan" if vulkan else "rocm"].overhead_bytes


def memory_report(rows: list[Row], calibration: Calibration) -> None:
    whole = [row for row in rows if row.value >= 0.9 * row.quant.file_bytes]
    print(
        f"\nTotal memory, grade A rows that state a context: {len(rows)}. {len(rows) - len(whole)} of these show less"
    )
    print("than nine tenths of the weights' own bytes (mapped pages that the driver's counters miss): no estimate can")
    print("meet those; shown apart.")
    for title, chosen in (("all rows", rows), ("rows that hold their weights", whole)):
        for part, held_out in (("calibration", False), ("held out", True)):
            part_rows = [row for row in chosen if row.held_out is held_out]
            errors = [abs(memory_estimate(row, calibration) / row.value - 1) for row in part_rows]
            print(
                f"  {title}, {part}: n={len(errors)} median {statistics.median(errors):.1%} "
                f"p95 {quantile(errors, 0.95):.1%}"
            )


def seconds(row: Row, backend: Backend) -> float:
    bandwidth, tflops, _ = DEVICES[row.device]
    device = Device(bandwidth * 1e9, tflops * 1e12, backend)
    work, architecture = work_of(row.model, row.quant), row.model.architecture
    if row.kind == "decode":
        return decode_seconds(work, cache_read_bytes(architecture, int(row.depth), "f16"), device)
    return prefill_seconds(work, attention_operations(architecture, row.tokens), device, row.micro_batch)


def backend_name(row: Row) -> str:
    if row.device != "strix":
        return row.backend
    return f"strix {row.backend}{'' if row.flash_attention else ' no-fa'}"


def speed_report(title: str, rows: list[Row], calibration: Calibration, name: str | None = None) -> None:
    print(f"\n{title}")
    for part, held_out in (("calibration", False), ("held out", True), ("all", None)):
        errors, covered = [], 0
        for row in rows:
            if row.held_out is held_out:
                backend = calibration[name or backend_name(row)]
                time = seconds(row, backend)
                low, high = backend.decode_spread if row.kind == "decode" else backend.prefill_spread
                errors.append(abs(1 / time / row.value - 1))
                covered += low / time <= row.value <= high / time
        if errors:
            print(f"  {part}: n={len(errors)} mean absolute error {statistics.mean(errors):.1%}, "
                  f"median {statistics.median(errors):.1%}, range covers {covered / len(errors):.0%}")  # fmt: skip


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def vectors(catalog: Catalog, rows: list[dict[str, object]]) -> None:
    exact, errors = 0, []
    for row in rows:
        # deepswe-preview-32b is a fine-tune of Qwen3-32B and not in the catalogue.
        model_id = {"deepswe-preview-32b": "qwen3-32b"}.get(str(row["model"]), str(row["model"]))
        architecture = catalog.models[model_id].architecture
        settings = RunSettings(row["n_ctx"], row["kv_type"], row["n_parallel"], row["kv_unified"], row["swa_full"],
                               row["n_ubatch"], row["flash_attn"])  # fmt: skip
        exact += 0 <= cache_bytes(architecture, settings) / MIB - row["kv_mib"] < 1
        errors.append(abs(compute_bytes(architecture, settings) / MIB / row["compute_mib_cpu"] - 1))
    print(f"KV cache: {exact} of {len(rows)} rows exact to 1 MiB")
    print(f"Compute buffer: median error {statistics.median(errors):.1%}, largest {max(errors):.1%}")


def decode_features(row: Row) -> list[float]:
    bandwidth = DEVICES[row.device][0] * 1e9
    work = work_of(row.model, row.quant)
    read = cache_read_bytes(row.model.architecture, int(row.depth), "f16")
    return [work.dense_bytes / bandwidth, work.expert_bytes / bandwidth, read / bandwidth, work.layers]


def prefill_features(row: Row) -> list[float]:
    _, tflops, _ = DEVICES[row.device]
    work, operations = work_of(row.model, row.quant), tflops * 1e12
    attention = attention_operations(row.model.architecture, row.tokens)
    return [work.dense_operations / operations, work.expert_operations / operations, attention / operations,
            work.expert_groups / row.micro_batch]  # fmt: skip


def decode_pool(name: str) -> str:
    """Backends that decode with the same kernels are calibrated together."""
    return name.replace(" hipblaslt", "").replace("_amdvlk", "").replace("_radv", "")


def prefill_pool(name: str) -> str:
    return name.replace("_radv", "")


POOLS = {"decode": decode_pool, "prefill": prefill_pool}


def family(name: str) -> str:
    """Backends whose common fit is where a pool with few rows is drawn to."""
    if name.startswith("strix"):
        base = "vulkan" if "vulkan" in name else f"rocm{' hipblaslt' if 'hipblaslt' in name else ''}"
        return f"strix {base}{' no-fa' if name.endswith('no-fa') else ''}"
    return name


PRIORS = {
    "decode": np.array([1 / 0.85, 1 / 0.7, 1 / 0.6, 1e-4]),
    "prefill": np.array([1 / 0.3, 1 / 0.2, 1 / 0.1, 5e-5]),
}


def calibrate(rows: list[Row]) -> None:
    """The fit on the calibration part, a pool of backends at a time, as TOML.

    Each pool is drawn towards the fit of its family, as if by `DRAW` more rows. The spread comes from leaving one model
    out at a time: nine of ten of those errors.
    """
    part = [row for row in rows if not row.held_out]
    for name in (USUAL, *sorted({backend_name(row) for row in part})):
        print(f'\n[[backend]]\nname = "{name}"')
        for kind, pool in POOLS.items():
            if name == USUAL:
                wide = chosen = [row for row in of(part, kind) if row.device == "strix" and is_usual(row)]
            else:
                wide = [row for row in of(part, kind) if family(backend_name(row)) == family(name)]
                chosen = [row for row in wide if pool(backend_name(row)) == pool(name)]
            prior = fit(wide, PRIORS[kind])
            print_costs(kind, fit(chosen, prior))
            ratios = []
            for model in {row.model_name for row in chosen}:
                others = fit([row for row in chosen if row.model_name != model], prior)
                ratios += [float(features(row) @ others) * row.value for row in chosen if row.model_name == model]
            low, high = quantile(ratios, 0.05), quantile(ratios, 0.95)
            print(f"{kind}_spread = [{min(low, 0.9):.2f}, {max(high, 1.1):.2f}]  # n = {len(chosen)}")


def print_costs(kind: str, costs: np.ndarray) -> None:
    one, two, three = (min(1 / cost, 9.0) for cost in costs[:3])
    if kind == "decode":
        print(f"decode_dense = {one:.3f}\ndecode_expert = {two:.3f}\ndecode_cache = {three:.3f}")
        print(f"layer_us = {costs[3] * 1e6:.1f}")
    else:
        print(f"prefill_dense = {one:.3f}\nprefill_expert = {two:.3f}\nprefill_attention = {three:.3f}")
        print(f"prefill_weights = 0.700\nexpert_us = {costs[3] * 1e6:.1f}")


def features(row: Row) -> np.ndarray:
    return np.array(decode_features(row) if row.kind == "decode" else prefill_features(row))


DRAW = 0.05


def fit(rows: list[Row], prior: np.ndarray) -> np.ndarray:
    """Costs (inverse efficiencies) that minimise the absolute relative errors, by reweighted coordinate descent."""
    if not rows:
        return prior
    scaled = np.array([features(row) * row.value for row in rows])
    costs, weights = prior.copy(), np.ones(len(rows))
    lowest = np.array([1.02, 1.02, 1.02, 0.0])
    for _ in range(25):
        for _ in range(120):
            for column in range(len(costs)):
                rest = 1 - scaled @ costs + scaled[:, column] * costs[column]
                weighted = weights * scaled[:, column]
                draw = DRAW / prior[column] ** 2
                best = (weighted @ rest + draw * prior[column]) / (weighted @ scaled[:, column] + draw)
                costs[column] = max(best, lowest[column])
        weights = 1 / np.maximum(np.abs(1 - scaled @ costs), 0.05) * 0.1
    return costs


if __name__ == "__main__":
    main()
