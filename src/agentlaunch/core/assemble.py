"""Events to the finished answer: what a client gets that did not ask for a stream."""

from __future__ import annotations

from typing import assert_never

from agentlaunch.core.ir import (
    Answer,
    ChatEvent,
    ChatFault,
    Failed,
    Finished,
    Part,
    Ping,
    RefusalDelta,
    RefusalPart,
    Started,
    TextDelta,
    TextPart,
    ThinkingDelta,
    ThinkingPart,
    ThinkingSignature,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallPart,
    ToolCallStart,
    Usage,
    UsageReport,
)
from agentlaunch.core.wire.base import CUT_OFF


class Assembler:
    """Collects one answer. Neighbouring pieces of one kind become one part; pings leave no trace."""

    def __init__(self) -> None:
        self._parts: list[Part] = []
        self._pieces: list[str] = []
        self._open: TextDelta | ThinkingDelta | RefusalDelta | ToolCallStart | None = None
        self._usage = Usage()
        self._end: Finished | Failed | None = None

    def feed(self, event: ChatEvent) -> None:
        """Take the next event of the grammar in `core.ir`."""
        match event:
            case TextDelta(text) | ThinkingDelta(text) | RefusalDelta(text):
                if type(self._open) is not type(event):
                    self._close()
                    self._open = event
                self._pieces.append(text)
            case ThinkingSignature():
                self._sign(event)
            case ToolCallStart():
                self._close()
                self._open = event
            case ToolCallDelta(arguments):
                self._pieces.append(arguments)
            case ToolCallEnd():
                self._close()
            case UsageReport(usage):
                self._usage = usage
            case Finished() | Failed():
                self._end = event
            case Started() | Ping():
                pass
            case _:
                assert_never(event)

    def result(self) -> Answer | ChatFault:
        """The answer, or why there is none: the upstream's fault, or a stream that ended without its end."""
        match self._end:
            case Finished(reason, stop_sequence):
                self._close()
                return Answer(tuple(self._parts), reason, stop_sequence, self._usage)
            case Failed(fault):
                return fault
            case None:
                return CUT_OFF
            case _:
                assert_never(self._end)

    def _sign(self, event: ThinkingSignature) -> None:
        text = "".join(self._pieces) if isinstance(self._open, ThinkingDelta) else ""
        if not isinstance(self._open, ThinkingDelta):
            self._close()
        self._parts.append(ThinkingPart(text, event.signature, event.encrypted))
        self._open = None
        self._pieces = []

    def _close(self) -> None:
        """Turn what is open into a part."""
        text = "".join(self._pieces)
        match self._open:
            case TextDelta():
                self._parts.append(TextPart(text))
            case ThinkingDelta():
                self._parts.append(ThinkingPart(text))
            case RefusalDelta():
                self._parts.append(RefusalPart(text))
            case ToolCallStart(id_, name, kind, namespace):
                self._parts.append(ToolCallPart(id_, name, text, kind, namespace))
            case None:
                pass
            case _:
                assert_never(self._open)
        self._open = None
        self._pieces = []
