"""Failures as the Chat wire tells them, in OpenAI's form."""

from __future__ import annotations

import msgspec

from agentlaunch.core.context import overflow_of
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire.base import Reply, error_headers
from agentlaunch.core.wire.openai_chat.written_types import OutError, OutErrorBody

_FORMS: dict[ErrorKind, tuple[int, str, str | None]] = {
    ErrorKind.BAD_REQUEST: (400, "invalid_request_error", None),
    ErrorKind.AUTHENTICATION: (401, "authentication_error", "invalid_api_key"),
    ErrorKind.PERMISSION: (403, "permission_error", None),
    ErrorKind.NOT_FOUND: (404, "invalid_request_error", "model_not_found"),
    ErrorKind.TOO_LARGE: (400, "invalid_request_error", "request_too_large"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "invalid_request_error", "context_length_exceeded"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error", "rate_limit_exceeded"),
    ErrorKind.OVERLOADED: (503, "server_error", "overloaded"),
    ErrorKind.UNAVAILABLE: (503, "server_error", "upstream_unavailable"),
    ErrorKind.TIMEOUT: (504, "server_error", "timeout"),
    ErrorKind.INTERNAL: (500, "server_error", None),
}
"""Status, `type` and `code` of each kind (OpenAI's error codes guide)."""


def encode_fault(fault: ChatFault) -> Reply:
    """An error answer in OpenAI's form.

    TOO_LARGE is a 400, not a 413: OpenCode answers a 413 with an endless loop of compactions, and stops at a 400
    (facts/agents.md 4.1).
    """
    return Reply(_FORMS[fault.kind][0], error_json(fault), error_headers(fault.retry_after_s))


def error_json(fault: ChatFault) -> bytes:
    """The body of an error answer, which is also the data of an error inside a stream."""
    _, type_, code = _FORMS[fault.kind]
    return msgspec.json.encode(OutErrorBody(OutError(_told(fault), type_, None, fault.code or code)))


def _told(fault: ChatFault) -> str:
    """The message; an overflow in the words that agents look for before they compact (facts/agents.md 4.4)."""
    message = without_secrets(fault.message)
    if fault.kind is not ErrorKind.CONTEXT_OVERFLOW:
        return message
    told = overflow_of(fault)
    if told.context_window is None:
        return message
    prompt = "" if told.prompt_tokens is None else f" However, your messages resulted in {told.prompt_tokens} tokens."
    return (
        f"This model's maximum context length is {told.context_window} tokens.{prompt}"
        " Please reduce the length of the messages."
    )
