"""The context window: how much of it an answer may ask for, and how upstreams say that a request does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agentlaunch.core import endpoint
from agentlaunch.core.ir import ChatFault, ErrorKind


@dataclass(frozen=True)
class Overflow:
    """A prompt that did not fit, in tokens as far as the upstream told them. `prompt_tokens` leaves the answer out."""

    prompt_tokens: int | None = None
    context_window: int | None = None


OVERFLOW_WORDS = frozenset(
    {
        "exceed_context_size_error",
        "context_length_exceeded",
        *("context_window_exceeded", "model_context_window_exceeded", "context_overflow"),
        *("model_max_prompt_tokens_exceeded", "tokens_limit_reached", "1261"),
    }
)
"""The `type` of llama.cpp's error, the `code` of OpenAI's, other gateways', GitHub's two and Z.ai's number."""

_PHRASES = re.compile(
    r"exceeds? the available context|context size (?:has been )?exceeded|larger than the max context"  # llama.cpp
    r"|configured context size|exceeds? context window of"  # ds4, llama-cpp-python
    r"|greater than max_seq_len|prompt is too big compared to kv size"  # TabbyAPI, llama.cpp of old
    r"|longer than the kv cache pool|longer than the .{0,40}\bmax(?:imum)? context"  # SGLang
    r"|maximum context length|longer than the maximum model length"  # vLLM, OpenAI, OpenRouter, SGLang, Mistral
    r"|model's context length is only|prompt \([\d,]+ tokens\) is too long|max_tokens must be at least 1, got -"  # vLLM
    r"|longer than the (?:model's )?(?:context )?length"  # SGLang
    r"|tokens when context the overflows|greater than the context length|reached context length"  # LM Studio
    r"|truncate prompt with n_keep"  # LM Studio 0.4
    r"|exceed(?:s|ed) (?:the |max |maximum |the maximum )?context length|prompt too long\b"  # Ollama, oMLX
    r"|exceeds? (?:the |the model's |max )?context window|exceed the configured limit of"  # OpenAI, oMLX
    r"|prompt is too long|exceed context limit"  # Anthropic
    r"|input is too long(?=\W*\Z|[.;,\"]| for (?:the |this )?(?:requested )?model)|the max input token limit"  # Bedrock
    r"|input token count.{0,80}exceeds the maximum|maximum prompt length"  # Google, xAI
    r"|exceeds the maximum (?:allowed )?input length|exceeds the maximum allowed length \([\d,]+ tokens"  # SGLang
    r"|exceeds maximum input length|prompt_len \([\d,]+\)"  # TensorRT-LLM
    r"|prompt length .{0,80}should not exceed max_|prompt sequence length is greater than"  # TensorRT-LLM, mistral.rs
    r"|`inputs` (?:tokens \+ `max_new_tokens` )?must (?:be|have)\b.{0,12}(?:<=|less than)"  # Text Generation Inference
    r"|prompt token count of [\d,]+ exceeds|request body too large for .{1,80} model"  # GitHub
    r"|tokens in request more than max tokens allowed|prompt exceeds max length|prompt ?\u8d85\u957f"  # Z.ai
    r"|range of input length should be|exceeds the model's max(?:imum)? (?:of|context)"  # DashScope, Cohere
    r"|too many tokens: (?:total|size)|total (?:number of )?tokens .{0,40}exceeds the model"  # Cohere
    r"|context window exceeds|exceeded model token limit|exceed max message tokens"  # MiniMax, Moonshot, Doubao
    r"|message token length exceed|too long for the model's context"
    r"|contextwindowexceeded"  # LiteLLM
    r"|context[ _](?:length|window|limit)[ _](?:has been |is )?(?:exceeded|reached)|context[ _]overflow"
    r"|exceed_context_size|reduce the length of the (?:messages|input prompt)"
    r"|prefill would require|memory limit exceeded during prefill|prefill memory guard"  # oMLX: no room for the prompt
    r"|maximum allowed prompt length|max prompt length|input_length_error",  # Lemonade, LMDeploy
    re.IGNORECASE,
)
"""Sources: facts/agents.md 4.4 (each engine's words as agents see them), facts/ollama-api.md F.5 and G.10, the field
reports B159, B167, B170, and the trackers of LM Studio (546, 2256), OpenCode (11141, 25230, 27628, 45834), Cline
(5474), Gemini CLI (4692), pi (129, 4943, 5677, 6262), openclaw (58839), vLLM (4667, 13209), Llama (1103, TGI's)."""

_COUNTED = re.compile(
    r"(?=[^\n]*(?:token|length|context|n_ctx|max_kv_size))(?![^\n]*(?:\bchar|\bbyte|per (?:minute|day|hour|second)))"
    r"[^\n]*?\b(?:prompt|input|input_ids|sequence)\b(?:(?!\bmax_|output|completion|image|file|audio)[^\n]){0,40}?"
    r"[\[(: ](\d{2,9})\b(?:(?!output|completion)[^\n]){0,50}?"
    r"\b(?:exceeds?|cannot be greater than|(?:is )?(?:greater|longer|larger) than|is >=)\s"
    r"(?:(?!output|completion)[^\n\d]){0,50}(\d{3,9})\b",
    re.IGNORECASE,
)
"""A count of the prompt's tokens above a limit, in whatever words (Rapid-MLX #400, #1848; onnxruntime-genai #1558;
Lemonade #6; LM Studio's examples #29)."""

_EMPTIED = re.compile(r"no user query found", re.IGNORECASE)
_TEMPLATE = re.compile(r"jinja|template", re.IGNORECASE)
"""Ollama drops the oldest messages until the rest fits, and its renderer then misses the user's (facts/ollama-api.md
G.10). llama.cpp's Jinja templates raise the same words for a conversation that never had one: no overflow."""

_WINDOW = re.compile(
    r"(?:maximum context length (?:is|of)|context length of(?: only)?|available context size"
    r"|maximum model length of|context length(?! \d+ is greater)|configured limit of|maximum prompt length is"
    r"|maximum number of tokens allowed|model with|context window (?:size )?of|max context size"
    r"|configured context size is|max_seq_len|maximum allowed input length of|maximum allowed length|while limit is"
    r"|maximum input length|model token limit|exceeds the limit of|context length is only|too long and exceeds limit of"
    r"|model's max of|input length should be \[1,|should not exceed max_seq_len|cannot exceed|must have less than"
    r"|exceeds the context window|exceeds the model limit):? \(?(\d+)"
    r"|`max_new_tokens` must be <= (\d+)|max_seq_len \((\d+)\) - prompt_len"  # TGI, TensorRT-LLM
    r"|tokens? > (\d+)"  # Anthropic
    r"|context limit: \d+ \+ \d+ > (\d+)"  # Anthropic, prompt and answer
    r"|n_ctx\"? ?(?:\(|: ?)(\d+)"  # LM Studio 0.4; llama.cpp's own JSON inside a text (Ollama)
    r"|longer than [^()]*\((\d+) tokens?\)",  # SGLang
    re.IGNORECASE,
)
_PROMPT = re.compile(
    r"(?:request|input|prompt) \((\d+) tokens?\)|prompt has (\d+) tokens"  # llama.cpp, SGLang, vLLM, ds4
    r"|passed (\d+) input tokens|input length \((\d+) tokens?\)|prompt_len \((\d+)\)"  # vLLM, SGLang, TensorRT-LLM
    r"|prompt length \(?(\d+)|context length (\d+) is greater|requested tokens \((\d+)\)"  # TabbyAPI, llama-cpp-python
    r"|prompt too long: (\d+)|token count of (\d+)|- received (\d+)|given: (\d+)|current length is (\d+)"
    r"|limit: \d+ \(requested: (\d+)\)|number of tokens \((\d+)\)"
    r"|(?:resulted in|request has|contains(?: at least)?|first) (\d+)(?: input)? tokens"  # OpenAI, vLLM, LM Studio
    r"|requested (?:about )?\d+ tokens \((\d+) "  # vLLM, OpenRouter: the prompt without the answer that was asked for
    r"|tokens: (\d+) tokens from the input"  # SGLang, prompt and answer
    r"|\(length (\d+)\)|input length \(?(\d+)\)? exceeds"  # vLLM
    r"|too long: (\d+)(?: tokens|,)|context limit: (\d+) \+"  # Anthropic
    r"|n_keep(?: \(|: )(\d+)|n_prompt_tokens\"? ?: ?(\d+)"  # LM Studio 0.4; llama.cpp's own JSON inside a text (Ollama)
    r"|input token count \(?(\d+)|request contains (\d+) tokens",  # Google, xAI
    re.IGNORECASE,
)
_THOUSANDS = re.compile(r"(?<=\d),(?=\d{3})")
_LONGEST_COUNT = 12
_LONGEST_TEXT = 20_000


def overflow_in(text: str) -> Overflow | None:
    """The overflow that `text`, an upstream's message, tells of in any engine's words; None when it is none."""
    text = text[:_LONGEST_TEXT]
    if _PHRASES.search(text):
        plain = _THOUSANDS.sub("", text)
        prompt, window = _first_number(_PROMPT, plain), _first_number(_WINDOW, plain)
        counted = _COUNTED.match(plain) if prompt is None or window is None else None
        return Overflow(prompt, window) if counted is None else Overflow(int(counted[1]), int(counted[2]))
    counted = _COUNTED.match(_THOUSANDS.sub("", text))
    if counted is not None:
        return Overflow(int(counted[1]), int(counted[2]))
    if _EMPTIED.search(text) and not _TEMPLATE.search(text):
        return Overflow()
    return None


def overflow_of(fault: ChatFault) -> Overflow:
    """The counts that a client is told, those that only the message has included.

    A prompt that fits by itself overflows together with the answer that was asked for; it is then told as one token
    above the window, since agents look for a prompt that is too long.
    """
    said = overflow_in(fault.message) or Overflow()
    window = said.context_window if fault.context_window is None else fault.context_window
    prompt = said.prompt_tokens if fault.prompt_tokens is None else fault.prompt_tokens
    if prompt is not None and window is not None:
        prompt = max(prompt, window + 1)
    return Overflow(prompt, window)


_SURELY_CUT = 0.7
"""Counted fewer than this share of the estimate: the estimate is 18 % too high at most on the measured prompts."""
_NEARLY_FULL = 0.75
"""Below this share of the window nothing is suspected: the prompt fits even if the estimate is a third too low."""
_HALF_SLACK = 2
"""Ollama's runner keeps num_keep and half of the rest: a prompt of `num_ctx // 2 + 2` tokens, give or take what the
tokenizer adds (facts/ollama-api.md G.10; report B165, ollama/ollama#6026: 1026 tokens of 2048)."""


@dataclass(frozen=True)
class Expectation:
    """How many tokens a prompt should have, by estimate, and the window that it has to fit, both in tokens.

    `overflow` is what is known of the server: where it refuses what does not fit, nothing is ever suspected. A count
    of `least_counted` or fewer is no count: some servers report what their cache did not have.
    """

    prompt_tokens: int
    context_window: int
    overflow: endpoint.Overflow = "unknown"
    least_counted: int = 0

    @property
    def surely_overflows(self) -> bool:
        """Whether the prompt does not fit even if the estimate is too high."""
        return _SURELY_CUT * self.prompt_tokens > self.context_window

    @property
    def may_be_cut(self) -> bool:
        """Whether the prompt is so long that its answer must be looked at before it is passed on."""
        return self.overflow == "unknown" and self.prompt_tokens >= _NEARLY_FULL * self.context_window

    def was_cut(self, counted: int) -> bool:
        """Whether a server that counted `counted` prompt tokens has left some out. Nothing counted tells nothing."""
        if counted <= self.least_counted or not self.may_be_cut:
            return False
        is_half = abs(counted - (self.context_window // 2 + 2)) <= _HALF_SLACK
        return is_half or counted < _SURELY_CUT * self.prompt_tokens

    def fault(self) -> ChatFault:
        """The overflow as every other server would have told it."""
        return ChatFault(
            ErrorKind.CONTEXT_OVERFLOW,
            f"the prompt of about {self.prompt_tokens} tokens was cut to fit the context of {self.context_window}",
            max(self.prompt_tokens, self.context_window + 1),
            self.context_window,
        )


PATIENT_OVERFLOWS = 2
"""How many overflows in a row an agent may answer with a compaction. OpenCode goes on without end, and its compactions
themselves succeed: 546 requests in 71 s (facts/agents.md 4.4)."""


@dataclass(frozen=True)
class LoopRisk:
    """What a request says about its agent's loop: whether it speaks the wire of agents that compact for ever, and
    whether it is work; titles and compactions offer no tools, and their success changes nothing."""

    compacts_for_ever: bool
    counts_as_success: bool

    def is_hopeless_after(self, overflows: int) -> bool:
        """Whether one more overflow after so many in a row should end the agent's turn."""
        return self.compacts_for_ever and overflows >= PATIENT_OVERFLOWS


def overflow_told_plainly(fault: ChatFault) -> ChatFault:
    """The overflow as a bad request, without the words that agents compact at (facts/agents.md 4.4)."""
    told = overflow_of(fault)
    needed = "more tokens than there are" if told.prompt_tokens is None else f"{told.prompt_tokens} tokens"
    window = "" if told.context_window is None else f" and the model's window here is {told.context_window}"
    return ChatFault(
        ErrorKind.BAD_REQUEST,
        f"this request needs {needed}{window}: start with a larger --context, or --lean",
        code="window_too_small",
    )


def clamp_output(asked: int | None, limit: int) -> int:
    """The output tokens to ask an upstream for: at least 1, at most `limit`.

    Claude Code asks for 128,000 whatever the model has (facts/agents.md 4.3); a negative number, which llama.cpp takes
    for "without end", means the limit.
    """
    highest = max(limit, 1)
    return highest if asked is None or asked < 0 else min(max(asked, 1), highest)


_OUTPUT_LIMIT = re.compile(
    r"(?:valid range of max_tokens is|range of max_tokens should be|max_?tokens invalid, should be in) \[\d+, ?(\d+)\]"
    r"|supports at most (\d+) completion tokens"
    r"|max_tokens: \d+ > (\d+), which is the maximum allowed"
    r"|max(?:_completion|_output)?_tokens\W{0,3} must be (?:less than or equal to|<=|at most) `?(\d+)",
    re.IGNORECASE,
)
"""How services say that a model gives shorter answers: DeepSeek, DashScope, Doubao; OpenAI; Anthropic; Groq."""
_LEAST_ROOM = 1024
_ROOM_SLACK = 32
"""Tokens that a template may add to a prompt which its server has counted without them."""


def told_output_limit(fault: ChatFault) -> int | None:
    """The most output tokens that the model ever gives, where a refusal tells that; None where it does not."""
    limit = _first_number(_OUTPUT_LIMIT, fault.message) if fault.kind is ErrorKind.BAD_REQUEST else None
    return limit or None


def fitting_output(asked: int | None, fault: ChatFault) -> int | None:
    """The output tokens for which a refused request would be taken; None where fewer of them do not help.

    vLLM and SGLang refuse a prompt that fits, together with an answer that does not (report B177). A window nearly
    full stays an overflow, and so does a count that is only said to be "at least" that (vLLM 0.12: what is left of
    the window, and no count at all).
    """
    limit = told_output_limit(fault)
    if fault.kind is ErrorKind.CONTEXT_OVERFLOW and "at least" not in fault.message:
        prompt, window = fault.prompt_tokens, fault.context_window
        if prompt is not None and window is not None and window - prompt - _ROOM_SLACK >= _LEAST_ROOM:
            limit = window - prompt - _ROOM_SLACK
    return limit if limit and (asked is None or asked > limit) else None


def _first_number(pattern: re.Pattern[str], text: str) -> int | None:
    found = pattern.search(text)
    return None if found is None else int(next(group for group in found.groups() if group)[:_LONGEST_COUNT])
