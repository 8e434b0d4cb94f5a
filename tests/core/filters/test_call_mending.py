"""Calls that servers send as calls: names and arguments as the schemas want them, and what is left alone."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.filters.answers import LIMIT, REQUEST, TOOLS, Outcome, call, filtered, outcome, parsed, tool
from tests.core.strategies import json_object_texts

from agentlaunch.core.filters.arguments import Arguments, mended, typed
from agentlaunch.core.filters.call_ids import another_id
from agentlaunch.core.filters.calls import CUT_OFF, CallMender
from agentlaunch.core.filters.json_schema import Schema, type_of
from agentlaunch.core.filters.mending import Mend
from agentlaunch.core.filters.offered import OfferedTools
from agentlaunch.core.filters.tool_calls import DELTAS_A_PING
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    ErrorKind,
    Failed,
    Finished,
    Ping,
    Started,
    StopReason,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageReport,
)

RAW = 5
"""Stands for arguments that come out as they went in."""


def schema(**document: object) -> Schema:
    return Schema.parse(msgspec.Raw(json.dumps(document).encode()))


MENDED: list[tuple[str, str, str, object, set[str]]] = [
    ("B117", "f", '{"n": "180000"}', {"n": 180000}, {"type"}),
    ("B117", "Write", '{"path": "True", "flag": "True"}', {"path": "True", "flag": True}, {"type"}),
    ("B117", "Write", '{"path": "a", "flag": "false"}', {"path": "a", "flag": False}, {"type"}),
    ("B117", "Write", '{"path": "a", "mode": "10"}', {"path": "a", "mode": 10}, {"type"}),
    ("B117", "Write", '{"path": "10"}', RAW, set()),
    ("B136", "Write", '{"path": "a"}]', {"path": "a"}, {"json"}),
    ("B136", "Write", '[{"path": "a"}]', {"path": "a"}, {"json"}),
    ("B136", "Write", '{"path": "a"} and so on', {"path": "a"}, {"json"}),
    ("B140", "Write", '{"path": "a"}}', {"path": "a"}, {"json"}),
    ("B150", "Write", '{"path": "a", "mode": "5000", "flag": null}', {"path": "a", "mode": 5000}, {"type", "null"}),
    ("B150", "f", '{"a": null, "s": "x"}', {"s": "x"}, {"null"}),
    ("B153", "Write", '{"path": 2662, "content": true}', {"path": "2662", "content": "true"}, {"type"}),
    ("B154", "Write", 'json\n{"path": "a"}', {"path": "a"}, {"json"}),
    ("B154", "Write", '\ufeff```json\n{"path": "a"}\n```', {"path": "a"}, {"json"}),
    ("", "list_files", "", {}, {"empty"}),
    ("", "list_files", " \n", {}, {"empty"}),
    ("", "list_files", "null", {}, {"empty"}),
    ("", "list_files", "[]", {}, {"empty"}),
    ("", "list_files", '""', {}, {"double_encoded", "empty"}),
    ("", "list_files", "```json\n```", {}, {"empty"}),
    ("", "Write", '"{\\"path\\": \\"a\\"}"', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"arguments": {"path": "a"}}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"name": "Write", "parameters": "{\\"path\\": \\"a\\"}"}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"type": "object", "properties": {"path": "a"}}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"Parameters": {"path": "a"}}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"toolInput": [{"path": "a"}]}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"id": "x", "tool": "Write", "args": {"path": "a"}}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"arguments": {"input": {"path": "a"}}}', {"path": "a"}, {"double_encoded"}),
    ("", "Write", '{"arguments": {"path": "a"}, "content": "b"}', RAW, set()),
    ("", "bash", "{'command': 'echo \"a\"', 'timeout': None}", {"command": 'echo "a"'}, {"json", "null"}),
    ("", "Write", '{"path": "\u65e5\u672c\\/a.txt", "content": "\\ud83d\\ude42\\n"}', RAW, set()),
    ("", "f", '{"n": "five"}', RAW, set()),
    ("", "f", '{"a": "[1, 2,]"}', {"a": [1, 2]}, {"type"}),
    ("", "Write", '{"arguments": 5}', RAW, set()),
    ("", "Write", '{"input": "no"}', RAW, set()),
    ("", "Write", '"text"', RAW, set()),
    ("", "Write", "5", RAW, set()),
    ("", "Write", '[["a"]]', RAW, set()),
    ("", "Write", '{"path": "a"', {"path": "a"}, {"unterminated"}),
    ("", "Write", "{'path': 'a', 'flag': True,}", {"path": "a", "flag": True}, {"json"}),
    ("", "Write", '{"path": "a", "content": "one\ntwo"}', {"path": "a", "content": "one\ntwo"}, {"json"}),
    ("", "Write", '{"path": "a" "content": "b"}', {"path": "a", "content": "b"}, {"json"}),
    ("", "Write", '{"path": "a"}{"path": "a"}', {"path": "a"}, {"json"}),
    ("", "Write", '{"path": "a"} {"path": "b', {"path": "a"}, {"json"}),
    ("", "f", '{"n": 1.0, "s": 1.0}', {"n": 1.0, "s": "1.0"}, {"type"}),
    ("", "Write", '{"path": "a", "mode": 5.0}', {"path": "a", "mode": 5}, {"type"}),
    ("", "Write", '{"path": "a", "mode": "5.0"}', {"path": "a", "mode": 5}, {"type"}),
    ("", "Write", '{"path": "a", "mode": "5.5"}', RAW, set()),
    ("", "Write", '{"path": "a", "mode": "many"}', RAW, set()),
    ("", "f", '{"n": "1e3"}', {"n": 1000.0}, {"type"}),
    ("", "f", '{"n": "-1.5"}', {"n": -1.5}, {"type"}),
    ("", "f", '{"a": "[1, 2]", "o": "{\'k\': 1}"}', {"a": [1, 2], "o": {"k": 1}}, {"type"}),
    ("", "f", '{"a": "no list"}', RAW, set()),
    ("", "f", '{"o": [{"k": 1}]}', {"o": {"k": 1}}, {"type"}),
    ("", "Write", '{"path": "a", "content": {"k": [1]}}', {"path": "a", "content": '{"k": [1]}'}, {"type"}),
    ("", "Write", '{"path": "a", "content": ["b"]}', {"path": "a", "content": '["b"]'}, {"type"}),
    ("", "Write", '{"Path": "a", "CONTENT": "b"}', {"path": "a", "content": "b"}, {"key"}),
    ("", "Write", '{"path": "a", "Path": "b"}', RAW, set()),
    ("", "bash", '{"command": "ls", "why": "x"}', {"command": "ls"}, {"extra"}),
    ("", "bash", '{"why": "x"}', RAW, set()),
    ("", "Write", '{"path": "a", "why": "x"}', RAW, set()),
    ("", "Write", '{"path": null}', RAW, set()),
    ("", "f", '{"n": 1e999}', RAW, set()),
    ("", "f", '{"n": 1e999, "s": 1}', RAW, {"type"}),
    ("", "f", "{'n': 1e999}", {}, {"json"}),
    ("", "Write", '{"path": 1e999}', {"path": "inf"}, {"type"}),
    ("", "Write", '{"path": [1e999]}', {"path": "[inf]"}, {"type"}),
]


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "kinds"),
    [pytest.param(*case[1:], marks=[pytest.mark.report(case[0])] if case[0] else []) for case in MENDED],
)
def test_arguments_become_what_the_schema_wants_where_that_is_plain(
    name: str, arguments: str, expected: object, kinds: set[str]
) -> None:
    events, counts = filtered(call(arguments, name), StopReason.TOOL_CALLS)
    [told] = [event.arguments for event in events if isinstance(event, ToolCallDelta)]
    assert (told if expected == RAW else parsed(told)) == (arguments if expected == RAW else expected)
    assert set(counts) == kinds


AGENTS_TOOLS = {
    each.name: Schema.parse(each.parameters)
    for each in (
        tool("Read", ("file_path",), file_path="string", offset="integer", tags={"type": "array", "items": {}}),
        tool("Edit", ("file_path", "old_string"), file_path="string", old_string="string", replace_all="boolean"),
        tool("Bash", ("command",), command="string", timeout="number"),
        tool("shell", ("command",), command={"type": "array", "items": {"type": "string"}}, workdir="string"),
        tool(
            "TodoWrite",
            ("todos",),
            todos={
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {
                        "content": {"type": "string"},
                        "status": {"type": "string", "enum": ["pending", "in_progress"]},
                    },
                    "required": ["content"],
                },
            },
        ),
    )
}
TODO = {"content": "a", "status": "pending"}
TODO_TEXT = '{"content": "a", "status": "pending"}'


@pytest.mark.parametrize(
    ("name", "arguments", "expected", "kinds"),
    [
        # paths of Windows, whose backslashes were not doubled
        ("Read", r'{"file_path": "C:\Users\bin\new.txt"}', {"file_path": r"C:\Users\bin\new.txt"}, {"json"}),
        ("Read", r'{"file_path": "\\srv\Pub\new.txt"}', {"file_path": r"\srv\Pub\new.txt"}, {"json"}),
        ("Read", r'{"file_path": "C:\Users\"}', r'{"file_path": "C:\Users\"}', {"cut_off"}),
        ("Read", r'{"file_path": "C:\temp\new.txt"}', {"file_path": r"C:\temp\new.txt"}, {"value"}),
        ("Read", '{"file_path": E:\\x y\\z.md, "offset": 1}', {"file_path": r"E:\x y\z.md", "offset": 1}, {"json"}),
        ("Read", '{"file_path": /tmp/a.md}', {"file_path": "/tmp/a.md"}, {"json"}),
        ("Bash", r'{"command": "Q:\nA:\d"}', {"command": "Q:\nA:\\d"}, {"json"}),
        ("Bash", r'{"command": "Q:\nA:"}', RAW, set()),
        # quotation marks and spaces around a path
        ("Read", '{"file_path": " `a.txt`\\n"}', {"file_path": "a.txt"}, {"value"}),
        ("Read", '{"file_path": "\\"\'a.txt\'\\""}', {"file_path": "a.txt"}, {"value"}),
        ("Read", '{"file_path": " "}', RAW, set()),
        ("Read", json.dumps({"file_path": " " + "a" * 5000}), RAW, set()),
        ("Read", '{"file_path": ["a"]}', {"file_path": "a"}, {"value"}),
        # braces and quotation marks
        ("Bash", r'{"command": \"ls\"}', {"command": "ls"}, {"json"}),
        ("Bash", r'{\"command\": \"echo \\"a\\"\"}', {"command": 'echo "a"'}, {"json"}),
        ("Bash", r'{"command": "echo \"a\": \"b', r'{"command": "echo \"a\": \"b', {"cut_off"}),
        ("Bash", '"command": "ls"}', {"command": "ls"}, {"json"}),
        ("Bash", '"command": "ls"', {"command": "ls"}, {"unterminated"}),
        ("Bash", '{{"command": "ls"}}', {"command": "ls"}, {"json"}),
        ("Bash", '<|constrain|>json<|message|>{"command": "ls"}<|call|>', {"command": "ls"}, {"json"}),
        ("Bash", 'Calling it: {"command": "ls"}', {"command": "ls"}, {"json"}),
        ("Bash", 'Calling it: {"command": "ls', 'Calling it: {"command": "ls', {"cut_off"}),
        ("Bash", 'He said "so": {"command": "ls"}', 'He said "so": {"command": "ls"}', {"cut_off"}),
        ("Bash", '{}{"command": "ls"}', {"command": "ls"}, {"json"}),
        # keys
        ("Read", '{"path": "a"}', {"file_path": "a"}, {"key"}),
        ("Read", '{"file": "a"}', {"file_path": "a"}, {"key"}),
        ("Bash", '{"cmd": "ls", "timeout": 5}', {"command": "ls", "timeout": 5}, {"key"}),
        ("Bash", '{"cmd": "ls", "why": "x"}', RAW, set()),
        ("Bash", '{"script": "ls"}', RAW, set()),
        # what a model writes for nothing
        ("Read", '{"file_path": "a", "offset": "None"}', {"file_path": "a"}, {"null"}),
        ("Read", '{"file_path": "a", "offset": "undefined"}', {"file_path": "a"}, {"null"}),
        ("Read", '{"file_path": "a", "offset": ""}', {"file_path": "a"}, {"null"}),
        # booleans
        ("Edit", '{"file_path": "a", "old_string": "b", "replace_all": 1}', True, {"type"}),
        ("Edit", '{"file_path": "a", "old_string": "b", "replace_all": "0"}', False, {"type"}),
        ("Edit", '{"file_path": "a", "old_string": "b", "replace_all": "No"}', False, {"type"}),
        ("Edit", '{"file_path": "a", "old_string": "b", "replace_all": 2}', RAW, set()),
        # commands, as a line and as words
        ("Bash", '{"command": ["bash", "-lc", "ls | wc"]}', {"command": "ls | wc"}, {"value"}),
        ("Bash", '{"command": ["echo", "a b"]}', {"command": "echo 'a b'"}, {"value"}),
        ("Bash", '{"command": ["ls"]}', {"command": "ls"}, {"value"}),
        ("Bash", '{"command": ["ls", 5]}', {"command": '["ls", 5]'}, {"type"}),
        ("shell", '{"command": "ls -la"}', {"command": ["ls", "-la"]}, {"value"}),
        ("shell", '{"command": "ls | wc"}', {"command": ["bash", "-lc", "ls | wc"]}, {"value"}),
        ("shell", '{"command": "[\\"ls\\"]"}', {"command": ["ls"]}, {"type"}),
        # lists
        ("TodoWrite", f'{{"todos": {{"todos": [{TODO_TEXT}]}}}}', {"todos": [TODO]}, {"type"}),
        ("TodoWrite", f'{{"todos": {{"0": {TODO_TEXT}, "1": {TODO_TEXT}}}}}', {"todos": [TODO, TODO]}, {"type"}),
        ("TodoWrite", f'{{"todos": {TODO_TEXT}}}', {"todos": [TODO]}, {"type"}),
        ("TodoWrite", f"[{TODO_TEXT}, {TODO_TEXT}]", {"todos": [TODO, TODO]}, {"json"}),
        ("TodoWrite", "[5]", RAW, set()),
        ("TodoWrite", '{"todos": [{"content": "a", "status": "`Pending`"}]}', {"todos": [TODO]}, {"type"}),
    ],
)
def test_slips_of_small_models_in_the_tools_of_agents_are_what_they_meant(
    name: str, arguments: str, expected: object, kinds: set[str]
) -> None:
    found = mended(arguments, AGENTS_TOOLS[name])
    told = parsed(found.texts[0])
    if isinstance(expected, bool):
        expected = {"file_path": "a", "old_string": "b", "replace_all": expected}
    assert (len(found.texts), told) == (1, parsed(arguments) if expected == RAW else expected)
    assert {kind.value for kind in found.kinds} == kinds
    assert all(not mended(text, AGENTS_TOOLS[name]).kinds for text in found.texts if found.whole)


@given(json_object_texts)
def test_valid_arguments_pass_byte_for_byte(text: str) -> None:
    events, counts = filtered(call(text, "anything"), request=ChatRequest("m", (), tools=(tool("anything"),)))
    assert "".join(event.arguments for event in events if isinstance(event, ToolCallDelta)) == text
    assert counts == {}


@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*list("{}[]\":,\\\n'"), "true", "1", "path", "a"])).map("".join)
)
def test_whatever_the_arguments_are_they_are_mended_or_left(text: str) -> None:
    found = mended(text, OfferedTools(TOOLS).schema("Write"))
    assert found.texts == (text,) if not found.whole else all(parsed(each) is not None for each in found.texts)
    again = [mended(each, OfferedTools(TOOLS).schema("Write")) for each in found.texts if found.whole]
    assert all(not each.kinds for each in again)


@pytest.mark.parametrize(
    ("chunks", "told", "kinds"),
    [
        (['{"path": ', '{"path": "a', '{"path": "a"}'], ['{"path": "a"}'], {"json"}),
        (['{"path": "a"}', '{"path": "a"}'], ['{"path": "a"}'], {"json"}),
        (['{"path": "a', '{"path": "ab'], ['{"path": "ab'], {"json", "cut_off"}),
        (['{"a": [', '{"a": [1]}', "]}"], ['{"a": [{"a": [1]}]}'], set()),
        (['"', '"path": "a"}'], ['""path": "a"}'], {"cut_off"}),
    ],
)
def test_arguments_that_a_server_sends_whole_each_time_are_its_last_word(
    chunks: list[str], told: list[str], kinds: set[str]
) -> None:
    events, counts = filtered([ToolCallStart("c1", "f"), *map(ToolCallDelta, chunks), ToolCallEnd()])
    assert [event.arguments for event in events if isinstance(event, ToolCallDelta)] == told
    assert set(counts) == kinds


@pytest.mark.report("B057")
def test_two_objects_in_one_calls_arguments_are_two_calls() -> None:
    events, counts = filtered(call('{"path": "a.rs"}{"path": "b.rs"}'), StopReason.TOOL_CALLS)
    calls = [event for event in events if isinstance(event, ToolCallStart | ToolCallDelta)]
    assert calls == [
        ToolCallStart("c1", "Write"),
        ToolCallDelta('{"path": "a.rs"}'),
        ToolCallStart(another_id("c1", 2), "Write"),
        ToolCallDelta('{"path": "b.rs"}'),
    ]
    assert set(counts) == {"json", "split"}


def test_the_name_of_a_call_is_respelled_and_an_unknown_one_left() -> None:
    events, counts = filtered([*call("{}", "LIST-FILES"), *call("{broken", "nobody", "c2")], StopReason.TOOL_CALLS)
    assert [event.name for event in events if isinstance(event, ToolCallStart)] == ["list_files", "nobody"]
    assert events[-1] == Finished(StopReason.TOOL_CALLS)
    assert counts == {"name": 1}


def test_custom_and_namespaced_calls_are_left_alone() -> None:
    events = [ToolCallStart("c1", "Write", "custom"), ToolCallDelta("free"), ToolCallEnd()]
    events += [ToolCallStart("c2", "Write", namespace="other"), ToolCallDelta("{'"), ToolCallEnd()]
    told, counts = filtered(events, StopReason.TOOL_CALLS)
    assert (told[1:-2], counts) == (events, {})


def test_a_held_call_gives_signs_of_life_and_lets_pings_through() -> None:
    pieces = [ToolCallDelta(" ") for _ in range(DELTAS_A_PING)]
    events, _ = filtered([ToolCallStart("c", "list_files"), Ping(), *pieces, ToolCallEnd()])
    assert events[1:4] == [Ping(), Ping(), ToolCallStart("c", "list_files")]


# --- calls that broke off ----------------------------------------------------------------------------------------


BROKEN = [
    '{"path": "a", "content": "half',
    '{"path": "a",',
    '{"content": """doc',
    '{"content": "b"',
    '{"path": tru',
    "{oops",
    "1 2",
]


@pytest.mark.report("B124")
@pytest.mark.parametrize("arguments", BROKEN)
def test_broken_arguments_are_told_as_they_are_and_as_a_cut_off(arguments: str) -> None:
    assert outcome(*call(arguments), reason=StopReason.TOOL_CALLS) == Outcome(
        calls=(("Write", arguments),), reason=StopReason.MAX_TOKENS
    )


@pytest.mark.report("B124")
@pytest.mark.parametrize("tokens", [10, LIMIT])
def test_missing_brackets_are_not_put_in_when_the_limit_was_hit(tokens: int) -> None:
    reason = StopReason.MAX_TOKENS if tokens < LIMIT else StopReason.TOOL_CALLS
    found = outcome(*call('{"path": "a"'), reason=reason, output_tokens=tokens)
    assert found == Outcome(calls=(("Write", '{"path": "a"'),), reason=StopReason.MAX_TOKENS)


def test_a_whole_call_before_the_limit_is_whole() -> None:
    assert outcome(*call('{"path": "a"}'), reason=StopReason.MAX_TOKENS).calls == (("Write", {"path": "a"}),)


def test_only_the_last_call_can_have_been_cut() -> None:
    found = outcome(*call('{"path": "a"'), *call('{"path": "b"', call_id="c2"), reason=StopReason.MAX_TOKENS)
    assert found.calls == (("Write", {"path": "a"}), ("Write", '{"path": "b"'))
    assert outcome(*call('{"path": "a"'), "text", reason=StopReason.MAX_TOKENS).calls == (("Write", {"path": "a"}),)


def test_free_text_that_was_cut_is_replaced_by_words_that_no_tool_takes() -> None:
    events, counts = filtered(call('{"input": "*** Begin Patch', "apply_patch"), StopReason.MAX_TOKENS)
    assert [event.arguments for event in events if isinstance(event, ToolCallDelta)] == [CUT_OFF]
    assert (events[-1], counts) == (Finished(StopReason.MAX_TOKENS), {"cut_off": 1})


@pytest.mark.parametrize("arguments", ["*** Begin Patch", '{"input": "x"}', '"x"', '{"input": "a"b"}'])
def test_free_text_is_left_to_the_filter_that_knows_it(arguments: str) -> None:
    events, counts = filtered(call(arguments, "apply_patch"), StopReason.TOOL_CALLS)
    assert [event.arguments for event in events if isinstance(event, ToolCallDelta)] == [arguments]
    assert (events[-1], counts) == (Finished(StopReason.TOOL_CALLS), {})


def mender_events(*events: ChatEvent) -> list[ChatEvent]:
    mender = CallMender(REQUEST, OfferedTools(TOOLS))
    return [*(out for event in events for out in mender.feed(event)), *mender.finish()]


def test_a_failed_answer_tells_no_call_that_is_open_or_in_doubt() -> None:
    fault, usage = Failed(ChatFault(ErrorKind.INTERNAL, "x")), UsageReport(Usage(1))
    assert mender_events(Started(), *call('{"path": "a"'), usage, fault) == [Started(), usage, fault]
    assert mender_events(Started(), *call("{}")[:-1], fault) == [Started(), fault]
    assert mender_events(Started(), *call('{"path": "a"')) == [Started()]
    assert mender_events(Started(), ToolCallEnd(), TextDelta("x")) == [Started(), TextDelta("x")]


# --- schemas -----------------------------------------------------------------------------------------------------

DEFINED = {
    "type": "object",
    "$defs": {
        "count": {"type": "integer"},
        "loop": {"$ref": "#/$defs/loop"},
        "list": {"type": "array", "items": {"type": "integer"}},
    },
    "properties": {
        "count": {"$ref": "#/$defs/count"},
        "loop": {"$ref": "#/$defs/loop"},
        "gone": {"$ref": "#/$defs/gone"},
        "far": {"$ref": "https://schemas.example/x"},
        "root": {"$ref": "#"},
        "either": {"anyOf": [{"type": "integer"}, {"type": "null"}, True]},
        "word": {"enum": ["Read", "write_all"]},
        "fixed": {"const": 5},
        "maybe": {"type": "integer", "nullable": True},
        "numbers": {"$ref": "#/$defs/list"},
        "words": {"type": "array", "items": {"type": "string"}},
        "objects": {"type": "array", "items": {"type": "object"}},
        "google": {"type": "INTEGER"},
        "python": {"type": ["int", "none"]},
        "both": {"type": ["string", "integer"]},
        "deep": {"properties": {"n": {"type": "integer"}}},
        "open": True,
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("given_value", "expected"),
    [
        ({"count": "5"}, {"count": 5}),
        ({"loop": "5"}, RAW),
        ({"gone": "5"}, RAW),
        ({"far": "5"}, RAW),
        ({"root": {"count": "5"}}, {"root": {"count": 5}}),
        ({"either": "5"}, {"either": 5}),
        ({"either": "null"}, {"either": None}),
        ({"either": None}, RAW),
        ({"either": "x"}, RAW),
        ({"word": "read"}, {"word": "Read"}),
        ({"word": "WriteAll"}, {"word": "write_all"}),
        ({"word": "other"}, RAW),
        ({"word": "Read"}, RAW),
        ({"fixed": "5"}, {"fixed": 5}),
        ({"maybe": ""}, {"maybe": None}),
        ({"numbers": ["1", 2]}, {"numbers": [1, 2]}),
        ({"numbers": 5}, {"numbers": [5]}),
        ({"numbers": "x"}, RAW),
        ({"words": "x"}, {"words": ["x"]}),
        ({"words": ""}, RAW),
        ({"words": '["x"]'}, {"words": ["x"]}),
        ({"words": '["x"'}, {"words": ['["x"']}),
        ({"objects": '{"k": 1}'}, {"objects": [{"k": 1}]}),
        ({"objects": {"k": 1}}, {"objects": [{"k": 1}]}),
        ({"google": "5"}, {"google": 5}),
        ({"python": "5"}, {"python": 5}),
        ({"python": "none"}, {"python": None}),
        ({"both": "5"}, RAW),
        ({"both": 5}, RAW),
        ({"deep": '{"n": "1"}'}, {"deep": {"n": 1}}),
        ({"open": None}, RAW),
        ({"unknown": "5"}, RAW),
    ],
)
def test_references_alternatives_and_enums_are_followed(given_value: object, expected: object) -> None:
    text = json.dumps(given_value)
    found = mended(text, schema(**DEFINED))
    assert parsed(found.texts[0]) == (given_value if expected == RAW else expected)
    assert bool(found.kinds) is (expected != RAW)


@pytest.mark.parametrize(
    "raw", [b"true", b"[]", b"{broken", b'{"properties": 5, "required": "x", "type": 7, "enum": 5}']
)
def test_what_is_no_schema_allows_everything(raw: bytes) -> None:
    assert mended('{"a": "5"}', Schema.parse(msgspec.Raw(raw))) == Arguments(('{"a": "5"}',))


def test_json_in_json_in_json_is_read_to_a_bounded_depth() -> None:
    text = '{"path": "a"}'
    for _ in range(5):
        text = json.dumps(text)
    write = OfferedTools(TOOLS).schema("Write")
    assert mended(text, write) == Arguments((text,), (Mend.DOUBLE_ENCODED,))
    assert mended(json.loads(json.loads(text)), write).texts == ('{"path": "a"}',)


def test_keys_in_camel_case_and_in_snake_case_are_the_same_keys() -> None:
    read = schema(type="object", properties={"file_path": {"type": "string"}, "maxLines": {"type": "integer"}})
    found = mended('{"filePath": "a", "max_lines": "5"}', read)
    assert parsed(found.texts[0]) == {"file_path": "a", "maxLines": 5}
    assert found.kinds == (Mend.KEY, Mend.TYPE)


def test_a_value_is_compared_with_the_schema_to_a_bounded_depth() -> None:
    node: dict[str, object] = {"type": "integer"}
    value: object = "5"
    for _ in range(60):
        node = {"type": "object", "properties": {"a": node}}
        value = {"a": value}
    text = json.dumps(value)
    assert mended(text, schema(**node)) == Arguments((text,))


def test_the_types_of_values_are_told_apart() -> None:
    values = [None, True, 1, 1.5, "x", [], {}]
    assert [type_of(value) for value in values] == ["null", "boolean", "integer", "number", "string", "array", "object"]  # type: ignore[arg-type]


def test_text_is_typed_by_the_schema_and_stays_text_where_that_is_allowed() -> None:
    assert typed(" 5 ", schema(type="integer")) == 5
    assert typed(" 5 ", schema(type=["integer", "string"])) == " 5 "
    assert typed(" 5 ", schema()) == " 5 "


def test_a_count_is_a_snapshot() -> None:
    mender = CallMender(REQUEST, OfferedTools(TOOLS))
    before = mender.mended
    for event in [Started(), *call("{'path': 'a'}")]:
        list(mender.feed(event))
    assert (before, mender.mended) == ({}, {Mend.JSON: 1})


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        # zai-org/GLM-5 #84; vLLM #53642 (Gemma 4): the parser has taken the whole call for its name
        ("Write<arg_key>path</arg_key><arg_value>a</arg_value>", "{}", ("Write", {"path": "a"})),
        ('bash(command:<|"|>ls<|"|>)<tool_call|>', "{}", ("bash", {"command": "ls"})),
        ("list_files</arg_value>", "{}", ("list_files", {})),
        ("Write(%%", "", ("Write", {})),
        # the tags are still in the arguments
        ("Write", "<parameter=path>a</parameter><parameter=mode>3</parameter>", ("Write", {"path": "a", "mode": 3})),
        ("Write", "<arg_key>path</arg_key><arg_value>a</arg_value>", ("Write", {"path": "a"})),
        ("apply_patch", "<arg_key>input</arg_key>", ("apply_patch", "<arg_key>input</arg_key>")),
        # or in a value: vLLM #53227
        ("bash", {"command": "ls</\uff5cDSML\uff5cparameter>\n</\uff5cDSML\uff5cinvoke>"}, ("bash", {"command": "ls"})),
        ("bash", {"command": "ls</\uff5cDSML\uff5cparameter"}, ("bash", {"command": "ls"})),
        ("bash", {"command": "ls\n</parameter>\n</function>\n</tool_call>"}, ("bash", {"command": "ls"})),
        ("Write", {"path": " a</arg_value>"}, ("Write", {"path": "a"})),
        # or in a key: oh-my-pi #2759
        ("Write", {'parameter name="path"': "a"}, ("Write", {"path": "a"})),
        ("Write", {"path": "a", '"content"': "b"}, ("Write", {"path": "a", "content": "b"})),
        ("Write", {"path": "a", 'content" string="true': "b"}, ("Write", {"path": "a", "content": "b"})),
    ],
)
def test_markup_that_a_server_has_left_in_its_own_call_is_read(
    name: str, arguments: str | dict[str, str], expected: tuple[str, object]
) -> None:
    text = arguments if isinstance(arguments, str) else json.dumps(arguments)
    assert outcome(*call(text, name)).calls == (expected,)


@pytest.mark.parametrize(
    "value",
    [
        "<parameter=path>\na\n</parameter>\n</function>",
        "two lines\nof a file</parameter>\n</function>",
        "a</arg_value>\nb",
        "</parameter>",
        "<\uff5cDSML\uff5cparameter name='x'>a</\uff5cDSML\uff5cparameter>",
    ],
)
def test_a_file_about_such_markup_keeps_it(value: str) -> None:
    text = json.dumps({"path": "a", "content": value})
    assert outcome(*call(text)).calls == (("Write", {"path": "a", "content": value}),)


@pytest.mark.parametrize(
    "text",
    [
        '{"path": "a", // where\n "content": "b"}',
        '{"path": "a", /* where */ "content": "b"}',
        '{"path": "a", # where\n "content": "b"}',
        '{"path"\uff1a"a"\uff0c"content"\uff1a"b"}',
    ],
)
def test_comments_and_full_width_marks_between_members_are_no_part_of_a_value(text: str) -> None:
    assert outcome(*call(text)).calls == (("Write", {"path": "a", "content": "b"}),)
