"""Failures as the Messages wire tells them."""

from __future__ import annotations

import json

import pytest

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.base import Reply

WIRE = AnthropicMessages()
JSON = {"content-type": "application/json"}
FINAL = {**JSON, "x-should-retry": "false"}


@pytest.mark.report("B055")
@pytest.mark.parametrize(
    ("kind", "status", "error", "headers"),
    [
        (ErrorKind.BAD_REQUEST, 400, "invalid_request_error", FINAL),
        (ErrorKind.AUTHENTICATION, 401, "authentication_error", FINAL),
        (ErrorKind.PERMISSION, 403, "permission_error", FINAL),
        (ErrorKind.NOT_FOUND, 404, "not_found_error", FINAL),
        (ErrorKind.TOO_LARGE, 413, "request_too_large", FINAL),
        (ErrorKind.RATE_LIMITED, 429, "rate_limit_error", JSON),
        (ErrorKind.OVERLOADED, 529, "overloaded_error", JSON),
        (ErrorKind.UNAVAILABLE, 503, "api_error", JSON),
        (ErrorKind.TIMEOUT, 504, "timeout_error", JSON),
        (ErrorKind.INTERNAL, 500, "api_error", JSON),
    ],
)
def test_each_kind_has_its_status_and_the_vendors_form(
    kind: ErrorKind, status: int, error: str, headers: dict[str, str]
) -> None:
    body = b'{"type":"error","error":{"type":"%b","message":"why"}}' % error.encode()
    assert WIRE.encode_fault(ChatFault(kind, "why")) == Reply(status, body, headers)


@pytest.mark.report("B159")
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", 40_000, 32_768),
            "prompt is too long: 40000 tokens > 32768 maximum",
        ),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "x", None, 32_768), "prompt is too long: 32769 tokens > 32768 maximum"),
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "The input (9 tokens) is longer than the length (8 tokens)"),
            "prompt is too long: 9 tokens > 8 maximum",
        ),
        (ChatFault(ErrorKind.CONTEXT_OVERFLOW, "no room"), "prompt is too long: no room"),
    ],
)
def test_an_overflow_is_the_sentence_that_makes_claude_code_compact(fault: ChatFault, message: str) -> None:
    reply = WIRE.encode_fault(fault)
    assert (reply.status, reply.headers) == (400, JSON)
    error = {"type": "invalid_request_error", "message": message}
    assert json.loads(reply.body) == {"type": "error", "error": error}


def test_a_rate_limit_says_when_to_come_back() -> None:
    reply = WIRE.encode_fault(ChatFault(ErrorKind.RATE_LIMITED, "slow down", retry_after_s=1.2))
    assert reply.headers == {**JSON, "retry-after": "2"}


def test_a_key_in_a_message_is_hidden() -> None:
    reply = WIRE.encode_fault(ChatFault(ErrorKind.AUTHENTICATION, "Authorization: Bearer api03-abcDEF_123"))
    assert json.loads(reply.body)["error"]["message"] == "Authorization: Bearer [hidden]"
