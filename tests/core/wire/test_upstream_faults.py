"""Upstreams' errors, read alike on every wire."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.ir import ChatFault, ErrorKind
from agentlaunch.core.wire.upstream_faults import decode_fault, decode_stream_fault, is_bare_error

OVERFLOW = "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens."
OPENAI_TYPE = "invalid_request_error"


def error(message: str, **fields: object) -> bytes:
    return json.dumps({"error": {"message": message, **fields}}).encode()


def anthropic(kind: str, message: str) -> bytes:
    return json.dumps({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"}).encode()


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ErrorKind.BAD_REQUEST),
        (401, ErrorKind.AUTHENTICATION),
        (402, ErrorKind.PERMISSION),
        (403, ErrorKind.PERMISSION),
        (404, ErrorKind.NOT_FOUND),
        (405, ErrorKind.NOT_FOUND),
        (408, ErrorKind.TIMEOUT),
        (413, ErrorKind.TOO_LARGE),
        (422, ErrorKind.BAD_REQUEST),
        (498, ErrorKind.OVERLOADED),
        (429, ErrorKind.RATE_LIMITED),
        (500, ErrorKind.INTERNAL),
        (502, ErrorKind.UNAVAILABLE),
        (503, ErrorKind.UNAVAILABLE),
        (504, ErrorKind.TIMEOUT),
        (529, ErrorKind.OVERLOADED),
        (599, ErrorKind.INTERNAL),
    ],
)
def test_the_status_decides_the_kind(status: int, kind: ErrorKind) -> None:
    assert decode_fault(status, {}, error("m")) == ChatFault(kind, "m")


@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, anthropic("invalid_request_error", "bad"), ChatFault(ErrorKind.BAD_REQUEST, "bad")),
        (402, anthropic("billing_error", "pay"), ChatFault(ErrorKind.PERMISSION, "pay")),
        (500, anthropic("api_error", "oops"), ChatFault(ErrorKind.INTERNAL, "oops")),
        (503, anthropic("api_error", "down"), ChatFault(ErrorKind.UNAVAILABLE, "down")),
        (529, anthropic("overloaded_error", "busy"), ChatFault(ErrorKind.OVERLOADED, "busy")),
        (500, anthropic("not_found_error", "no such"), ChatFault(ErrorKind.NOT_FOUND, "no such")),
        (404, error("no model", type=OPENAI_TYPE, code="model_not_found"), ChatFault(ErrorKind.NOT_FOUND, "no model")),
        (404, error("no model", type=OPENAI_TYPE), ChatFault(ErrorKind.NOT_FOUND, "no model")),
        (400, error("big", type=OPENAI_TYPE, code="request_too_large"), ChatFault(ErrorKind.TOO_LARGE, "big")),
        (401, error("m", type="server_error", code=500), ChatFault(ErrorKind.AUTHENTICATION, "m")),
        # LiteLLM 1.108 without a database, at a key that is not its master key; and at a model that it does not have.
        (400, error("No db.", type="no_db_connection", code="400"), ChatFault(ErrorKind.AUTHENTICATION, "No db.")),
        (
            400,
            error("Invalid model name passed in model=m", type=OPENAI_TYPE, code="400"),
            ChatFault(ErrorKind.NOT_FOUND, "Invalid model name passed in model=m"),
        ),
        (400, error("a/b is not a valid model ID"), ChatFault(ErrorKind.NOT_FOUND, "a/b is not a valid model ID")),
        (
            400,  # vLLM 0.32.0
            error('"auto" tool choice requires --enable-auto-tool-choice', type="BadRequestError", code=400),
            ChatFault(ErrorKind.NOT_FOUND, '"auto" tool choice requires --enable-auto-tool-choice'),
        ),
        (500, error("m", code=503), ChatFault(ErrorKind.UNAVAILABLE, "m")),
        (500, error("m", code="429"), ChatFault(ErrorKind.RATE_LIMITED, "m")),
        (400, error("m", code=429), ChatFault(ErrorKind.RATE_LIMITED, "m")),
        (400, error("m", code=500), ChatFault(ErrorKind.BAD_REQUEST, "m")),
        (
            503,
            error("Loading model", code=503, type="unavailable_error"),
            ChatFault(ErrorKind.UNAVAILABLE, "Loading model"),
        ),
        (503, error("m", type="server_error"), ChatFault(ErrorKind.UNAVAILABLE, "m")),
        (500, error("m", type="BadRequestError"), ChatFault(ErrorKind.BAD_REQUEST, "m")),
        (500, error("m", type=7, code=[]), ChatFault(ErrorKind.INTERNAL, "m")),
    ],
)
def test_a_vague_status_gives_way_to_the_error_s_own_words(status: int, body: bytes, fault: ChatFault) -> None:
    assert decode_fault(status, {}, body) == fault


@pytest.mark.report("B047")
@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html><head><style>a{}</style></head><body><h1>502 Bad\n Gateway</h1></body></html>", "502 Bad Gateway"),
        (b"", "the upstream answered with status `503`"),
        (b"null", "the upstream answered with status `503`"),
        (b"{}", "the upstream answered with status `503`"),
        (b'{"error":{"message":""}}', "the upstream answered with status `503`"),
        (b"upstream down", "upstream down"),
        (b'{"error":{"mess', '{"error":{"mess'),
        (b'{"error":"it broke"}', "it broke"),
        (b'{"error":null}', '{"error":null}'),
        (b'{"error":{"message":7}}', "7"),
        (b'{"error":{"message":"cut \\ud83d"}}', "cut \ufffd"),
        (b'{"detail":"Not Found"}', "Not Found"),
        (b'{"detail":[{"loc":["body"],"msg":"bad"}]}', "bad"),
        (
            b'{"detail":[{"loc":["body","messages",0,"role"],"msg":"Field required"},{"type":"x"},{"loc":["q"]}]}',
            "messages.0.role: Field required; q",
        ),
        (b'{"detail":[]}', "[]"),
        (b'{"message":"it broke"}', "it broke"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"[" * 5000, "[" * 2000),
    ],
)
def test_a_body_of_any_kind_keeps_the_status_and_the_wait(body: bytes, message: str) -> None:
    fault = decode_fault(503, {"Retry-After": "7"}, body)
    assert fault == ChatFault(ErrorKind.UNAVAILABLE, message, retry_after_s=7.0)


@pytest.mark.report("B167")
@pytest.mark.report("B170")
@pytest.mark.report("B177")
@pytest.mark.parametrize(
    ("status", "body", "fault"),
    [
        (400, error(OVERFLOW), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (413, error(OVERFLOW), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (500, error(OVERFLOW), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (500, OVERFLOW.encode(), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (400, json.dumps({"error": OVERFLOW}).encode(), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (
            400,
            json.dumps({"object": "error", "message": OVERFLOW, "type": "BadRequestError", "code": 400}).encode(),
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192),
        ),
        (
            400,
            error("too big", code=400, type="exceed_context_size_error", n_prompt_tokens=9, n_ctx=8),
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too big", 9, 8),
        ),
        (
            400,
            error("Provider returned error", code=400, metadata={"raw": OVERFLOW, "provider_name": "x"}),
            ChatFault(ErrorKind.CONTEXT_OVERFLOW, "Provider returned error", 9000, 8192),
        ),
        (400, error("bad", code="context_length_exceeded"), ChatFault(ErrorKind.CONTEXT_OVERFLOW, "bad")),
        (429, error(OVERFLOW, type="rate_limit_error"), ChatFault(ErrorKind.RATE_LIMITED, OVERFLOW)),
        (401, error(OVERFLOW), ChatFault(ErrorKind.AUTHENTICATION, OVERFLOW)),
        (400, error(OVERFLOW, code="rate_limit_exceeded"), ChatFault(ErrorKind.RATE_LIMITED, OVERFLOW)),
    ],
)
def test_an_overflow_is_known_unless_the_error_says_otherwise(status: int, body: bytes, fault: ChatFault) -> None:
    assert decode_fault(status, {}, body) == fault


def test_a_500_that_no_retry_will_mend_is_the_request_s_fault() -> None:
    message = "image input is not supported - hint: if this is unexpected, you may need to provide the mmproj"
    fault = decode_fault(500, {}, error(message, code=500, type="server_error"))
    assert fault == ChatFault(ErrorKind.BAD_REQUEST, message)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3"}, 3.0),
        ({"retry-after-ms": "1500", "retry-after": "9"}, 1.5),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}, None),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:27:30 GMT"}, 30.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "Wed, 21 Oct 2026 07:29:00 GMT"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT", "Date": "today"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "1e9"}, None),
        ({}, None),
    ],
)
def test_the_wait_is_read_from_the_headers(headers: dict[str, str], seconds: float | None) -> None:
    assert decode_fault(429, headers, error("slow")) == ChatFault(ErrorKind.RATE_LIMITED, "slow", retry_after_s=seconds)


@pytest.mark.parametrize(
    ("status", "body", "seconds"),
    [
        (429, error("Rate limit reached. Please try again in 20.5s."), 20.5),
        (429, error("Please try again in 500ms."), 0.5),
        (503, error("Try again in 2m."), 120.0),
        (429, b'[{"error":{"message":"quota","details":[{"retryDelay": "34s"}]}}]', 34.0),
        (429, b'{"error":{"message":"slow"},"retry_after":7}', 7.0),
        (429, error("slow"), None),
        (400, error("You may try again in 5s."), None),
    ],
)
def test_the_wait_is_read_from_an_error_that_waiting_helps(status: int, body: bytes, seconds: float | None) -> None:
    assert decode_fault(status, {}, body).retry_after_s == seconds
    assert decode_fault(status, {"retry-after": "3"}, body).retry_after_s == 3.0


@pytest.mark.parametrize(
    ("status", "kind"),
    [(520, ErrorKind.UNAVAILABLE), (522, ErrorKind.UNAVAILABLE), (524, ErrorKind.TIMEOUT)],
)
def test_a_gateways_own_statuses_say_that_the_server_behind_it_is_not_there(status: int, kind: ErrorKind) -> None:
    assert decode_fault(status, {}, b"").kind is kind


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'[{"error":{"message":"quota"}}]', "quota"),
        (b'{"errors":[{"message":"first"},{"message":"second"}]}', "first"),
        (b'{"errors":["first"]}', '["first"]'),
        (b'{"msg":"it broke"}', "it broke"),
        (error('{"error":{"message":"inner","type":"x"}}'), "inner"),
        (error("{not json"), "{not json"),
    ],
)
def test_an_error_is_found_where_other_servers_put_it(body: bytes, message: str) -> None:
    assert decode_fault(500, {}, body) == ChatFault(ErrorKind.INTERNAL, message)


def test_a_servers_error_inside_anothers_tells_its_counts() -> None:
    inner = {"error": {"message": "too long", "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8}}
    fault = decode_fault(500, {}, error(json.dumps(inner), type="api_error"))
    assert fault == ChatFault(ErrorKind.CONTEXT_OVERFLOW, "too long", 9, 8)


@pytest.mark.report("B316")
@pytest.mark.parametrize("body", [error("invalid key sk-ant-api03-abcDEF_123"), b"invalid key sk-ant-api03-abcDEF_123"])
def test_keys_are_never_echoed(body: bytes) -> None:
    hidden = ChatFault(ErrorKind.AUTHENTICATION, "invalid key [hidden]")
    assert decode_fault(401, {}, body) == hidden
    assert decode_stream_fault(body).message == hidden.message


@pytest.mark.report("B008")
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (error("queue full", code=429), ChatFault(ErrorKind.RATE_LIMITED, "queue full")),
        (error("down", code="502"), ChatFault(ErrorKind.UNAVAILABLE, "down")),
        (error("m", code=400, type="not_found_error"), ChatFault(ErrorKind.NOT_FOUND, "m")),
        (b'{"object":"error","message":"bad","code":400}', ChatFault(ErrorKind.BAD_REQUEST, "bad")),
        (b'{"type":"error","code":"server_error","message":"x"}', ChatFault(ErrorKind.INTERNAL, "x")),
        (anthropic("overloaded_error", "Overloaded"), ChatFault(ErrorKind.OVERLOADED, "Overloaded")),
        (error(OVERFLOW, type="api_error"), ChatFault(ErrorKind.CONTEXT_OVERFLOW, OVERFLOW, 9000, 8192)),
        (b"", ChatFault(ErrorKind.INTERNAL, "the upstream's stream reported an error")),
    ],
)
def test_an_error_inside_a_stream_has_no_status_but_its_own(body: bytes, fault: ChatFault) -> None:
    assert decode_stream_fault(body) == fault


@pytest.mark.parametrize(
    ("body", "bare"),
    [
        (error("m"), True),
        (b'{"detail":"m"}', True),
        (b'{"object":"error","message":"m"}', True),
        (b'{"type":"error","error":{"message":"m"}}', False),
        (b'{"type":"message","content":[]}', False),
        (b'{"id":"x"}', False),
        (b'{"id":"x","error":null}', False),
        (b"[]", False),
        (b"{", False),
    ],
)
def test_a_bare_error_tells_what_went_wrong_and_has_no_type(body: bytes, bare: bool) -> None:
    assert is_bare_error(body) is bare


@given(st.integers(100, 999), st.dictionaries(st.text(), st.text()), st.binary())
def test_reading_a_fault_is_total(status: int, headers: dict[str, str], body: bytes) -> None:
    assert decode_fault(status, headers, body).message
    assert decode_stream_fault(body).message


FIELDS = st.sampled_from(["error", "detail", "message", "code", "type", "n_ctx", "n_prompt_tokens", "metadata", "raw"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=5),
    max_leaves=12,
)


@given(st.integers(400, 599), JSON)
def test_any_json_is_a_fault_with_a_message(status: int, document: object) -> None:
    assert decode_fault(status, {}, json.dumps(document).encode()).message


@pytest.mark.parametrize(
    ("headers", "where"),
    [
        (
            {"Location": "https://gate.example/v1/chat/completions?key=abc"},
            " to `https://gate.example/v1/chat/completions`",
        ),
        ({"location": "https://me:s3cretpass@gate.example/login"}, " to `https://[hidden]@gate.example/login`"),
        ({}, ""),
    ],
)
def test_a_redirect_tells_where_it_leads_and_is_no_fault_that_passes(headers: dict[str, str], where: str) -> None:
    told = f"the upstream's address leads elsewhere (status `307`{where}), and no request follows: correct its URL"
    assert decode_fault(307, headers, b"<html>Temporary Redirect</html>") == ChatFault(ErrorKind.NOT_FOUND, told)


@pytest.mark.parametrize(
    ("page", "told"),
    [
        ("<style>b{x:y}</style><script>a<b</script>Bad <b>Gateway</b>", "Bad Gateway"),
        ("<script>" * 2000 + "Bad Gateway", "Bad Gateway"),
        ("a < b and " + "<" * 20_000, "a < b and <"),
    ],
    ids=["a-page", "scripts-without-end", "no-markup"],
)
def test_a_page_is_told_without_its_markup_however_odd_it_is(page: str, told: str) -> None:
    assert decode_fault(502, {}, page.encode()).message.startswith(told)
