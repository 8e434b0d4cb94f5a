"""Events to the frames of a Responses stream."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum, auto
from typing import TypeAlias, assert_never

from agentlaunch.core import ir
from agentlaunch.core.wire.base import CUT_OFF, AnswerContext, Frame
from agentlaunch.core.wire.openai_responses import event_types, types
from agentlaunch.core.wire.openai_responses.encode_answer import IN_PROGRESS, Ending, ending_of, response_object
from agentlaunch.core.wire.openai_responses.open_items import (
    Numbering,
    OpenCall,
    OpenItem,
    OpenMessage,
    OpenReasoning,
    frame,
)

_RareEvent: TypeAlias = (
    ir.Started
    | ir.ThinkingSignature
    | ir.ToolCallStart
    | ir.ToolCallEnd
    | ir.Ping
    | ir.UsageReport
    | ir.Finished
    | ir.Failed
)


class _Phase(Enum):
    NEW = auto()
    STARTED = auto()
    ENDED = auto()


class ResponsesEventEncoder:
    """Events to frames: every event numbered, every item that is added done, one terminal event always.

    The last holds also when the answer breaks off: Codex fails with "stream closed before response.completed" else
    (field report B036). What is open at a failure is not done, and a call is done only when the event after its end
    is no failure (decoders end a call that broke off): Codex runs a call as soon as its item is done.
    """

    def __init__(self, context: AnswerContext) -> None:
        self._context = context
        self._id = context.new_id("resp_")
        self._numbering = Numbering()
        self._items: list[types.OutputItemOut] = []
        self._open: OpenItem | None = None
        self._whole: ir.ToolCallEnd | None = None
        self._usage = ir.Usage()
        self._ever_refused: ir.RefusalDelta | None = None
        self._phase = _Phase.NEW

    def feed(self, event: ir.ChatEvent) -> Iterator[Frame]:
        """Translate one event."""
        if self._phase is not _Phase.STARTED:
            if self._phase is _Phase.ENDED:
                return
            yield from self._start()
        if self._whole is not None and not isinstance(event, ir.Failed):
            self._whole = None
            yield from self._close("completed")
        match event:
            case ir.TextDelta():
                yield from self._text(event.text)
            case ir.ToolCallDelta():
                if isinstance(self._open, OpenCall):
                    yield from self._open.arguments(event.arguments)
            case ir.ThinkingDelta():
                yield from self._thinking(event.text)
            case ir.RefusalDelta():
                yield from self._refusal(event)
            case _:
                yield from self._rare(event)

    def finish(self) -> Iterator[Frame]:
        """The terminal event, when none was fed."""
        if self._phase is _Phase.NEW:
            yield from self._start()
        if self._phase is not _Phase.ENDED:
            yield from self._fail(CUT_OFF)

    def _rare(self, event: _RareEvent) -> Iterator[Frame]:
        match event:
            case ir.Started():
                return
            case ir.ThinkingSignature():
                yield from self._signature(event)
            case ir.ToolCallStart():
                yield from self._call(event)
            case ir.ToolCallEnd():
                self._whole = event
            case ir.Ping():
                yield frame(event_types.KeepaliveEvent("keepalive", self._numbering.next()))
            case ir.UsageReport():
                self._usage = event.usage
            case ir.Finished():
                yield from self._end(event.reason)
            case ir.Failed():
                yield from self._fail(event.fault)
            case _:
                assert_never(event)

    # --- items ------------------------------------------------------------------------------------------------

    def _text(self, text: str) -> Iterator[Frame]:
        message = self._open
        if not isinstance(message, OpenMessage):
            message = OpenMessage(self._numbering, self._context.new_id("msg_"), self._next_index())
            yield from self._switch(message)
        yield from message.text(text)

    def _refusal(self, event: ir.RefusalDelta) -> Iterator[Frame]:
        self._ever_refused = event
        message = self._open
        if not isinstance(message, OpenMessage):
            message = OpenMessage(self._numbering, self._context.new_id("msg_"), self._next_index())
            yield from self._switch(message)
        yield from message.refusal(event.text)

    def _thinking(self, text: str) -> Iterator[Frame]:
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            reasoning = OpenReasoning(self._numbering, self._context.new_id("rs_"), self._next_index())
            yield from self._switch(reasoning)
        yield from reasoning.text(text)

    def _signature(self, event: ir.ThinkingSignature) -> Iterator[Frame]:
        """Closes the reasoning; without one before it there is an item that holds nothing but the opaque part."""
        reasoning = self._open
        if not isinstance(reasoning, OpenReasoning):
            reasoning = OpenReasoning(self._numbering, self._context.new_id("rs_"), self._next_index())
            yield from self._switch(reasoning)
        reasoning.signature, reasoning.encrypted = event.signature, event.encrypted
        yield from self._close("completed")

    def _call(self, event: ir.ToolCallStart) -> Iterator[Frame]:
        item_id = self._context.new_id("ctc_" if event.kind == "custom" else "fc_")
        yield from self._switch(OpenCall(self._numbering, item_id, self._next_index(), event))

    def _next_index(self) -> int:
        """The output index of an item that is opened now: behind those done, and the one that is open."""
        return len(self._items) + (self._open is not None)

    def _switch(self, item: OpenItem) -> Iterator[Frame]:
        yield from self._close("completed")
        self._open = item
        yield from item.opening()

    def _close(self, status: str) -> Iterator[Frame]:
        """Finish the open item, if there is one."""
        item = self._open
        if item is None:
            return
        yield from item.closing(status)
        self._items.append(item.finished(status))
        self._open = None

    # --- the response -----------------------------------------------------------------------------------------

    def _start(self) -> Iterator[Frame]:
        self._phase = _Phase.STARTED
        yield self._lifecycle("response.created", IN_PROGRESS, None)
        yield self._lifecycle("response.in_progress", IN_PROGRESS, None)

    def _end(self, reason: ir.StopReason) -> Iterator[Frame]:
        called = any(isinstance(item, types.FunctionCall | types.CustomToolCall) for item in self._items)
        ending = ending_of(reason, refused=self._ever_refused is not None, called=called)
        yield from self._close(ending.status)
        self._phase = _Phase.ENDED
        yield self._lifecycle(f"response.{ending.status}", ending, self._usage)

    def _fail(self, fault: ir.ChatFault) -> Iterator[Frame]:
        self._phase = _Phase.ENDED
        yield self._lifecycle("response.failed", Ending("failed", error=fault), self._usage)

    def _lifecycle(self, name: str, ending: Ending, usage: ir.Usage | None) -> Frame:
        response = response_object(self._context, self._id, ending, self._items, usage)
        return frame(event_types.LifecycleEvent(name, self._numbering.next(), response))
