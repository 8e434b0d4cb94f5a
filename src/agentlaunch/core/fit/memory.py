"""Bytes that a model needs at run time besides its weights: the KV cache, recurrent state and compute buffers."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from agentlaunch.core.catalog import Architecture, CacheGroup, Experts

CacheType = Literal["f16", "q8_0", "q4_0"]

# Bytes for a block of 32 elements (ggml's type table).
_BLOCK_BYTES: dict[CacheType, int] = {"f16": 64, "q8_0": 34, "q4_0": 18}
_CELL_MULTIPLE = 256
"""llama.cpp pads a cache to this many cells (src/llama-context.cpp, src/llama-kv-cache-iswa.cpp)."""

_UNGATED = frozenset(
    [
        "bloom",
        "falcon",
        "gpt2",
        "gptneox",
        "mpt",
        "nemotron",
        "nemotron_h",
        "nemotron_h_moe",
        "phi2",
        "starcoder",
        "starcoder2",
    ]
)
"""Architectures whose feed-forward has no gate (llama.cpp src/models, LLM_FFN_SEQ)."""


class RunSettings(Struct, frozen=True):
    """How a runtime is started, in llama.cpp's terms: `context` is n_ctx in tokens, for all slots together."""

    context: int
    cache_type: CacheType = "f16"
    parallel: int = 1
    unified: bool = True
    full_size_windows: bool = False
    micro_batch: int = 512
    flash_attention: bool = True

    @property
    def streams(self) -> int:
        """Separate caches: one for all slots when unified, else one for each slot."""
        return 1 if self.unified else self.parallel


def padded(cells: int) -> int:
    """Cells as llama.cpp allocates them: the next multiple of 256."""
    return -(-cells // _CELL_MULTIPLE) * _CELL_MULTIPLE


def cache_bytes(architecture: Architecture, settings: RunSettings) -> int:
    """Bytes of the KV cache and of recurrent state; exact to 1 MiB on llama.cpp's (benchmarks/fit_accuracy)."""
    attention = sum(_group_bytes(architecture, group, settings) for group in architecture.cache)
    recurrent = architecture.recurrent
    if recurrent is None:
        return attention
    return attention + recurrent.layers * recurrent.elements_per_layer * 4 * settings.parallel


def cache_bytes_per_token(architecture: Architecture, cache_type: CacheType) -> float:
    """Bytes that one more token costs beyond every window: the full-attention layers alone."""
    full = (group for group in architecture.cache if group.window is None)
    return sum(g.layers * g.heads_kv * (g.key_length + g.value_length) for g in full) * _BLOCK_BYTES[cache_type] / 32


def cache_read_bytes(architecture: Architecture, depth: int, cache_type: CacheType) -> float:
    """Bytes of cache and state that decoding one token reads when `depth` tokens lie before it."""
    read = 0.0
    for group in architecture.cache:
        tokens = depth if group.window is None else min(depth, group.window)
        read += tokens * group.layers * group.heads_kv * (group.key_length + group.value_length)
    state = architecture.recurrent
    fixed = 0 if state is None else state.layers * state.elements_per_layer * 4
    return read * _BLOCK_BYTES[cache_type] / 32 + fixed


def group_cells(group: CacheGroup, settings: RunSettings) -> int:
    """Cells of one layer of the group over all streams. A window keeps the micro-batch on top of itself."""
    context = padded(-(-settings.context // settings.streams))
    if group.window is None or settings.full_size_windows:
        return context * settings.streams
    sequences = settings.parallel if settings.unified else 1
    return min(context, padded(group.window * sequences + settings.micro_batch)) * settings.streams


def _group_bytes(architecture: Architecture, group: CacheGroup, settings: RunSettings) -> int:
    values = group.heads_kv * group.value_length
    if not settings.flash_attention and values:
        # Without flash attention V is kept transposed, each layer as wide as the widest (llama_kv_cache: v_trans).
        values = max(other.heads_kv * other.value_length for other in architecture.cache)
    elements = group.heads_kv * group.key_length + values
    return group_cells(group, settings) * group.layers * elements * _BLOCK_BYTES[settings.cache_type] // 32


def compute_bytes(architecture: Architecture, settings: RunSettings) -> int:
    """Bytes of the compute buffer: the largest of the graph's stages, for one micro-batch.

    The stages: the output's logits, the widest feed-forward, and attention's scores where flash attention is off.
    Each stands on the attention mask (f16, over every cell) and some rows as wide as the model. Fitted on
    data/kv_vectors.json, llama.cpp's CPU backend; within 10 % there.
    """
    batch = min(settings.micro_batch, padded(settings.context))
    row = architecture.embedding * batch * 4
    masks = {group.window: group_cells(group, settings) // settings.streams for group in architecture.cache}
    mask = sum(masks.values()) * batch * (2 if settings.flash_attention else 4)
    logits = architecture.vocabulary * batch * 4
    # The logits take the mask's place where they fit into it: it is not needed any more.
    stages = [5 * row + _feed_forward(architecture) * batch * 4, logits + 5 * row if logits > mask else 0]
    if not settings.flash_attention:
        scores = max((_score_elements(group, settings) for group in architecture.cache), default=0)
        stages.append(scores * batch * 4 + 5 * row)
    return mask + max(stages)


def _score_elements(group: CacheGroup, settings: RunSettings) -> int:
    return group.heads * group_cells(group, settings) // settings.streams


def _feed_forward(architecture: Architecture) -> int:
    """Elements a token that the widest feed-forward holds at once: gate, up and their product, or up alone."""
    widest = max(architecture.feed_forward, _expert_width(architecture.experts))
    return widest if architecture.name in _UNGATED else 3 * widest


def _expert_width(experts: Experts | None) -> int:
    return 0 if experts is None else max(experts.used * experts.feed_forward, experts.shared_feed_forward)
