"""The frames of an upstream's Responses stream to events."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Literal, TypeAlias, assert_never

import msgspec

from agentlaunch.core import ir
from agentlaunch.core.wire.base import CUT_OFF, Frame, ProtocolError, decode_json
from agentlaunch.core.wire.call_ids import CallIds
from agentlaunch.core.wire.openai_responses import event_types
from agentlaunch.core.wire.openai_responses.read_items import ReadCall, ReadMessage, ReadReasoning, Track
from agentlaunch.core.wire.upstream_faults import decode_stream_fault, is_bare_error

_HEAD = msgspec.json.Decoder(event_types.EventHead)
_ITEM = msgspec.json.Decoder(event_types.ReadItemEvent)
_DELTA = msgspec.json.Decoder(event_types.ReadDelta)
_LIFECYCLE = msgspec.json.Decoder(event_types.ReadLifecycle)
_RESPONSE = msgspec.json.Decoder(event_types.ReadResponse)

_PINGS = frozenset({"keepalive", "ping", "response.queued"})
_Kind: TypeAlias = Literal["message", "reasoning", "function", "custom"]
_KINDS: dict[str, _Kind] = {
    "message": "message",
    "reasoning": "reasoning",
    "function_call": "function",
    "custom_tool_call": "custom",
}
_ITEM_OF_EVENT: dict[str, _Kind] = {
    "output_text": "message",
    "refusal": "message",
    "reasoning_text": "reasoning",
    "reasoning_summary_text": "reasoning",
    "reasoning": "reasoning",  # as the two before were first called, and as some servers still do
    "reasoning_summary": "reasoning",
    "function_call_arguments": "function",
    "custom_tool_call_input": "custom",
}
"""`response.NAME.delta` and `response.NAME.done` to the item they belong to; other events say nothing new."""

_ABSENT = (b"null", b"")


class _Phase(Enum):
    NEW = auto()
    STARTED = auto()
    ENDED = auto()


class ResponsesEventDecoder:
    """Frames to events. A call that the upstream interleaves waits until the one before it has ended.

    Whatever came only in a `done` event, or only in the final response object, is told as one delta.
    """

    def __init__(self) -> None:
        self._phase = _Phase.NEW
        self._response_id = ""
        self._tracks: list[tuple[_Kind, Track]] = []
        self._by_id: dict[str, tuple[_Kind, Track]] = {}
        self._open: Track | None = None
        """The call that has been told and has not ended: items that came before it may still grow, and wait too."""
        self._ids = CallIds()

    def feed(self, frame: Frame) -> Iterator[ir.ChatEvent]:
        """Translate one frame. Raises ProtocolError for data that is not an event."""
        if self._phase is _Phase.ENDED or frame.data.strip() in (b"", b"[DONE]"):
            return
        head = decode_json(frame.data, _HEAD, is_answer=True)
        name = head.type or frame.event
        if _is_error(name, head):
            yield from self._start()
            yield from self._fail(decode_stream_fault(frame.data))
            return
        stem, _, verb = name.removeprefix("response.").rpartition(".")
        kind = _ITEM_OF_EVENT.get(stem)
        if kind and verb in ("delta", "done"):
            yield from self._start()
            self._piece(stem, kind, decode_json(frame.data, _DELTA, is_answer=True))
            yield from self._drain()
        elif name in ("response.output_item.added", "response.output_item.done"):
            yield from self._start()
            self._item(verb, decode_json(frame.data, _ITEM, is_answer=True))
            yield from self._drain()
        else:
            yield from self._rare(name, frame.data)

    def whole(self, response: event_types.ReadResponse) -> Iterator[ir.ChatEvent]:
        """Translate a finished response object, at the end of a stream or in place of all its frames."""
        yield from self._start(response.id or "", response.model or "")
        if bytes(response.error) not in _ABSENT:
            yield from self._fail(decode_stream_fault(bytes(response.error)))
        elif response.status in ("completed", "incomplete", ""):
            yield from self._end(response, incomplete=response.status if response.status == "incomplete" else "")
        else:
            yield from self._fail(CUT_OFF)

    def finish(self) -> Iterator[ir.ChatEvent]:
        """The upstream's stream has ended: `Failed` when no terminal event came."""
        if self._phase is not _Phase.ENDED:
            yield from self._start()
            yield from self._fail(CUT_OFF)

    # --- events -----------------------------------------------------------------------------------------------

    def _rare(self, name: str, data: bytes) -> Iterator[ir.ChatEvent]:
        match name:
            case "response.created":
                response = decode_json(data, _LIFECYCLE, is_answer=True).response
                yield from self._start(response.id or "", response.model or "")
            case "response.completed" | "response.done":
                yield from self.whole(decode_json(data, _LIFECYCLE, is_answer=True).response)
            case "response.incomplete":
                yield from self._start()
                yield from self._end(decode_json(data, _LIFECYCLE, is_answer=True).response, incomplete=name)
            case "response.failed" | "response.cancelled":
                yield from self._start()
                yield from self._fail(
                    decode_stream_fault(bytes(decode_json(data, _LIFECYCLE, is_answer=True).response.error))
                )
            case _ if name in _PINGS:
                yield from self._start()
                if self._open is None:
                    yield ir.Ping()
            case _:
                return

    def _start(self, response_id: str = "", model: str = "") -> Iterator[ir.ChatEvent]:
        if self._phase is _Phase.NEW:
            self._phase = _Phase.STARTED
            self._response_id = response_id
            yield ir.Started(response_id, model)

    def _fail(self, fault: ir.ChatFault) -> Iterator[ir.ChatEvent]:
        """The grammar wants the open call ended; encoders know from what follows that it is not whole."""
        self._phase = _Phase.ENDED
        if self._open is not None:
            yield ir.ToolCallEnd()
        yield ir.Failed(fault)

    def _end(self, response: event_types.ReadResponse, incomplete: str = "") -> Iterator[ir.ChatEvent]:
        streamed = {kind for kind, _ in self._tracks}
        for index, item in enumerate(response.output or ()):
            kind = _KINDS.get(item.type)
            if kind is None:
                continue
            track = self._find(item.id, index, kind)
            if track is None and kind not in streamed:  # else the same under another id
                track = self._new(item.id, index, kind)
            if track is not None:
                track.finish(item)
        for _, track in self._tracks:
            track.close()
        yield from self._drain()
        if response.usage is not None:
            yield ir.UsageReport(_usage(response.usage))
        self._phase = _Phase.ENDED
        yield ir.Finished(self._reason(response, incomplete))

    def _reason(self, response: event_types.ReadResponse, incomplete: str) -> ir.StopReason:
        if incomplete:
            details = response.incomplete_details
            filtered = details is not None and details.reason == "content_filter"
            return ir.StopReason.REFUSAL if filtered else ir.StopReason.MAX_TOKENS
        tracks = [track for _, track in self._tracks]
        if any(isinstance(track, ReadCall) for track in tracks):
            return ir.StopReason.TOOL_CALLS
        if any(isinstance(track, ReadMessage) and track.refused for track in tracks):
            return ir.StopReason.REFUSAL
        return ir.StopReason.END_TURN

    # --- items ------------------------------------------------------------------------------------------------

    def _item(self, verb: str, event: event_types.ReadItemEvent) -> None:
        item = event.item
        kind = _KINDS.get(item.type)
        if kind is None:
            return
        track = self._find(item.id, event.output_index, kind)
        if track is None or (verb == "added" and track.begun and item.id not in self._by_id):
            track = self._new(item.id, event.output_index, kind)
        if verb == "done":
            track.finish(item)
        elif isinstance(track, ReadCall):
            track.begin(item)

    def _piece(self, stem: str, kind: _Kind, event: event_types.ReadDelta) -> None:
        known = self._find(event.item_id, event.output_index, kind)
        track = known or self._new(event.item_id, event.output_index, kind)
        match track:
            case ReadMessage() if stem == "refusal":
                track.refusal(event.content_index, event.delta, event.refusal)
            case ReadMessage():
                track.text(event.content_index, event.delta, event.text)
            case ReadReasoning() if stem in ("reasoning_text", "reasoning"):
                track.text("content", event.content_index, event.delta, event.text)
            case ReadReasoning():
                track.text("summary", event.summary_index, event.delta, event.text)
            case ReadCall():
                track.arguments(event.delta, event.input if kind == "custom" else event.arguments)
            case _:
                assert_never(track)

    def _find(self, item_id: str | None, index: int, kind: _Kind) -> Track | None:
        """The item by its id, or the newest of its kind at its index: some servers renew ids from event to event."""
        known = self._by_id.get(item_id or "")
        if known and known[0] == kind:
            return known[1]
        for other, track in reversed(self._tracks):
            if other == kind and track.index == index:
                return track
        return None

    def _new(self, item_id: str | None, index: int, kind: _Kind) -> Track:
        track: Track
        match kind:
            case "message":
                track = ReadMessage(index)
            case "reasoning":
                track = ReadReasoning(index)
            case "function":
                track = ReadCall(index, "function", self._call_id(len(self._tracks)))
            case "custom":
                track = ReadCall(index, "custom", self._call_id(len(self._tracks)))
            case _:
                assert_never(kind)
        self._tracks.append((kind, track))
        if item_id:
            self._by_id[item_id] = (kind, track)
        return track

    def _call_id(self, number: int) -> Callable[[str], str]:
        """What makes the id of the call `number` of the one that the upstream gives it."""
        return lambda given: self._ids.fresh(given, f"call_{self._response_id}", number)

    def _drain(self) -> Iterator[ir.ChatEvent]:
        """What may be told now: the call that is open, alone; when it has ended, everything in order up to the next."""
        tracks = [track for _, track in self._tracks]
        if self._open is not None:
            tracks.insert(0, self._open)
        self._open = None
        for track in tracks:
            yield from track.events
            track.events.clear()
            if track.open:
                self._open = track
                return


def decode_answer(body: bytes) -> list[ir.ChatEvent]:
    """The events of an answer that is one JSON document. Raises ProtocolError for one that is no answer."""
    decoder = ResponsesEventDecoder()
    if is_bare_error(body):
        return [*decoder.feed(Frame(body, "error"))]
    response = decode_json(body, _RESPONSE, is_answer=True)
    if response.output is None and bytes(response.error) in _ABSENT:
        raise ProtocolError("missing - at `$.output`")
    return [*decoder.whole(response)]


def _is_error(name: str, head: event_types.EventHead) -> bool:
    """Whether a frame is an error in the middle of a stream, in one of the forms servers use (field report B008)."""
    told = bytes(head.error) not in _ABSENT or bytes(head.detail) not in _ABSENT or head.object == "error"
    return name == "error" or (told and not name.startswith("response."))


def _usage(usage: event_types.WireUsage) -> ir.Usage:
    cached = usage.input_tokens_details.cached_tokens if usage.input_tokens_details else 0
    reasoning = usage.output_tokens_details.reasoning_tokens if usage.output_tokens_details else 0
    return ir.Usage(usage.input_tokens, cached, usage.output_tokens, reasoning)
