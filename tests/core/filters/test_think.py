"""Reasoning that stands in the text is told as thinking; text that only speaks of it is not."""

from __future__ import annotations

import pytest
from tests.core.filters.answers import Outcome, call, cut, filtered, outcome, visible

from agentlaunch.core.filters.think import ThinkSplitter
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    StopReason,
    TextDelta,
    ThinkingDelta,
    ThinkingSignature,
    Usage,
    UsageReport,
)

END = StopReason.END_TURN

SPLIT: list[tuple[str, Outcome]] = [
    ("<think>\nhm\n</think>\n\nHello", Outcome("Hello", (), "hm\n", END)),
    ("<thinking>hm</thinking>Hello", Outcome("Hello", (), "hm", END)),
    ("<mm:think>hm</mm:think>Hello", Outcome("Hello", (), "hm", END)),
    ("<seed:think>hm</seed:think>Hello", Outcome("Hello", (), "hm", END)),
    ("[THINK]hm[/THINK]Hello", Outcome("Hello", (), "hm", END)),
    ("<|channel>thought\nhm<channel|>Hello", Outcome("Hello", (), "hm", END)),
    ("\u25c1think\u25b7hm\u25c1/think\u25b7Hello", Outcome("Hello", (), "hm", END)),
    ("\n<think>hm</think>Hello", Outcome("\nHello", (), "hm", END)),
    ("<think>a</think>\n<think>b</think>Hello", Outcome("Hello", (), "ab", END)),
    ("<think>a < b </thin </think>Hello", Outcome("Hello", (), "a < b </thin ", END)),
    ("Hello.\n<think>\nhm</think>\nAnd on.", Outcome("Hello.\nAnd on.", (), "hm", END)),
    ("Hello.</think>\nAnd on.", Outcome("Hello.And on.", (), "", END)),
    ("</think>Hello.", Outcome("Hello.", (), "", END)),
    (
        "<|channel|>analysis<|message|>hm<|end|><|start|>assistant<|channel|>final<|message|>Hello<|return|>",
        Outcome("Hello", (), "hm", END),
    ),
    (
        "<|channel|>commentary<|message|>I will look.<|end|><|start|>assistant<|channel|>final<|message|>Hello",
        Outcome("I will look.Hello", (), "", END),
    ),
    (
        "<|channel|>commentary to=python<|message|>1 + 1<|call|><|channel|>final<|message|>Hello",
        Outcome("Hello", (), "1 + 1", END),
    ),
    ("<|channel|>analysis<|message|>hm<|end|>Hello<|end|>", Outcome("Hello", (), "hm", END)),
    (
        (
            "<|channel|>commentary to=functions.list_files<|message|>{}"
            "<|start|>assistant<|channel|>commentary to=functions.list_files<|message|>{}"
        ),
        Outcome("", (("list_files", {}), ("list_files", {}))),
    ),
    ("analysisWe need it.assistantfinalHello", Outcome("Hello", (), "We need it.", END)),
    ("analysisOne.assistantanalysisTwo.assistantfinalHello", Outcome("Hello", (), "One.Two.", END)),
    ("analysisOne.assistantcommentaryLooking.assistantfinal", Outcome("Looking.assistantfinal", (), "One.", END)),
    (
        'analysisOne.assistantcommentary to=functions.bash json{"command": "ls"}',
        Outcome("", (("bash", {"command": "ls"}),), "One."),
    ),
    (
        'analysisOne.assistantcommentary to=functions.bash json{"command": "ls"}assistantfinalHello',
        Outcome("Hello", (("bash", {"command": "ls"}),), "One."),
    ),
    ('commentary to=functions.bash{"command": "ls"}', Outcome("", (("bash", {"command": "ls"}),))),
    ('commentary to=bash <|constrain|>json<|message|>{"command": "ls"}', Outcome("", (("bash", {"command": "ls"}),))),
    (
        'analysisOne.assistantanalysis to=functions.bash code{"command": "ls"}',
        Outcome("", (("bash", {"command": "ls"}),), "One."),
    ),
    (
        '<|channel|>analysis to=functions.bash code<|message|>{"command": "ls"}<|call|>',
        Outcome("", (("bash", {"command": "ls"}),)),
    ),
    (
        '<|channel|>commentary to=functions.bash <|constrain|>json{"command": "ls"}<|call|>',
        Outcome("", (("bash", {"command": "ls"}),)),
    ),
    (
        ' to=functions.bash<|channel|>commentary json<|message|>{"command": "ls"}<|call|>',
        Outcome("", (("bash", {"command": "ls"}),)),
    ),
    (
        'assistant to=functions.bash<|channel|>commentary<|message|>{"command": "ls"}<|call|>',
        Outcome("", (("bash", {"command": "ls"}),)),
    ),
    (" analysisWe need it.assistantfinalHello", Outcome(" Hello", (), "We need it.", END)),
    (
        "analysisOne.assistantcommentary to=functions.bash is the way" + " x" * 200 + "assistantfinalHello",
        Outcome("Hello", (), "One.assistantcommentary to=functions.bash is the way" + " x" * 200, END),
    ),
]


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [pytest.param(*case, marks=[pytest.mark.report("B147")] if "assistantfinal" in case[0] else []) for case in SPLIT],
)
def test_reasoning_in_the_text_is_told_as_thinking(text: str, expected: Outcome, size: int) -> None:
    assert outcome(*cut(text, size)) == expected


TEXT = [
    "The tag <think> opens reasoning.",
    "`</think>` closes it, `<think>` opens it.",
    "Put it on a line:\n<think> like this",
    "On its own at the end:\n<think>",
    "```xml\n<think>\nhm\n</think>\n```\nSo it looks.",
    "```\n</think>",
    "<thought>s are free</b>"[9:],
    "A <reasoning>x</reasoning> element",
    "analysis of the code",
    "analysis",
    "an",
    "commentary to=functions.bash is a recipient",
    "commentary to=functions." + "x" * 400,
    "to=functions.bash<|channel|>" + "x" * 400,
    "assistant to=functions.bash <b>bold</b>",
    "to be",
    "Here is analysisWe and assistantfinal",
    "<|end|> and <|call|> are tokens",
    "<|start|>assistant" + " and so on" * 40,
    "<|channel|>",
    "<|channel|>final<|constrain|>",
    "`<|channel|>analysis<|message|>` begins it",
    "[/b] [T] [/",
    "<",
    "a\n\nb",
]


@pytest.mark.parametrize("size", [1_000_000, 1, 3], ids=["whole", "by character", "by three"])
@pytest.mark.parametrize("text", TEXT)
def test_text_that_speaks_of_reasoning_is_text(text: str, size: int) -> None:
    assert visible(filtered(cut(text, size))[0]) == text


def test_a_call_in_a_channel_that_was_told_as_reasoning_is_a_call_when_there_is_nothing_else() -> None:
    text = 'So. <|start|>assistant<|channel|>commentary to=functions.bash <|constrain|>json<|message|>{"command": "ls"}'
    assert outcome(ThinkingDelta(f"{text}<|call|>")).calls == (("bash", {"command": "ls"}),)
    assert outcome(ThinkingDelta("to=<|channel|>final<|message|>")).calls == ()


@pytest.mark.report("B149")
def test_a_closing_tag_behind_reasoning_that_the_server_split_off_goes_away() -> None:
    assert outcome(ThinkingDelta("hm"), "</think>\n\nHello") == Outcome("Hello", (), "hm", END)
    called = outcome(ThinkingDelta("hm"), "</think>", *call('{"path": "a"}'), reason=StopReason.TOOL_CALLS)
    assert called == Outcome("", (("Write", {"path": "a"}),), "hm")


def test_reasoning_that_never_closes_is_thinking_to_the_end() -> None:
    assert outcome("<think>hm</thi").thinking == "hm</thi"


def split(*events: ChatEvent) -> list[ChatEvent]:
    splitter = ThinkSplitter()
    return [*(out for event in events for out in splitter.feed(event)), *splitter.finish()]


def test_other_events_pass_in_their_place() -> None:
    end, usage = Finished(END), UsageReport(Usage())
    told = split(TextDelta("a <th"), Ping(), usage, ThinkingSignature("s"), TextDelta("<"), end)
    assert told == [TextDelta("a "), Ping(), TextDelta("<th"), usage, ThinkingSignature("s"), TextDelta("<"), end]
    failed = Failed(ChatFault(ErrorKind.INTERNAL, "x"))
    assert split(TextDelta("<think>a</"), failed) == [ThinkingDelta("a"), ThinkingDelta("</"), failed]
    assert split(TextDelta("<think>a</")) == [ThinkingDelta("a"), ThinkingDelta("</")]


def test_plain_text_is_the_same_event() -> None:
    given = [TextDelta(piece) for piece in ("Hello, ", "world <b>", " and [x]", "\n")]
    assert split(*given) == given


def test_reasoning_that_was_found_is_counted() -> None:
    assert filtered(["<think>a</think>b"])[1] == {"thinking": 1}


@pytest.mark.parametrize("size", [1_000_000, 1, 5])
@pytest.mark.parametrize(
    "text",
    [
        "<|START_THINKING|>hm<|END_THINKING|><|START_RESPONSE|>Hello<|END_RESPONSE|>",
        "<think>hm</think><|begin_of_box|>Hello<|end_of_box|>",
    ],
)
def test_tokens_around_the_answer_itself_are_not_shown(text: str, size: int) -> None:
    assert outcome(*cut(text, size)) == Outcome("Hello", (), "hm", StopReason.END_TURN)
    quoted = f"It writes `{text.partition('>')[0]}>` first."
    assert visible(filtered(cut(quoted, size))[0]) == quoted
