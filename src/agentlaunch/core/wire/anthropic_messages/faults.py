"""Failures as the Messages wire tells them: the replies that make Claude Code do the right thing."""

from __future__ import annotations

import msgspec

from agentlaunch.core.context import overflow_of
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire.base import Reply, error_headers

_ENCODER = msgspec.json.Encoder()

_WIRE_ERRORS: dict[ErrorKind, tuple[int, str]] = {
    ErrorKind.BAD_REQUEST: (400, "invalid_request_error"),
    ErrorKind.AUTHENTICATION: (401, "authentication_error"),
    ErrorKind.PERMISSION: (403, "permission_error"),
    ErrorKind.NOT_FOUND: (404, "not_found_error"),
    ErrorKind.TOO_LARGE: (413, "request_too_large"),
    ErrorKind.CONTEXT_OVERFLOW: (400, "invalid_request_error"),
    ErrorKind.RATE_LIMITED: (429, "rate_limit_error"),
    ErrorKind.OVERLOADED: (529, "overloaded_error"),
    ErrorKind.UNAVAILABLE: (503, "api_error"),
    ErrorKind.TIMEOUT: (504, "timeout_error"),
    ErrorKind.INTERNAL: (500, "api_error"),
}
"""Status and `error.type`, after the vendor's list of errors."""

_NO_RETRY = frozenset(
    {
        ErrorKind.BAD_REQUEST,
        ErrorKind.AUTHENTICATION,
        ErrorKind.PERMISSION,
        ErrorKind.NOT_FOUND,
        ErrorKind.TOO_LARGE,
    }
)
"""Where the same request can only fail again. Without `x-should-retry: false` Claude Code sends a refused request six
times and one with a wrong token for minutes (facts/agents.md 4.1). Not for an overflow, which is sent again after
compaction."""


class _ErrorDetail(msgspec.Struct, frozen=True):
    type: str
    message: str


class _ErrorBody(msgspec.Struct, frozen=True, tag="error", tag_field="type"):
    error: _ErrorDetail


def encode_fault(fault: ChatFault) -> Reply:
    """The reply for a failure before the first byte.

    TOO_LARGE is a 413 here and a 400 on the OpenAI wires: the vendor's own status, after which Claude Code stops at
    once, where a plain 400 makes it send the request six times with features left out (facts/agents.md 4.1).
    """
    headers = error_headers(fault.retry_after_s)
    if fault.kind in _NO_RETRY:
        headers["x-should-retry"] = "false"
    return Reply(_WIRE_ERRORS[fault.kind][0], error_body(fault), headers)


def error_body(fault: ChatFault) -> bytes:
    """The vendor's error form."""
    return _ENCODER.encode(_ErrorBody(_ErrorDetail(_WIRE_ERRORS[fault.kind][1], _message(fault))))


def _message(fault: ChatFault) -> str:
    """An overflow is told in the one sentence that makes Claude Code compact (facts/agents.md 4.4).

    Without the prompt's size, one token above the window is the least it can be.
    """
    message = without_secrets(fault.message)
    if fault.kind is not ErrorKind.CONTEXT_OVERFLOW:
        return message
    told = overflow_of(fault)
    if told.context_window is None:
        return f"prompt is too long: {message}"
    return f"prompt is too long: {told.prompt_tokens or told.context_window + 1} tokens > {told.context_window} maximum"
