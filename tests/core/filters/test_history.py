"""Calls and their results, paired."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.core.strategies import chat_requests

from agentlaunch.core.filters.history import NO_RESULT, paired
from agentlaunch.core.ir import (
    ChatRequest,
    ImagePart,
    Message,
    Part,
    Role,
    TextPart,
    ToolCallPart,
    ToolKind,
    ToolReferencePart,
    ToolResultPart,
)


def said(role: Role, text: str) -> Message:
    return Message(role, (TextPart(text),))


def called(*ids: str, kind: ToolKind = "function") -> Message:
    return Message(Role.ASSISTANT, tuple(ToolCallPart(id_, "f", "{}", kind) for id_ in ids))


def result(call_id: str, text: str = "ok") -> ToolResultPart:
    return ToolResultPart(call_id, (TextPart(text),))


def returned(*results: ToolResultPart) -> Message:
    return Message(Role.TOOL, results)


def missing(call_id: str, kind: ToolKind = "function") -> ToolResultPart:
    return ToolResultPart(call_id, (TextPart(NO_RESULT),), is_error=True, kind=kind)


def orphan(call_id: str, *content: Part, failed: str = "") -> Message:
    return Message(Role.USER, (TextPart(f"Result of an earlier tool call ({call_id}){failed}:"), *content))


USER = said(Role.USER, "go")


@pytest.mark.report("B013")
def test_a_result_moves_behind_its_call_and_a_missing_one_is_noted() -> None:
    assert paired([called("a", "b"), USER, returned(result("a"))]) == (
        called("a", "b"),
        returned(result("a"), missing("b")),
        USER,
    )


def test_the_note_for_a_custom_tool_is_of_its_kind() -> None:
    assert paired([called("a", kind="custom")])[-1] == returned(missing("a", "custom"))


def test_what_is_no_result_among_results_is_left_out() -> None:
    mixed = Message(Role.TOOL, (TextPart("chatter"), result("a")))
    assert paired([called("a"), mixed]) == (called("a"), returned(result("a")))


def test_results_stand_in_the_order_of_the_calls() -> None:
    assert paired([called("a", "b"), returned(result("b")), returned(result("a"))]) == (
        called("a", "b"),
        returned(result("a"), result("b")),
    )


def test_neighbouring_assistant_messages_are_one_turn() -> None:
    assert paired([called("a"), said(Role.ASSISTANT, "and"), called("b"), returned(result("a"), result("b"))]) == (
        called("a"),
        said(Role.ASSISTANT, "and"),
        called("b"),
        returned(result("a"), result("b")),
    )


def test_a_result_that_answers_no_call_is_the_user_s_text_with_its_images() -> None:
    image = ImagePart("image/png", "AAAA")
    gone = ToolResultPart("x", (TextPart("late"), image, ToolReferencePart("T")), is_error=True)
    shown = orphan("x", TextPart("late"), image, TextPart("The tool `T` is now available."), failed=", which failed")
    assert paired([USER, returned(gone)]) == (USER, shown)


def test_a_result_before_its_call_answers_no_call() -> None:
    assert paired([returned(result("a", "old")), called("a")]) == (
        orphan("a", TextPart("old")),
        called("a"),
        returned(missing("a")),
    )


def test_a_second_result_of_one_call_is_an_orphan() -> None:
    assert paired([called("a"), returned(result("a", "1"), result("a", "2"))]) == (
        called("a"),
        returned(result("a", "1")),
        orphan("a", TextPart("2")),
    )


def test_an_id_used_again_belongs_to_the_newest_unanswered_call() -> None:
    assert paired([called("c"), USER, called("c"), returned(result("c", "new"), result("c", "old"))]) == (
        called("c"),
        returned(result("c", "old")),
        USER,
        called("c"),
        returned(result("c", "new")),
    )


def test_an_interrupted_call_does_not_take_a_later_call_s_result() -> None:
    assert paired([called("c"), USER, called("c"), returned(result("c", "new"))]) == (
        called("c"),
        returned(missing("c")),
        USER,
        called("c"),
        returned(result("c", "new")),
    )


def test_two_calls_of_one_message_with_one_id_get_their_results_in_order() -> None:
    conversation = (called("c", "c"), returned(result("c", "1"), result("c", "2")))
    assert paired(conversation) == conversation


parts = st.sampled_from("abc")
conversations = st.lists(
    st.just(USER)
    | st.just(said(Role.SYSTEM, "note"))
    | st.just(said(Role.ASSISTANT, "hm"))
    | st.lists(parts, min_size=1, max_size=2).map(lambda ids: called(*ids))
    | st.lists(parts, max_size=2).map(lambda ids: returned(*map(result, ids))),
    max_size=8,
)


@given(conversations)
def test_every_call_has_one_result_right_behind_its_turn(messages: list[Message]) -> None:
    waiting: list[str] = []
    for message in paired(messages):
        calls = [part.id for part in message.parts if isinstance(part, ToolCallPart)]
        if message.role is Role.TOOL:
            assert waiting == [part.call_id for part in message.parts if isinstance(part, ToolResultPart)]
            waiting = []
        elif message.role is not Role.ASSISTANT:
            assert waiting == []
        waiting += calls
    assert waiting == []


@given(conversations)
@example([called("a"), called("a"), returned(result("a"))])
def test_pairing_again_changes_nothing(messages: list[Message]) -> None:
    once = paired(messages)
    assert paired(once) == once


@given(chat_requests())
def test_a_conversation_that_could_have_happened_stays_as_it_is(request_: ChatRequest) -> None:
    assert paired(request_.messages) == request_.messages
