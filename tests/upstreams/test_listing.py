"""What each make of server says of its models, in the forms of its documentation."""

from __future__ import annotations

import json

import msgspec
import pytest
from tests.doubles.model_servers import LM_STUDIO_V0, LM_STUDIO_V1

from agentlaunch.core.endpoint import Prices
from agentlaunch.core.lm_studio_models import V0, V1
from agentlaunch.upstreams import UPSTREAMS
from agentlaunch.upstreams.kind import load_kind
from agentlaunch.upstreams.listing import ModelFacts


def _read(kind: str, value: object, listing: int = 0) -> tuple[ModelFacts, ...]:
    return load_kind(kind).listings[listing].read(json.dumps(value).encode())


def test_openrouter_tells_window_prices_and_images() -> None:
    model = {
        "id": "qwen/qwen3-coder",
        "context_length": 1_048_576,
        "architecture": {"input_modalities": ["text"], "tokenizer": "Qwen3"},
        "pricing": {"prompt": "0.00000022", "completion": "0.00000095", "input_cache_read": "0.00000011"},
        "top_provider": {"context_length": 262_144, "is_moderated": False},
    }
    assert _read("openrouter", {"data": [model]}) == (
        ModelFacts("qwen/qwen3-coder", 262_144, Prices(0.22, 0.95, 0.11), takes_images=False),
    )


@pytest.mark.parametrize(
    ("pricing", "expected"),
    [
        ({"prompt": "-1", "completion": "-1"}, None),  # openrouter/auto
        ({"prompt": "0", "completion": "0"}, Prices(0.0, 0.0)),  # the free ones
        ({"prompt": "0.000001"}, None),
        ({"prompt": "free", "completion": "nan"}, None),
    ],
)
def test_a_price_that_is_not_told_is_not_made_up(pricing: dict[str, str], expected: Prices | None) -> None:
    assert _read("openrouter", {"data": [{"id": "m", "pricing": pricing}]}) == (ModelFacts("m", prices=expected),)


def test_vllm_tells_the_window_that_it_was_started_with() -> None:
    model = {"id": "qwen", "object": "model", "owned_by": "vllm", "root": "/models/qwen", "max_model_len": 65536}
    assert _read("vllm", {"object": "list", "data": [model]}) == (ModelFacts("qwen", 65536),)


def test_litellm_tells_what_a_virtual_key_may_use() -> None:
    info = {
        "id": "0b1c",
        "max_input_tokens": 200_000,
        "input_cost_per_token": 3e-06,
        "output_cost_per_token": 1.5e-05,
        "cache_read_input_token_cost": 3e-07,
        "supports_vision": True,
    }
    deployment = {"model_name": "sonnet", "litellm_params": {"model": "anthropic/x"}, "model_info": info}
    again = {"model_name": "sonnet", "litellm_params": {"model": "bedrock/x"}, "model_info": {"max_input_tokens": 1}}
    bare = {"model_name": "gpu", "litellm_params": {"model": "openai/m"}, "model_info": {"input_cost_per_token": None}}
    assert _read("litellm", {"data": [deployment, again, bare]}) == (
        ModelFacts("sonnet", 200_000, Prices(3.0, 15.0, 0.3), takes_images=True),
        ModelFacts("gpu"),
    )


@pytest.mark.report("B169")
def test_lm_studio_tells_the_window_of_what_is_loaded_and_no_embeddings() -> None:
    assert _read("lmstudio", LM_STUDIO_V1[V1]) == (
        ModelFacts("gemma-3-270m-it-qat", 4096, takes_images=False),
        ModelFacts("qwen/qwen3-coder-30b", takes_images=False),
    )
    assert _read("lmstudio", LM_STUDIO_V0[V0], 1) == (
        ModelFacts("qwen2-vl-7b-instruct", takes_images=True),
        ModelFacts("meta-llama-3.1-8b-instruct", 4096, takes_images=False),
    )


def test_an_older_lm_studios_answer_to_the_newer_path_is_no_list() -> None:
    with pytest.raises(msgspec.DecodeError):
        _read("lmstudio", LM_STUDIO_V0[V1])


def test_llama_cpp_tells_its_window_and_not_the_one_it_was_trained_for() -> None:
    started = {"id": "m.gguf", "object": "model", "meta": {"n_ctx": 16384, "n_ctx_train": 131072}}
    older = {"id": "m.gguf", "object": "model", "meta": {"n_ctx_train": 131072}}
    assert _read("llamacpp", {"data": [started]}) == (ModelFacts("m.gguf", 16384),)
    assert _read("llamacpp", {"data": [older]}) == (ModelFacts("m.gguf"),)


def test_anthropic_tells_the_window() -> None:
    model = {"type": "model", "id": "claude-sonnet-4-5", "display_name": "x", "max_input_tokens": 200_000}
    assert _read("anthropic", {"data": [model], "has_more": False}) == (ModelFacts("claude-sonnet-4-5", 200_000),)


def test_ollama_tells_names() -> None:
    assert _read("ollama", {"models": [{"name": "qwen3:8b", "size": 1}]}) == (ModelFacts("qwen3:8b"),)


@pytest.mark.parametrize("kind", UPSTREAMS)
@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"data": 1}', b'{"data": [{"id": 3}]}', b"\xff"])
def test_what_is_no_list_is_a_decode_error(kind: str, body: bytes) -> None:
    for listing in load_kind(kind).listings:
        with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
            listing.read(body)
