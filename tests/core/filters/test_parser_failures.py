"""Answers that the engine's parser gave up: what they held is saved, and what may be asked again is asked once."""

from __future__ import annotations

import msgspec
import pytest
from tests.core.filters.answers import REQUEST, call, parsed, visible
from tests.core.grammar import grammar_error

from agentlaunch.core.filters.parser_failures import is_unparsed, second_try
from agentlaunch.core.filters.pipeline import FilterChain, answer_filters
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    ErrorKind,
    Failed,
    Finished,
    FunctionTool,
    JsonFormat,
    Message,
    Role,
    Sampling,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    ThinkingPart,
    ToolCallDelta,
    ToolCallStart,
)

PEG = "The model produced output that does not match the expected peg-native format"
QWEN = "<tool_call>\n<function=Write>\n<parameter=path>\na\n</parameter>\n</parameter>\n</function>\n</tool_call>"
UNPARSED = [
    PEG,
    "The model produced output that does not match the expected Content-only format",
    f"Failed to parse input at pos 170: {QWEN}",
    "error parsing tool call: raw='{', err=unexpected end of JSON input",
    "XML syntax error on line 115: unexpected EOF",
    "XML syntax error on line 8: element <function> closed by </parameter>",
    "element <parameter> closed by </function>",
    "Failed to parse tool call: Unexpected end of content.",
]


def failed(message: str, kind: ErrorKind = ErrorKind.INTERNAL) -> Failed:
    return Failed(ChatFault(kind, message))


def told(*events: ChatEvent) -> list[ChatEvent]:
    """What all filters make of an answer that ends with an error."""
    chain = FilterChain(answer_filters(REQUEST))
    found = [out for event in events for out in chain.feed(event)] + list(chain.finish())
    assert grammar_error(found) == ""
    return found


def calls_in(events: list[ChatEvent]) -> list[tuple[str, object]]:
    names = [event.name for event in events if isinstance(event, ToolCallStart)]
    arguments = [parsed(event.arguments) for event in events if isinstance(event, ToolCallDelta)]
    return list(zip(names, arguments, strict=True))


@pytest.mark.report("B113")
@pytest.mark.parametrize("message", UNPARSED)
def test_a_parser_that_gave_up_is_known_by_its_words(message: str) -> None:
    assert is_unparsed(ChatFault(ErrorKind.INTERNAL, message))
    assert not is_unparsed(ChatFault(ErrorKind.CONTEXT_OVERFLOW, message))


@pytest.mark.parametrize("message", ["out of memory", "model `m` not found", "invalid character in request body"])
def test_any_other_failure_stays_one(message: str) -> None:
    fault = failed(message)
    assert told(Started(), TextDelta("a"), fault) == [Started(), TextDelta("a"), fault]
    assert second_try(REQUEST, fault.fault) is None


@pytest.mark.report("B113")
def test_the_output_that_llama_cpps_error_carries_is_read_like_any_other() -> None:
    events = told(Started(), failed(f"Failed to parse input at pos 9: {QWEN}"))
    assert calls_in(events) == [("Write", {"path": "a"})]
    assert events[-1] == Finished(StopReason.TOOL_CALLS)


@pytest.mark.report("B113")
def test_an_error_answer_is_saved_without_a_stream_around_it() -> None:
    events = told(failed(f"Failed to parse input at pos 0: I will.\n{QWEN}"))
    assert (events[0], visible(events), calls_in(events)) == (Started(), "I will.\n", [("Write", {"path": "a"})])


def test_text_that_was_told_is_not_told_twice() -> None:
    events = told(
        Started(), TextDelta("I "), TextDelta("will.\n"), failed(f"Failed to parse input at pos 9: I will.\n{QWEN}")
    )
    assert (visible(events), calls_in(events)) == ("I will.\n", [("Write", {"path": "a"})])


@pytest.mark.report("B113")
def test_whole_calls_before_the_error_are_kept() -> None:
    events = told(Started(), *call('{"path": "a"}'), failed(PEG))
    assert (calls_in(events), events[-1]) == ([("Write", {"path": "a"})], Finished(StopReason.TOOL_CALLS))


@pytest.mark.report("B113")
def test_an_open_call_is_never_run_half() -> None:
    events = told(Started(), *call('{"path": "a"')[:-1], failed(PEG))
    assert (calls_in(events), events[-1]) == ([("Write", '{"path": "a"')], Finished(StopReason.MAX_TOKENS))


@pytest.mark.report("B113")
def test_with_nothing_to_save_the_failure_is_told() -> None:
    for events in ([Started(), TextDelta("a")], [Started()]):
        assert told(*events, failed(PEG)) == [*events, failed(PEG)]
    empty = failed("Failed to parse input at pos 2:  \n")
    assert told(Started(), empty) == [Started(), empty]


@pytest.mark.report("B116")
@pytest.mark.report("B136")
@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ('{"path": "a.ts", "content": "/**\n * "x" */"}', ("Write", {"path": "a.ts", "content": '/**\n * "x" */'})),
        ('{"input":"*** Begin Patch\\n*** End Patch"}]', ("apply_patch", {"input": "*** Begin Patch\n*** End Patch"})),
        ('[{"command": "ls"}]', ("bash", {"command": "ls"})),
        ('{"name": "Write", "parameters": {"path": "a"}}', ("Write", {"path": "a"})),
    ],
)
def test_the_call_in_ollamas_error_is_mended_and_run(raw: str, expected: tuple[str, object]) -> None:
    message = f"error parsing tool call: raw='{raw}', err=invalid character '\\n' in string literal"
    chain = FilterChain(answer_filters(REQUEST))
    events = [out for event in (Started(), failed(message)) for out in chain.feed(event)]
    name, arguments = expected
    if name == "apply_patch":  # free text is left to the filter that knows it
        assert [
            (start.name, "*** End Patch" in str(calls_in(events)))
            for start in events
            if isinstance(start, ToolCallStart)
        ] == [(name, True)]
    else:
        assert calls_in(events) == [(name, arguments)]
    assert events[-1] == Finished(StopReason.TOOL_CALLS)
    assert chain.mended["unparsed"] == 1


@pytest.mark.report("B116")
@pytest.mark.parametrize(
    "raw",
    [
        '{"path": "a"}',  # Write and read_file both take it
        '{"path": "a", "content": "half',
        '{"nobody": 1}',
        "{}",
        "commentary",
        "[1, 2]",
    ],
)
def test_a_call_that_could_be_any_tools_or_broke_off_is_not_guessed(raw: str) -> None:
    fault = failed(f"error parsing tool call: raw='{raw}', err=unexpected end of JSON input")
    assert told(Started(), fault) == [Started(), fault]
    assert second_try(REQUEST, fault.fault) is REQUEST


def test_the_same_call_saved_in_two_turns_has_two_ids() -> None:
    fault = failed('error parsing tool call: raw=\'[{"command": "ls"}]\', err=cannot unmarshal array')
    ids = []
    for messages in ((), (Message(Role.USER, (TextPart("go"),)),)):
        chain = FilterChain(answer_filters(msgspec.structs.replace(REQUEST, messages=messages)))
        events = [out for event in (Started(), fault) for out in chain.feed(event)]
        ids += [event.id for event in events if isinstance(event, ToolCallStart)]
    assert len(set(ids)) == 2


@pytest.mark.report("B116")
def test_a_raw_call_that_is_cut_in_the_error_is_not_run() -> None:
    fault = failed('error parsing tool call: raw=\'{"command": "rm -r build')
    assert told(Started(), fault) == [Started(), fault]


@pytest.mark.report("B113")
@pytest.mark.parametrize(("temperature", "again"), [(None, None), (0.8, 0.8), (0.0, 0.3)])
def test_the_same_is_asked_again_but_not_for_the_same_words(temperature: float | None, again: float | None) -> None:
    request = msgspec.structs.replace(REQUEST, sampling=Sampling(temperature=temperature, top_p=0.9, seed=7))
    found = second_try(request, failed(PEG).fault)
    assert found is not None
    assert found.sampling == Sampling(again, 0.9, seed=None if again == 0.3 else 7)
    assert msgspec.structs.replace(found, sampling=request.sampling) == request


@pytest.mark.report("B021")
@pytest.mark.parametrize(
    "message",
    [
        "Failed to initialize samplers: failed to parse grammar",
        "JSON schema conversion failed:\nInvalid pattern ^(a$",
        "Unable to generate parser for this template. Automatic parser generation failed: JSON schema error at #",
        "At least one of min_value or max_value must be set",
        "The provided JSON schema contains features not supported by xgrammar.",
    ],
)
def test_a_grammar_that_cannot_be_made_is_asked_for_with_types_alone(message: str) -> None:
    written = msgspec.Raw(
        b'{"type":"object","properties":{"a":{"type":"string","enum":["x"],"description":"d"},"b":{"anyOf":[]}},'
        b'"required":["a"],"additionalProperties":false}'
    )
    bare = msgspec.Raw(
        b'{"required":["a"],"type":"object","properties":{"a":{"type":"string","description":"d"},"b":{}}}'
    )
    nothing = msgspec.Raw(b'{"type":"object","properties":{}}')
    tools = (FunctionTool("f", "d", written), CustomTool("c"), FunctionTool("g", "", msgspec.Raw(b"{broken")))
    request = ChatRequest("m", (), tools=tools, json_format=JsonFormat(written, "n", True))
    found = second_try(request, ChatFault(ErrorKind.BAD_REQUEST, message))
    assert found == ChatRequest(
        "m",
        (),
        tools=(FunctionTool("f", "d", bare), CustomTool("c"), FunctionTool("g", "", nothing)),
        json_format=JsonFormat(name="n"),
    )
    assert second_try(found, ChatFault(ErrorKind.BAD_REQUEST, message)) is None


def test_an_answer_that_was_to_be_too_long_is_asked_for_shorter() -> None:
    fault = ChatFault(ErrorKind.BAD_REQUEST, "Range of max_tokens should be [1, 500]")
    assert second_try(REQUEST, fault) == msgspec.structs.replace(REQUEST, max_output_tokens=500)


@pytest.mark.parametrize(
    "message",
    [
        "The `reasoning_content` in the thinking mode must be passed back to the API.",
        "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
    ],
)
def test_a_history_without_reasoning_is_sent_again_with_a_word_for_it(message: str) -> None:
    hi, thought = Message(Role.USER, (TextPart("hi"),)), Message(Role.ASSISTANT, (ThinkingPart("hm"), TextPart("a")))
    request = msgspec.structs.replace(REQUEST, messages=(hi, thought, hi, Message(Role.ASSISTANT, (TextPart("b"),))))
    found = second_try(request, ChatFault(ErrorKind.BAD_REQUEST, message))
    assert found is not None
    assert found.messages == (hi, thought, hi, Message(Role.ASSISTANT, (ThinkingPart(" "), TextPart("b"))))
    assert second_try(found, ChatFault(ErrorKind.BAD_REQUEST, message)) is None
