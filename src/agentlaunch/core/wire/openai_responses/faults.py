"""Failures as the Responses wire tells them, in OpenAI's form and in the codes that Codex acts on."""

from __future__ import annotations

import msgspec

from agentlaunch.core.context import Overflow, overflow_in, overflow_of
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire.base import Reply, error_headers

CODES: dict[ErrorKind, str] = {
    ErrorKind.BAD_REQUEST: "invalid_prompt",
    ErrorKind.AUTHENTICATION: "invalid_api_key",
    ErrorKind.PERMISSION: "permission_denied",
    ErrorKind.NOT_FOUND: "model_not_found",
    ErrorKind.TOO_LARGE: "request_too_large",
    ErrorKind.CONTEXT_OVERFLOW: "context_length_exceeded",
    ErrorKind.RATE_LIMITED: "rate_limit_exceeded",
    ErrorKind.OVERLOADED: "upstream_overloaded",  # at OpenAI's `server_is_overloaded` Codex gives up without a retry
    ErrorKind.UNAVAILABLE: "upstream_unavailable",
    ErrorKind.TIMEOUT: "upstream_timeout",
    ErrorKind.INTERNAL: "internal_error",
}
"""`error.code`, in the body of an error and in `response.failed`."""

_STATUSES: dict[ErrorKind, int] = {
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.AUTHENTICATION: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.TOO_LARGE: 400,
    ErrorKind.CONTEXT_OVERFLOW: 400,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.UNAVAILABLE: 503,
    ErrorKind.TIMEOUT: 504,
    ErrorKind.INTERNAL: 502,  # in place of a 500's message Codex tells of "high demand" (tests/e2e/test_faults.py)
}
_WAITING = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED})
_DEFAULT_RETRY_S = 2.0
"""Codex gives up at once on a 429 without `retry-after` (facts/agents.md 4.1)."""


class _ErrorOut(msgspec.Struct, frozen=True):
    message: str
    type: str
    code: str
    param: None = None


class _BodyOut(msgspec.Struct, frozen=True):
    error: _ErrorOut


def told(fault: ChatFault) -> str:
    """The message of a fault with its numbers. Codex reads the wait out of a rate limit's message."""
    message = without_secrets(fault.message)
    if fault.kind is ErrorKind.CONTEXT_OVERFLOW:
        numbers = overflow_of(fault)
        said = overflow_in(message) or Overflow()
        if said.prompt_tokens and said.context_window:
            return message
        if numbers.prompt_tokens and numbers.context_window:
            return f"{message} ({numbers.prompt_tokens} tokens > {numbers.context_window} maximum)"
    if fault.kind in _WAITING and fault.retry_after_s is not None and "try again in" not in message:
        return f"{message} Please try again in {fault.retry_after_s:g}s."
    return message


def encode_fault(fault: ChatFault) -> Reply:
    """Status, headers and body for a failure before the first byte.

    TOO_LARGE is a 400, not a 413: Codex sends a 413 five times more, and a 400 once (facts/agents.md 4.1).
    """
    status = _STATUSES[fault.kind]
    wait_s = fault.retry_after_s
    if wait_s is None and fault.kind in _WAITING:
        wait_s = _DEFAULT_RETRY_S
    error_type = "invalid_request_error" if status < 429 else "server_error"
    if fault.kind is ErrorKind.RATE_LIMITED:
        error_type = "rate_limit_error"
    body = _BodyOut(_ErrorOut(told(fault), error_type, fault.code or CODES[fault.kind]))
    return Reply(status, msgspec.json.encode(body), error_headers(wait_s))
