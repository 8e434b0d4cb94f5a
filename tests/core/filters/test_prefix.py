"""The stable order of a conversation's opening, message by message."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import chat_requests, json_object_texts

from agentlaunch.core.filters.prefix import stable
from agentlaunch.core.filters.prefix_json import spaced_json
from agentlaunch.core.filters.prefix_probe import conversation_key, is_opening, other_words
from agentlaunch.core.ir import ChatRequest, Message, Role, TextPart, ToolCallPart, ToolResultPart


def said(role: Role, *texts: str) -> Message:
    return Message(role, tuple(map(TextPart, texts)))


def request(*messages: Message) -> ChatRequest:
    return ChatRequest("m", messages)


SYSTEM = said(Role.SYSTEM, "You are an agent.")
PROJECT = "<system-reminder>\nUse tabs.\n</system-reminder>"
GIT = "<system-reminder>\n# gitStatus\nbranch main\n</system-reminder>"
ATTRIBUTION = "<system-reminder>\nSign commits.\n</system-reminder>"
QUESTION = said(Role.USER, PROJECT, GIT, ATTRIBUTION, "Mend it")
ENVIRONMENT = said(Role.SYSTEM, "# Environment\nLinux\n\nToday's date is 2026-11-25.")
NOTICE = said(Role.SYSTEM, "A tool has come.")
CALL = Message(Role.ASSISTANT, (TextPart("I look."), ToolCallPart("1", "Read", '{"path":"a","n":5}')))
RESULT = Message(Role.TOOL, (ToolResultPart("1", (TextPart("ok"),)),))

ORDERED = said(
    Role.USER,
    "<system-reminder>\n# Environment\nLinux\n</system-reminder>",
    PROJECT,
    ATTRIBUTION,
    GIT,
    "<system-reminder>\nToday's date is 2026-11-25.\n</system-reminder>",
    "Mend it",
)


def test_claude_s_opening_is_ordered_by_how_seldom_each_part_changes() -> None:
    assert stable(request(SYSTEM, QUESTION, ENVIRONMENT)) == request(SYSTEM, ORDERED)


def test_an_environment_that_tells_the_date_alone_leaves_the_date_alone() -> None:
    dated = said(Role.SYSTEM, "Today's date is 2026-11-25.")
    opening = said(Role.USER, "<system-reminder>\nToday's date is 2026-11-25.\n</system-reminder>", "hi")
    assert stable(request(SYSTEM, said(Role.USER, "hi"), dated)) == request(SYSTEM, opening)


def test_the_opening_is_ordered_alike_on_every_later_turn() -> None:
    spaced = Message(Role.ASSISTANT, (TextPart("I look."), ToolCallPart("1", "Read", '{"path": "a", "n": 5}')))
    later = stable(request(SYSTEM, QUESTION, ENVIRONMENT, CALL, RESULT, NOTICE))
    assert later == request(SYSTEM, ORDERED, spaced, RESULT, NOTICE)


def test_after_a_compaction_the_environment_at_the_end_stays_there() -> None:
    """Claude Code then has a short notice in its old place (facts/agents.md 3.2)."""
    summary = said(Role.USER, "Summary of the conversation so far")
    short = said(Role.SYSTEM, "A short notice.")
    first = stable(request(SYSTEM, summary, short, CALL, RESULT, ENVIRONMENT))
    opening = said(
        Role.USER, "<system-reminder>\nA short notice.\n</system-reminder>", "Summary of the conversation so far"
    )
    assert (first.messages[1], first.messages[-1]) == (opening, ENVIRONMENT)
    assert stable(request(SYSTEM, summary, short, CALL, RESULT, ENVIRONMENT, CALL)).messages[:5] == first.messages


@pytest.mark.report("B184")
def test_opencode_s_date_leaves_the_system_prompt() -> None:
    prompt = said(Role.SYSTEM, "<env>\n  Platform: linux\n  Today's date: Wed Nov 25 2026\n</env>\nSkills")
    ordered = request(
        said(Role.SYSTEM, "<env>\n  Platform: linux\n</env>\nSkills"),
        said(Role.USER, "<system-reminder>\nToday's date: Wed Nov 25 2026\n</system-reminder>", "hi"),
    )
    assert stable(request(prompt, said(Role.USER, "hi"))) == ordered


@pytest.mark.parametrize(
    "messages",
    [
        (),
        (SYSTEM,),
        (ENVIRONMENT,),
        (ENVIRONMENT, Message(Role.ASSISTANT, (TextPart("hi"),))),
        (SYSTEM, said(Role.USER, "hi")),
        (SYSTEM, said(Role.USER, "Today's date is 2026-11-25. And git?", PROJECT)),
        (SYSTEM, said(Role.USER, "hi"), said(Role.ASSISTANT, "yes"), ENVIRONMENT),
    ],
)
def test_what_has_no_such_opening_stays_as_it_is(messages: tuple[Message, ...]) -> None:
    assert stable(request(*messages)) == request(*messages)


@pytest.mark.report("B174")
@given(chat_requests())
def test_a_longer_conversation_begins_with_the_shorter_one(whole: ChatRequest) -> None:
    ordered = stable(whole).messages
    gone = len(whole.messages) - len(ordered)
    opening = next((at for at, message in enumerate(whole.messages) if message.role is not Role.SYSTEM), 0) + 2
    for end in range(opening, len(whole.messages) + 1):
        shorter = msgspec.structs.replace(whole, messages=whole.messages[:end])
        assert stable(shorter).messages == ordered[: end - gone]


@given(chat_requests(system_midway=False))
def test_ordering_twice_changes_nothing_more(whole: ChatRequest) -> None:
    assert stable(stable(whole)) == stable(whole)


def test_ordering_an_ordered_opening_changes_nothing() -> None:
    assert stable(request(SYSTEM, ORDERED)) == request(SYSTEM, ORDERED)


# --- the spacing of arguments --------------------------------------------------------------------------------------


@given(st.dictionaries(st.text(), st.recursive(st.text() | st.integers() | st.none(), st.lists, max_leaves=8)))
def test_arguments_are_spaced_as_python_does(value: dict[str, object]) -> None:
    for separators in ((",", ":"), (" ,\n", "\t: ")):
        written = json.dumps(value, separators=separators, ensure_ascii=False)
        assert spaced_json(written) == json.dumps(value, ensure_ascii=False)


@given(json_object_texts)
def test_spacing_twice_changes_nothing_more(text: str) -> None:
    assert spaced_json(spaced_json(text)) == spaced_json(text)


@pytest.mark.parametrize("text", ["", "rm -rf x", "[1,2]", '{"a":', "{a:1}", "{} {}", '{"a":1}}', '{"a":' * 2000 + "}"])
def test_what_is_no_json_object_stays_as_it_is(text: str) -> None:
    assert spaced_json(text) == text


@pytest.mark.parametrize(
    ("written", "spaced"),
    [
        ('{"a":1.0,"b":1e5}', '{"a": 1.0, "b": 1e5}'),
        ('{"a":"x , y : z"}', '{"a": "x , y : z"}'),
        ('{"b":"\\u00e9\\" ,:"}', '{"b": "\\u00e9\\" ,:"}'),
    ],
)
def test_strings_and_numbers_keep_their_own_text(written: str, spaced: str) -> None:
    assert spaced_json(written) == spaced


# --- the user's own words ------------------------------------------------------------------------------------------


def test_the_other_request_differs_in_the_user_s_own_words_alone() -> None:
    ordered = request(SYSTEM, ORDERED)
    changed = Message(Role.USER, (*ORDERED.parts[:-1], TextPart("# 1")))
    assert other_words(ordered) == request(SYSTEM, changed)
    hashed = other_words(request(said(Role.USER, "# 2")))
    assert hashed == request(said(Role.USER, "Zz"))


def test_what_stands_behind_the_user_s_first_words_is_left_out() -> None:
    """Codex's context is a message of its own; after an interrupted question there are two of the user's."""
    context = said(Role.USER, "# AGENTS.md instructions for /p\n", "<environment_context>\n</environment_context>")
    interrupted = request(SYSTEM, context, said(Role.USER, "my words", PROJECT), said(Role.USER, "more of them"))
    assert other_words(interrupted) == request(SYSTEM, context, said(Role.USER, "# 1"))


@pytest.mark.parametrize(
    "messages",
    [(), (SYSTEM,), (SYSTEM, said(Role.USER, "<div>")), (SYSTEM, ORDERED, CALL), (SYSTEM, ORDERED, CALL, RESULT)],
)
def test_nothing_is_kept_where_the_user_s_own_words_are_not_known(messages: tuple[Message, ...]) -> None:
    assert other_words(request(*messages)) is None


def test_a_conversation_keeps_its_key_and_every_other_has_its_own() -> None:
    first = request(SYSTEM, ORDERED)
    assert is_opening(first)
    assert not is_opening(request(SYSTEM, ORDERED, CALL, RESULT))
    assert conversation_key(request(SYSTEM, ORDERED, CALL, RESULT)) == conversation_key(first)
    others = [request(SYSTEM, said(Role.USER, "another")), request(said(Role.SYSTEM, "A title, please."), ORDERED)]
    assert len({conversation_key(first), *map(conversation_key, others)}) == 3
