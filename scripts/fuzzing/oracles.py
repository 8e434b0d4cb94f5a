"""Strict readers of what our encoders write: each says what is wrong with the frames of one answer, or nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from agentlaunch.core.wire.base import Frame

Fields = dict[str, object]


class Malformed(AssertionError):
    """What is wrong with the frames."""


def _must(claim: bool, what: str) -> None:
    if not claim:
        raise Malformed(what)


def _no_constant(name: str) -> object:
    raise Malformed(f"{name} is no JSON")


def strict_json(data: bytes) -> object:
    """The document. Raises Malformed for what only lenient parsers read."""
    try:
        text = data.decode()
        text.encode("utf-8")
        document: object = json.loads(text, parse_constant=_no_constant)
    except ValueError as error:
        raise Malformed(f"no JSON: {error}") from error
    return document


def strict_object(data: bytes) -> Fields:
    """The JSON object. Raises Malformed for anything else."""
    document = strict_json(data)
    if not isinstance(document, dict):
        raise Malformed("no JSON object")
    return document


def inside(fields: Fields, key: str) -> Fields:
    """The object that stands under `key`."""
    value = fields.get(key)
    if not isinstance(value, dict):
        raise Malformed(f"`{key}` is no object")
    return value


def listed(fields: Fields, key: str) -> list[Fields]:
    """The objects in the list under `key`."""
    value = fields.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise Malformed(f"`{key}` is no list of objects")
    return value


# --- Anthropic Messages ------------------------------------------------------------------------------------------

_DELTAS = {
    "text": {"text_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "redacted_thinking": set[str](),
    "tool_use": {"input_json_delta"},
}


def read_messages(frames: Sequence[Frame]) -> None:
    """Anthropic's streaming reference: message_start, blocks one after the other, message_delta, message_stop."""
    events = [strict_object(frame.data) for frame in frames]
    for frame, event in zip(frames, events, strict=True):
        _must(frame.event == event.get("type"), "the frame's name is not its type")
    kinds = [event["type"] for event in events]
    _must(kinds[:1] == ["message_start"], "no message_start")
    _must(kinds[-1] == "error" or kinds[-2:] == ["message_delta", "message_stop"], f"it ends with {kinds[-2:]}")
    _must(kinds.count("message_start") == 1, "a second message_start")
    body = events[1:-1] if kinds[-1] == "error" else events[1:-2]
    _must(_blocks(body) is None, "a block is left open")
    if kinds[-1] == "error":
        _must(isinstance(inside(events[-1], "error").get("message"), str), "an error without its message")


def _blocks(events: Sequence[Fields]) -> str | None:
    """The kind of the block that is open at the end."""
    kind: str | None = None
    index = -1
    for event in events:
        match event["type"]:
            case "ping":
                continue
            case "content_block_start":
                index += 1
                _must(kind is None, "a block inside another")
                kind = str(inside(event, "content_block").get("type"))
                _must(kind in _DELTAS, f"a block of kind {kind}")
            case "content_block_delta":
                delta = inside(event, "delta").get("type")
                _must(kind is not None and delta in _DELTAS[kind], f"{delta} in {kind}")
            case "content_block_stop":
                _must(kind is not None, "a stop of nothing")
                kind = None
            case other:
                raise Malformed(f"{other} among the blocks")
        _must(event.get("index") == index, "a wrong index")
    return kind


# --- OpenAI Chat -------------------------------------------------------------------------------------------------


def read_chat(frames: Sequence[Frame]) -> None:
    """OpenAI's chunks: one choice, one finish_reason, then usage, then [DONE]; or an error in place of the end."""
    is_done = frames[-1].data == b"[DONE]"
    chunks = [strict_object(frame.data) for frame in (frames[:-1] if is_done else frames)]
    _must(all(not frame.event for frame in frames), "a named frame")
    if not is_done:
        _must(isinstance(inside(chunks[-1], "error").get("message"), str), "neither [DONE] nor an error")
        chunks = chunks[:-1]
    finishes, calls = 0, 0
    for chunk in chunks:
        _must(chunk.get("object") == "chat.completion.chunk", "no chunk")
        for choice in listed(chunk, "choices"):
            _must(finishes == 0, "something behind the finish")
            finishes += choice.get("finish_reason") is not None
            calls = _chat_calls(inside(choice, "delta"), calls)
    _must(finishes == int(is_done), f"{finishes} finish reasons")


def _chat_calls(delta: Fields, calls: int) -> int:
    """How many calls have begun after this delta; a call that begins has its id and name, and order is kept."""
    for call in listed(delta, "tool_calls") if "tool_calls" in delta else ():
        if call.get("index") == calls and call.get("id"):
            kind = "custom" if call.get("type") == "custom" else "function"
            _must(bool(inside(call, kind).get("name")), "a call without a name")
            calls += 1
            continue
        _must(call.get("index") == calls - 1 and "id" not in call, "a piece of a call that is not the last")
    return calls


# --- OpenAI Responses --------------------------------------------------------------------------------------------

_ENDS = {"response.completed", "response.incomplete", "response.failed"}
_INSIDE = {
    "message": {"output_text.delta", "output_text.done", "refusal.delta", "refusal.done"}
    | {"content_part.added", "content_part.done"},
    "reasoning": {"reasoning_summary_text.delta", "reasoning_summary_text.done"}
    | {"reasoning_summary_part.added", "reasoning_summary_part.done"},
    "function_call": {"function_call_arguments.delta", "function_call_arguments.done"},
    "custom_tool_call": {"custom_tool_call_input.delta", "custom_tool_call_input.done"},
}


def read_responses(frames: Sequence[Frame]) -> None:
    """OpenAI's reference: numbered events, items added and done one after the other, one terminal event."""
    events = [strict_object(frame.data) for frame in frames]
    kinds = [event.get("type") for event in events]
    _must(kinds == [frame.event for frame in frames], "the frame's name is not its type")
    _must([event.get("sequence_number") for event in events] == list(range(len(events))), "a wrong number")
    _must(kinds[:2] == ["response.created", "response.in_progress"], "no beginning")
    _must(kinds[-1] in _ENDS and sum(kind in _ENDS for kind in kinds) == 1, "not one end")
    done, open_kind = _items(events[2:-1])
    if kinds[-1] != "response.failed":
        _must(open_kind is None, "an item is left open")
    _must(inside(events[-1], "response").get("output") == done, "the end does not list the items that are done")


def _items(events: Sequence[Fields]) -> tuple[list[Fields], str | None]:
    done: list[Fields] = []
    kind: str | None = None
    opened = 0
    for event in events:
        name = str(event["type"]).removeprefix("response.")
        if name == "keepalive":
            continue
        if name == "output_item.added":
            _must(kind is None, "an item inside another")
            kind = str(inside(event, "item").get("type"))
            _must(kind in _INSIDE, f"an item of kind {kind}")
        elif name == "output_item.done":
            item = inside(event, "item")
            _must(item.get("type") == kind, "another item is done")
            _must(opened == 0, "a part is left open")
            done.append(item)
            kind = None
            _must(event.get("output_index") == len(done) - 1, "a wrong index")
            continue
        else:
            _must(kind is not None and name in _INSIDE[kind], f"{name} in {kind}")
            opened += name.endswith("part.added")
            opened -= name.endswith("part.done")
        _must(event.get("output_index") == len(done), "a wrong index")
    return done, kind


# --- Ollama ------------------------------------------------------------------------------------------------------


def read_ollama(frames: Sequence[Frame]) -> None:
    """Ollama's lines: `done` false, and one last line with `done` true, or an error."""
    lines = [strict_object(frame.data) for frame in frames]
    _must(all(b"\n" not in frame.data and not frame.event for frame in frames), "a line break inside a line")
    _must(all(line.get("done") is False for line in lines[:-1]), "a line behind the end")
    last = lines[-1]
    _must(last.get("done") is True or isinstance(last.get("error"), str), "no end")
    for line in lines if last.get("done") else lines[:-1]:
        message = inside(line, "message")
        for call in listed(message, "tool_calls") if "tool_calls" in message else ():
            function = inside(call, "function")
            _must(bool(function.get("name")), "a call without a name")
            inside(function, "arguments")


READERS: dict[str, Callable[[Sequence[Frame]], None]] = {
    "anthropic_messages": read_messages,
    "ollama_chat": read_ollama,
    "openai_chat": read_chat,
    "openai_responses": read_responses,
}
