"""A double of Anthropic's Messages API, written from its reference (Create a Message, Errors, Streaming, List Models).

The known fields are those of the vendor's own SDK. Strict where the real one is: the version header, extra inputs,
alternating calls and results, empty texts.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass

from anthropic.types.message_create_params import MessageCreateParamsBase
from tests.doubles.http_server import HttpReply, json_reply
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

KEY = "sk-ant-double-0123456789"
VERSIONS = ("2023-06-01", "2026-10-21")
SAMPLING = frozenset({"temperature", "top_p", "top_k"})
"""Gone with version 2026-10-21 (API reference, Versions)."""
KNOWN_FIELDS = (frozenset(MessageCreateParamsBase.__annotations__) | {"stream"}) - SAMPLING

_ERRORS = {
    400: ("invalid_request_error", "invalid request"),
    401: ("authentication_error", "invalid x-api-key"),
    402: ("billing_error", "Your credit balance is too low to access the Anthropic API."),
    403: ("permission_error", "Your API key does not have permission to use the specified resource."),
    404: ("not_found_error", "model: gone"),
    408: ("timeout_error", "Request timed out"),
    413: ("request_too_large", "Request exceeds the maximum size"),
    429: (
        "rate_limit_error",
        "This request would exceed your organization's rate limit of 50,000 input tokens per minute.",
    ),
    500: ("api_error", "Internal server error"),
    504: ("timeout_error", "The request timed out while processing."),
    529: ("overloaded_error", "Overloaded"),
}


@dataclass(frozen=True)
class Model:
    """One of the list. Windows in tokens."""

    id: str = "claude-sonnet-5"
    max_input_tokens: int | None = 200_000


MODELS = (Model(), Model("claude-haiku-4-5"))


@dataclass
class Anthropic:
    """See Vendor."""

    models: tuple[Model, ...] = MODELS
    base: str = ""
    path: str = "/v1/messages"

    def check_headers(self, headers: dict[str, str], key: str) -> Wrong | None:
        """A key comes as x-api-key, or as a bearer token, which is how the SDKs send it since October 2026."""
        given = headers.get("x-api-key") or headers.get("authorization", "").removeprefix("Bearer ")
        if not given:
            return Wrong("x-api-key header is required", 401)
        if given != key:
            return Wrong(_ERRORS[401][1], 401)
        if headers.get("anthropic-version") not in VERSIONS:
            return Wrong("anthropic-version: header is required")
        if not headers.get("content-type", "").startswith("application/json"):
            return Wrong("content-type: must be application/json")
        return None

    def check_body(self, body: dict[str, object], headers: dict[str, str]) -> Wrong | None:
        older = headers["anthropic-version"] == VERSIONS[0]
        unknown = unknown_field(body, KNOWN_FIELDS | SAMPLING if older else KNOWN_FIELDS)
        if unknown:
            return Wrong(f"{unknown}: Extra inputs are not permitted")
        model, limit = body.get("model"), body.get("max_tokens")
        if model not in {one.id for one in self.models}:
            return Wrong(f"model: {model}", 404)
        if not isinstance(limit, int) or isinstance(limit, bool):
            return Wrong("max_tokens: Field required")
        if limit < 1:
            return Wrong("max_tokens: Input should be greater than or equal to 1")
        return first(_check_messages(body.get("messages")), _check_tools(body.get("tools")))

    def get(self, path: str, headers: dict[str, str], key: str) -> HttpReply:
        wrong = first(self.check_headers({"content-type": "application/json", **headers}, key))
        if wrong is not None:
            return self.refuse(wrong)
        if path != "/v1/models":
            return self.refuse(Wrong("Not Found", 404))
        data = [
            {
                "type": "model",
                "id": model.id,
                "display_name": model.id,
                "created_at": "2025-09-29T00:00:00Z",
                "lifecycle": "active",
                "max_input_tokens": model.max_input_tokens,
                "max_tokens": 64_000,
            }
            for model in self.models
        ]
        return json_reply({"data": data, "has_more": False, "first_id": data[0]["id"], "last_id": data[-1]["id"]})

    def refuse(self, wrong: Wrong) -> HttpReply:
        type_ = _ERRORS.get(wrong.status, ("api_error", ""))[0]
        body = {"type": "error", "error": {"type": type_, "message": wrong.message}, "request_id": "req_double"}
        reply = json_reply(body, wrong.status)
        return HttpReply(reply.status, reply.body, reply.content_type, (("request-id", "req_double"),))

    def words(self, status: int) -> str:
        return _ERRORS.get(status, ("", "Internal server error"))[1]

    def overflow(self, act: Overflow) -> Wrong:
        return Wrong(f"prompt is too long: {act.prompt_tokens} tokens > {act.context_window} maximum")

    def frames(self, say: Say, model: str) -> list[bytes]:
        start = {**self._message(say, model, []), "stop_reason": None, "stop_sequence": None}
        frames = [sse({"type": "message_start", "message": start}, "message_start"), sse({"type": "ping"}, "ping")]
        for index, block in enumerate(_blocks(say)):
            frames += _block_frames(index, block, say)
        delta = {"stop_reason": "tool_use" if say.calls else "end_turn", "stop_sequence": None}
        counted = {"output_tokens": say.output_tokens}
        frames.append(sse({"type": "message_delta", "delta": delta, "usage": counted}, "message_delta"))
        return [*frames, sse({"type": "message_stop"}, "message_stop")]

    def error_frame(self) -> bytes:
        return sse({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}, "error")

    def whole(self, say: Say, model: str) -> object:
        reason = "tool_use" if say.calls else "end_turn"
        return {**self._message(say, model, _blocks(say)), "stop_reason": reason, "stop_sequence": None}

    def _message(self, say: Say, model: str, content: list[dict[str, object]]) -> dict[str, object]:
        """`input_tokens` are those behind the last cached one."""
        counted = {
            "input_tokens": say.input_tokens - say.cached_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": say.cached_tokens,
            "output_tokens": say.output_tokens,
        }
        head = {"id": "msg_double", "type": "message", "role": "assistant", "model": model}
        return {**head, "content": content, "usage": counted}


def anthropic_server(
    script_: Script | None = None, models: tuple[Model, ...] = MODELS
) -> AbstractContextManager[ScriptedUpstream]:
    """`with anthropic_server(script(Refuse(529), Say())) as server: server.url, server.requests`; its key is `KEY`."""
    return ScriptedUpstream(Anthropic(models), script_ or script(), KEY).running()


def _blocks(say: Say) -> list[dict[str, object]]:
    text: list[dict[str, object]] = [{"type": "text", "text": "".join(say.text)}] if say.text else []
    calls: list[dict[str, object]] = [
        {"type": "tool_use", "id": f"toolu_{index}", "name": name, "input": json.loads(arguments)}
        for index, (name, arguments) in enumerate(say.calls)
    ]
    return text + calls


def _block_frames(index: int, block: dict[str, object], say: Say) -> list[bytes]:
    if block["type"] == "text":
        start: dict[str, object] = {"type": "text", "text": ""}
        deltas: list[dict[str, object]] = [{"type": "text_delta", "text": piece} for piece in say.text]
    else:
        start = {**block, "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": json.dumps(block["input"])}]
    return [
        sse({"type": "content_block_start", "index": index, "content_block": start}, "content_block_start"),
        *(sse({"type": "content_block_delta", "index": index, "delta": d}, "content_block_delta") for d in deltas),
        sse({"type": "content_block_stop", "index": index}, "content_block_stop"),
    ]


def _check_messages(messages: object) -> Wrong | None:
    """Roles, no empty texts, and that each call is answered in the next turn."""
    if not isinstance(messages, list) or not messages:
        return Wrong("messages: at least one message is required")
    waiting: set[str] = set()
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ("user", "assistant", "system"):
            return Wrong(f'messages.{at}.role: Input should be "user" or "assistant"')
        content = message.get("content")
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        if not isinstance(blocks, list) or not all(isinstance(block, dict) for block in blocks):
            return Wrong(f"messages.{at}.content: Input should be a valid list")
        if any(block.get("type") == "text" and not block.get("text") for block in blocks):
            return Wrong("messages: text content blocks must be non-empty")
        results = {str(block.get("tool_use_id")) for block in blocks if block.get("type") == "tool_result"}
        if results - waiting:
            return Wrong(f"messages.{at}: unexpected `tool_use_id` found in `tool_result` blocks")
        if waiting - results:
            return Wrong(f"messages.{at - 1}: `tool_use` ids were found without `tool_result` blocks immediately after")
        waiting = {str(block.get("id")) for block in blocks if block.get("type") == "tool_use"}
    return Wrong("`tool_use` ids were found without `tool_result` blocks immediately after") if waiting else None


def _check_tools(tools: object) -> Wrong | None:
    if tools is None:
        return None
    if not isinstance(tools, list):
        return Wrong("tools: Input should be a valid list")
    for at, tool in enumerate(tools):
        match tool:
            case {"name": str(name), "input_schema": {"type": "object"}} if name:
                pass
            case {"type": str(type_), "name": str()} if type_ != "custom":  # the vendor's own tools have no schema
                pass
            case _:
                return Wrong(f"tools.{at}.custom.input_schema: Field required")
    return None
