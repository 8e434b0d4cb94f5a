"""Upstreams' errors, read: one reading for every wire, since a server words its errors alike on each that it offers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TypeVar

import msgspec

from agentlaunch.core.context import OVERFLOW_WORDS, Overflow, overflow_in
from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.secrets import without_secrets
from agentlaunch.core.wire.json_text import json_string, mended_json

T = TypeVar("T")

_LONGEST_READ = 20_000
_LONGEST_MESSAGE = 2000
"""Characters of an upstream's message that are passed on: a proxy's HTML page must not fill a terminal."""

_KINDS_BY_STATUS = {
    401: ErrorKind.AUTHENTICATION,
    402: ErrorKind.PERMISSION,
    403: ErrorKind.PERMISSION,
    404: ErrorKind.NOT_FOUND,
    405: ErrorKind.NOT_FOUND,
    408: ErrorKind.TIMEOUT,
    413: ErrorKind.TOO_LARGE,
    429: ErrorKind.RATE_LIMITED,
    498: ErrorKind.OVERLOADED,  # Groq's, for a flex tier that is full
    502: ErrorKind.UNAVAILABLE,
    503: ErrorKind.UNAVAILABLE,
    504: ErrorKind.TIMEOUT,
    520: ErrorKind.UNAVAILABLE,  # this and the next four: Cloudflare's, for a server behind it that does not answer
    521: ErrorKind.UNAVAILABLE,
    522: ErrorKind.UNAVAILABLE,
    523: ErrorKind.UNAVAILABLE,
    524: ErrorKind.TIMEOUT,
    529: ErrorKind.OVERLOADED,
}

_KINDS_BY_WORD = {
    "authentication_error": ErrorKind.AUTHENTICATION,
    "authenticationerror": ErrorKind.AUTHENTICATION,
    "invalid_api_key": ErrorKind.AUTHENTICATION,
    "no_db_connection": ErrorKind.AUTHENTICATION,  # LiteLLM without a database, at every key but its master key
    "billing_error": ErrorKind.PERMISSION,
    "permission_error": ErrorKind.PERMISSION,
    "permission_denied": ErrorKind.PERMISSION,
    "not_found_error": ErrorKind.NOT_FOUND,
    "notfounderror": ErrorKind.NOT_FOUND,
    "model_not_found": ErrorKind.NOT_FOUND,
    "request_too_large": ErrorKind.TOO_LARGE,
    "rate_limit_error": ErrorKind.RATE_LIMITED,
    "rate_limit_exceeded": ErrorKind.RATE_LIMITED,
    "insufficient_quota": ErrorKind.RATE_LIMITED,
    "overloaded": ErrorKind.OVERLOADED,
    "overloaded_error": ErrorKind.OVERLOADED,
    "server_is_overloaded": ErrorKind.OVERLOADED,
    "slow_down": ErrorKind.OVERLOADED,
    "upstream_overloaded": ErrorKind.OVERLOADED,
    "unavailable_error": ErrorKind.UNAVAILABLE,
    "upstream_unavailable": ErrorKind.UNAVAILABLE,
    "timeout": ErrorKind.TIMEOUT,
    "timeout_error": ErrorKind.TIMEOUT,
    "upstream_timeout": ErrorKind.TIMEOUT,
    "internal_error": ErrorKind.INTERNAL,
    "invalid_request_error": ErrorKind.BAD_REQUEST,
    "invalid_prompt": ErrorKind.BAD_REQUEST,
    "badrequesterror": ErrorKind.BAD_REQUEST,
}
"""`code` and `type`, in lower case, of Anthropic, OpenAI, llama.cpp, vLLM, LiteLLM, and of our own three wires."""

_VAGUE = frozenset({ErrorKind.BAD_REQUEST, ErrorKind.INTERNAL, ErrorKind.UNAVAILABLE})
"""What a status of 400, 500 or 503 says, and none at all: the error's own words may say it better."""
_PERHAPS_OVERFLOW = _VAGUE | {ErrorKind.TOO_LARGE}

_HOPELESS = re.compile(
    r"image input is not supported|does not support (?:image|vision|tool|thinking)|failed to parse grammar",
    re.IGNORECASE,
)
"""Requests that llama.cpp and Ollama answer with a 500 though no retry will ever succeed."""
_NOT_HERE = re.compile(
    r"invalid model name passed in|is not a valid model id|requires --enable-auto-tool-choice", re.IGNORECASE
)
"""A 400 for what another upstream may well have: a model (LiteLLM, OpenRouter), tools (vLLM 0.32 without that flag)."""
_MARKUP = re.compile(
    r"<(?:script|style)(?:(?!<(?:script|style)).)*?</(?:script|style)>|<[^<>]*>", re.IGNORECASE | re.DOTALL
)
_WAITING = frozenset({ErrorKind.RATE_LIMITED, ErrorKind.OVERLOADED, ErrorKind.UNAVAILABLE})
_WAIT = re.compile(
    rb'(?:try again in|"retryDelay":|"retry_after(?:_s|_seconds)?":)\s*"?(\d{1,6}(?:\.\d{1,9})?)\s*(ms|m|)',
    re.IGNORECASE,
)
_UNITS = {b"": 1.0, b"ms": 0.001, b"m": 60.0}
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?")

_INNER_NAMES = ("error", "detail", "errors", "base_resp")
_MESSAGE_NAMES = ("message", "msg", "error_msg", "status_msg")
_ERROR_NAMES = (*_INNER_NAMES, *_MESSAGE_NAMES)
"""Where servers put their errors; those behind OpenAI's and FastAPI's are Baidu's, MiniMax's and their kin."""
_NOTHING = ("null", "{}")
_NULL = msgspec.Raw(b"null")

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])
_OBJECTS = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])
_TEXT = msgspec.json.Decoder(str)
_NUMBER = msgspec.json.Decoder(float)
_PLACE = msgspec.json.Decoder(list[str | int])


def decode_fault(status: int, headers: Mapping[str, str], body: bytes) -> ChatFault:
    """An upstream's error answer of any form. Total: what is no error form is quoted, without markup and keys.

    A specific status (401, 429, ...) stands. A vague one (400, 500, 503) gives way to what the error's `code` and
    `type` say, and every vague one to an overflow. Too many tokens a minute is a 429, so never an overflow. A redirect,
    which nobody follows with a key and a prompt, tells where it leads.
    """
    if 300 <= status < 400:
        return _moved(status, headers)
    fault = _fault(body, status, f"the upstream answered with status `{status}`")
    wait_s = _retry_after_s(headers)
    if wait_s is None and fault.kind in _WAITING:
        wait_s = _told_wait_s(body)
    return msgspec.structs.replace(fault, retry_after_s=wait_s)


def _moved(status: int, headers: Mapping[str, str]) -> ChatFault:
    named = {name.lower(): value for name, value in headers.items()}
    place = " ".join(without_secrets(named.get("location", "").partition("?")[0]).split())[:_LONGEST_MESSAGE]
    where = f" to `{place}`" if place else ""
    told = f"the upstream's address leads elsewhere (status `{status}`{where}), and no request follows: correct its URL"
    return ChatFault(ErrorKind.NOT_FOUND, told)


def decode_stream_fault(body: bytes) -> ChatFault:
    """The same for an error inside a stream, where the HTTP status was 200 and only the error tells what it is."""
    return _fault(body, 0, "the upstream's stream reported an error")


def is_bare_error(body: bytes, *, may_have_type: bool = False) -> bool:
    """Whether a JSON object tells an error (report B008). Most wires give their own objects a `type`; on the others one
    may stand in the error, and says so."""
    fields = _decoded(_OBJECT, mended_json(body)) or {}
    told = [name for name in _ERROR_NAMES if bytes(fields.get(name, _NULL)) != bytes(_NULL)]
    kind = _field(fields, "type", _TEXT) or ""
    return bool(told) and ("type" not in fields or (may_have_type and "error" in kind.lower()))


def _fault(body: bytes, status: int, unsaid: str) -> ChatFault:
    error = _error_object(body)
    text = _message(error, body)
    detail = f"{text} {_inner_detail(error)}"
    words = [word.lower() for name in ("code", "type") if (word := _field(error, name, _TEXT))]
    kind = _kind(status, words, _field(error, "code", _NUMBER))
    message = without_secrets(text)[:_LONGEST_MESSAGE] or unsaid
    if kind in _PERHAPS_OVERFLOW:
        overflow = overflow_in(detail)
        if overflow is not None or not OVERFLOW_WORDS.isdisjoint(words):
            told = overflow or Overflow()
            return ChatFault(
                ErrorKind.CONTEXT_OVERFLOW,
                message,
                _count(_field(error, "n_prompt_tokens", _NUMBER)) or told.prompt_tokens,
                _count(_field(error, "n_ctx", _NUMBER)) or told.context_window,
            )
    if kind is ErrorKind.INTERNAL and _HOPELESS.search(detail[:_LONGEST_READ]):
        kind = ErrorKind.BAD_REQUEST
    elif kind is ErrorKind.BAD_REQUEST and _NOT_HERE.search(text):
        kind = ErrorKind.NOT_FOUND
    return ChatFault(kind, message)


def _kind(status: int, words: list[str], number: float | None) -> ErrorKind:
    """The status, unless it is vague: then a status that the error names, then its words."""
    kind = _kind_of_status(status)
    if kind not in _VAGUE:
        return kind
    numbers = [int(word) for word in words if re.fullmatch(r"[45]\d\d", word)]
    if number is not None and 400 <= number < 600:
        numbers.append(int(number))
    if numbers and (status == 0 or _kind_of_status(numbers[0]) not in _VAGUE or kind is ErrorKind.INTERNAL):
        kind = _kind_of_status(numbers[0])
    named = next((_KINDS_BY_WORD[word] for word in words if word in _KINDS_BY_WORD), None)
    return named if named is not None and kind in _VAGUE else kind


def _kind_of_status(status: int) -> ErrorKind:
    return _KINDS_BY_STATUS.get(status, ErrorKind.BAD_REQUEST if 400 <= status < 500 else ErrorKind.INTERNAL)


# --- the body ---------------------------------------------------------------------------------------------------


def _error_object(body: bytes) -> dict[str, msgspec.Raw]:
    """The error in the body: below `error`, below `detail`, or the body itself (report B047); empty for none.

    A mere sentence there is the `message`. A list of errors, as Google's API answers a stream, stands for its first.
    Where the message is another server's whole error, as Ollama hands on llama.cpp's, that one says more.
    """
    mended = mended_json(body)
    outer = _decoded(_OBJECT, mended) or _first(mended)
    error = next((_inner(name, raw) for name in _INNER_NAMES if (raw := outer.get(name, _NULL)) != _NULL), outer)
    message = _field(error, "message", _TEXT)
    if message is None or not message.startswith("{"):
        return error
    return {**error, **_error_object(message.encode("utf-8", "replace"))}


def _inner(name: str, raw: msgspec.Raw) -> dict[str, msgspec.Raw]:
    if name == "detail" and (told := _misfits(raw)):
        return {"message": msgspec.Raw(json_string(told))}
    return _decoded(_OBJECT, raw) or (_first(raw) if name == "errors" else {}) or {"message": raw}


def _misfits(raw: msgspec.Raw) -> str:
    """FastAPI's account of a body that it refuses, each field with its fault; empty for anything else."""
    told = []
    for each in _decoded(_OBJECTS, raw) or ():
        place = ".".join(str(step) for step in _field(each, "loc", _PLACE) or () if step != "body")
        told.append(": ".join(part for part in (place, _field(each, "msg", _TEXT)) if part))
    return "; ".join(filter(None, told))


def _first(raw: bytes | msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The first of a list of errors; empty for anything else."""
    return next(iter(_decoded(_OBJECTS, raw) or ()), {})


def _message(error: Mapping[str, msgspec.Raw], body: bytes) -> str:
    raw = next((error[name] for name in _MESSAGE_NAMES if bytes(error.get(name, _NULL)) != bytes(_NULL)), None)
    if raw is None:
        text = " ".join(_MARKUP.sub(" ", body[:_LONGEST_READ].decode("utf-8", "replace")).split())
        return "" if text in _NOTHING else text
    said = _decoded(_TEXT, raw)
    return (bytes(raw).decode("utf-8", "replace") if said is None else said)[:_LONGEST_READ]


def _inner_detail(error: Mapping[str, msgspec.Raw]) -> str:
    """OpenRouter's account of what the provider behind it said: `metadata.raw`."""
    raw = (_field(error, "metadata", _OBJECT) or {}).get("raw")
    return "" if raw is None else bytes(raw)[:_LONGEST_READ].decode("utf-8", "replace")


def _field(error: Mapping[str, msgspec.Raw], name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    """A field of the type that is wanted; None for one that is missing or of another type."""
    raw = error.get(name)
    return None if raw is None else _decoded(decoder, raw)


def _decoded(decoder: msgspec.json.Decoder[T], raw: bytes | msgspec.Raw) -> T | None:
    try:
        return decoder.decode(raw)
    except (ValueError, RecursionError):  # msgspec's errors, and bytes that are not UTF-8
        return None


def _count(value: float | None) -> int | None:
    return None if value is None or not 0 <= value < 1e15 else int(value)


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait. A date is told against the answer's own `date`, since there is no clock here."""
    named = {name.lower(): value.strip() for name, value in headers.items()}
    for name, unit in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        if _SECONDS.fullmatch(named.get(name, "")):
            return float(named[name]) * unit
    until, now = _date(named.get("retry-after", "")), _date(named.get("date", ""))
    return None if until is None or now is None else max(0.0, (until - now).total_seconds())


def _date(value: str) -> datetime | None:
    """An HTTP date (RFC 9110, 5.6.7), which is always in GMT; None for anything else."""
    try:
        return datetime.strptime(value, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None


def _told_wait_s(body: bytes) -> float | None:
    """The wait in an error's own words: OpenAI's "try again in 20.5s", Google's `retryDelay`, a `retry_after`."""
    found = _WAIT.search(body[:_LONGEST_READ])
    if found is None:
        return None
    return float(found[1]) * _UNITS[found[2].lower()]
