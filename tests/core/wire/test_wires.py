"""What every wire in the table must have: a new one without it fails here."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import count, pairwise, permutations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import event_sequences, faults

from agentlaunch.core.assemble import Assembler
from agentlaunch.core.filters.tool_forms import lower
from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Message,
    Role,
    StopReason,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    Usage,
)
from agentlaunch.core.sse import SseParser, encode_frame
from agentlaunch.core.wire.base import CUT_OFF, WIRES, AnswerContext, Frame, ProtocolError, load_wire

PATHS = {
    "anthropic_messages": "/v1/messages",
    "ollama_chat": "/api/chat",
    "openai_chat": "/v1/chat/completions",
    "openai_responses": "/v1/responses",
}
METHODS = (
    "decode_request",
    "encode_request",
    "event_decoder",
    "event_encoder",
    "encode_answer",
    "decode_answer",
    "encode_fault",
    "decode_fault",
)
REQUEST = ChatRequest("m", (Message(Role.USER, (TextPart("hi"),)),), stream=True)

every_wire = pytest.mark.parametrize("name", sorted(WIRES))


def context() -> AnswerContext:
    numbers = count(1)
    return AnswerContext(REQUEST, lambda prefix: f"{prefix}{next(numbers)}", 1764000000)


def encoded(name: str, events: list[ChatEvent]) -> list[Frame]:
    encoder = load_wire(name).event_encoder(context())
    frames = [frame for event in events for frame in encoder.feed(event)]
    return [*frames, *encoder.finish()]


def decoded(name: str, frames: Iterable[Frame]) -> list[ChatEvent]:
    decoder = load_wire(name).event_decoder()
    return [*(event for frame in frames for event in decoder.feed(frame)), *decoder.finish()]


def assembled(events: Iterable[ChatEvent]) -> Answer | ChatFault:
    assembler = Assembler()
    for event in events:
        assembler.feed(event)
    return assembler.result()


def test_the_table_holds_the_wires_whose_paths_are_known() -> None:
    assert {name: load_wire(name).path for name in WIRES} == PATHS


@every_wire
def test_a_wire_has_its_name_and_every_method(name: str) -> None:
    wire = load_wire(name)
    assert wire.name == name
    assert [method for method in METHODS if not callable(getattr(wire, method, None))] == []


def test_a_wire_that_is_not_in_the_table_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        load_wire("carrier_pigeon")


@every_wire
@given(event_sequences(), st.data())
def test_any_cut_of_an_encoded_stream_gives_the_same_frames(
    name: str, events: list[ChatEvent], data: st.DataObject
) -> None:
    frames = encoded(name, events)
    stream = b"".join(map(encode_frame, frames))
    cuts = sorted(data.draw(st.sets(st.integers(0, len(stream)), max_size=6)))
    parser = SseParser()
    parsed = [frame for start, end in pairwise([0, *cuts, len(stream)]) for frame in parser.feed(stream[start:end])]
    assert [*parsed, *parser.finish()] == frames


@every_wire
@given(event_sequences())
def test_encoding_is_total_and_depends_on_nothing_but_the_events(name: str, events: list[ChatEvent]) -> None:
    assert encoded(name, events) == encoded(name, events)


@every_wire
@given(faults)
def test_a_fault_has_an_error_status_and_is_read_back_as_its_kind(name: str, fault: ChatFault) -> None:
    wire = load_wire(name)
    reply = wire.encode_fault(fault)
    assert 400 <= reply.status < 600
    assert wire.decode_fault(reply.status, reply.headers, reply.body).kind is fault.kind


STATUSES = {
    ErrorKind.BAD_REQUEST: (400, 400, 400, 400),
    ErrorKind.AUTHENTICATION: (401, 401, 401, 401),
    ErrorKind.PERMISSION: (403, 403, 403, 403),
    ErrorKind.NOT_FOUND: (404, 404, 404, 404),
    ErrorKind.TOO_LARGE: (413, 413, 400, 400),
    ErrorKind.CONTEXT_OVERFLOW: (400, 400, 400, 400),
    ErrorKind.RATE_LIMITED: (429, 429, 429, 429),
    ErrorKind.OVERLOADED: (529, 503, 503, 503),
    ErrorKind.UNAVAILABLE: (503, 502, 503, 503),
    ErrorKind.TIMEOUT: (504, 504, 504, 504),
    ErrorKind.INTERNAL: (500, 500, 500, 502),
}
"""On the wires in the order of their names; docs/wire/errors.md tells why four rows differ."""


@pytest.mark.parametrize("kind", ErrorKind)
def test_one_failure_has_one_status_but_where_agents_need_another(kind: ErrorKind) -> None:
    told = tuple(load_wire(name).encode_fault(ChatFault(kind, "m")).status for name in sorted(WIRES))
    assert told == STATUSES[kind]


@every_wire
@pytest.mark.parametrize(("wait_s", "header"), [(None, None), (0.0, "1"), (1.2, "2"), (7.0, "7")])
def test_a_known_wait_is_told_in_whole_seconds(name: str, wait_s: float | None, header: str | None) -> None:
    reply = load_wire(name).encode_fault(ChatFault(ErrorKind.UNAVAILABLE, "m", retry_after_s=wait_s))
    assert reply.headers.get("retry-after") == header


@every_wire
def test_a_key_in_a_failure_is_hidden_from_the_client(name: str) -> None:
    fault = ChatFault(ErrorKind.AUTHENTICATION, "invalid key sk-ant-api03-abcDEF_123")
    wire = load_wire(name)
    reply = wire.encode_fault(fault)
    assert wire.decode_fault(reply.status, {}, reply.body).message == "invalid key [hidden]"
    assert all(b"abcDEF" not in frame.data for frame in encoded(name, [Failed(fault)]))


@every_wire
def test_an_error_inside_a_stream_is_read_as_the_answer_would_be(name: str) -> None:
    body = b'{"error":{"message":"request (9 tokens) exceeds the available context size (8 tokens)","code":400}}'
    wire = load_wire(name)
    assert decoded(name, [Frame(body, "error")])[-1] == Failed(wire.decode_fault(400, {}, body))


@every_wire
def test_a_stream_that_says_nothing_was_cut_off(name: str) -> None:
    assert decoded(name, [])[-1] == Failed(CUT_OFF)


@every_wire
@given(st.binary(max_size=40))
def test_junk_is_a_protocol_error_and_nothing_else(name: str, body: bytes) -> None:
    with pytest.raises(ProtocolError):
        load_wire(name).decode_request(body)


NAMELESS = {
    "anthropic_messages": {"name": "", "input_schema": {"type": "object"}},
    "ollama_chat": {"type": "function", "function": {"name": ""}},
    "openai_chat": {"type": "function", "function": {"name": ""}},
    "openai_responses": {"type": "function", "name": ""},
}


@every_wire
def test_a_tool_without_a_name_is_refused_since_no_call_could_name_it(name: str) -> None:
    wire = load_wire(name)
    document = json.loads(wire.encode_request(REQUEST)) | {"tools": [NAMELESS[name]]}
    with pytest.raises(ProtocolError, match="name"):
        wire.decode_request(json.dumps(document).encode())


@every_wire
def test_a_request_survives_its_own_wire(name: str) -> None:
    wire = load_wire(name)
    again = wire.decode_request(wire.encode_request(REQUEST))
    assert (again.model, again.messages, again.stream) == (REQUEST.model, REQUEST.messages, REQUEST.stream)


# --- an answer in one piece, where a stream was asked for ---------------------------------------------------------

ANSWERS = event_sequences(custom_tools=False, namespaces=False, signatures=False, refusals=False, pings=False)


@every_wire
@given(ANSWERS)
def test_a_whole_answer_is_read_as_its_stream_is(name: str, events: list[ChatEvent]) -> None:
    answer = assembled(events)
    if isinstance(answer, ChatFault):
        return
    wire = load_wire(name)
    whole = assembled(wire.decode_answer(wire.encode_answer(answer, context())))
    assert gist(whole) == gist(assembled(decoded(name, encoded(name, events))))


@every_wire
@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"message":"boom","type":"server_error"}}',
        b'{"type":"error","error":{"message":"boom","type":"api_error"}}',
        b'{"error":"boom"}',
        b'{"detail":"boom"}',
    ],
)
def test_an_error_in_place_of_a_whole_answer_is_a_failure(name: str, body: bytes) -> None:
    assert load_wire(name).decode_answer(body)[-1] == Failed(ChatFault(ErrorKind.INTERNAL, "boom"))


@pytest.mark.parametrize(
    ("name", "body", "why"),
    [
        ("anthropic_messages", b'{"type":"message"}', "content: missing"),
        ("openai_responses", b'{"id":"x"}', r"missing - at `\$.output`"),
    ],
)
def test_a_document_without_an_answer_in_it_is_a_protocol_error(name: str, body: bytes, why: str) -> None:
    with pytest.raises(ProtocolError, match=why):
        load_wire(name).decode_answer(body)


@every_wire
@given(st.binary(max_size=40) | st.sampled_from([b"{}", b"[]", b'{"id":"x"}', b'{"type":"message"}']))
def test_what_is_no_answer_is_a_failure_or_a_protocol_error(name: str, body: bytes) -> None:
    try:
        events = load_wire(name).decode_answer(body)
    except ProtocolError:
        return
    assert isinstance(events[-1], Failed)


# --- from wire to wire --------------------------------------------------------------------------------------------


def gist(answer: Answer | ChatFault) -> object:
    """What every wire can carry of an answer: texts in their order, calls with their arguments, counts, the ending.

    Not: which text came before which call, a refusal apart from the text, which stop sequence was hit, and why an
    answer failed. An answer with calls ends with calls on every wire. No arguments are the empty object.
    """
    if isinstance(answer, ChatFault):
        return "failed"
    calls = [part for part in answer.parts if isinstance(part, ToolCallPart)]
    return (
        "".join(part.text for part in answer.parts if isinstance(part, TextPart)),
        "".join(part.text for part in answer.parts if isinstance(part, ThinkingPart)),
        [(call.id, call.name, json.loads(call.arguments or "{}")) for call in calls],
        "calls" if calls else _ENDINGS[answer.reason],
        answer.usage,
    )


def as_ollama_tells(answer: Answer) -> Answer:
    """Without what Ollama's answers have no word for: a refusal, and which tokens were cached or reasoning."""
    reason = StopReason.END_TURN if answer.reason is StopReason.REFUSAL else answer.reason
    usage = Usage(answer.usage.input_tokens, 0, answer.usage.output_tokens)
    return msgspec.structs.replace(answer, reason=reason, usage=usage)


_ENDINGS = {
    StopReason.END_TURN: "done",
    StopReason.STOP_SEQUENCE: "done",
    StopReason.TOOL_CALLS: "done",
    StopReason.MAX_TOKENS: "cut",
    StopReason.CONTEXT_FULL: "cut",
    StopReason.REFUSAL: "refused",
}


@pytest.mark.parametrize(("client", "upstream"), list(permutations(sorted(WIRES), 2)))
@given(ANSWERS)
def test_an_answer_keeps_its_gist_from_any_upstream_to_any_client(
    client: str, upstream: str, events: list[ChatEvent]
) -> None:
    from_upstream = decoded(upstream, encoded(upstream, events))
    at_client = decoded(client, encoded(client, from_upstream))
    answer = assembled(from_upstream)
    if client == "ollama_chat" and isinstance(answer, Answer):
        answer = as_ollama_tells(answer)
    assert gist(assembled(at_client)) == gist(answer)


# --- what UTF-8 cannot carry --------------------------------------------------------------------------------------

HALF = st.sampled_from(["\ud83d", "a\ude00", "\ud83d\ud83d\ude00", "\\ud83d", "plain"])
VALUES = st.recursive(
    HALF,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(HALF, inner, max_size=2),
    max_leaves=4,
)
OBJECTS = st.dictionaries(HALF, VALUES, max_size=2)


@st.composite
def messages_bodies(draw: st.DrawFn) -> object:
    content = [
        {"type": "text", "text": draw(HALF)},
        {"type": "thinking", "thinking": draw(HALF), "signature": draw(HALF)},
        {"type": "tool_use", "id": "c1", "name": "f", "input": draw(OBJECTS)},
    ]
    result = {"type": "tool_result", "tool_use_id": "c1", "content": draw(HALF)}
    return {
        "model": draw(HALF),
        "system": draw(HALF),
        "max_tokens": 5,
        "messages": [{"role": "assistant", "content": content}, {"role": "user", "content": [result]}],
        "tools": [{"name": "f", "description": draw(HALF), "input_schema": draw(OBJECTS)}],
        "metadata": {"user_id": draw(HALF)},
        "stop_sequences": [draw(HALF)],
        "output_config": {"format": {"type": "json_schema", "schema": draw(OBJECTS)}},
    }


@st.composite
def chat_bodies(draw: st.DrawFn) -> object:
    call = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": json.dumps(draw(OBJECTS))}}
    schema = {"name": draw(HALF), "schema": draw(OBJECTS)}
    return {
        "model": draw(HALF),
        "messages": [
            {"role": "system", "content": draw(HALF)},
            {"role": "assistant", "content": draw(HALF), "reasoning_content": draw(HALF), "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": draw(HALF)},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": draw(OBJECTS)}}],
        "stop": draw(HALF),
        "response_format": {"type": "json_schema", "json_schema": schema},
    }


@st.composite
def responses_bodies(draw: st.DrawFn) -> object:
    return {
        "model": draw(HALF),
        "instructions": draw(HALF),
        "input": [
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": draw(HALF)}]},
            {"type": "reasoning", "summary": [{"type": "summary_text", "text": draw(HALF)}]},
            {"type": "function_call", "call_id": "c1", "name": "f", "arguments": json.dumps(draw(OBJECTS))},
            {"type": "function_call_output", "call_id": "c1", "output": draw(HALF)},
            {"type": "custom_tool_call", "call_id": "c2", "name": "p", "input": draw(HALF)},
            {"type": "custom_tool_call_output", "call_id": "c2", "output": draw(HALF)},
        ],
        "tools": [
            {"type": "function", "name": "f", "description": draw(HALF), "parameters": draw(OBJECTS)},
            {"type": "custom", "name": "p", "format": {"definition": draw(HALF)}},
        ],
        "text": {"format": {"type": "json_schema", "name": draw(HALF), "schema": draw(OBJECTS)}},
        "prompt_cache_key": draw(HALF),
    }


@st.composite
def ollama_bodies(draw: st.DrawFn) -> object:
    call = {"function": {"name": "f", "arguments": draw(OBJECTS)}}
    return {
        "model": draw(HALF),
        "messages": [
            {"role": "system", "content": draw(HALF)},
            {"role": "assistant", "content": draw(HALF), "thinking": draw(HALF), "tool_calls": [call]},
            {"role": "tool", "tool_name": "f", "content": draw(HALF)},
        ],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": draw(OBJECTS)}}],
        "options": {"stop": [draw(HALF)]},
        "format": draw(OBJECTS),
    }


BODIES = {
    "anthropic_messages": messages_bodies(),
    "ollama_chat": ollama_bodies(),
    "openai_chat": chat_bodies(),
    "openai_responses": responses_bodies(),
}


def strings_in(document: object) -> list[str]:
    match document:
        case str():
            return [document]
        case list():
            return [text for inner in document for text in strings_in(inner)]
        case dict():
            return [text for pair in document.items() for inner in pair for text in strings_in(inner)]
        case _:
            return []


def test_every_wire_in_the_table_has_a_body_with_halves_of_emoji() -> None:
    assert BODIES.keys() == WIRES.keys()


@pytest.mark.report("B002")
@every_wire
@pytest.mark.parametrize("raw", [False, True], ids=["escaped", "as bytes"])
@given(data=st.data())
def test_no_half_of_an_emoji_reaches_an_upstream(name: str, raw: bool, data: st.DataObject) -> None:
    document = data.draw(BODIES[name])
    body = json.dumps(document, ensure_ascii=not raw).encode("utf-8", "surrogatepass")
    lowered, _ = lower(load_wire(name).decode_request(body))
    for upstream in WIRES:
        sent = json.loads(load_wire(upstream).encode_request(lowered).decode())
        texts = strings_in(sent)
        texts += [text for outer in texts if outer.startswith("{") for text in strings_in(json.loads(outer))]
        assert [text for text in texts if any("\ud800" <= letter <= "\udfff" for letter in text)] == []
