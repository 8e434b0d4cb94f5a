"""A double of OpenRouter, written from its documentation (API overview, Errors, Provider routing, Usage accounting).

The real one passes fields on that it does not know; this one refuses what its documentation does not have, since a
request of ours that holds such a field is a mistake of ours.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass

from tests.doubles.http_server import HttpReply, json_reply
from tests.doubles.openai_server import check_messages, check_options, check_tools, chunks, completion, usage
from tests.doubles.scripted_upstream import (
    Overflow,
    Say,
    Script,
    ScriptedUpstream,
    Wrong,
    first,
    script,
    sse,
    unknown_field,
)

KEY = "sk-or-v1-double-0123456789"
KNOWN_FIELDS = frozenset({
    "messages", "model", "models", "route", "response_format", "stop", "stream", "stream_options", "max_tokens",
    "max_completion_tokens", "temperature", "tools", "tool_choice", "parallel_tool_calls", "seed", "top_p", "top_k",
    "top_a", "min_p", "frequency_penalty", "presence_penalty", "repetition_penalty", "logit_bias", "logprobs",
    "top_logprobs", "prediction", "transforms", "provider", "plugins", "reasoning", "reasoning_effort",
    "include_reasoning", "usage", "user", "verbosity", "structured_outputs", "modalities", "session_id",
})  # fmt: skip
PROVIDER_FIELDS = frozenset({
    "order", "allow_fallbacks", "require_parameters", "data_collection", "zdr", "only", "ignore", "quantizations",
    "sort", "max_price",
})  # fmt: skip

_WORDS = {
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    403: "Your chosen model requires moderation and your input was flagged",
    404: "No endpoints found matching your data policy",
    408: "Your request timed out",
    413: "Request Entity Too Large",
    429: "Rate limit exceeded: free-models-per-min.",
    502: "Your chosen model is down or we received an invalid response from it",
    503: "There is no available model provider that meets your routing requirements",
}


@dataclass(frozen=True)
class Model:
    """One of the list; prices in US dollars per token, as text."""

    id: str = "qwen/qwen3-coder"
    context_length: int = 262_144
    prompt: str = "0.00000022"
    completion: str = "0.00000095"
    input_cache_read: str = "0.00000011"
    modalities: tuple[str, ...] = ("text",)


MODELS = (
    Model(),
    Model("anthropic/claude-sonnet-4.5", 1_000_000, "0.000003", "0.000015", "0.0000003", ("text", "image")),
)


@dataclass
class OpenRouter:
    """See Vendor."""

    models: tuple[Model, ...] = MODELS
    base: str = "/api"
    path: str = "/v1/chat/completions"

    def check_headers(self, headers: dict[str, str], key: str) -> Wrong | None:
        if "authorization" not in headers:
            return Wrong(_WORDS[401], 401)
        return None if headers["authorization"] == f"Bearer {key}" else Wrong("User not found.", 401)

    def check_body(self, body: dict[str, object], headers: dict[str, str]) -> Wrong | None:
        unknown = unknown_field(body, KNOWN_FIELDS)
        if unknown:
            return Wrong(f"{unknown} is not in OpenRouter's reference")
        model = body.get("model")
        if model not in {one.id for one in self.models}:
            return Wrong(f"{model} is not a valid model ID")
        return first(
            _check_provider(body.get("provider")),
            _check_usage(body.get("usage")),
            check_options(body),
            check_messages(body),
            check_tools(body),
        )

    def get(self, path: str, headers: dict[str, str], key: str) -> HttpReply:
        """The list is public; `/key` is not."""
        if path == "/v1/models":
            return json_reply({"data": [_listed(model) for model in self.models]})
        if path == "/v1/key":
            wrong = self.check_headers(headers, key)
            return (
                json_reply({"data": {"label": "double", "limit": None, "usage": 0}})
                if wrong is None
                else self.refuse(wrong)
            )
        return self.refuse(Wrong("Not Found", 404))

    def refuse(self, wrong: Wrong) -> HttpReply:
        return json_reply(
            {"error": {"message": wrong.message, "code": wrong.status}, "user_id": "user_double"}, wrong.status
        )

    def words(self, status: int) -> str:
        return _WORDS.get(status, "Internal Server Error")

    def overflow(self, act: Overflow) -> Wrong:
        return Wrong(
            f"This endpoint's maximum context length is {act.context_window} tokens. However, you requested about "
            f"{act.prompt_tokens} tokens ({act.prompt_tokens} of text input). Please reduce the length of either one, "
            'or use the "middle-out" transform to compress your prompt automatically.'
        )

    def frames(self, say: Say, model: str) -> list[bytes]:
        """Comments while it looks for a provider, then chunks; the usage has the cost."""
        told = {**usage(say), "cost": say.cost_usd, "is_byok": False}
        return [b": OPENROUTER PROCESSING\n\n", *chunks(say, model, told), b"data: [DONE]\n\n"]

    def error_frame(self) -> bytes:
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": 502, "message": "Provider disconnected unexpectedly"}
        return sse({"id": "gen-double", "object": "chat.completion.chunk", "error": error, "choices": [choice]})

    def whole(self, say: Say, model: str) -> object:
        return completion(say, model, {**usage(say), "cost": say.cost_usd, "is_byok": False})


def openrouter_server(
    script_: Script | None = None, models: tuple[Model, ...] = MODELS
) -> AbstractContextManager[ScriptedUpstream]:
    """`with openrouter_server(script(Refuse(429), Say())) as server: server.url, server.requests`; its key is `KEY`."""
    return ScriptedUpstream(OpenRouter(models), script_ or script(), KEY).running()


def _check_provider(provider: object) -> Wrong | None:
    if provider is None:
        return None
    if not isinstance(provider, dict):
        return Wrong("provider: expected an object")
    unknown = unknown_field(provider, PROVIDER_FIELDS)
    if unknown:
        return Wrong(f"provider: unrecognized key '{unknown}'")
    if provider.get("data_collection", "allow") not in ("allow", "deny"):
        return Wrong("provider.data_collection: expected 'allow' or 'deny'")
    if not isinstance(provider.get("allow_fallbacks", True), bool):
        return Wrong("provider.allow_fallbacks: expected a boolean")
    order = provider.get("order", [])
    if not isinstance(order, list) or not all(isinstance(name, str) for name in order):
        return Wrong("provider.order: expected an array of strings")
    return None


def _check_usage(told: object) -> Wrong | None:
    return (
        None if told in (None, {"include": True}, {"include": False}) else Wrong("usage: expected {include: boolean}")
    )


def _listed(model: Model) -> dict[str, object]:
    pricing = {"prompt": model.prompt, "completion": model.completion, "input_cache_read": model.input_cache_read}
    return {
        "id": model.id,
        "name": model.id,
        "created": 1700000000,
        "context_length": model.context_length,
        "architecture": {"input_modalities": list(model.modalities), "output_modalities": ["text"]},
        "pricing": {**pricing, "request": "0", "image": "0"},
        "top_provider": {"context_length": model.context_length, "max_completion_tokens": None, "is_moderated": False},
        "supported_parameters": ["max_tokens", "tools", "tool_choice"],
    }
