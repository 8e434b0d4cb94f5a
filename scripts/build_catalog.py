"""Makes src/agentlaunch/data/{catalog,gpus}.toml from the shared figures, and the JSON that the program reads.

    python scripts/build_catalog.py [DATA]     default: ../shared/data beside the project

The TOML is what a person reads and reviews: every figure with its source and confidence. The program reads JSON,
made here of what it needs of that, because tomllib takes far longer (both times are printed). calibration.toml is
written by hand and by benchmarks/fit_accuracy.py; only its JSON is made here. Not run in CI, as the shared data is not
part of a clone; tests/core/test_catalog.py checks what is committed.
"""

from __future__ import annotations

import json
import sys
import time
import tomllib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
TARGET = PROJECT / "src/agentlaunch/data"

# What people mean by a short name: Ollama's default tag where it has one, else the size that most machines can run.
MEANT = {
    "qwen3-coder": "qwen3-coder-30b-a3b",
    "qwen-coder": "qwen3-coder-30b-a3b",
    "qwen3-coder:30b-a3b": "qwen3-coder-30b-a3b",
    "qwen3-coder-next": "qwen3-coder-next-80b-a3b",
    "qwen3": "qwen3-8b",
    "qwen3.5": "qwen3.5-9b",
    "qwen3.6": "qwen3.6-27b",
    "qwen3.8": "qwen3.8-27b",
    "qwen2.5-coder": "qwen2.5-coder-7b",
    "gpt-oss": "gpt-oss-20b",
    "devstral": "devstral-small-2507",
    "devstral-small": "devstral-small-2-24b",
    "gemma3": "gemma-3-12b",
    "gemma4": "gemma-4-e4b",
    "gemma-4": "gemma-4-12b",
    "glm-4.5-air": "glm-4.5-air-106b-a12b",
    "glm-4.7-flash": "glm-4.7-flash-30b-a3b",
    "llama3.1": "llama-3.1-8b",
    "llama3.3": "llama-3.3-70b",
    "deepseek-r1": "deepseek-r1-0528-qwen3-8b",
    "granite4": "granite-4.0-h-tiny-7b-a1b",
    "granite4.1": "granite-4.1-8b",
    "granite4.2": "granite-4.2-8b",
    "ornith": "ornith-1.5-9b",
    "ministral-3": "ministral-3-8b",
    "minimax": "minimax-m2.7-230b-a10b",
    "minimax-m2": "minimax-m2.7-230b-a10b",
    "nemotron-3-nano": "nemotron-3-nano-30b-a3b",
}

FOR_PEOPLE = {
    "catalog": ("sources", "size_confidence", "notes", "embedding_parameters", "tool_format"),
    "gpus": ("source", "fp16_confidence"),
}

# Releases that replace an older one of the same maker, architecture and size.
PREDECESSORS = {
    "qwen3.6-27b": "qwen3.5-27b",
    "qwen3.8-27b": "qwen3.6-27b",
    "qwen3.6-35b-a3b": "qwen3.5-35b-a3b",
    "devstral-small-2507": "devstral-small-2505",
    "granite-4.2-8b": "granite-4.1-8b",
    "granite-4.2-30b": "granite-4.1-30b",
    "laguna-xs-2.1-33b-a3b": "laguna-xs.2-33b-a3b",
    "minimax-m2.5-230b-a10b": "minimax-m2.1-230b-a10b",
    "minimax-m2.7-230b-a10b": "minimax-m2.5-230b-a10b",
}

# Agents' models that the shared data itself warns of (their notes): known and sized, not recommended.
NOT_RECOMMENDED = {"kat-coder-v2.5-dev-35b"}

# Names that drivers report and the shared data lacks.
DETECTED = {
    "H100 SXM5 80 GB": ["NVIDIA H100 80GB HBM3"],
    "H100 PCIe 80 GB": ["NVIDIA H100 PCIe"],
    "A100 SXM4 80 GB": ["NVIDIA A100-SXM4-80GB"],
}

Table = dict[str, object]


def main(arguments: list[str]) -> None:
    source = Path(arguments[0]) if arguments else PROJECT.parent / "shared/data"
    if not source.is_dir():
        sys.exit(f"`{source}` is no folder; give the folder of models.json and gpus.json")
    models = [compact_model(defaultdict(lambda: None, row)) for row in json.loads((source / "models.json").read_text())]
    gpus = json.loads((source / "gpus.json").read_text())
    rows = [compact_gpu(defaultdict(lambda: None, row)) for row in gpus["gpus"]]
    memory = [{"name": row["name"], "bandwidth_gb_s": row["bandwidth_gb_s"]} for row in gpus["system_memory"]]
    write_toml("catalog", {"model": models}, "Models. Made by scripts/build_catalog.py; do not edit here.")
    write_toml("gpus", {"gpu": rows, "memory": memory}, "Graphics processors. Made by scripts/build_catalog.py.")
    for name in ("catalog", "gpus", "calibration", "prices"):
        write_json(name)


def compact_model(row: Mapping[str, object]) -> Table:
    """One model without what can be derived. Partial entries keep their gaps: role `partial` and low confidence."""
    params, tool = row["params"], row["tool_calling"]
    quality, confidence = row["quality"], row["confidence"]
    total = params.get("text_total") or params.get("hf_total")
    model: Table = {
        "id": row["id"],
        "name": row["name"],
        "organisation": row["org"],
        "family": row["family"],
        "repository": row["hf_repo"],
        "role": "other" if row["id"] in NOT_RECOMMENDED else row["role"],
        "license": row["license"],
        "release_date": row["release_date"],
        "context_trained": row["context_trained"],
        "tool_calling": tool,
        "tool_format": row["tool_format"],
        "thinking": bool(row["thinking"]),
        "parameters": total,
        "active_parameters": params.get("text_active") or total,
        "expert_parameters": params.get("experts"),
        "embedding_parameters": params.get("input_embedding"),
        "ollama": list(dict.fromkeys(tag["tag"] for tag in row["ollama"] or [])),
        "gguf": (row["gguf"] or {}).get("repos") or [],
        "aliases": [alias for alias, meant in MEANT.items() if meant == row["id"]],
        "architecture": compact_architecture(row["architecture"] or {}),
        "quants": compact_quants(row),
        "shares": compact_shares(row),
        "scores": [
            {"benchmark": s["name"], "score": s["score"], "kind": s["kind"], "source": s["source"]}
            for s in row["benchmarks"] or []
        ],
        "aggregate": (quality or {}).get("whatmodel_score"),
        "predecessor": PREDECESSORS.get(row["id"]),
        "confidence": confidence["architecture"],
        "size_confidence": row["size_confidence"],
        "notes": row["notes"],
        "sources": row["sources"],
    }
    return {key: value for key, value in model.items() if value not in (None, [], "")}


def compact_architecture(row: Mapping[str, object]) -> Table:
    feed_forward = row.get("n_ff") or 0
    architecture: Table = {
        "name": row.get("gguf_arch") or "unknown",
        "layers": row.get("n_layers") or 0,
        "embedding": row.get("n_embd") or 0,
        "vocabulary": row.get("vocab_size") or 0,
        "feed_forward": max(feed_forward.values()) if isinstance(feed_forward, dict) else feed_forward,
        "tied_embeddings": bool(row.get("tied_embeddings")),
        "cache": list(cache_groups(row)),
    }
    if recurrent := row.get("recurrent"):
        short = recurrent["kind"] == "short-conv"
        architecture["recurrent"] = {
            "kind": recurrent["kind"],
            "layers": recurrent["n_layers"],
            "conv_width": recurrent["l_cache"] if short else recurrent["d_conv"],
            "inner": row["n_embd"] if short else recurrent["d_inner"],
            "state": recurrent.get("d_state") or 0,
            "groups": recurrent.get("n_group") or 0,
        }
    if experts := row.get("moe"):
        architecture["experts"] = {
            "count": experts["n_expert"],
            "used": experts["n_expert_used"],
            "feed_forward": experts["expert_ff"],
            "shared_feed_forward": experts.get("shared_expert_ff") or 0,
            "leading_dense_layers": experts.get("leading_dense_layers") or 0,
        }
    return architecture


def cache_groups(row: Mapping[str, object]) -> Iterator[Table]:
    full = row.get("n_full_attention_layers_with_kv") or 0
    if latent := row.get("mla"):
        width = latent.get("cached_width") or latent["kv_lora_rank"] + latent["rope_dim"]
        yield group(latent.get("n_layers") or row["n_layers"], row.get("n_head") or 1, 1, width, 0)
    elif full:
        yield group(full, row["n_head"], row["n_head_kv"], row["head_dim_k"], row["head_dim_v"])
    if window := row.get("swa"):
        heads = window.get("n_head") or row["n_head"]
        layers, lengths = window["n_layers_with_kv"], (window["head_dim_k"], window["head_dim_v"])
        yield group(layers, heads, window["n_head_kv"], *lengths) | {"window": window["window"]}
    if indexer := row.get("indexer"):
        yield group(full, 1, indexer["heads_kv"], indexer["key_length"] * indexer["cached_rows"], 0)


def group(layers: int, heads: int, heads_kv: int, key_length: int, value_length: int) -> Table:
    return {
        "layers": layers, "heads": heads, "heads_kv": heads_kv, "key_length": key_length, "value_length": value_length,
    }  # fmt: skip


def compact_quants(row: Mapping[str, object]) -> list[Table]:
    quants = [
        {"name": name, "bytes": size["bytes"], "status": "published" if size["status"] == "published" else "computed"}
        for name, size in (row["file_bytes"] or {}).items()
    ]
    known = {quant["name"] for quant in quants}
    published = [size for size in row["published_sizes"] or [] if size["quant"].startswith("UD-")]
    return quants + [
        {"name": size["quant"], "bytes": size["bytes"], "status": "published"}
        for size in published
        if " " not in size["quant"] and size["quant"] not in known
    ]


def compact_shares(row: Mapping[str, object]) -> Table:
    """Shares of the file at the quant for which the placement was measured; all of it on the GPU where it was not."""
    placement = row["placement"] or {}
    sizes = row["file_bytes"] or {}
    if not placement.get("gpu_weight_bytes_full_offload") or placement["quant"] not in sizes:
        return {"gpu": 1.0, "host": 0.0, "experts": 0.0}
    whole = sizes[placement["quant"]]["bytes"]
    parts = (
        placement["gpu_weight_bytes_full_offload"],
        placement["host_input_embedding_bytes"],
        placement["expert_bytes"] or 0,
    )
    gpu, host, experts = (round(part / whole, 5) for part in parts)
    return {"gpu": gpu, "host": host, "experts": experts}


def compact_gpu(row: Mapping[str, object]) -> Table:
    gpu: Table = {
        "name": row["name"],
        "detect": row["detect_names"] + DETECTED.get(row["name"], []),
        "vendor": row["vendor"].lower(),
        "kind": row["kind"],
        "memory_gb": row["memory_gb"],
        "memory_type": row.get("memory_type"),
        "bandwidth_gb_s": row["bandwidth_gb_s"],
        "fp32_tflops": row["fp32_tflops"],
        "fp16_tflops": row["fp16_tensor_dense_tflops"],
        "unified": row["unified_memory"],
        "confidence": row["confidence"],
        "fp16_confidence": row["fp16_confidence"],
        "source": row["source"],
    }
    return {key: value for key, value in gpu.items() if value is not None}


def write_toml(name: str, content: Table, comment: str) -> None:
    lines = [f"# {comment}"]
    for table, rows in content.items():
        for row in rows:
            lines.append(f"\n[[{table}]]")
            lines.extend(f"{key} = {toml(value)}" for key, value in row.items())
    (TARGET / f"{name}.toml").write_text("\n".join(lines) + "\n")


def toml(value: object) -> str:
    """A value as TOML writes it, tables inline. JSON's escapes are TOML's own."""
    match value:
        case bool():
            return "true" if value else "false"
        case int() | float():
            return repr(value)
        case str():
            return json.dumps(value, ensure_ascii=False)
        case list():
            if value and isinstance(value[0], dict):
                return "[\n" + "".join(f"  {toml(item)},\n" for item in value) + "]"
            return "[" + ", ".join(toml(item) for item in value) + "]"
        case dict():
            return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
        case _:
            raise TypeError(f"no TOML for `{value!r}`")


def for_the_program(name: str, content: dict[str, list[Table]]) -> dict[str, list[Table]]:
    """The content without what only people read: where a figure comes from. `computed` is what a size is unsaid."""
    left_out = FOR_PEOPLE.get(name, ())
    return {table: [_without(left_out, row) for row in rows] for table, rows in content.items()}


def _without(left_out: tuple[str, ...], row: Table) -> Table:
    kept = {key: value for key, value in row.items() if key not in left_out}
    if isinstance(quants := kept.get("quants"), list):
        kept["quants"] = [{key: value for key, value in quant.items() if value != "computed"} for quant in quants]
    if isinstance(scores := kept.get("scores"), list):
        kept["scores"] = [{**score, "source": _short(score["source"])} for score in scores]
    return kept


def _short(source: str) -> str:
    """As much of who measured as core/fit/quality.py tells."""
    return next((name for name in ("whatmodel", "OpenHands") if name in source), source[:40])


def write_json(name: str) -> None:
    path = TARGET / f"{name}.toml"
    if not path.exists():
        return
    text = path.read_text()
    start = time.perf_counter()
    content = tomllib.loads(text)
    middle = time.perf_counter()
    compact = json.dumps(for_the_program(name, content), ensure_ascii=False, separators=(",", ":"))
    (TARGET / f"{name}.json").write_text(compact + "\n")
    later = time.perf_counter()
    json.loads(compact)
    end = time.perf_counter()
    sys.stdout.write(
        f"{name}: {len(text):,} bytes of TOML read in {(middle - start) * 1000:.1f} ms, "
        f"{len(compact):,} bytes of JSON in {(end - later) * 1000:.1f} ms\n"
    )


if __name__ == "__main__":
    main(sys.argv[1:])
