"""What the Chat wire does differently for one endpoint and one request."""

from __future__ import annotations

import json
import re

import pytest

from agentlaunch.core.endpoint import Endpoint, OutputLimitField
from agentlaunch.core.ir import (
    ChatEvent,
    ChatRequest,
    Finished,
    Message,
    Role,
    StopReason,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from agentlaunch.core.wire.base import Frame, Wire
from agentlaunch.core.wire.openai_chat import OpenAIChat
from agentlaunch.core.wire.options import wire_for_call

NATURAL = Finished(StopReason.END_TURN)
BLOCK = Finished(StopReason.STOP_SEQUENCE, "</block>")


def wire_of(stop: tuple[str, ...] = (), limit_field: OutputLimitField = "max_tokens") -> Wire:
    endpoint = Endpoint("double", "openai_chat", "http://127.0.0.1:1", "m", output_limit_field=limit_field)
    return wire_for_call(OpenAIChat(), endpoint, ChatRequest("m", (), stop=stop))


def ending(stop: tuple[str, ...], last: dict[str, object]) -> ChatEvent:
    """The last event of an answer whose last chunk has these fields in its choice."""
    decoder = wire_of(stop).event_decoder()
    chunk = {"id": "r1", "choices": [{"index": 0, "delta": {"content": "x"}, **last}]}
    events = [*decoder.feed(Frame(json.dumps(chunk).encode())), *decoder.feed(Frame(b"[DONE]"))]
    return events[-1]


@pytest.mark.parametrize(
    ("stop", "last", "expected"),
    [
        ((), {"finish_reason": "stop"}, NATURAL),
        (("</block>",), {"finish_reason": "stop"}, BLOCK),
        (("</block>", "END"), {"finish_reason": "stop"}, NATURAL),
        (("</block>",), {"finish_reason": "length"}, Finished(StopReason.MAX_TOKENS)),
        (("</block>",), {"finish_reason": "eos"}, NATURAL),
        (("</block>", "END"), {"finish_reason": "stop", "stop_reason": "</block>"}, BLOCK),
        (("</block>",), {"finish_reason": "stop", "stop_reason": None}, NATURAL),
        (("</block>",), {"finish_reason": "stop", "stop_reason": 151645}, NATURAL),
        (("</block>", "END"), {"finish_reason": "stop", "matched_stop": "</block>"}, BLOCK),
        (("</block>",), {"finish_reason": "stop", "matched_stop": 2}, NATURAL),
        (("</block>", "END"), {"finish_reason": "stop", "stopping_word": "</block>"}, BLOCK),
        (("</block>",), {"finish_reason": "stop", "stopping_word": ""}, NATURAL),
        ((), {"finish_reason": "stop", "stop_reason": "</block>"}, BLOCK),
    ],
)
def test_a_stop_sequence_that_ended_the_answer_is_named(
    stop: tuple[str, ...], last: dict[str, object], expected: Finished
) -> None:
    assert ending(stop, last) == expected


def test_a_stop_sequence_behind_a_call_leaves_the_call_the_reason() -> None:
    call = {"index": 0, "id": "c", "function": {"name": "A", "arguments": "{}"}}
    last = {"finish_reason": "stop", "delta": {"tool_calls": [call]}}
    assert ending(("</block>",), last) == Finished(StopReason.TOOL_CALLS)


def test_an_answer_that_is_not_streamed_names_its_stop_sequence() -> None:
    body = b'{"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]}'
    assert wire_of(("</block>",)).decode_answer(body)[-1] == BLOCK


@pytest.mark.parametrize("field", ["max_tokens", "max_completion_tokens"])
def test_the_limit_of_the_answer_has_the_name_that_the_endpoint_takes(field: OutputLimitField) -> None:
    body = json.loads(wire_of(limit_field=field).encode_request(ChatRequest("m", (), max_output_tokens=7)))
    assert {key: value for key, value in body.items() if key.startswith("max_")} == {field: 7}


def test_a_request_without_a_limit_names_none() -> None:
    body = json.loads(wire_of(limit_field="max_completion_tokens").encode_request(ChatRequest("m", ())))
    assert [key for key in body if key.startswith("max_")] == []


# --- Mistral's ids (report B043) ----------------------------------------------------------------------------------

IDS = ("toolu_01ABCdef", "call_xxx", "functions.bash:0", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "", "é" * 9, "\ud800")


def ids_sent(model: str, ids: tuple[str, ...]) -> list[tuple[str, str]]:
    """The ids of each call and its result, as an upstream with this model gets them."""
    endpoint = Endpoint("double", "openai_chat", "http://127.0.0.1:1", model)
    messages = tuple(
        message
        for id_ in ids
        for message in (
            Message(Role.ASSISTANT, (ToolCallPart(id_, "bash", "{}"),)),
            Message(Role.TOOL, (ToolResultPart(id_, (TextPart("done"),)),)),
        )
    )
    request = ChatRequest(model, (Message(Role.USER, (TextPart("hi"),)), *messages))
    body = json.loads(wire_for_call(OpenAIChat(), endpoint, request).encode_request(request))
    calls = [call["id"] for message in body["messages"] for call in message.get("tool_calls", ())]
    return list(
        zip(calls, [message["tool_call_id"] for message in body["messages"] if message["role"] == "tool"], strict=True)
    )


@pytest.mark.report("B043")
@pytest.mark.parametrize(
    "model", ["Mistral-Nemo", "devstral:24b", "codestral-22b.Q4_K_M.gguf", "mistralai/Mixtral-8x7B"]
)
def test_a_mistral_model_gets_ids_of_nine_letters_and_digits_the_same_for_call_and_result(model: str) -> None:
    sent = ids_sent(model, IDS)
    assert [call for call, _ in sent] == [result for _, result in sent]
    assert all(re.fullmatch("[A-Za-z0-9]{9}", call) for call, _ in sent)
    assert len({call for call, _ in sent}) == len(IDS)


@pytest.mark.report("B043")
def test_an_id_that_fits_stays_and_every_id_is_the_same_in_the_next_turn() -> None:
    assert ids_sent("mistral", ("a1B2c3D4e",)) == [("a1B2c3D4e", "a1B2c3D4e")]
    assert ids_sent("mistral", IDS[:3])[:2] == ids_sent("mistral", IDS[:2])


@pytest.mark.parametrize("model", ["qwen3-coder", "kimi-k2", "gpt-oss:20b", "astral-7b"])
def test_other_models_get_the_ids_as_they_are(model: str) -> None:
    assert ids_sent(model, ("functions.bash:0",)) == [("functions.bash:0", "functions.bash:0")]
