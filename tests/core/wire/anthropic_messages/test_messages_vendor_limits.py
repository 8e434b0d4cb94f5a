"""Requests of other APIs' clients as Anthropic's own server takes them, and untouched for everybody else's."""

from __future__ import annotations

import json
from collections.abc import Callable

import msgspec
import pytest

from agentlaunch.core.endpoint import Endpoint
from agentlaunch.core.ir import (
    ChatRequest,
    DocumentPart,
    FunctionTool,
    ImagePart,
    Message,
    Reasoning,
    Role,
    Sampling,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolChoice,
    ToolReferencePart,
    ToolResultPart,
)
from agentlaunch.core.wire.anthropic_messages import AnthropicMessages
from agentlaunch.core.wire.base import ProtocolError
from agentlaunch.core.wire.options import wire_for_call

Json = dict[str, object]

VENDOR = "https://api.anthropic.com"
TOOL = FunctionTool("Read")
REQUEST = ChatRequest("m", (Message(Role.USER, (TextPart("hi"),)),), max_output_tokens=8_000)


def sent(url: str = VENDOR, request: ChatRequest = REQUEST, **fields: object) -> Json:
    asked = msgspec.structs.replace(request, **fields)
    wire = wire_for_call(AnthropicMessages(), Endpoint("double", "anthropic_messages", url, "m"), asked)
    body: Json = json.loads(wire.encode_request(asked))
    return body


def only(body: Json, *names: str) -> Json:
    return {name: body[name] for name in names if name in body}


@pytest.mark.parametrize(
    ("asked", "taken"),
    [
        (Sampling(temperature=1.5, top_p=0.5, top_k=4), {"temperature": 1.0, "top_k": 4}),
        (Sampling(temperature=0.2), {"temperature": 0.2}),
        (Sampling(top_p=0.5), {"top_p": 0.5}),
    ],
)
def test_the_temperature_is_at_most_one_and_stands_alone(asked: Sampling, taken: Json) -> None:
    assert only(sent(sampling=asked), "temperature", "top_p", "top_k") == taken


@pytest.mark.parametrize(("top_p", "taken"), [(0.5, {}), (0.97, {"top_p": 0.97}), (None, {})])
def test_a_model_that_thinks_is_sampled_as_the_vendor_likes(top_p: float | None, taken: Json) -> None:
    sampling = Sampling(temperature=0.2, top_p=top_p, top_k=4)
    assert only(sent(sampling=sampling, reasoning=Reasoning(True)), "temperature", "top_p", "top_k") == taken


@pytest.mark.parametrize(
    ("budget", "limit", "taken"),
    [
        (31_999, 8_000, {"type": "enabled", "budget_tokens": 7_999}),
        (100, 8_000, {"type": "enabled", "budget_tokens": 1_024}),
        (31_999, None, {"type": "enabled", "budget_tokens": 31_999}),
        (None, 500, {"type": "adaptive"}),
    ],
)
def test_a_budget_leaves_room_for_the_answer(budget: int | None, limit: int | None, taken: Json) -> None:
    assert sent(reasoning=Reasoning(True, "", budget), max_output_tokens=limit)["thinking"] == taken


@pytest.mark.parametrize(
    "fields",
    [
        {"max_output_tokens": 1_024, "reasoning": Reasoning(True, "low", 4_000)},
        {"tools": (TOOL,), "tool_choice": ToolChoice("required"), "reasoning": Reasoning(True, "low")},
        {"tools": (TOOL,), "tool_choice": ToolChoice("named", "Read"), "reasoning": Reasoning(True, "low", 4_000)},
    ],
)
def test_thinking_gives_way_to_a_small_limit_and_to_a_forced_call(fields: Json) -> None:
    assert only(sent(**fields), "thinking", "output_config") == {"output_config": {"effort": "low"}}


def test_efforts_have_the_vendors_words() -> None:
    assert only(sent(reasoning=Reasoning(effort="minimal")), "output_config") == {"output_config": {"effort": "low"}}
    assert only(sent(reasoning=Reasoning(False, "high")), "thinking", "output_config") == {
        "thinking": {"type": "disabled"},
        "output_config": {"effort": "high"},
    }


def test_blank_stop_sequences_are_left_out() -> None:
    assert sent(stop=("\n", "", "END"))["stop_sequences"] == ["END"]


@pytest.mark.parametrize(
    ("parts", "taken"),
    [
        ((TextPart("Sure: "),), [{"type": "text", "text": "Sure:"}]),
        ((TextPart("Sure:"),), [{"type": "text", "text": "Sure:"}]),
        (
            (TextPart("a "), ThinkingPart("hm", "s")),
            [{"type": "text", "text": "a "}, {"type": "thinking", "thinking": "hm", "signature": "s"}],
        ),
    ],
)
def test_an_answer_that_the_client_has_begun_does_not_end_with_white_space(
    parts: tuple[TextPart | ThinkingPart, ...], taken: list[Json]
) -> None:
    messages = sent(messages=(*REQUEST.messages, Message(Role.ASSISTANT, parts)))["messages"]
    assert isinstance(messages, list)
    assert messages[1]["content"] == taken


@pytest.mark.parametrize("messages", [(), (Message(Role.ASSISTANT, ()),)], ids=["none", "an empty one"])
def test_no_message_at_all_is_refused_in_words(messages: tuple[Message, ...]) -> None:
    with pytest.raises(ProtocolError, match="no message that is not blank"):
        sent(messages=messages)


def marked(body: Json) -> list[object]:
    """What carries a mark, in the order of the prompt: each thing by the one word in it."""
    found: list[object] = []

    def look(value: object) -> None:
        match value:
            case {"cache_control": _}:
                found.append(value.get("text") or value.get("name") or value.get("tool_use_id") or value["type"])
            case dict():
                for inner in value.values():
                    look(inner)
            case list():
                for inner in value:
                    look(inner)

    for name in ("tools", "system", "messages"):
        look(body.get(name))
    return found


CACHED: Callable[[str], TextPart] = lambda text: TextPart(text, cache_hint=True)  # noqa: E731


def test_no_more_than_the_last_four_marks_are_set() -> None:
    messages = (
        Message(Role.SYSTEM, (CACHED("a"), TextPart("b"))),
        Message(Role.USER, (CACHED("c"), DocumentPart(text="d", cache_hint=True), ImagePart(url="u", cache_hint=True))),
        Message(Role.ASSISTANT, (ThinkingPart("t", "s"), ToolCallPart("1", "Read", "{}", cache_hint=True))),
        Message(Role.TOOL, (ToolResultPart("1", (TextPart("r"),), cache_hint=True),)),
    )
    tools = (FunctionTool("Read", cache_hint=True), FunctionTool("Write", cache_hint=True))
    assert marked(sent(messages=messages, tools=tools)) == ["document", "image", "Read", "1"]
    assert marked(sent(messages=(messages[0], *REQUEST.messages), tools=tools)) == ["Read", "Write", "a"]


def test_a_mark_inside_a_tools_result_stands_on_the_result() -> None:
    content = (TextPart("x", cache_hint=True), ToolReferencePart("Read"))
    call = Message(Role.ASSISTANT, (ToolCallPart("1", "Read", "{}"),))
    messages = (*REQUEST.messages, call, Message(Role.TOOL, (ToolResultPart("1", content),)))
    body = sent(messages=messages, tools=(TOOL,))
    assert marked(body) == ["1"]


def test_other_servers_get_what_was_asked_for() -> None:
    fields = {
        "sampling": Sampling(temperature=1.5, top_p=0.5),
        "stop": ("\n",),
        "reasoning": Reasoning(effort="minimal"),
    }
    names = ("temperature", "top_p", "stop_sequences", "output_config")
    assert only(sent("http://127.0.0.1:1234", **fields), *names) == {
        "temperature": 1.5,
        "top_p": 0.5,
        "stop_sequences": ["\n"],
        "output_config": {"effort": "minimal"},
    }
