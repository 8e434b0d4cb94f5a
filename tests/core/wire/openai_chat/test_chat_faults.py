"""Failures as the Chat wire tells them."""

from __future__ import annotations

import json

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.base import Reply
from agentlaunch.core.wire.openai_chat import OpenAIChat

WIRE = OpenAIChat()


def reply(status: int, type_: str, message: str, code: str | None, **headers: str) -> tuple[int, object, object]:
    body = {"error": {"message": message, "type": type_, "param": None, "code": code}}
    return status, body, {"content-type": "application/json", **headers}


def read(answer: Reply) -> tuple[int, object, object]:
    return answer.status, json.loads(answer.body), dict(answer.headers)


def test_an_overflow_is_told_in_the_words_that_make_agents_compact() -> None:
    fault = ChatFault(ErrorKind.CONTEXT_OVERFLOW, "as llama.cpp says", 5000, 4096)
    message = (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 5000 tokens."
        " Please reduce the length of the messages."
    )
    assert read(WIRE.encode_fault(fault)) == reply(400, "invalid_request_error", message, "context_length_exceeded")


def test_an_overflow_without_numbers_keeps_its_words_and_the_code() -> None:
    fault = ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long")
    assert read(WIRE.encode_fault(fault)) == reply(400, "invalid_request_error", "too long", "context_length_exceeded")


def test_a_body_too_large_is_no_413_since_opencode_would_compact_for_ever() -> None:
    fault = ChatFault(ErrorKind.TOO_LARGE, "64 MiB at most")
    assert read(WIRE.encode_fault(fault)) == reply(400, "invalid_request_error", "64 MiB at most", "request_too_large")


def test_retry_after_is_whole_seconds_rounded_up() -> None:
    fault = ChatFault(ErrorKind.RATE_LIMITED, "slow down", retry_after_s=1.2)
    expected = reply(429, "rate_limit_error", "slow down", "rate_limit_exceeded", **{"retry-after": "2"})
    assert read(WIRE.encode_fault(fault)) == expected


def test_an_overflow_that_comes_of_the_answer_is_told_as_one_of_the_prompt() -> None:
    fault = ChatFault(ErrorKind.CONTEXT_OVERFLOW, "3000 and 2000 are too much", 3000, 4096)
    message = (
        "This model's maximum context length is 4096 tokens. However, your messages resulted in 4097 tokens."
        " Please reduce the length of the messages."
    )
    assert read(WIRE.encode_fault(fault)) == reply(400, "invalid_request_error", message, "context_length_exceeded")
