"""Every call of a conversation has an id of its own, whatever the upstream counts from."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import REQUEST, call, filtered

from agentlaunch.core.filters.call_ids import another_id
from agentlaunch.core.ir import ChatEvent, Message, Role, ToolCallPart, ToolCallStart

CALLED = msgspec.structs.replace(
    REQUEST, messages=(Message(Role.ASSISTANT, (ToolCallPart("call_0", "list_files", "{}"),)),)
)
FILES = '{"path": "a"}'


def starts(events: list[ChatEvent]) -> list[ToolCallStart]:
    return [event for event in events if isinstance(event, ToolCallStart)]


def test_an_id_of_an_earlier_turn_is_given_up_and_counted() -> None:
    events, mended = filtered([*call(FILES, call_id="call_0"), *call(FILES, call_id="b")], request=CALLED)
    assert starts(events) == [ToolCallStart(another_id("call_0", 1), "Write"), ToolCallStart("b", "Write")]
    assert mended == {"id": 1}


def test_an_id_that_is_new_stays_to_the_letter() -> None:
    events, mended = filtered(call(FILES, call_id="call_1"), request=CALLED)
    assert (starts(events), mended) == ([ToolCallStart("call_1", "Write")], {})


def test_an_upstream_that_uses_the_made_id_itself_gets_another() -> None:
    made = another_id("call_0", 1)
    events, _ = filtered([*call(FILES, call_id="call_0"), *call(FILES, call_id=made)], request=CALLED)
    assert [start.id for start in starts(events)] == [made, another_id(made, 2)]


def test_a_made_id_is_no_variant_of_the_one_that_is_taken() -> None:
    assert (another_id("call_0", 1), another_id("call_0", 2)) == (
        "call_a4b8cd5d41fb1c676bca78dc",
        "call_2df28dfda3b5b69ad49158e1",
    )


@given(st.lists(st.lists(st.sampled_from("ab"), max_size=3), max_size=4))
def test_no_two_calls_of_a_conversation_share_an_id(turns: list[list[str]]) -> None:
    request = REQUEST
    for turn in turns:
        unique = [f"{call_id}{turn[:at].count(call_id) or ''}" for at, call_id in enumerate(turn)]
        events, _ = filtered([each for call_id in unique for each in call(FILES, call_id=call_id)], request=request)
        said = Message(Role.ASSISTANT, tuple(ToolCallPart(start.id, start.name, FILES) for start in starts(events)))
        request = msgspec.structs.replace(request, messages=(*request.messages, said))
    ids = [part.id for message in request.messages for part in message.parts if isinstance(part, ToolCallPart)]
    assert len(ids) == len(set(ids)) == sum(map(len, turns))
