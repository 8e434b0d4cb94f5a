"""The scripted model as a folder of Hugging Face's form: what vLLM serves. Written with no library of theirs.

A server that holds answers to a grammar masks the script's own words away, so where the script has no say the output
prefers what ends a JSON value, and each grammar gets its shortest answer.
"""

from __future__ import annotations

import json
import struct
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path

from agentlaunch.core.scripted_gguf import CONTEXT_LENGTH, OUTPUT_WEIGHT, Script, ScriptedNetwork, scripted_network

_HEAD = 32
"""The smallest size of a head that vLLM's attention for CPUs has."""
_FEED_FORWARD = 32
_PREFERRED = ('"', "}", "]", ":", ",", "0", "{", "[", "t", "n")
"""Bytes that go on where the script has no say, best first."""
_SPACE_MARK = "\u2581"


def write_checkpoint(script: Script, folder: Path) -> Path:
    """Write the model into `folder`, which is made, and give it back."""
    network = scripted_network(script)
    folder.mkdir(parents=True)
    texts = {
        "config.json": _config(network),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": network.end},
        "tokenizer.json": _tokenizer(network),
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "bos_token": network.tokens[1],
            "eos_token": network.tokens[network.end],
            "unk_token": network.tokens[0],
            "clean_up_tokenization_spaces": False,
            "model_max_length": CONTEXT_LENGTH,
        },
    }
    for name, content in texts.items():
        (folder / name).write_text(json.dumps(content))
    (folder / "chat_template.jinja").write_text(network.template)
    (folder / "model.safetensors").write_bytes(_safetensors(_tensors(network)))
    return folder


def _config(network: ScriptedNetwork) -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "float32",
        "vocab_size": len(network.tokens),
        "hidden_size": network.width,
        "intermediate_size": _FEED_FORWARD,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": _HEAD,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-6,
        "rope_theta": 10_000.0,
        "max_position_embeddings": CONTEXT_LENGTH,
        "tie_word_embeddings": False,
        "attention_bias": False,
        "bos_token_id": 1,
        "eos_token_id": network.end,
    }


def _tokenizer(network: ScriptedNetwork) -> dict[str, object]:
    """Unigram with bytes for what it does not know: the fewest pieces win, since every piece costs the same."""
    controls = [
        {
            "id": number,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for number, token in enumerate(network.tokens[: network.controls])
    ]
    pieces = [[token.replace(" ", _SPACE_MARK), -1.0] for token in network.tokens]
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": controls,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": _SPACE_MARK},
        "pre_tokenizer": None,
        "post_processor": None,
        "decoder": {
            "type": "Sequence",
            "decoders": [
                {"type": "Replace", "pattern": {"String": _SPACE_MARK}, "content": " "},
                {"type": "ByteFallback"},
                {"type": "Fuse"},
            ],
        },
        "model": {"type": "Unigram", "unk_id": 0, "vocab": pieces, "byte_fallback": True},
    }


# --- the weights -------------------------------------------------------------------------------------------------


def _tensors(network: ScriptedNetwork) -> dict[str, tuple[tuple[int, ...], array[float]]]:
    width, height = network.width, len(network.tokens)
    block, ones = "model.layers.0.", array("f", [1.0]) * width
    return {
        "model.embed_tokens.weight": ((height, width), _sparse(network, network.embedding, 1.0)),
        "lm_head.weight": ((height, width), _output(network)),
        "model.norm.weight": ((width,), ones),
        f"{block}input_layernorm.weight": ((width,), ones),
        f"{block}post_attention_layernorm.weight": ((width,), ones),
        **{f"{block}self_attn.{name}_proj.weight": _zeros(_HEAD, width) for name in "qkv"},
        f"{block}self_attn.o_proj.weight": _zeros(width, _HEAD),
        f"{block}mlp.gate_proj.weight": _zeros(_FEED_FORWARD, width),
        f"{block}mlp.up_proj.weight": _zeros(_FEED_FORWARD, width),
        f"{block}mlp.down_proj.weight": _zeros(width, _FEED_FORWARD),
    }


def _zeros(height: int, width: int) -> tuple[tuple[int, int], array[float]]:
    return (height, width), array("f", bytes(4 * height * width))


def _sparse(network: ScriptedNetwork, places: Sequence[tuple[int, int]], value: float) -> array[float]:
    matrix = array("f", bytes(4 * network.width * len(network.tokens)))
    for row, column in places:
        matrix[row * network.width + column] = value
    return matrix


def _output(network: ScriptedNetwork) -> array[float]:
    """The chain, and beneath it what is preferred everywhere: at most half as strong, so the script always wins."""
    matrix = _sparse(network, network.output, OUTPUT_WEIGHT)
    first_byte = network.controls
    for rank, character in enumerate(_PREFERRED):
        row, weight = first_byte + ord(character), OUTPUT_WEIGHT / 2 - rank / 4
        for column in range(network.width):
            matrix[row * network.width + column] = weight
    return matrix


def _safetensors(tensors: Mapping[str, tuple[tuple[int, ...], array[float]]]) -> bytes:
    """A header in JSON behind its length, then the data (Hugging Face's documentation of safetensors: Format)."""
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for name, (shape, values) in tensors.items():
        end = offset + 4 * len(values)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + b"".join(values.tobytes() for _, values in tensors.values())
