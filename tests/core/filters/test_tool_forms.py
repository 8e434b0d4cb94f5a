"""Requests lowered to plain functions, and calls restored to the client's forms."""

from __future__ import annotations

import json
from collections.abc import Iterable

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.strategies import chat_requests, event_sequences

from agentlaunch.core.filters.custom_input import unwrapped, wrapped
from agentlaunch.core.filters.tool_forms import ToolForms, lower
from agentlaunch.core.filters.tool_names import LONGEST_NAME, FlatNames, ToolKey
from agentlaunch.core.ir import (
    ChatEvent,
    ChatFault,
    ChatRequest,
    CustomTool,
    ErrorKind,
    Failed,
    Finished,
    FunctionTool,
    HostedTool,
    Message,
    Ping,
    Role,
    Started,
    StopReason,
    TextDelta,
    TextPart,
    Tool,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)

PLAIN = FunctionTool("exec_command", "runs")
SPAWN = FunctionTool("spawn_agent", "spawns", namespace="multi_agent_v1")
PATCH = CustomTool(
    "apply_patch", "No JSON.", msgspec.Raw(b'{"type":"grammar","syntax":"lark","definition":"start: x"}')
)
SEARCH = HostedTool("web_search", msgspec.Raw(b'{"type":"web_search"}'))
LATER = FunctionTool("WebFetch", "fetches", deferred=True)
LAST = FunctionTool("WebSearch", "searches", deferred=True)
DIFF = '*** Begin Patch\n*** Add File: a\n+"x"\n*** End Patch'


def request(*tools: Tool, messages: tuple[Message, ...] = (), choice: ToolChoice | None = None) -> ChatRequest:
    return ChatRequest("m", messages, tools=tools, tool_choice=choice, parallel_tool_calls=True)


def restored(forms: ToolForms, events: Iterable[ChatEvent]) -> list[ChatEvent]:
    restorer = forms.restore()
    return [*(out for event in events for out in restorer.feed(event)), *restorer.finish()]


def call(name: str, *arguments: str) -> list[ChatEvent]:
    return [ToolCallStart("c", name), *map(ToolCallDelta, arguments), ToolCallEnd()]


def test_a_request_of_plain_functions_is_untouched() -> None:
    given_request = request(PLAIN, messages=(Message(Role.USER, (TextPart("x"),)),), choice=ToolChoice())
    lowered, _ = lower(given_request)
    assert lowered == given_request
    assert lowered.tools[0] is PLAIN
    assert lowered.messages[0] is given_request.messages[0]


@pytest.mark.report("B017")
@pytest.mark.report("B030")
@pytest.mark.report("B040")
def test_every_tool_becomes_a_function_and_hosted_ones_are_left_out() -> None:
    lowered, _ = lower(request(PLAIN, SPAWN, PATCH, SEARCH))
    plain, spawn, patch = lowered.tools
    assert isinstance(patch, FunctionTool)
    assert (plain, spawn) == (PLAIN, msgspec.structs.replace(SPAWN, name="multi_agent_v1__spawn_agent", namespace=""))
    assert msgspec.structs.replace(patch, parameters=PLAIN.parameters) == FunctionTool(
        "apply_patch",
        "No JSON.\n\nThe text follows this lark grammar:\nstart: x\n\n"
        "Call this tool with a JSON object whose one string `input` holds the whole text.",
        PLAIN.parameters,
    )
    schema = json.loads(bytes(patch.parameters))
    assert (schema["required"], schema["properties"]["input"]["type"]) == (["input"], "string")


@pytest.mark.parametrize("form", [b"null", b'{"type":"text"}', b"5", b'{"definition":5}'])
def test_a_format_that_is_no_grammar_adds_nothing(form: bytes) -> None:
    lowered, _ = lower(request(CustomTool("c", format=msgspec.Raw(form))))
    [tool] = lowered.tools
    assert isinstance(tool, FunctionTool)
    assert tool.description == "Call this tool with a JSON object whose one string `input` holds the whole text."


def test_the_history_is_lowered_in_the_same_way() -> None:
    messages = (
        Message(
            Role.ASSISTANT,
            (
                ToolCallPart("c1", "apply_patch", DIFF, "custom", item_id="ctc_1"),
                ToolCallPart("c2", "spawn_agent", "{}", namespace="multi_agent_v1", item_id="fc_2"),
                ToolCallPart("c3", "exec_command", "{}"),
                ToolCallPart("c4", "gone", "{}", namespace="mcp"),
            ),
        ),
        Message(Role.TOOL, (ToolResultPart("c1", (TextPart("ok"),), kind="custom"), ToolResultPart("c3"))),
    )
    lowered, _ = lower(request(PLAIN, SPAWN, PATCH, messages=messages))
    assert lowered.messages == (
        Message(
            Role.ASSISTANT,
            (
                ToolCallPart("c1", "apply_patch", json.dumps({"input": DIFF}, separators=(",", ":"))),
                ToolCallPart("c2", "multi_agent_v1__spawn_agent", "{}", item_id="fc_2"),
                ToolCallPart("c3", "exec_command", "{}"),
                ToolCallPart("c4", "mcp__gone", "{}"),
            ),
        ),
        Message(Role.TOOL, (ToolResultPart("c1", (TextPart("ok"),)), ToolResultPart("c3"))),
    )


def test_a_name_that_two_tools_have_is_the_first_ones() -> None:
    again = FunctionTool("exec_command", "another")
    lowered, _ = lower(request(PLAIN, again, SPAWN, msgspec.structs.replace(PLAIN, namespace="n")))
    assert [getattr(tool, "name", "") for tool in lowered.tools] == [
        "exec_command",
        "multi_agent_v1__spawn_agent",
        "n__exec_command",
    ]
    assert lowered.tools[0] is PLAIN


def references(*names: str) -> Message:
    return Message(Role.TOOL, (ToolResultPart("s", tuple(ToolReferencePart(name) for name in names)),))


def test_deferred_tools_appear_behind_the_others_in_the_order_of_their_first_reference() -> None:
    tools: tuple[Tool, ...] = (LATER, PLAIN, LAST, SPAWN)
    hidden, _ = lower(request(*tools))
    once, _ = lower(request(*tools, messages=(references("WebSearch"),)))
    both, _ = lower(request(*tools, messages=(references("WebSearch"), references("WebFetch", "WebSearch", "none"))))
    shown = ["exec_command", "multi_agent_v1__spawn_agent"]
    assert [getattr(tool, "name", "") for tool in hidden.tools] == shown
    assert [getattr(tool, "name", "") for tool in once.tools] == [*shown, "WebSearch"]
    assert [getattr(tool, "name", "") for tool in both.tools] == [*shown, "WebSearch", "WebFetch"]
    assert both.tools[-1] == msgspec.structs.replace(LATER, deferred=False)
    assert both.messages[0] == once.messages[0]
    assert once.messages == (
        Message(Role.TOOL, (ToolResultPart("s", (TextPart("The tool `WebSearch` is now available."),)),)),
    )


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice("required"), ToolChoice("required")),
        (ToolChoice("named", "apply_patch"), ToolChoice("named", "apply_patch")),
        (ToolChoice("named", "spawn_agent"), ToolChoice("named", "multi_agent_v1__spawn_agent")),
        (ToolChoice("named", "web_search"), ToolChoice()),
        (ToolChoice("named", "WebFetch"), ToolChoice()),
        (ToolChoice("named", "nobody"), ToolChoice()),
        (None, None),
    ],
)
def test_a_tool_choice_follows_its_tool(choice: ToolChoice | None, expected: ToolChoice | None) -> None:
    assert lower(request(PLAIN, SPAWN, PATCH, SEARCH, LATER, choice=choice))[0].tool_choice == expected


def test_without_tools_there_is_no_choice() -> None:
    lowered, _ = lower(request(SEARCH, choice=ToolChoice("required")))
    assert (lowered.tools, lowered.tool_choice, lowered.parallel_tool_calls) == ((), None, None)


# --- answers ------------------------------------------------------------------------------------------------------

FORMS = lower(request(PLAIN, SPAWN, PATCH))[1]


def test_functions_pass_at_once_and_namespaces_come_back() -> None:
    events: list[ChatEvent] = [
        Started(),
        TextDelta("x"),
        *call("exec_command", "{", "}"),
        *call("multi_agent_v1__spawn_agent", "{}"),
        *call("unknown", "{}"),
        Finished(StopReason.TOOL_CALLS),
    ]
    expected = list(events)
    expected[6] = ToolCallStart("c", "spawn_agent", namespace="multi_agent_v1")
    assert restored(FORMS, events) == expected


@pytest.mark.parametrize("spelling", ["multi_agent_v1.spawn_agent", "spawn_agent"])
def test_other_spellings_of_a_namespaced_tool_are_understood(spelling: str) -> None:
    assert restored(FORMS, call(spelling))[0] == ToolCallStart("c", "spawn_agent", namespace="multi_agent_v1")


@pytest.mark.report("B033")
def test_a_namespace_that_an_upstream_made_up_is_taken_away() -> None:
    events: list[ChatEvent] = [ToolCallStart("c", "exec_command", namespace="exec_command"), ToolCallEnd()]
    assert restored(FORMS, events) == [ToolCallStart("c", "exec_command"), ToolCallEnd()]


def test_a_custom_call_is_told_whole_with_pings_meanwhile() -> None:
    arguments = wrapped(DIFF).ljust(64)
    assert restored(FORMS, call("apply_patch", *arguments)) == [
        *[Ping()] * (len(arguments) // 32),
        ToolCallStart("c", "apply_patch", "custom"),
        ToolCallDelta(DIFF),
        ToolCallEnd(),
    ]


def test_a_custom_call_without_arguments_is_told_empty() -> None:
    assert restored(FORMS, call("apply_patch")) == [ToolCallStart("c", "apply_patch", "custom"), ToolCallEnd()]


def test_half_a_custom_call_is_not_told() -> None:
    failed = Failed(ChatFault(ErrorKind.INTERNAL, "x"))
    assert restored(FORMS, [*call("apply_patch", DIFF)[:-1], failed]) == [failed]
    assert restored(FORMS, call("apply_patch", DIFF)[:-1]) == []


@pytest.mark.parametrize(
    "arguments",
    [
        json.dumps({"input": DIFF}),
        json.dumps({"patch": DIFF}),
        json.dumps(DIFF),
        DIFF,
        '{"input": "' + DIFF + '"}',  # bare line breaks and quotes
        '{"input": "' + DIFF.replace("\n", "\\n") + '"}',  # bare quotes
        json.dumps({"input": DIFF})[:-2],  # cut off
        f"```diff\n{DIFF}\n```",
        pytest.param(json.dumps({"command": ["apply_patch", DIFF]}), marks=pytest.mark.report("B084")),
        pytest.param(
            json.dumps({"command": ["bash", "-lc", f"apply_patch <<'EOF'\n{DIFF}\nEOF\n"]}),
            marks=pytest.mark.report("B084"),
        ),
        pytest.param(json.dumps({"cmd": f"apply_patch <<EOF\n{DIFF}\nEOF"}), marks=pytest.mark.report("B084")),
        json.dumps({"path": "a", "patch": DIFF}),
        json.dumps({"input": DIFF.removeprefix("*** Begin Patch\n")}),
        json.dumps({"input": DIFF.removesuffix("*** End Patch")}),
        "```\n" + DIFF.removeprefix("*** Begin Patch\n").removesuffix("\n*** End Patch") + "\n```",
        pytest.param(json.dumps({"input": DIFF.replace(" Patch", " Patch ***")}), marks=pytest.mark.report("B074")),
    ],
)
def test_a_patch_is_found_in_whatever_a_model_sends(arguments: str) -> None:
    assert unwrapped(arguments) == DIFF


def test_a_script_loses_the_fence_around_all_of_it_and_no_other() -> None:
    assert unwrapped(json.dumps({"code": "```js\nawait f()\n```"})) == "await f()"
    for text in ("```md\na\n```", "```js\na\n```\nb", "+ *** Add File: a", "a *** Begin Patch"):
        assert unwrapped(text) == text


def test_two_patches_in_one_call_are_left_to_the_agent() -> None:
    both = json.dumps({"a": DIFF, "b": DIFF})
    assert unwrapped(both) == both


@pytest.mark.parametrize("arguments", ["{}", "5", '{"a":1}', '{"input":[]}', '{"a":"1","b":"2"}', "text", "", "{"])
def test_what_holds_no_text_is_the_input_itself(arguments: str) -> None:
    assert unwrapped(arguments) == arguments


def test_escapes_in_broken_json_are_read() -> None:
    assert unwrapped('{"input": "a "b" \\"c\\" \\u00e9\\t\\\\"}') == 'a "b" "c" \u00e9\t\\'


@given(st.text(st.characters(codec="utf-8")))
def test_wrapping_and_unwrapping_is_the_identity(text: str) -> None:
    assert unwrapped(wrapped(text)) == text


@given(st.text())
def test_unwrapping_takes_anything(text: str) -> None:
    assert isinstance(unwrapped(text), str)
    assert isinstance(unwrapped('{"input": "' + text), str)


# --- names --------------------------------------------------------------------------------------------------------

PART = st.text("ab_.-é/ ", min_size=1, max_size=4) | st.sampled_from(["a" * 40, "a" * 41, "b" * 70])
KEYS = st.lists(st.tuples(st.just("") | PART, PART), max_size=8)


@given(KEYS, KEYS)
def test_flat_names_are_legal_unique_and_lead_back(declared: list[ToolKey], mentioned: list[ToolKey]) -> None:
    names = FlatNames(declared, mentioned)
    flats = {key: names.flat(*key) for key in [*declared, *mentioned]}
    assert len(set(flats.values())) == len(flats)
    assert all(flat.isascii() and len(flat) <= LONGEST_NAME for flat in flats.values())
    assert all(set(flat) <= set("ab_-0123456789cdef") for flat in flats.values())
    assert {key: names.key(flats[key]) for key in declared} == {key: key for key in declared}


@given(KEYS, KEYS)
def test_what_the_history_mentions_never_renames_a_tool(declared: list[ToolKey], mentioned: list[ToolKey]) -> None:
    before, after = FlatNames(declared, []), FlatNames(declared, mentioned)
    assert [before.flat(*key) for key in declared] == [after.flat(*key) for key in declared]


def test_names_that_collide_or_are_too_long_get_a_digest() -> None:
    names = FlatNames([("a", "b"), ("", "a__b"), ("", "x" * 65)], [])
    assert names.flat("", "a__b") == "a__b"
    assert names.flat("a", "b").startswith("a__b_")
    assert len(names.flat("", "x" * 65)) == LONGEST_NAME


def test_a_name_that_is_the_digest_of_another_gets_a_number() -> None:
    digest = FlatNames([("a", "b"), ("", "a__b")], []).flat("a", "b")
    names = FlatNames([("a", "b"), ("", "a__b"), ("", digest)], [])
    assert names.flat("a", "b") == f"{digest}_2"


@given(chat_requests())
def test_a_lowered_request_holds_functions_only_and_lowers_no_further(request: ChatRequest) -> None:
    lowered, _ = lower(request)
    assert all(isinstance(tool, FunctionTool) and not tool.namespace and not tool.deferred for tool in lowered.tools)
    parts = [part for message in lowered.messages for part in message.parts]
    assert {part.kind for part in parts if isinstance(part, ToolCallPart | ToolResultPart)} <= {"function"}
    assert lower(lowered)[0] == lowered


@given(event_sequences())
def test_a_client_s_calls_come_back_from_their_lowered_form(events: list[ChatEvent]) -> None:
    """The answer of a model that sees the lowered tools: flat names, custom input as JSON, one delta a call."""
    starts = {(start.namespace, start.name): start for start in events if isinstance(start, ToolCallStart)}
    tools: list[Tool] = [
        (CustomTool if start.kind == "custom" else FunctionTool)(start.name, namespace=start.namespace)
        for start in starts.values()
    ]
    kinds = {key: start.kind for key, start in starts.items()}
    _, forms = lower(ChatRequest("m", (), tools=tuple(tools)))
    wanted: list[ChatEvent] = []
    sent: list[ChatEvent] = []
    arguments = ""
    start: ToolCallStart | None = None
    for event in events:
        match event:
            case ToolCallStart():
                start, arguments = msgspec.structs.replace(event, kind=kinds[event.namespace, event.name]), ""
            case ToolCallDelta():
                arguments += event.arguments
            case ToolCallEnd() if start is not None:
                told = wrapped(arguments) if start.kind == "custom" else arguments
                sent += [ToolCallStart(start.id, forms.names.flat(start.namespace, start.name))]
                sent += [*([ToolCallDelta(told)] if told else []), event]
                wanted += [start, *([ToolCallDelta(arguments)] if arguments else []), event]
            case _:
                sent.append(event)
                wanted.append(event)
    assert restored(forms, sent) == wanted
