"""Failures as Ollama tells them, read and written (facts/ollama-api.md F.5)."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from agentlaunch.core.context import overflow_in, overflow_of
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire import upstream_faults
from agentlaunch.core.wire.base import Reply, error_headers
from agentlaunch.core.wire.ollama_chat.written_types import OutError

_STATUSES: dict[ErrorKind, int] = {
    ErrorKind.BAD_REQUEST: 400,
    ErrorKind.AUTHENTICATION: 401,
    ErrorKind.PERMISSION: 403,
    ErrorKind.NOT_FOUND: 404,
    ErrorKind.TOO_LARGE: 413,
    ErrorKind.CONTEXT_OVERFLOW: 400,
    ErrorKind.RATE_LIMITED: 429,
    ErrorKind.OVERLOADED: 503,
    ErrorKind.UNAVAILABLE: 502,
    ErrorKind.TIMEOUT: 504,
    ErrorKind.INTERNAL: 500,
}

_QUEUE_FULL = re.compile(r"server busy", re.IGNORECASE)
_RETRY_S = 2.0
"""What an agent is told to wait for a full queue; Ollama names no time."""
_CLIENT_GONE = 499


def decode_fault(status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
    """An error answer. Total. The four ways of saying that a prompt does not fit become CONTEXT_OVERFLOW:

    a 400 in Ollama's own words, a 400 whose text is llama.cpp's JSON, a 500 without a user's message left, and a 413.
    The fifth, a 200 with a prompt that was cut, is told by the counts (`truncation`). A 503 is a full queue.
    """
    fault = upstream_faults.decode_fault(status, headers, body)
    if status == _CLIENT_GONE:
        return msgspec.structs.replace(fault, kind=ErrorKind.UNAVAILABLE)
    if status != 503 or fault.kind is not ErrorKind.UNAVAILABLE:
        return fault
    wait_s = fault.retry_after_s
    if wait_s is None and _QUEUE_FULL.search(fault.message):
        wait_s = _RETRY_S
    return msgspec.structs.replace(fault, kind=ErrorKind.OVERLOADED, retry_after_s=wait_s)


def decode_line_fault(body: bytes) -> ChatFault:
    """The same for an error line in a stream, where the HTTP status was 200."""
    return upstream_faults.decode_stream_fault(body)


def encode_fault(fault: ChatFault) -> Reply:
    """An error answer in Ollama's form."""
    return Reply(_STATUSES[fault.kind], error_json(fault), error_headers(fault.retry_after_s))


def error_json(fault: ChatFault) -> bytes:
    """The body of an error answer, which is also the line of an error inside a stream."""
    return msgspec.json.encode(OutError(_told(fault)))


def _told(fault: ChatFault) -> str:
    """The message; an overflow in Ollama's words, with the counts that are known."""
    message = without_secrets(fault.message)
    if fault.kind is not ErrorKind.CONTEXT_OVERFLOW:
        return message
    told = overflow_of(fault)
    if told.context_window is None:
        return message if overflow_in(message) else "input length exceeds the context length"
    prompt = "" if told.prompt_tokens is None else f" {told.prompt_tokens}"
    return f"input length{prompt} exceeds the context length {told.context_window}"
