"""Window arithmetic, and every engine's words for a request that does not fit."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.context import (
    PATIENT_OVERFLOWS,
    Expectation,
    LoopRisk,
    Overflow,
    clamp_output,
    fitting_output,
    overflow_in,
    overflow_of,
    overflow_told_plainly,
    told_output_limit,
)
from agentlaunch.core.ir import ChatFault, ErrorKind

WORDS = {
    "llama.cpp": (
        "request (5000 tokens) exceeds the available context size (4096 tokens), try increasing it",
        5000,
        4096,
    ),
    "llama.cpp in mid-answer": ("Context size has been exceeded.", None, None),
    "Ollama wrapping llama.cpp": (
        (
            '{"error":{"code":400,"message":"the request exceeds the available context size",'
            '"type":"exceed_context_size_error"'
            ',"n_prompt_tokens":5000,"n_ctx":4096}}'
        ),
        5000,
        4096,
    ),
    "Ollama": ("the input length exceeds the context length", None, None),
    "Ollama, embedding": ("input length exceeds maximum context length", None, None),
    "Ollama, rendered": ("prompt too long; exceeded max context length by 904 tokens", None, None),
    "Ollama, history cut away": ("no user query found in messages", None, None),
    "vLLM": (
        (
            "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens "
            "(4900 in the messages, 100 in the completion). Please reduce the length of the messages or completion."
        ),
        4900,
        4096,
    ),
    "vLLM, no room for the answer": (
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 8192. This model's maximum context length is 4096 "
            "tokens and your request has 3000 input tokens (8192 > 4096 - 3000)."
        ),
        3000,
        4096,
    ),
    "vLLM, thousands with commas": (
        (
            "This model's maximum context length is 262,144 tokens. However, you requested 0 output tokens and your "
            "prompt contains at least 262,145 input tokens."
        ),
        262_145,
        262_144,
    ),
    "vLLM, engine": (
        (
            "The decoder prompt (length 5000) is longer than the maximum model length of 4096. Make sure that "
            "`max_model_len` is no smaller than the number of text tokens."
        ),
        5000,
        4096,
    ),
    "SGLang": ("The input (5000 tokens) is longer than the model's context length (4096 tokens).", 5000, 4096),
    "SGLang, with the answer": (
        (
            "Requested token count exceeds the model's maximum context length of 202752 tokens. You "
            "requested a total of "
            "202941 tokens: 170941 tokens from the input messages and 32000 tokens for the completion."
        ),
        170_941,
        202_752,
    ),
    "LM Studio": (
        (
            "Trying to keep the first 5000 tokens when context the overflows. However, the model is "
            "loaded with context "
            "length of only 4096 tokens, which is not enough."
        ),
        5000,
        4096,
    ),
    "LM Studio, without numbers": (
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        None,
        None,
    ),
    "LM Studio 0.4": ("Cannot truncate prompt with n_keep (15028) >= n_ctx (7424)", 15_028, 7424),
    "OpenAI": (
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        9000,
        8192,
    ),
    "OpenAI, reasoning models": (
        (
            "Input tokens exceed the configured limit of 272000 tokens. Your messages resulted in "
            "289650 tokens. Please "
            "reduce the length of the messages."
        ),
        289_650,
        272_000,
    ),
    "OpenAI, Responses": (
        "Your input exceeds the context window of this model. Please adjust your input and try again.",
        None,
        None,
    ),
    "Anthropic": ("prompt is too long: 208310 tokens > 200000 maximum", 208_310, 200_000),
    "Anthropic, without numbers": ("Prompt is too long", None, None),
    "Anthropic, with the answer": (
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 204698, decrease input length",
        190_000,
        204_698,
    ),
    "Bedrock": ("Input is too long for requested model.", None, None),
    "OpenRouter": (
        (
            "This endpoint's maximum context length is 32768 tokens. However, you requested about 40000 tokens "
            "(39000 of text input, 1000 in the output)."
        ),
        39_000,
        32_768,
    ),
    "LiteLLM": ("litellm.ContextWindowExceededError: litellm.BadRequestError: VertexAIException", None, None),
    "Google": (
        "The input token count (2845475) exceeds the maximum number of tokens allowed (1048576).",
        2_845_475,
        1_048_576,
    ),
    "xAI": (
        "This model's maximum prompt length is 131072 but the request contains 140000 tokens.",
        140_000,
        131_072,
    ),
    "Mistral": ("Prompt contains 40000 tokens, too large for model with 32768 maximum context length", 40_000, 32_768),
    "llama.cpp, embedded": ("Requested tokens (5000) exceed context window of 4096", 5000, 4096),
    "llama.cpp, one input": (
        "input (5000 tokens) is larger than the max context size (4096 tokens). skipping",
        5000,
        4096,
    ),
    "llama.cpp of old": ("Input prompt is too big compared to KV size. Please try increasing KV size.", None, None),
    "ds4": ("Prompt has 5,958,968 tokens, but the configured context size is 256,000 tokens", 5_958_968, 256_000),
    "Rapid-MLX (its #1848)": (
        "Total prompt tokens (15993) exceeds the per-batch cap (8192 = prefill_step_size 8192 \u00d7 1 request(s)).",
        15_993,
        8192,
    ),
    "Rapid-MLX (its #400)": (
        "Total prompt tokens (11573) exceeds safe limit (2048) for 1 requests. Reduce prompt length or batch size",
        11_573,
        2048,
    ),
    "Lemonade (its #6)": (
        "Prompt tokens (2068) cannot be greater than the model's max prompt length (2000)",
        2068,
        2000,
    ),
    "Lemonade (its #133)": ("the prompt exceeds the model's maximum allowed prompt length", None, None),
    "onnxruntime-genai (its #1558)": (
        "input_ids size (3216) + current sequence length (0) exceeds max length (2048)",
        3216,
        2048,
    ),
    "LM Studio (its examples #29)": ("Error: Input length 6491 exceeds context length 1500", 6491, 1500),
    "MLX's server (mlx-serve #66)": ("Prompt exceeds maximum context length", None, None),
    "vLLM, counted": ("Prompt length (5000) exceeds maximum model length (4096)", 5000, 4096),
    "oMLX, by memory (its #2521)": (
        "Prefill would require ~55.12 GB peak (current 29.69 GB + KV+SDPA 25.43 GB) but metal_cap ceiling is 49.25 GB.",
        None,
        None,
    ),
    "oMLX, in mid-prompt (its #1522)": ("Memory limit exceeded during prefill", None, None),
    "LMDeploy": ("internal error happened, status code ResponseType.INPUT_LENGTH_ERROR", None, None),
    "oMLX": ("Prompt too long: 40000 tokens exceeds max context window of 32768 tokens", 40_000, 32_768),
    "TabbyAPI": ("Context length 40000 is greater than max_seq_len 32768", 40_000, 32_768),
    "TabbyAPI, prompt": ("Prompt length 9000 is greater than max_seq_len 8192", 9000, 8192),
    "mistral.rs": (
        "Prompt sequence length is greater than 4096, perhaps consider using `truncate_sequence`?",
        None,
        None,
    ),
    "vLLM, scheduler": ("Input prompt (32889 tokens) is too long and exceeds limit of 2048", 32_889, 2048),
    "vLLM, nothing left": ("max_tokens must be at least 1, got -186.", None, None),
    "vLLM, validation": (
        (
            "You passed 262145 input tokens and requested 0 output tokens. However, the model's context length is only "
            "262144 tokens, resulting in a maximum input length of 262144 tokens. Please reduce the length of the "
            "input prompt. (parameter=input_tokens, value=262145)"
        ),
        262_145,
        262_144,
    ),
    "vLLM, in parentheses": (
        "Input length (265330) exceeds model's maximum context length (262144).",
        265_330,
        262_144,
    ),
    "SGLang, longest": (
        (
            "Input length (8195 tokens) exceeds the maximum allowed length (8192 tokens). Use a shorter input or "
            "enable --allow-auto-truncate."
        ),
        8195,
        8192,
    ),
    "SGLang, pool": (
        "Request length is longer than the KV cache pool size or the max context length. Abort this request.",
        None,
        None,
    ),
    "LM Studio, n_keep": (
        (
            "The number of tokens to keep from the initial prompt is greater than the context length "
            "(n_keep: 10247>= n_ctx: 4096)."
        ),
        10_247,
        4096,
    ),
    "TensorRT-LLM": ("Prompt length (5000) exceeds maximum input length (4096).", 5000, 4096),
    "TensorRT-LLM, sum": (
        "The sum of prompt length (5000.0), query length (0) max_tokens (1024) should not exceed max_seq_len (4096)",
        5000,
        4096,
    ),
    "TensorRT-LLM, default": (
        (
            "default_max_tokens (-100) must be greater than 0, default_max_tokens (-100) = max_seq_len (4096) - "
            "prompt_len (4196)"
        ),
        4196,
        4096,
    ),
    "TGI": ("Input validation error: `inputs` must have less than 4096 tokens. Given: 4545", 4545, 4096),
    "TGI, with the answer": (
        (
            "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens "
            "and 1000 `max_new_tokens`"
        ),
        9000,
        8193,
    ),
    "OpenRouter, input": (
        "Input length 131393 exceeds the maximum allowed input length of 131040 tokens.",
        131_393,
        131_040,
    ),
    "Cerebras": (
        "Please reduce the length of the messages or completion. Current length is 9000 while limit is 8192",
        9000,
        8192,
    ),
    "Fireworks": ("The prompt is too long: 131100, model maximum context length: 131071", 131_100, 131_071),
    "Moonshot": ("Your request exceeded model token limit: 131072 (requested: 140000)", 140_000, 131_072),
    "Z.ai": ("Prompt exceeds max length", None, None),
    "Z.ai, in Chinese": ("Prompt \u8d85\u957f", None, None),
    "Z.ai, request": ("tokens in request more than max tokens allowed", None, None),
    "DashScope": ("InternalError.Algo.InvalidParameter: Range of input length should be [1, 129024]", None, 129_024),
    "Doubao": ("Total tokens of image and text exceed max message tokens", None, None),
    "Cohere": (
        "too many tokens: total number of tokens in the prompt cannot exceed 4081 - received 5000.",
        5000,
        4081,
    ),
    "Cohere, total": ("total tokens exceeds the model's max of 4096", None, 4096),
    "GitHub": ("prompt token count of 132456 exceeds the limit of 128000", 132_456, 128_000),
    "GitHub Models": ("Request body too large for gpt-4o model. Max size: 8000 tokens.", None, None),
    "Bedrock, alone": ("ModelStreamErrorException: Input is too long", None, None),
    "Bedrock, input": ("ValidationException: Input exceeds the max input token limit", None, None),
    "a stop reason": ("Unhandled stop reason: model_context_window_exceeded", None, None),
    "a gateway": ("The total number of tokens (9000) exceeds the model limit (8192)", 9000, 8192),
    "OpenAI's code": ("context_length_exceeded", None, None),
}


@pytest.mark.report("B159")
@pytest.mark.report("B167")
@pytest.mark.report("B170")
@pytest.mark.parametrize(("text", "prompt", "window"), WORDS.values(), ids=WORDS)
def test_an_overflow_is_known_by_each_engine_s_words(text: str, prompt: int | None, window: int | None) -> None:
    assert overflow_in(text) == Overflow(prompt, window)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "messages: text must not be too long a poem",
        "Request too large for gpt-x on tokens per min (TPM): Limit 10000, Requested 12000",
        "Too many tokens, please wait before trying again.",
        "Jinja Exception: No user query found in messages.",
        "context deadline exceeded",
        "model `context-length` not found",
        "Input is too long for this field",
        "max_tokens is too large: 128000. This model supports at most 16384 completion tokens.",
        "string too long. Expected a string with maximum length 10485760",
        "input is too large to process. increase the physical batch size",
        "model requires more system memory (10.2 GiB) than is available (7.9 GiB)",
        "Rate limit reached: too many tokens per minute",
        "You have sent 30000 input tokens, which exceeds the limit of 20000 tokens per minute",
        "input length 70000 exceeds 65536 characters",
        "Invalid input: max_tokens 9000 exceeds the limit of 8192 tokens",
        "Input image size 5000 exceeds limit of 4096 tokens",
        "Requested output tokens 9000 exceed the model's maximum output tokens 8192",
        "Number of input images 25 exceeds limit 20",
    ],
)
def test_other_refusals_are_no_overflow(text: str) -> None:
    assert overflow_in(text) is None


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert overflow_in(f"prompt is too long: {text}") is not None


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", 9, 8), Overflow(9, 8)),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", 5, 8), Overflow(9, 8)),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", None, 8), Overflow(None, 8)),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "prompt is too long: 9 tokens > 8 maximum"), Overflow(9, 8)),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "prompt is too long: 9 tokens > 8 maximum", 7, 6), Overflow(7, 6)),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", 9), Overflow(9, None)),
    ],
)
def test_a_client_is_told_a_prompt_that_is_longer_than_the_window(fault: ChatFault, told: Overflow) -> None:
    assert overflow_of(fault) == told


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", 9, 8),
            "this request needs 9 tokens and the model's window here is 8: start with a larger --context, or --lean",
        ),
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", None, 8),
            (
                "this request needs more tokens than there are and the model's window here is 8:"
                " start with a larger --context, or --lean"
            ),
        ),
    ],
)
def test_a_hopeless_overflow_is_told_in_words_that_mean_no_overflow_to_anybody(fault: ChatFault, message: str) -> None:
    plain = overflow_told_plainly(fault)
    assert plain == ChatFault(ErrorKind.BAD_REQUEST, message, code="window_too_small")
    assert overflow_in(f"{plain.message} {plain.code}") is None


OVERFLOWS = ErrorKind.CONTEXT_OVERFLOW


@pytest.mark.parametrize(
    ("asked", "fault", "fitting"),
    [
        (8192, ChatFault(OVERFLOWS, "x", 3000, 8192), 8192 - 3000 - 32),
        (None, ChatFault(OVERFLOWS, "x", 3000, 8192), 8192 - 3000 - 32),
        (8192, ChatFault(OVERFLOWS, "your prompt contains at least 3000 input tokens", 3000, 8192), None),
        (8192, ChatFault(OVERFLOWS, "x", 7200, 8192), None),
        (8192, ChatFault(OVERFLOWS, "x", 9000, 8192), None),
        (8192, ChatFault(OVERFLOWS, "x", None, 8192), None),
        (8192, ChatFault(OVERFLOWS, "x", 3000), None),
        *(
            (32_000, ChatFault(ErrorKind.BAD_REQUEST, message), 8192)
            for message in (
                "Invalid max_tokens value, the valid range of max_tokens is [1, 8192]",
                "<400> InternalError.Algo.InvalidParameter: Range of max_tokens should be [1, 8192]",
                "field MaxTokens invalid, should be in [1, 8192]",
                "This model supports at most 8192 completion tokens, whereas you provided 32000.",
                "max_tokens: 32000 > 8192, which is the maximum allowed number of output tokens for x",
                "`max_completion_tokens` must be less than or equal to `8192`, the maximum value for this model",
            )
        ),
        (8192, ChatFault(ErrorKind.BAD_REQUEST, "the valid range of max_tokens is [1, 8192]"), None),
        (None, ChatFault(ErrorKind.BAD_REQUEST, "the valid range of max_tokens is [1, 8192]"), 8192),
        (8192, ChatFault(ErrorKind.BAD_REQUEST, "max_tokens must be a number"), None),
        (9999, ChatFault(ErrorKind.RATE_LIMITED, "the valid range of max_tokens is [1, 8192]"), None),
    ],
)
def test_a_shorter_answer_is_asked_for_where_that_is_what_was_refused(
    asked: int | None, fault: ChatFault, fitting: int | None
) -> None:
    assert fitting_output(asked, fault) == fitting


def test_a_models_longest_answer_is_told_by_some_refusals_alone() -> None:
    told = "max_tokens: 4000 > 1024, which is the maximum allowed number of output tokens"
    assert told_output_limit(ChatFault(ErrorKind.BAD_REQUEST, told)) == 1024
    assert told_output_limit(ChatFault(ErrorKind.INTERNAL, told)) is None
    assert told_output_limit(ChatFault(ErrorKind.BAD_REQUEST, "no")) is None


@pytest.mark.parametrize(
    ("asked", "limit", "clamped"),
    [
        (None, 8192, 8192),
        (128_000, 8192, 8192),
        (100, 8192, 100),
        (0, 8192, 1),
        (-1, 99, 99),
        (5, 0, 1),
        (5, -9, 1),
    ],
)
def test_the_answer_s_limit_is_what_was_asked_for_within_the_limit(asked: int | None, limit: int, clamped: int) -> None:
    assert clamp_output(asked, limit) == clamped


@given(st.none() | st.integers(), st.integers())
def test_the_answer_s_limit_is_never_below_one(asked: int | None, limit: int) -> None:
    assert clamp_output(asked, limit) >= 1


@pytest.mark.parametrize(("prompt_tokens", "overflows"), [(8_192, False), (11_000, False), (12_000, True)])
def test_a_prompt_surely_overflows_when_even_a_high_estimate_does(prompt_tokens: int, overflows: bool) -> None:
    assert Expectation(prompt_tokens, 8_192).surely_overflows is overflows


def test_only_an_agent_that_compacts_for_ever_is_given_up_and_only_after_some_patience() -> None:
    told = [
        LoopRisk(for_ever, counts_as_success=True).is_hopeless_after(overflows)
        for for_ever in (True, False)
        for overflows in (PATIENT_OVERFLOWS - 1, PATIENT_OVERFLOWS)
    ]
    assert told == [False, True, False, False]
