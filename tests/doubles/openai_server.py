"""A double of OpenAI's chat completions, written from its API reference (Create chat completion, Errors, List models).

The known fields are those of the vendor's own SDK. Strict where the real one is: unknown fields, `max_tokens` on
reasoning models, tools and their answers that do not belong together.
"""

from __future__ import annotations

import json
import re
from contextlib import AbstractContextManager
from dataclasses import dataclass

from openai.types.chat.completion_create_params import CompletionCreateParamsBase
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

KEY = "sk-double-openai-0123456789"
KNOWN_FIELDS = frozenset(CompletionCreateParamsBase.__annotations__) | {"stream"}
ROLES = {"system", "developer", "user", "assistant", "tool", "function"}
TOOL_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
REASONING = re.compile(r"o[1-9]|gpt-[5-9]")

_TYPES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided: sk-doub***6789."),
    403: (
        "invalid_request_error",
        "unsupported_country_region_territory",
        "Country, region, or territory not supported",
    ),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model `gone` does not exist or you do not have access to it.",
    ),
    408: ("server_error", None, "Request timed out."),
    413: ("invalid_request_error", None, "Request body too large."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests. Please try again in 20s."),
    500: ("server_error", None, "The server had an error while processing your request. Sorry about that!"),
    503: ("server_error", None, "The engine is currently overloaded, please try again later"),
}


@dataclass
class OpenAI:
    """See Vendor. `models` are what the list holds."""

    models: tuple[str, ...] = ("gpt-4.1", "gpt-5")
    base: str = ""
    path: str = "/v1/chat/completions"

    def check_headers(self, headers: dict[str, str], key: str) -> Wrong | None:
        if headers.get("authorization") != f"Bearer {key}":
            return Wrong(_TYPES[401][2], 401, "invalid_api_key")
        if not headers.get("content-type", "").startswith("application/json"):
            return Wrong("the body must be application/json", 415)
        return None

    def check_body(self, body: dict[str, object], headers: dict[str, str]) -> Wrong | None:
        unknown = unknown_field(body, KNOWN_FIELDS)
        if unknown:
            return Wrong(f"Unknown parameter: '{unknown}'.", code="unknown_parameter")
        return first(self.check_model(body), check_options(body), check_messages(body), check_tools(body))

    def check_model(self, body: dict[str, object]) -> Wrong | None:
        model = body.get("model")
        if not isinstance(model, str) or not model:
            return Wrong("you must provide a model parameter")
        if model not in self.models:
            return Wrong(f"The model `{model}` does not exist or you do not have access to it.", 404, "model_not_found")
        if REASONING.match(model) and "max_tokens" in body:
            return Wrong(
                "Unsupported parameter: 'max_tokens' is not supported with this model. "
                "Use 'max_completion_tokens' instead.",
                code="unsupported_parameter",
            )
        if REASONING.match(model) and body.get("temperature", 1) != 1:
            return Wrong(
                "Unsupported value: 'temperature' does not support this value with this model. "
                "Only the default (1) value is supported.",
                code="unsupported_value",
            )
        return None

    def get(self, path: str, headers: dict[str, str], key: str) -> HttpReply:
        if headers.get("authorization") != f"Bearer {key}":
            return self.refuse(Wrong(_TYPES[401][2], 401))
        if path != "/v1/models":
            return self.refuse(Wrong(f"Invalid URL (GET {path})", 404))
        data = [{"id": name, "object": "model", "created": 1686935002, "owned_by": "openai"} for name in self.models]
        return json_reply({"object": "list", "data": data})

    def refuse(self, wrong: Wrong) -> HttpReply:
        type_, code, _ = _TYPES.get(wrong.status, ("invalid_request_error", None, ""))
        error = {"message": wrong.message, "type": type_, "param": None, "code": wrong.code or code}
        return json_reply({"error": error}, wrong.status)

    def words(self, status: int) -> str:
        return _TYPES.get(status, ("", None, "The server had an error."))[2]

    def overflow(self, act: Overflow) -> Wrong:
        return Wrong(
            f"This model's maximum context length is {act.context_window} tokens. However, your messages resulted in "
            f"{act.prompt_tokens} tokens. Please reduce the length of the messages.",
            code="context_length_exceeded",
        )

    def frames(self, say: Say, model: str) -> list[bytes]:
        return [*chunks(say, model, usage(say)), b"data: [DONE]\n\n"]

    def error_frame(self) -> bytes:
        return sse({"error": {"message": _TYPES[500][2], "type": "server_error", "param": None, "code": None}})

    def whole(self, say: Say, model: str) -> object:
        return completion(say, model, usage(say))


def openai_server(
    script_: Script | None = None, models: tuple[str, ...] = ("gpt-4.1", "gpt-5")
) -> AbstractContextManager[ScriptedUpstream]:
    """`with openai_server(script(Refuse(429), Say())) as server: server.url, server.requests`; its key is `KEY`."""
    return ScriptedUpstream(OpenAI(models), script_ or script(), KEY).running()


def check_options(body: dict[str, object]) -> Wrong | None:
    """Limits and switches that both chat APIs read in the same way."""
    for name in ("max_tokens", "max_completion_tokens"):
        limit = body.get(name)
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            return Wrong(f"Invalid '{name}': integer below minimum value. Expected a value >= 1.")
    if "max_tokens" in body and "max_completion_tokens" in body:
        return Wrong("Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.")
    if "stream_options" in body and body.get("stream") is not True:
        return Wrong("The 'stream_options' parameter is only allowed when 'stream' is enabled.")
    temperature = body.get("temperature")
    if temperature is not None and not (isinstance(temperature, int | float) and 0 <= temperature <= 2):
        return Wrong("Invalid 'temperature': expected a value between 0 and 2.")
    stop = body.get("stop")
    if isinstance(stop, list) and len(stop) > 4:
        return Wrong("Invalid 'stop': array too long. Expected an array with maximum length 4.")
    return None


def check_messages(body: dict[str, object]) -> Wrong | None:
    """Roles, contents, and that calls and their answers stand beside each other."""
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages:
        return Wrong("Invalid 'messages': empty array. Expected an array with minimum length 1.")
    waiting: set[str] = set()
    for at, message in enumerate(messages):
        if not isinstance(message, dict) or message.get("role") not in ROLES:
            return Wrong(f"Invalid value for 'messages[{at}].role'.")
        if message["role"] == "tool":
            if message.get("tool_call_id") not in waiting:
                return Wrong("messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.")
            waiting.discard(message["tool_call_id"])
            continue
        if waiting:
            return Wrong("An assistant message with 'tool_calls' must be followed by tool messages for each of them.")
        calls = message.get("tool_calls")
        if message.get("content") is None and not calls:
            return Wrong(f"Invalid value for 'content': expected a string, got null. (messages[{at}])")
        if calls is not None:
            wrong = _check_calls(calls, at)
            if wrong is not None:
                return wrong
            waiting = {call["id"] for call in calls}
    return Wrong("An assistant message with 'tool_calls' must be followed by tool messages.") if waiting else None


def _check_calls(calls: object, at: int) -> Wrong | None:
    if not isinstance(calls, list) or not calls:
        return Wrong(f"Invalid 'messages[{at}].tool_calls': empty array.")
    for call in calls:
        match call:
            case {"id": str(id_), "type": "function", "function": {"name": str(name), "arguments": str()}} if id_:
                if not TOOL_NAME.fullmatch(name):
                    return Wrong(f"Invalid 'messages[{at}].tool_calls[].function.name': string does not match pattern.")
            case _:
                return Wrong(f"Invalid type for 'messages[{at}].tool_calls[]'.")
    return None


def check_tools(body: dict[str, object]) -> Wrong | None:
    """Functions alone, each with a name and a schema of an object."""
    tools = body.get("tools")
    if tools is None:
        return Wrong("'tool_choice' is only allowed when 'tools' are specified.") if "tool_choice" in body else None
    if not isinstance(tools, list) or not tools:
        return Wrong("Invalid 'tools': empty array. Expected an array with minimum length 1.")
    for at, tool in enumerate(tools):
        match tool:
            case {"type": "function", "function": {"name": str(name), **rest}}:
                schema = rest.get("parameters", {})
                if not TOOL_NAME.fullmatch(name):
                    return Wrong(f"Invalid 'tools[{at}].function.name': string does not match pattern.")
                if not isinstance(schema, dict) or schema.get("type", "object") != "object":
                    return Wrong(f"Invalid schema for function '{name}': schema must be of type: \"object\".")
            case _:
                return Wrong(f"Invalid value for 'tools[{at}].type'.")
    return None


def usage(say: Say) -> dict[str, object]:
    """`usage`, as the reference has it."""
    return {
        "prompt_tokens": say.input_tokens,
        "completion_tokens": say.output_tokens,
        "total_tokens": say.input_tokens + say.output_tokens,
        "prompt_tokens_details": {"cached_tokens": say.cached_tokens, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def chunks(say: Say, model: str, told: dict[str, object]) -> list[bytes]:
    """The stream without its end: a role, the text, the calls, the reason, the usage."""
    head = {"id": "chatcmpl-double", "object": "chat.completion.chunk", "created": 1700000000, "model": model}

    def chunk(delta: dict[str, object], reason: str | None = None) -> bytes:
        return sse({**head, "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}]})

    frames = [chunk({"role": "assistant", "content": ""})]
    frames += [chunk({"content": piece}) for piece in say.text]
    for index, (name, arguments) in enumerate(say.calls):
        call = {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        frames.append(chunk({"tool_calls": [call]}))
        frames.append(chunk({"tool_calls": [{"index": index, "function": {"arguments": arguments}}]}))
    frames.append(chunk({}, "tool_calls" if say.calls else "stop"))
    return [*frames, sse({**head, "choices": [], "usage": told})]


def completion(say: Say, model: str, told: dict[str, object]) -> dict[str, object]:
    """The answer to a request that did not ask for a stream."""
    calls = [
        {"id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for index, (name, arguments) in enumerate(say.calls)
    ]
    message = {"role": "assistant", "content": "".join(say.text), **({"tool_calls": calls} if calls else {})}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if calls else "stop"}
    head = {"id": "chatcmpl-double", "object": "chat.completion", "created": 1700000000, "model": model}
    return json.loads(json.dumps({**head, "choices": [choice], "usage": told}))
