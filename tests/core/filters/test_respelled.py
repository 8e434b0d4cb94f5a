"""Notations of single families are read like the common ones; text that only speaks of them stays what it is."""

# ruff: noqa: E501 - markup is written as models write it

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import Outcome, cut, filtered, outcome, thought, visible

from agentlaunch.core.filters.opened_thinking import OpenedThinking, Opening
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.filters.respelled import Respelled
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    Finished,
    Ping,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ToolCallEnd,
    ToolCallStart,
)

END = StopReason.END_TURN
SIZES = pytest.mark.parametrize("size", [1_000_000, 1, 3, 7], ids=["whole", "by character", "by three", "by seven"])
LS = (("bash", {"command": "ls"}),)
WRITE = (("Write", {"path": "a", "content": "b\nc", "mode": 3}),)

K3_CALL = '<|open|>tools<|sep|><|open|>call tool="Write" index="1"<|sep|><|open|>argument key="path" type="string"<|sep|>a<|close|>argument<|sep|><|open|>argument key="content" type="string"<|sep|>b\nc<|close|>argument<|sep|><|open|>argument key="mode" type="number"<|sep|>3<|close|>argument<|sep|><|close|>call<|sep|><|close|>tools<|sep|><|close|>message<|sep|><|end_of_msg|>'
K3_THINK = "<|open|>think<|sep|>hm<|close|>think<|sep|>"
K3_SAY = "<|open|>response<|sep|>Hello.<|close|>response<|sep|>"
HY3_CALL = "<tool_calls:opensource>\n<tool_call:opensource>Write<tool_sep:opensource>\n<arg_key:opensource>path</arg_key:opensource>\n<arg_value:opensource>a</arg_value:opensource>\n<arg_key:opensource>content</arg_key:opensource>\n<arg_value:opensource>b\nc</arg_value:opensource>\n<arg_key:opensource>mode</arg_key:opensource>\n<arg_value:opensource>3</arg_value:opensource>\n</tool_call:opensource>\n</tool_calls:opensource>"
SOLAR_CALL = "<|tool_call:start|>Write\n<|tool_arg:start|>path<|tool_arg:value|>a<|tool_arg:end|>\n<|tool_arg:start|>content<|tool_arg:value|>b\nc<|tool_arg:end|>\n<|tool_arg:start|>mode<|tool_arg:value|>3<|tool_arg:end|>\n<|tool_call:end|>"
IFM_CALL = "<ifm|tool_calls><ifm|tool_call>Write<ifm|arg_key>path</ifm|arg_key><ifm|arg_value>a</ifm|arg_value><ifm|arg_key>content</ifm|arg_key><ifm|arg_value>b\nc</ifm|arg_value><ifm|arg_key>mode</ifm|arg_key><ifm|arg_value>3</ifm|arg_value></ifm|tool_call></ifm|tool_calls>"
JSON = '{"path": "a", "content": "b\\nc", "mode": 3}'
PLAMO_CALL = f"<|plamo:begin_tool_requests:plamo|><|plamo:begin_tool_request:plamo|><|plamo:begin_tool_name:plamo|>Write<|plamo:end_tool_name:plamo|><|plamo:begin_tool_arguments:plamo|><|plamo:constrain|>json<|plamo:msg|>{JSON}<|plamo:end_tool_arguments:plamo|><|plamo:end_tool_request:plamo|><|plamo:end_tool_requests:plamo|><|plamo:tag|>"
INKLING_CALL = f'<|message_model|><|content_invoke_tool_json|>{{"name": "Write", "args": {JSON}}}<|end_message|>'
INKLING_NAMED = f"<|message_model|>Write<|content_invoke_tool_json|>{JSON}<|end_message|>"
INKLING_THINK = "<|message_model|><|content_thinking|>hm<|end_message|>"
INKLING_SAY = "<|message_model|><|content_text|>Hello.<|end_message|>"
GCML_CALL = '<\uff5cGCML\uff5ctool_calls>\n<\uff5cGCML\uff5cinvoke name="Write">\n<\uff5cGCML\uff5cparameter name="path" string="true">a</\uff5cGCML\uff5cparameter>\n<\uff5cGCML\uff5cparameter name="content" string="true">b\nc</\uff5cGCML\uff5cparameter>\n<\uff5cGCML\uff5cparameter name="mode" string="false">3</\uff5cGCML\uff5cparameter>\n</\uff5cGCML\uff5cinvoke>\n</\uff5cGCML\uff5ctool_calls>'


@SIZES
@pytest.mark.parametrize(
    "text",
    [
        *(K3_CALL, HY3_CALL, SOLAR_CALL, IFM_CALL, PLAMO_CALL, INKLING_CALL, INKLING_NAMED, GCML_CALL),
        f"<tool_calls:opensource><tool_call:opensource>Write<tool_sep:opensource>{JSON}<end_of_tool_call:opensource></tool_calls:opensource>",
        f"<tool_call>Write<tool_sep>{JSON}<end_of_tool_call>",
        HY3_CALL.replace(":opensource", ""),
        HY3_CALL.replace("<tool_sep:opensource>\n", "").replace("\n<", "<"),
        f"Write<|content_invoke_tool_json|>{JSON}<|end_message|>",
        "<zyphra_tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\nb\nc\n</parameter>\n<parameter=mode>\n3\n</parameter>\n</function>\n</zyphra_tool_call>",
        f'<iquestcoder_tool_call>{{"name": "Write", "arguments": {JSON}}}</iquestcoder_tool_call>',
    ],
    ids=lambda text: text[:36],
)
def test_a_call_in_a_familys_own_notation_is_read(text: str, size: int) -> None:
    assert outcome(*cut(text, size)) == Outcome("", WRITE)


@SIZES
@pytest.mark.parametrize(
    ("text", "said", "thinking"),
    [
        (K3_SAY, "Hello.", ""),
        (K3_THINK + K3_SAY, "Hello.", "hm"),
        (f"{K3_THINK}{K3_SAY}<|close|>message<|sep|><|end_of_msg|>", "Hello.", "hm"),
        ("<think:opensource>hm</think:opensource>Hello.", "Hello.", "hm"),
        (INKLING_THINK + INKLING_SAY, "Hello.", "hm"),
        (INKLING_SAY.removeprefix("<|message_model|>"), "Hello.", ""),
        ("<|content_text|>Hello.<|content_model_end_sampling|>", "Hello.", ""),
        ("<|message_model|>Hello.", "Hello.", ""),
        ("<|plamo:begin_think:plamo|>hm<|plamo:end_think:plamo|>Hello.<|plamo:tag|>", "Hello.", "hm"),
    ],
    ids=lambda text: text[:36],
)
def test_the_marks_around_an_answer_and_its_reasoning_are_not_shown(
    text: str, said: str, thinking: str, size: int
) -> None:
    assert outcome(*cut(text, size)) == Outcome(said, (), thinking, END)
    assert outcome(*cut(text, size), request=ChatRequest("m", ())) == Outcome(said, (), thinking, END)


@SIZES
def test_text_and_a_call_in_one_answer_are_told_apart(size: int) -> None:
    assert outcome(*cut(K3_THINK + K3_SAY + K3_CALL, size)) == Outcome("Hello.", WRITE, "hm")
    assert outcome(*cut(INKLING_THINK + INKLING_SAY + INKLING_CALL, size)) == Outcome("Hello.", WRITE, "hm")


@SIZES
def test_reasoning_that_began_in_the_prompt_ends_at_the_familys_mark(size: int) -> None:
    opened = OpenedThinking(Opening.HELD)
    chain = FilterChain(answer_filters(ChatRequest("m", ()), None, opened))
    given: list[ChatEvent] = [*map(TextDelta, cut(f"hm<|close|>think<|sep|>{K3_SAY}", size)), Finished(END)]
    told = [out for event in given for out in chain.feed(event)]
    assert "".join(event.text for event in told if isinstance(event, ThinkingDelta)) == "hm"
    assert visible(told) == "Hello."


def test_a_call_that_a_server_told_as_reasoning_is_found() -> None:
    assert outcome(thought(f"hm{K3_CALL[:40]}"), thought(K3_CALL[40:])).calls == WRITE


@SIZES
@pytest.mark.parametrize(
    "text",
    [
        f"It writes:\n```\n{K3_CALL}\n```\nand ends.",
        "Each tag ends with `<think:opensource>` here.",
        "a <b <c>, x < y and <div> or <|odd|>, <tool",
        "A list<message_model and <|open|> alone",
        "f(a<ifm|b>)",
    ],
)
def test_what_stands_in_code_or_only_looks_like_a_mark_stays_as_it_is(text: str, size: int) -> None:
    assert outcome(*cut(text, size)) == Outcome(text, (), "", END)


@SIZES
@pytest.mark.parametrize("text", [K3_SAY, SOLAR_CALL, "<think:opensource>", "<|open|>call", "<|message_model|>"])
def test_a_file_that_a_call_in_a_common_notation_writes_keeps_its_marks(text: str, size: int) -> None:
    call = f"<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n<parameter=content>\n{text}\n</parameter>\n</function>\n</tool_call>"
    assert outcome(*cut(call, size)) == Outcome("", (("Write", {"path": "a", "content": text}),))
    assert outcome(*cut(f"[TOOL_CALLS]{call}", size)).calls == (("Write", {"path": "a", "content": text}),)


def test_what_was_held_back_comes_before_whatever_follows_it() -> None:
    respelled = Respelled()
    given: list[ChatEvent] = [
        *(TextDelta("a <|op"), Ping(), ThinkingDelta("b <if"), TextDelta("c <"), ToolCallStart("1", "x"), ToolCallEnd())
    ]
    told = [out for event in given for out in respelled.feed(event)]
    assert told == [
        *(TextDelta("a "), Ping(), TextDelta("<|op"), ThinkingDelta("b "), ThinkingDelta("<if"), TextDelta("c ")),
        *(TextDelta("<"), ToolCallStart("1", "x"), ToolCallEnd()),
    ]
    assert list(respelled.finish()) == []
    assert respelled.mended == {}


def test_a_plain_text_behind_held_reasoning_is_told_once_and_counts_for_what_follows() -> None:
    given: list[ChatEvent] = [ThinkingDelta("b <if"), TextDelta("```\n"), TextDelta("<|end_of_msg|>")]
    respelled = Respelled()
    assert [out for event in given for out in respelled.feed(event)] == [
        *(ThinkingDelta("b "), ThinkingDelta("<if"), TextDelta("```\n"), TextDelta("<|end_of_msg|>")),
    ]


@given(
    st.lists(
        st.sampled_from(
            [K3_SAY, K3_THINK, K3_CALL, SOLAR_CALL, "<|message_model|>", "x", "\n", "`", "```\n", "<", "<tool_call>"]
        ),
        max_size=6,
    ),
    st.integers(1, 9),
)
def test_how_an_answer_is_cut_never_changes_what_it_comes_to(pieces: list[str], size: int) -> None:
    text = "".join(pieces)
    respelled, whole = Respelled(), Respelled()

    def said(filter_: Respelled, deltas: list[str]) -> str:
        events = [out for each in deltas for out in filter_.feed(TextDelta(each))]
        return visible([*events, *filter_.finish()])

    assert said(respelled, cut(text, size)) == said(whole, [text])


def test_an_answer_without_marks_is_told_delta_by_delta() -> None:
    events, _ = filtered(["He", "llo", " you"])
    assert [event for event in events if isinstance(event, TextDelta)] == [
        TextDelta("He"),
        TextDelta("llo"),
        TextDelta(" you"),
    ]
