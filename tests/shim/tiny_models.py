"""Tiny models with random weights whose state is not a plain KV cache: a sliding window, a recurrence, and both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

_WIDTH, _HEAD, _INNER, _STATE, _RANK = 64, 32, 128, 16, 4
_TEMPLATE = "{% for m in messages %}<{{ m.role }}>{{ m.content }}\n{% endfor %}<assistant>"

Weights = NDArray[np.float32]


class _Model:
    """A GGUF file in the making."""

    def __init__(self, path: Path, architecture: str, blocks: int) -> None:
        self.writer = gguf.GGUFWriter(path, architecture)
        self._random = np.random.default_rng(0)
        tokens = [b"<unk>", b"<s>", b"</s>", *(f"<0x{byte:02X}>".encode() for byte in range(256)), "\u2581".encode()]
        self.vocabulary = len(tokens)
        writer = self.writer
        writer.add_tokenizer_model("llama")
        writer.add_tokenizer_pre("default")
        writer.add_token_list(tokens)
        writer.add_token_scores([0.0] * len(tokens))
        writer.add_token_types([2, 3, 3, *[6] * 256, 1])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_chat_template(_TEMPLATE)
        writer.add_context_length(32_768)
        writer.add_embedding_length(_WIDTH)
        writer.add_block_count(blocks)
        writer.add_layer_norm_rms_eps(1e-6)

    def random(self, name: str, *shape: int) -> None:
        self.writer.add_tensor(name, (self._random.standard_normal(shape) * 0.05).astype(np.float32))

    def ones(self, name: str, size: int = _WIDTH) -> None:
        self.writer.add_tensor(name, np.ones(size, np.float32))

    def attention(self, block: str) -> None:
        self.ones(f"{block}.attn_q_norm.weight", _HEAD)
        self.ones(f"{block}.attn_k_norm.weight", _HEAD)
        for name, rows, columns in (("q", 64, 64), ("k", 32, 64), ("v", 32, 64), ("output", 64, 64)):
            self.random(f"{block}.attn_{name}.weight", rows, columns)

    def feed_forward(self, block: str) -> None:
        for name in ("gate", "up", "down"):
            self.random(f"{block}.ffn_{name}.weight", _WIDTH, _WIDTH)

    def write(self) -> None:
        self.writer.write_header_to_file()
        self.writer.write_kv_data_to_file()
        self.writer.write_tensors_to_file()
        self.writer.close()


def sliding_window(path: Path) -> None:
    """Gemma 3's kind: a window of 128 tokens in all blocks but each sixth."""
    model = _Model(path, "gemma3", 6)
    writer = model.writer
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_key_length(_HEAD)
    writer.add_value_length(_HEAD)
    writer.add_sliding_window(128)
    writer.add_rope_freq_base(10_000.0)
    model.random("token_embd.weight", model.vocabulary, _WIDTH)
    model.ones("output_norm.weight")
    for block in (f"blk.{number}" for number in range(6)):
        for norm in ("attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"):
            model.ones(f"{block}.{norm}.weight")
        model.attention(block)
        model.feed_forward(block)
    model.write()


def hybrid(path: Path) -> None:
    """LFM2's kind: short convolutions, and attention in two of six blocks."""
    heads = [0, 0, 1, 0, 1, 0]
    model = _Model(path, "lfm2", len(heads))
    writer = model.writer
    writer.add_feed_forward_length(_WIDTH)
    writer.add_head_count(2)
    writer.add_head_count_kv(heads)
    writer.add_uint32("lfm2.shortconv.l_cache", 3)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(model.vocabulary)
    model.random("token_embd.weight", model.vocabulary, _WIDTH)
    model.ones("token_embd_norm.weight")
    for number, attends in enumerate(heads):
        block = f"blk.{number}"
        model.ones(f"{block}.attn_norm.weight")
        model.ones(f"{block}.ffn_norm.weight")
        if attends:
            model.attention(block)
        else:
            for name, rows, columns in (("conv", 64, 3), ("in_proj", 192, 64), ("out_proj", 64, 64)):
                model.random(f"{block}.shortconv.{name}.weight", rows, columns)
        model.feed_forward(block)
    model.write()


def recurrent(path: Path) -> None:
    """Mamba's kind: no attention at all."""
    model = _Model(path, "mamba", 2)
    writer = model.writer
    writer.add_feed_forward_length(0)
    writer.add_head_count(0)
    writer.add_ssm_conv_kernel(4)
    writer.add_ssm_inner_size(_INNER)
    writer.add_ssm_state_size(_STATE)
    writer.add_ssm_time_step_rank(_RANK)
    model.random("token_embd.weight", model.vocabulary, _WIDTH)
    model.ones("output_norm.weight")
    for block in ("blk.0", "blk.1"):
        model.ones(f"{block}.attn_norm.weight")
        model.random(f"{block}.ssm_in.weight", 2 * _INNER, _WIDTH)
        model.random(f"{block}.ssm_conv1d.weight", _INNER, 4)
        model.random(f"{block}.ssm_conv1d.bias", _INNER)
        model.random(f"{block}.ssm_x.weight", _RANK + 2 * _STATE, _INNER)
        model.random(f"{block}.ssm_dt.weight", _INNER, _RANK)
        model.random(f"{block}.ssm_dt.bias", _INNER)
        model.writer.add_tensor(f"{block}.ssm_a", -np.ones((_INNER, _STATE), np.float32))
        model.random(f"{block}.ssm_d", _INNER)
        model.random(f"{block}.ssm_out.weight", _WIDTH, _INNER)
    model.write()


TINY_MODELS: dict[str, Callable[[Path], None]] = {
    "sliding window": sliding_window,
    "hybrid": hybrid,
    "recurrent": recurrent,
}
