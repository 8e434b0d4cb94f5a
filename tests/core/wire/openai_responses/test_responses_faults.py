"""Failures as the Responses wire tells them."""

from __future__ import annotations

import json

import pytest

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Reply
from agentlaunch.core.wire.openai_responses import OpenAIResponses
from agentlaunch.core.wire.openai_responses.faults import told

WIRE = OpenAIResponses()


def body(message: str, error_type: str, code: str) -> bytes:
    error = {"message": message, "type": error_type, "code": code, "param": None}
    return json.dumps({"error": error}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    ("fault", "reply"),
    [
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long", 9, 8),
            Reply(
                400,
                body("too long (9 tokens > 8 maximum)", "invalid_request_error", "context_length_exceeded"),
                {"content-type": "application/json"},
            ),
        ),
        (
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "prompt is too long: 9 tokens > 8 maximum", 9, 8),
            Reply(
                400,
                body("prompt is too long: 9 tokens > 8 maximum", "invalid_request_error", "context_length_exceeded"),
                {"content-type": "application/json"},
            ),
        ),
        (
            ChatFault(ErrorKind.RATE_LIMITED, "slow"),
            Reply(
                429,
                body("slow", "rate_limit_error", "rate_limit_exceeded"),
                {"content-type": "application/json", "retry-after": "2"},
            ),
        ),
        (
            ChatFault(ErrorKind.OVERLOADED, "busy", retry_after_s=2.5),
            Reply(
                503,
                body("busy Please try again in 2.5s.", "server_error", "upstream_overloaded"),
                {"content-type": "application/json", "retry-after": "3"},
            ),
        ),
        (
            ChatFault(ErrorKind.TOO_LARGE, "big"),
            Reply(400, body("big", "invalid_request_error", "request_too_large"), {"content-type": "application/json"}),
        ),
    ],
)
def test_a_fault_has_the_status_and_headers_that_codex_acts_on(fault: ChatFault, reply: Reply) -> None:
    assert WIRE.encode_fault(fault) == reply


def test_a_wait_that_the_message_tells_is_not_told_twice() -> None:
    fault = ChatFault(ErrorKind.RATE_LIMITED, "Please try again in 20.5s.", retry_after_s=20.5)
    assert told(fault) == "Please try again in 20.5s."
