"""What an endpoint adds to every wire: fields of the user's in the body, and no images for a model without eyes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.filters.images import OMITTED
from agentlaunch.core.ir import (
    Answer,
    ChatRequest,
    Finished,
    ImagePart,
    Message,
    Role,
    StopReason,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import WIRES, AnswerContext, ProtocolError, Wire, load_wire
from agentlaunch.core.wire.endpoint_wire import OURS, with_fields
from agentlaunch.core.wire.options import framing_of, wire_for_call

IMAGE = ImagePart("image/png", "iVBORw0KGgo=")
REQUEST = ChatRequest(
    "m",
    (
        Message(Role.USER, (TextPart("look"), IMAGE)),
        Message(Role.ASSISTANT, (ToolCallPart("c", "Read", "{}"),)),
        Message(Role.TOOL, (ToolResultPart("c", (TextPart("here"), IMAGE)),)),
    ),
    stream=True,
)

every_wire = pytest.mark.parametrize("name", sorted(WIRES))
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def wire_of(name: str, body_fields: str = "", takes_images: bool | None = None) -> Wire:
    endpoint = Endpoint("double", name, "http://127.0.0.1:1", "m", body_fields=body_fields, takes_images=takes_images)
    return wire_for_call(load_wire(name), endpoint, REQUEST)


@every_wire
def test_the_users_fields_stand_in_every_body_and_never_replace_what_is_the_sessions(name: str) -> None:
    fields = {"provider": {"order": ["a"]}, "model": "other", "stream": False, "messages": [], "input": "", "tools": 1}
    plain = json.loads(wire_of(name).encode_request(REQUEST))
    told = json.loads(wire_of(name, json.dumps(fields)).encode_request(REQUEST))
    assert told == {**plain, "provider": {"order": ["a"]}}


def test_a_field_of_the_users_replaces_the_same_one_of_the_agents() -> None:
    assert json.loads(with_fields(b'{"model":"m","temperature":1}', '{"temperature":0.2}')) == {
        "model": "m",
        "temperature": 0.2,
    }


@given(st.dictionaries(st.text(), json_values, max_size=5), st.dictionaries(st.text(), json_values, max_size=5))
def test_fields_are_merged_at_the_top_and_in_the_bodys_order(
    body: dict[str, object], fields: dict[str, object]
) -> None:
    merged = json.loads(with_fields(json.dumps(body).encode(), json.dumps(fields)))
    assert merged == {**body, **{key: value for key, value in fields.items() if key not in OURS}}
    assert list(merged)[: len(body)] == list(body)


@pytest.mark.parametrize("fields", ["[]", "null", "{", "1", "[" * 100_000])
def test_fields_that_are_no_object_are_refused_and_named(fields: str) -> None:
    with pytest.raises(ProtocolError, match="body_fields"):
        wire_of("openai_chat", fields).encode_request(REQUEST)


@every_wire
def test_a_model_that_takes_no_images_gets_a_note_in_place_of_each(name: str) -> None:
    body = wire_of(name, takes_images=False).encode_request(REQUEST).decode()
    assert "iVBORw0KGgo=" not in body
    assert body.count(OMITTED) == 2


@every_wire
@pytest.mark.parametrize("takes_images", [None, True])
def test_images_stay_where_nobody_knows_that_the_model_cannot_see(name: str, takes_images: bool | None) -> None:
    assert "iVBORw0KGgo=" in wire_of(name, takes_images=takes_images).encode_request(REQUEST).decode()


@every_wire
def test_a_longer_conversation_keeps_the_notes_of_the_shorter_one(name: str) -> None:
    wire = wire_of(name, takes_images=False)
    longer = ChatRequest("m", (*REQUEST.messages, Message(Role.USER, (TextPart("and?"), IMAGE))), stream=True)
    key = "input" if name == "openai_responses" else "messages"
    short, long = (json.loads(wire.encode_request(request))[key] for request in (REQUEST, longer))
    assert long[: len(short) - 1] == short[:-1]


@every_wire
def test_everything_but_the_request_is_the_wires_own(name: str) -> None:
    plain, changed = load_wire(name), wire_of(name, '{"provider":1}')
    assert (changed.name, changed.path, framing_of(changed)) == (plain.name, plain.path, framing_of(plain))
    body = b'{"model":"m","messages":[{"role":"user","content":"hi"}],"input":"hi","max_tokens":5}'
    assert changed.decode_request(body) == plain.decode_request(body)
    fault = plain.decode_fault(429, {"retry-after": "3"}, b'{"error":{"message":"slow"}}')
    assert changed.decode_fault(429, {"retry-after": "3"}, b'{"error":{"message":"slow"}}') == fault
    assert changed.encode_fault(fault) == plain.encode_fault(fault)
    assert [*changed.event_decoder().finish()] == [*plain.event_decoder().finish()]
    context = AnswerContext(REQUEST, lambda prefix: f"{prefix}1", 1_764_000_000)
    answer = Answer((TextPart("x"),), StopReason.END_TURN)
    told = plain.encode_answer(answer, context)
    assert changed.encode_answer(answer, context) == told
    assert changed.decode_answer(told) == plain.decode_answer(told)
    ended = Finished(StopReason.END_TURN)
    assert [*changed.event_encoder(context).feed(ended)] == [*plain.event_encoder(context).feed(ended)]
