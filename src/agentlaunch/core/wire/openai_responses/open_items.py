"""The output item that a stream is writing: its frames from `added` over the deltas to `done`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from agentlaunch.core.ir import ToolCallStart
from agentlaunch.core.wire.base import Frame
from agentlaunch.core.wire.openai_responses import event_types, types
from agentlaunch.core.wire.openai_responses.encode_answer import call_item, reasoning_item


class Numbering:
    """The sequence number that every event of a response carries, from 0."""

    __slots__ = ("_last",)

    def __init__(self) -> None:
        self._last = -1

    def next(self) -> int:
        """The next number."""
        self._last += 1
        return self._last


def frame(event: event_types.WrittenEvent) -> Frame:
    """One event as a frame."""
    return Frame(types.encode(event), event.type)


class OpenMessage:
    """A message; parts of text and of refusal follow each other in it."""

    def __init__(self, numbering: Numbering, item_id: str, index: int) -> None:
        self._number = numbering.next
        self._id = item_id
        self._index = index
        self._closed: list[types.WrittenOutput] = []
        self._part: type[types.OutputText] | type[types.Refusal] | None = None
        self._chunks: list[str] = []

    def opening(self) -> Iterator[Frame]:
        """The item is added."""
        item = types.Message("assistant", [], self._id, "in_progress")
        yield frame(event_types.ItemEvent("response.output_item.added", self._number(), self._index, item))

    def text(self, text: str) -> Iterator[Frame]:
        """A piece of text."""
        if self._part is not types.OutputText:
            yield from self._switch(types.OutputText)
        self._chunks.append(text)
        position = len(self._closed)
        name = "response.output_text.delta"
        yield frame(event_types.TextDeltaEvent(name, self._number(), self._id, self._index, position, text))

    def refusal(self, text: str) -> Iterator[Frame]:
        """A piece of a refusal."""
        if self._part is not types.Refusal:
            yield from self._switch(types.Refusal)
        self._chunks.append(text)
        position = len(self._closed)
        name = "response.refusal.delta"
        yield frame(event_types.RefusalDeltaEvent(name, self._number(), self._id, self._index, position, text))

    def closing(self, status: str) -> Iterator[Frame]:
        """The last part, then the item, are done."""
        yield from self._close_part()
        yield frame(
            event_types.ItemEvent("response.output_item.done", self._number(), self._index, self.finished(status))
        )

    def finished(self, status: str) -> types.Message:
        """The item as it stands."""
        return types.Message("assistant", list(self._closed), self._id, status)

    def _switch(self, part: type[types.OutputText] | type[types.Refusal]) -> Iterator[Frame]:
        yield from self._close_part()
        self._part = part
        name = "response.content_part.added"
        position = len(self._closed)
        yield frame(event_types.PartEvent(name, self._number(), self._id, self._index, position, part("")))

    def _close_part(self) -> Iterator[Frame]:
        if self._part is None:
            return
        text = "".join(self._chunks)
        part = self._part(text)
        position = len(self._closed)
        if isinstance(part, types.OutputText):
            name = "response.output_text.done"
            yield frame(event_types.TextDoneEvent(name, self._number(), self._id, self._index, position, text))
        else:
            name = "response.refusal.done"
            yield frame(event_types.RefusalDoneEvent(name, self._number(), self._id, self._index, position, text))
        name = "response.content_part.done"
        yield frame(event_types.PartEvent(name, self._number(), self._id, self._index, position, part))
        self._closed.append(part)
        self._chunks.clear()
        self._part = None


class OpenReasoning:
    """Reasoning, told as one part of summary. `signature` and `encrypted` may be set until it is closed."""

    def __init__(self, numbering: Numbering, item_id: str, index: int) -> None:
        self._number = numbering.next
        self._id = item_id
        self._index = index
        self._chunks: list[str] = []
        self.signature = ""
        self.encrypted = ""

    def opening(self) -> Iterator[Frame]:
        """The item is added."""
        item = types.Reasoning(self._id, ())
        yield frame(event_types.ItemEvent("response.output_item.added", self._number(), self._index, item))

    def text(self, text: str) -> Iterator[Frame]:
        """A piece of reasoning."""
        if not self._chunks:
            name = "response.reasoning_summary_part.added"
            part = types.SummaryText("")
            yield frame(event_types.SummaryPartEvent(name, self._number(), self._id, self._index, 0, part))
        self._chunks.append(text)
        name = "response.reasoning_summary_text.delta"
        yield frame(event_types.SummaryDeltaEvent(name, self._number(), self._id, self._index, 0, text))

    def closing(self, status: str) -> Iterator[Frame]:
        """The summary, then the item, are done."""
        if self._chunks:
            text = "".join(self._chunks)
            name = "response.reasoning_summary_text.done"
            yield frame(event_types.SummaryDoneEvent(name, self._number(), self._id, self._index, 0, text))
            name = "response.reasoning_summary_part.done"
            part = types.SummaryText(text)
            yield frame(event_types.SummaryPartEvent(name, self._number(), self._id, self._index, 0, part))
        yield frame(
            event_types.ItemEvent("response.output_item.done", self._number(), self._index, self.finished(status))
        )

    def finished(self, status: str) -> types.Reasoning:  # noqa: ARG002 - reasoning has no status of its own
        """The item as it stands."""
        return reasoning_item(self._id, "".join(self._chunks), self.signature, self.encrypted)


class OpenCall:
    """A call of either kind."""

    def __init__(self, numbering: Numbering, item_id: str, index: int, start: ToolCallStart) -> None:
        self._number = numbering.next
        self._id = item_id
        self._index = index
        self._start = start
        self._chunks: list[str] = []
        custom = start.kind == "custom"
        self._stem = "response.custom_tool_call_input" if custom else "response.function_call_arguments"

    def opening(self) -> Iterator[Frame]:
        """The item is added."""
        item = call_item(self._id, self._start, "", "in_progress")
        yield frame(event_types.ItemEvent("response.output_item.added", self._number(), self._index, item))

    def arguments(self, text: str) -> Iterator[Frame]:
        """A piece of the arguments."""
        self._chunks.append(text)
        name = f"{self._stem}.delta"
        yield frame(event_types.CallDeltaEvent(name, self._number(), self._id, self._index, text))

    def closing(self, status: str) -> Iterator[Frame]:
        """The arguments, then the item, are done."""
        text = "".join(self._chunks)
        name = f"{self._stem}.done"
        if self._start.kind == "custom":
            yield frame(event_types.InputDoneEvent(name, self._number(), self._id, self._index, text))
        else:
            tool = self._start.name
            yield frame(event_types.ArgumentsDoneEvent(name, self._number(), self._id, self._index, text, tool))
        yield frame(
            event_types.ItemEvent("response.output_item.done", self._number(), self._index, self.finished(status))
        )

    def finished(self, status: str) -> types.FunctionCall | types.CustomToolCall:
        """The item as it stands."""
        return call_item(self._id, self._start, "".join(self._chunks), status)


OpenItem: TypeAlias = OpenMessage | OpenReasoning | OpenCall
