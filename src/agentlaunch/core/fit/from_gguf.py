"""A model that the catalogue lacks, from its GGUF header: architecture, parameters, shares of the weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from agentlaunch.core.catalog import Architecture, CacheGroup, Experts, Model, Quant, Recurrent, WeightShares
from agentlaunch.core.gguf import GgufHeader, MetadataValue

# LLAMA_FTYPE of include/llama.h: the quantisation's name and about how many bits a weight it takes.
_FILE_TYPES: dict[int, tuple[str, float]] = {
    0: ("F32", 32.0), 1: ("F16", 16.0), 2: ("Q4_0", 4.6), 3: ("Q4_1", 5.1), 7: ("Q8_0", 8.5), 8: ("Q5_0", 5.6),
    9: ("Q5_1", 6.0), 10: ("Q2_K", 3.1), 11: ("Q3_K_S", 3.6), 12: ("Q3_K_M", 3.95), 13: ("Q3_K_L", 4.3),
    14: ("Q4_K_S", 4.6), 15: ("Q4_K_M", 4.87), 16: ("Q5_K_S", 5.6), 17: ("Q5_K_M", 5.7), 18: ("Q6_K", 6.57),
    19: ("IQ2_XXS", 2.2), 20: ("IQ2_XS", 2.4), 21: ("Q2_K_S", 2.9), 22: ("IQ3_XS", 3.4), 23: ("IQ3_XXS", 3.25),
    24: ("IQ1_S", 1.8), 25: ("IQ4_NL", 4.6), 26: ("IQ3_S", 3.6), 27: ("IQ3_M", 3.75), 28: ("IQ2_S", 2.6),
    29: ("IQ2_M", 2.8), 30: ("IQ4_XS", 4.35), 31: ("IQ1_M", 2.0), 32: ("BF16", 16.0), 36: ("TQ1_0", 1.7),
    37: ("TQ2_0", 2.1), 38: ("MXFP4", 4.5), 39: ("NVFP4", 4.7), 40: ("Q1_0", 1.3),
}  # fmt: skip

# Where llama.cpp does not read the pattern from the file but knows it (src/models, set_swa_pattern): of so many layers
# one sees everything, the last of them, or the first.
_WINDOW_EVERY = {
    "afmoe": 4, "cohere2": 4, "exaone4": 4, "gemma2": 2, "gemma3": 6, "gemma3n": 5, "gemma-embedding": 6, "gpt-oss": 2,
    "llama4": 4, "mellum": 4, "muse-glimmer": 4, "olmo2": 4,
}  # fmt: skip
_FULL_FIRST = {"cohere2moe": 4, "laguna": 4, "step35": 4}
_CHUNKED_WINDOW = {"llama4": 8192}
_ALL_LAYERS_RECURRENT = frozenset({"falcon-h1"})
"""Attention and recurrent state side by side in each layer."""
_INTERVAL_DEFAULT = {"qwen3next": 4, "qwen35": 4, "qwen35moe": 4}

Reader: TypeAlias = Callable[[str], MetadataValue | None]


def architecture_from_gguf(header: GgufHeader) -> Architecture:
    """What sizes the model at run time. What a header leaves out counts as llama.cpp's default."""
    read = _reader(header)
    layers = (header.block_count or 0) - _integer(read("nextn_predict_layers"))
    heads = _per_layer(header.head_count, layers) or (1,) * layers
    heads_kv = _per_layer(header.head_count_kv, layers) or heads
    recurrent_layers = _recurrent_layers(header.architecture, read, heads_kv)
    with_cache = layers - _integer(read("attention.shared_kv_layers"))
    attention = [
        layer
        for layer in range(with_cache)
        if heads_kv[layer] and (layer not in recurrent_layers or header.architecture in _ALL_LAYERS_RECURRENT)
    ]
    return Architecture(
        name=header.architecture,
        layers=layers,
        embedding=header.embedding_length or 0,
        vocabulary=header.vocabulary_length or _integer(read("vocab_size")),
        feed_forward=_largest(read("feed_forward_length")),
        cache=_cache(header, read, attention, (heads, heads_kv)),
        recurrent=_recurrent(header, read, len(recurrent_layers)),
        experts=_experts(read),
    )


def model_from_gguf(header: GgufHeader, file_bytes: int, identity: str) -> Model:
    """A model to size and fit, never to recommend. `file_bytes` over all parts of a split file; `identity` names it."""
    architecture = architecture_from_gguf(header)
    quant, bits = _FILE_TYPES.get(header.file_type if header.file_type is not None else -1, ("GGUF", 4.9))
    parameters = max(round(file_bytes * 8 / bits), 1)
    embedding = min(architecture.vocabulary * architecture.embedding, parameters // 2)
    experts = min(_expert_parameters(architecture), parameters - embedding)
    used = 1.0 if architecture.experts is None else architecture.experts.used / max(architecture.experts.count, 1)
    return Model(
        id=identity,
        name=header.name or identity,
        family=header.architecture,
        repository=None,
        role="unknown",
        parameters=parameters,
        active_parameters=parameters - embedding - int(experts * (1 - used)),
        expert_parameters=experts,
        architecture=architecture,
        quants=(Quant(quant, file_bytes, "file"),),
        shares=WeightShares(1 - embedding / parameters, embedding / parameters, experts / parameters),
        context_trained=header.context_length or 0,
        tool_calling="tools" in header.chat_template if header.chat_template is not None else None,
        confidence="medium",
    )


def _reader(header: GgufHeader) -> Reader:
    return lambda key: header.metadata.get(f"{header.architecture}.{key}")


def _cache(
    header: GgufHeader, read: Reader, attention: list[int], heads: tuple[tuple[int, ...], tuple[int, ...]]
) -> tuple[CacheGroup, ...]:
    """Layers of equal shape together, those that see everything first."""
    ratios = read("attention.compress_ratios")
    if isinstance(ratios, tuple):
        return _compressed(header, read, attention, heads[0], ratios)
    rank = _integer(read("attention.kv_lora_rank"))
    query, kv = heads
    width = rank + _integer(read("rope.dimension_count"))
    # Without these lengths (files from before April 2025; MiniCPM3, PLM) llama.cpp keeps each head's keys and values:
    # llama_hparams::is_mla. Taken for latent, DeepSeek-V2-Lite would need a ninth of what it does.
    if rank and (read("attention.key_length_mla") or header.key_length == width):
        return (CacheGroup(len(attention), max(query), 1, width, 0),) if attention else ()
    own = (header.embedding_length or 0) // max(*query, 1)
    key, value = header.key_length or own, header.value_length or header.key_length or own
    window = _integer(read("attention.sliding_window")) or _CHUNKED_WINDOW.get(header.architecture, 0)
    windowed = _windowed_layers(header.architecture, read, len(query)) if window else frozenset()
    near = (_integer(read("attention.key_length_swa")) or key, _integer(read("attention.value_length_swa")) or value)
    counted: dict[tuple[int | None, int, int, int, int], int] = {}
    for layer in attention:
        lengths = near if layer in windowed else (key, value)
        shape = (window if layer in windowed else None, query[layer], kv[layer], *lengths)
        counted[shape] = counted.get(shape, 0) + 1
    groups = [CacheGroup(layers, *shape[1:], window=shape[0]) for shape, layers in counted.items()]
    return tuple(sorted(groups, key=lambda group: group.window is not None))


def _compressed(
    header: GgufHeader, read: Reader, attention: list[int], query: tuple[int, ...], ratios: tuple[MetadataValue, ...]
) -> tuple[CacheGroup, ...]:
    """DeepSeek V4: each layer keeps a window of latents; those with a ratio also one latent of so many tokens.

    Where the ratio is the smallest, an indexer chooses among them by keys of its own.
    """
    width, indexer = header.key_length or 0, _integer(read("attention.indexer.key_length"))
    counted: dict[int, int] = {}
    for layer in attention:
        ratio = _integer(ratios[layer]) if layer < len(ratios) else 0
        if ratio:
            counted[ratio] = counted.get(ratio, 0) + 1
    groups = [
        CacheGroup(layers, max(query), 1, -(-(width + (indexer if ratio == min(counted) else 0)) // ratio), 0)
        for ratio, layers in counted.items()
    ]
    window = _integer(read("attention.sliding_window"))
    near = [CacheGroup(len(attention), max(query), 1, width, 0, window=window or None)] if attention else []
    return (*groups, *near)


def _windowed_layers(architecture: str, read: Reader, layers: int) -> frozenset[int]:
    """Layers whose attention sees a window only."""
    match read("attention.sliding_window_pattern"):
        case tuple(flags):
            return frozenset(layer for layer, flag in enumerate(flags[:layers]) if flag)
        case int(stated) if stated > 0 and not isinstance(stated, bool):
            every = stated
        case _:
            every = _WINDOW_EVERY.get(architecture, 0)
    first = _FULL_FIRST.get(architecture, 0)
    if first:
        return frozenset(layer for layer in range(layers) if layer % first)
    if every:
        return frozenset(layer for layer in range(layers) if layer % every < every - 1)
    return frozenset()


def _recurrent_layers(architecture: str, read: Reader, heads_kv: tuple[int, ...]) -> frozenset[int]:
    """Layers with a state: those without KV heads and feed-forward, or all but each `full_attention_interval`-th."""
    layers = len(heads_kv)
    if not _integer(read("ssm.conv_kernel")) and not _integer(read("shortconv.l_cache")):
        return frozenset()
    if architecture in _ALL_LAYERS_RECURRENT:
        return frozenset(range(layers))
    interval = _integer(read("full_attention_interval")) or _INTERVAL_DEFAULT.get(architecture, 0)
    if interval:
        return frozenset(layer for layer in range(layers) if (layer + 1) % interval)
    # nemotron_h: a layer is attention, state or feed-forward; the last has a width of its own in the array.
    widths = read("feed_forward_length")
    plain = {layer for layer, width in enumerate(widths) if width} if isinstance(widths, tuple) else set()
    mixed = architecture.startswith("nemotron_h")
    return frozenset(layer for layer in range(layers) if not heads_kv[layer] and not (mixed and layer in plain))


def _recurrent(header: GgufHeader, read: Reader, layers: int) -> Recurrent | None:
    if not layers:
        return None
    short = _integer(read("shortconv.l_cache"))
    if short:
        return Recurrent("short-conv", layers, short, header.embedding_length or 0)
    return Recurrent(
        kind="gated-delta-net" if header.architecture.startswith(("qwen3next", "qwen35")) else "mamba2",
        layers=layers,
        conv_width=_integer(read("ssm.conv_kernel")),
        inner=_integer(read("ssm.inner_size")),
        state=_integer(read("ssm.state_size")),
        groups=_integer(read("ssm.group_count")),
    )


def _experts(read: Reader) -> Experts | None:
    count = _integer(read("expert_count"))
    if not count:
        return None
    return Experts(
        count=count,
        used=_integer(read("expert_used_count")),
        feed_forward=_largest(read("expert_feed_forward_length")) or _largest(read("feed_forward_length")),
        shared_feed_forward=_integer(read("expert_shared_feed_forward_length")),
        leading_dense_layers=_integer(read("leading_dense_block_count")),
    )


def _expert_parameters(architecture: Architecture) -> int:
    experts = architecture.experts
    if experts is None:
        return 0
    one = 3 * architecture.embedding * experts.feed_forward * experts.count
    return one * max(architecture.layers - experts.leading_dense_layers, 0)


def _per_layer(values: tuple[int, ...], layers: int) -> tuple[int, ...]:
    return values * layers if len(values) == 1 else values[:layers]


def _integer(value: MetadataValue | None) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _largest(value: MetadataValue | None) -> int:
    if isinstance(value, tuple):
        return max((int(item) for item in value), default=0)
    return _integer(value)
